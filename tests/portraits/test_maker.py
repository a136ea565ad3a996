"""The process that makes avatars of photos: a portrait in, an avatar and its film out."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from tests.avatar.photo.conftest import ASTRONAUT, POINTS, encoded, fetched
from tests.avatar.photo.conftest import PORTRAIT as PORTRAIT_FILE
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.package import load_package
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.importer import Stage
from visavis.portraits.building import put_in_place
from visavis.portraits.draft import Fault, Findings, Wish
from visavis.portraits.film import LEAD, TAIL
from visavis.portraits.maker import Built, Event, Filmed, MakerError, MakerProcess, Order, Reached, Spoken
from visavis.speech.models import ModelError, ModelStore
from visavis.speech.ports import SPEECH_RATE
from visavis.viseme import TimedViseme, Viseme

PORTRAIT = np.asarray(cv2.imread(str(PORTRAIT_FILE)), np.uint8)
SECONDS = 1.2
TONE = (8000 * np.sin(2 * np.pi * 330 * np.arange(int(SECONDS * SPEECH_RATE)) / SPEECH_RATE)).astype(np.int16)
SPOKEN = Spoken(TONE, (TimedViseme(Viseme.AA, 0.1, 0.6), TimedViseme(Viseme.PP, 0.6, 1.2)))


def order(folder: Path, photo: bytes, wish: Wish | None = None, **changes: Any) -> Order:
    (folder / "photo").write_bytes(photo)
    return Order(folder, "Ana", changes.pop("voice", ""), consent_now("I am Ana."), wish or Wish(), **changes)


async def said(sentence: Spoken | None) -> Spoken | None:
    return sentence


async def run(
    wanted: Order, networks: Path | None = None, sentence: Spoken | None = None, patience: float = 120.0
) -> list[Event]:
    maker = MakerProcess(lambda: networks, patience=patience)
    async with aclosing(maker.make(wanted, asyncio.ensure_future(said(sentence)))) as events:
        return [event async for event in events]


def stages(events: list[Event]) -> list[str]:
    return [event.stage for event in events if isinstance(event, Reached)]


async def test_points_by_hand_then_an_avatar_and_its_film(tmp_path: Path) -> None:
    drafts = tmp_path / "draft"
    drafts.mkdir()
    events = await run(order(drafts, encoded(PORTRAIT)), sentence=SPOKEN)
    found = events[-1]
    assert isinstance(found, Findings)
    assert (found.width, found.height, found.sure) == (768, 768, False)
    assert set(found.points) == set(POINTS)
    assert cv2.imread(str(drafts / "upright.jpg")).shape == (768, 768, 3)
    assert not (drafts / "avatar").exists()

    events = await run(order(drafts, encoded(PORTRAIT), Wish(POINTS), voice="flite:rms"), sentence=SPOKEN)
    assert isinstance(events[-1], Filmed)
    (built,) = [event for event in events if isinstance(event, Built)]
    assert built.points["chin"] == pytest.approx(POINTS["chin"], abs=1.0)
    shares = [event.share for event in events if isinstance(event, Reached)]
    assert shares == sorted(shares)
    named = [stage.name.lower() for stage in Stage if stage is not Stage.DONE]
    assert list(dict.fromkeys(stages(events))) == [*named, "keeping", "film"]
    (drafts / "avatar").rename(tmp_path / "ana")
    avatar = Catalogue(tmp_path).get("ana")
    assert avatar is not None
    assert (avatar.name, avatar.persona.voice) == ("Ana", "flite:rms")
    consent = load_package(avatar.package).manifest.consent
    assert consent is not None
    assert consent.statement == "I am Ana."
    check_film(drafts / "film.webm")


def check_film(path: Path) -> None:
    """It has the tone where it should be, and the mouth opens on the vowel alone."""
    with av.open(str(path)) as film:
        assert {stream.codec_context.name for stream in film.streams} == {"vp8", "opus"}
        frames = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
        film.seek(0)
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in film.decode(audio=0)])
        rate = film.streams.audio[0].rate
    assert frames[0].shape == (512, 512)
    assert len(frames) / 25 == pytest.approx(LEAD + SECONDS + TAIL, abs=0.1)
    loud = np.abs(sound) > 0.05
    assert np.flatnonzero(loud)[0] / rate == pytest.approx(LEAD, abs=0.05)
    assert np.flatnonzero(loud)[-1] / rate == pytest.approx(LEAD + SECONDS, abs=0.05)

    def dark(at: float) -> int:
        return int((frames[int(at * 25)][310:360, 200:312] < 60).sum())

    assert dark(LEAD + 0.4) > dark(0.2) + 300
    assert dark(LEAD + 0.9) < dark(LEAD + 0.4) - 300


async def test_another_voice_leaves_the_face(tmp_path: Path) -> None:
    await run(order(tmp_path, encoded(PORTRAIT), Wish(POINTS), voice="flite:slt"))
    assert not (tmp_path / "film.webm").exists()
    made = (tmp_path / "avatar" / "face" / "picture.webp").stat().st_mtime_ns
    for voice in ("flite:rms", 'odd "name"', ""):
        events = await run(order(tmp_path, b"", voice=voice, face=False), sentence=SPOKEN)
        assert [type(event) for event in events] == [Reached, Filmed]
        assert Catalogue(tmp_path).all()[0].persona.voice == voice
    assert (tmp_path / "avatar" / "face" / "picture.webp").stat().st_mtime_ns == made
    assert (tmp_path / "film.webm").stat().st_size > 10_000


def test_a_builder_that_is_killed_leaves_no_half_of_an_avatar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, made = tmp_path / "avatar", tmp_path / "made"
    files = {"avatar.toml", "poster.jpg"}
    for folder in (target, made):
        folder.mkdir()
        for name in files:
            (folder / name).write_text(folder.name)
    seen: list[set[str]] = []
    rename, unlink = os.rename, os.unlink

    def look(change: Any) -> Any:
        def changed(*args: Any, **kwargs: Any) -> None:
            change(*args, **kwargs)
            seen.append({path.name for path in target.iterdir()} if target.exists() else set())

        return changed

    monkeypatch.setattr(os, "rename", look(rename))
    monkeypatch.setattr(os, "unlink", look(unlink))
    put_in_place(made, target)
    assert len(seen) >= 4
    assert all(present in (files, set()) for present in seen)
    assert {(target / name).read_text() for name in files} == {"made"}
    assert [path.name for path in tmp_path.iterdir()] == ["avatar"]


@pytest.mark.parametrize(
    ("photo", "code"),
    [
        (b"this is no photo", "not_an_image"),
        (encoded(np.full((400, 400, 3), 120, np.uint8)), "no_face"),
        (encoded(np.hstack([PORTRAIT, PORTRAIT])), "several_faces"),
        (encoded(cv2.resize(PORTRAIT, (96, 96), interpolation=cv2.INTER_AREA)), "face_too_small"),
    ],
)
async def test_photos_that_are_refused(tmp_path: Path, photo: bytes, code: str) -> None:
    refused = (await run(order(tmp_path, photo)))[-1]
    assert isinstance(refused, Fault)
    assert refused.code == code
    assert not (tmp_path / "avatar").exists()


async def test_with_the_networks_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        networks = ModelStore().pull("face-landmarks")
    except ModelError as error:
        pytest.skip(f"needs the face networks from the package index: {error}")
    photo = fetched(ASTRONAUT, monkeypatch).read_bytes()
    events = await run(order(tmp_path, photo), networks)
    (found,) = [event for event in events if isinstance(event, Findings)]
    assert found.sure
    assert isinstance(events[-1], Built)
    assert any("soft" in warning for warning in events[-1].warnings)


async def test_leaving_it_ends_the_process(tmp_path: Path) -> None:
    making = MakerProcess(lambda: None).make(
        order(tmp_path, encoded(PORTRAIT), Wish(POINTS)), asyncio.ensure_future(said(None))
    )
    children = await _children()
    await anext(making)
    (child,) = await _children() - children
    await making.aclose()
    assert child not in await _children()
    assert not (tmp_path / "avatar").exists()


async def test_it_has_an_end(tmp_path: Path) -> None:
    with pytest.raises(MakerError, match=r"within 0\.5 s"):
        await run(order(tmp_path, encoded(PORTRAIT), Wish(POINTS)), patience=0.5)


async def test_networks_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(MakerError, match="face_detection"):
        await run(order(tmp_path, encoded(PORTRAIT)), tmp_path)


async def _children() -> set[int]:
    """The processes that this one started."""
    listing = await asyncio.create_subprocess_exec("ps", "-o", "pid=,ppid=,args=", "-A", stdout=asyncio.subprocess.PIPE)
    output, _ = await listing.communicate()
    lines = [line.split(None, 2) for line in output.decode().splitlines()]
    return {int(pid) for pid, parent, _ in lines if int(parent) == os.getpid()} - {listing.pid}
