"""How a call wants to see its avatar, what it is told, and transparent frames put together."""

import base64
from collections.abc import Awaitable, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import numpy as np
import pytest
from aiortc.mediastreams import VideoStreamTrack

from tests.client.stage import Grey, Line, Tone, media, scripted, until
from visavis.avatar.emotion import Emotion as ServerEmotion
from visavis.client import Call, Emotion, Film, Picture, Timing, VideoFrame

PICTURE = {"width": 64, "height": 96, "transparent": True, "backgrounds": False}
BACKGROUND = "realtime.set_background"
DATA_URL = "data:application/octet-stream;base64,"


class CutOut(VideoStreamTrack):
    """64 × 96: red of which all is seen above, half below."""

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(cut_out(), format="bgr24")
        frame.pts, frame.time_base = pts, Fraction(base)
        return frame


def cut_out() -> np.ndarray:
    frame = np.zeros((96, 128, 3), np.uint8)
    frame[:48, 8:56], frame[48:, 8:56] = (20, 30, 200), (10, 15, 100)
    frame[:48, 72:120], frame[48:, 72:120] = 255, 128
    return frame


def call(url: str, **options: Any) -> Call:
    return Call(url, license="x", name="n", **options)


def with_picture(notes: list[dict[str, str]], picture: dict[str, Any] | None) -> Callable[[Line], Awaitable[None]]:
    async def script(line: Line) -> None:
        notes.append(line.query)
        await line.accept(resumed=False, resumeToken="t")
        async with media(line, Tone(), CutOut() if picture else Grey()):
            await line.state("connecting", **({"picture": picture} if picture else {}))
            await line.begin()
            async for text in line.socket:
                notes.append(line.read(text))

    return script


def is_the_cut_out(rgba: np.ndarray) -> bool:
    assert rgba.shape == (96, 64, 4)
    outside, whole, half = rgba[4:92, 0:3], rgba[8:40, 16:48], rgba[56:88, 16:48]
    return bool(
        outside[..., 3].max() == 0
        and whole[..., 3].min() > 250
        and np.abs(half[..., 3].astype(int) - 128).max() < 12
        and np.abs(whole[..., :3].reshape(-1, 3).mean(0) - (200, 30, 20)).max() < 12
        and np.abs(half[..., :3].reshape(-1, 3).mean(0) - (200, 30, 20)).max() < 24
    )


async def test_who_wants_nothing_asks_for_nothing() -> None:
    notes: list[Any] = []
    async with scripted(with_picture(notes, None)) as place:
        pictures: list[VideoFrame] = []
        async with call(place.url, on_video=pictures.append) as one:
            assert notes[0].keys() == {"license", "name", "states"}
            assert one.picture is None
            assert pictures[0].bgra().shape == (96, 64, 4)
            assert pictures[0].bgra()[..., 3].min() == 255
            assert (pictures[0].bgra()[..., :3] == pictures[0].bgr()).all()


async def test_a_transparent_call() -> None:
    notes: list[Any] = []
    async with scripted(with_picture(notes, PICTURE)) as place:
        pictures: list[VideoFrame] = []
        async with call(place.url, size=(64, 96), background="blur", transparent=True, on_video=pictures.append) as one:
            asked = {name: notes[0][name] for name in ("size", "background", "transparent")}
            assert asked == {"size": "64x96", "background": "blur", "transparent": "1"}
            assert one.picture == Picture(64, 96, transparent=True, backgrounds=False)
            await until(lambda: is_the_cut_out(pictures[-1].rgba()))
            assert pictures[-1].picture.width == 128
            assert pictures[-1].rgb().shape == (96, 64, 3)
            assert (pictures[-1].bgra()[..., 2] == pictures[-1].rgba()[..., 0]).all()


async def test_backgrounds_and_feelings_are_sent_and_the_background_again_after_a_loss() -> None:
    notes: list[Any] = []

    def told(kind: str) -> list[Any]:
        return [note["data"] for note in notes if note.get("type") == kind]

    async with scripted(with_picture(notes, None)) as place, call(place.url, background=b"\x89PNG") as one:
        await until(lambda: bool(told(BACKGROUND)))
        assert "background" not in notes[0]
        await one.set_background("#2f6f6f")
        await one.set_emotion("happy")
        await one.set_emotion("sad", 0.25)
        await until(lambda: len(told("realtime.set_emotion")) == 2)
        first = {"background": DATA_URL + base64.b64encode(b"\x89PNG").decode()}
        assert told(BACKGROUND) == [first, {"background": "#2f6f6f"}]
        assert told("realtime.set_emotion") == [
            {"emotion": "happy", "intensity": 1.0},
            {"emotion": "sad", "intensity": 0.25},
        ]
        link = one._outlet._link
        assert link is not None
        assert link._socket is not None
        link._socket.transport.abort()
        await until(lambda: place.calls == 2 and len(told(BACKGROUND)) == 3)
        assert told(BACKGROUND)[2] == {"background": "#2f6f6f"}


@pytest.mark.parametrize("background", ["", "a/b", "../x", "#", b"", bytes(2 * 1024 * 1024 + 1)])
async def test_no_background(background: str | bytes) -> None:
    with pytest.raises(ValueError, match="background"):
        call("http://127.0.0.1:9", background=background)
    with pytest.raises(ValueError, match="background"):
        await call("http://127.0.0.1:9").set_background(background)


async def test_no_feeling_and_no_size() -> None:
    with pytest.raises(ValueError, match="no emotion: 'hungry'"):
        await call("http://127.0.0.1:9").set_emotion("hungry")  # type: ignore[arg-type]
    for intensity in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="intensity"):
            await call("http://127.0.0.1:9").set_emotion("happy", intensity)
    with pytest.raises(ValueError, match="size"):
        call("http://127.0.0.1:9", size=(0, 512))


def test_the_emotions_are_the_servers() -> None:
    assert set(get_args(Emotion)) == {emotion.value for emotion in ServerEmotion}


def test_a_film_of_a_transparent_call_stands_in_front_of_black(tmp_path: Path) -> None:
    film = Film(tmp_path / "cut_out.mp4")
    for number in range(10):
        frame = av.VideoFrame.from_ndarray(cut_out(), format="bgr24")
        film.add_video(VideoFrame(frame, Timing(number / 25, number / 25, None), transparent=True))
    film.close()
    with av.open(str(film.path)) as container:
        pictures = [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]
    assert len(pictures) == 10
    assert pictures[0].shape == (96, 64, 3)
    assert pictures[0][:, :4].max() < 20
    assert np.abs(pictures[0][8:40, 16:48].reshape(-1, 3).mean(0) - (20, 30, 200)).max() < 12
