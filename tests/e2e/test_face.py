"""The face on decoded frames: the mouth is closed in silence, open in vowels, and in step with the sound."""

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import visavis
from tests.busy import up_to_three_times
from tests.e2e.conftest import visit
from tests.e2e.voices import spoken
from visavis.avatar.manifest import Manifest
from visavis.bench.server_process import ServerProcess
from visavis.client import AudioFrame, Call, VideoFrame

pytestmark = pytest.mark.asyncio(loop_scope="module")


def mouth() -> tuple[slice, slice]:
    """Rows and columns of Vera's lips in a picture of 512 × 512."""
    path = Path(visavis.__file__).parent / "avatar" / "embedded" / "vera" / "face" / "manifest.json"
    manifest = Manifest.model_validate_json(path.read_bytes())
    slit = np.array(manifest.mouth.slit) * 512 / manifest.size
    left, right, middle = slit[:, 0].min(), slit[:, 0].max(), slit[:, 1].mean()
    wide = right - left
    return slice(int(middle - 0.1 * wide), int(middle + 0.4 * wide)), slice(int(left), int(right))


MOUTH = mouth()


class Watcher:
    """Keeps what was seen and heard, placed by the server's own clock."""

    def __init__(self) -> None:
        self.pictures: list[tuple[float, NDArray[np.uint8]]] = []
        self.sound: list[tuple[float, float]] = []

    def see(self, frame: VideoFrame) -> None:
        if frame.timing.sent is not None:
            self.pictures.append((frame.timing.sent, frame.bgr()))

    def hear(self, frame: AudioFrame) -> None:
        if frame.timing.sent is not None:
            self.sound.append((frame.timing.sent, float(np.sqrt(np.mean(np.square(frame.pcm, dtype=np.float64))))))

    def loudness(self, at: float, reach: float = 0.06) -> float:
        near = [level for time, level in self.sound if abs(time - at) <= reach]
        return float(np.mean(near)) if near else 0.0


def openness(picture: NDArray[np.uint8]) -> float:
    """How much of the mouth's region is the dark of an open mouth."""
    luminance = cv2.cvtColor(picture[MOUTH], cv2.COLOR_BGR2GRAY)
    return float(np.mean(luminance < 60))


async def test_the_mouth_follows_the_voice(server: ServerProcess) -> None:
    watcher = Watcher()
    (vowels,) = await spoken(("en-us", "Ah! Ah! Ah!"))
    pause = np.zeros(24_000, np.int16)
    async with Call(
        server.url,
        license=server.license,
        avatar_id="vera",
        model="transparency",
        on_audio=watcher.hear,
        on_video=watcher.see,
    ) as call:
        # The first sender reports place all that follows.
        await asyncio.sleep(2.5)
        for _ in range(2):
            await call.send_audio(np.concatenate((vowels, pause)))
        await asyncio.sleep(2 * (len(vowels) + len(pause)) / 24_000 + 1.0)
    loud = [openness(picture) for at, picture in watcher.pictures if watcher.loudness(at) > 2500]
    quiet = [openness(picture) for at, picture in watcher.pictures if watcher.loudness(at, 0.3) < 20]
    assert len(loud) > 10
    assert len(quiet) > 20
    assert np.median(loud) > 5 * max(float(np.percentile(quiet, 95)), 0.004)
    level = np.array([watcher.loudness(at) for at, _ in watcher.pictures])
    opened = np.array([openness(picture) for _, picture in watcher.pictures])
    assert np.corrcoef(level, opened)[0, 1] > 0.6


@up_to_three_times
async def test_an_idle_face_is_alive_and_sends_25_pictures_a_second(server: ServerProcess) -> None:
    async with visit(server, model="transparency") as visitor:
        watcher_start = visitor.pictures
        await asyncio.sleep(4)
        assert 0.85 * 100 <= visitor.pictures - watcher_start <= 1.1 * 100


async def test_an_idle_face_blinks_and_breathes(server: ServerProcess) -> None:
    watcher = Watcher()
    async with Call(server.url, license=server.license, avatar_id="vera", model="transparency", on_video=watcher.see):
        await asyncio.sleep(10)
    eyes = np.array(
        [cv2.cvtColor(picture[205:240, 170:340], cv2.COLOR_BGR2GRAY).mean() for _, picture in watcher.pictures]
    )
    assert eyes.std() > 0.3
    changes = [
        float(np.abs(later.astype(np.int16) - earlier.astype(np.int16)).mean())
        for (_, earlier), (_, later) in zip(watcher.pictures, watcher.pictures[1:], strict=False)
    ]
    assert 0 < float(np.median(changes)) < 3
    assert max(changes) < 12
