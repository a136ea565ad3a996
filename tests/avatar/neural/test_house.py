import gc
import importlib.util
import threading
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.avatar.conftest import build_small_package
from tests.avatar.neural.parts import HandClock, LoudnessEngine, settle, ticks, voice, write_wav2lip
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.neural.house import WAV2LIP_FILE, NeuralFaces, open_faces
from visavis.avatar.neural.pictures import LONGEST, loop_of_file, loop_of_package, source_beside
from visavis.avatar.neural.ports import NeuralError, Place
from visavis.avatar.package import AvatarPackage

POSTER = EMBEDDED / "vera" / "poster.jpg"


def film(path: Path, pictures: list[np.ndarray], rate: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def test_the_puppets_own_pictures_are_the_source(vera: AvatarPackage) -> None:
    loop = loop_of_package(vera, 320, 240, seconds=0.4)
    assert loop.pictures.shape == (10, 360, 320)
    assert (loop.pictures[0] != loop.pictures[9]).any(), "the person does not move"
    place = loop.places[0]
    scale = 240 / vera.manifest.size
    assert vera.manifest.eyes is not None
    eyes = (vera.manifest.eyes.box.top + vera.manifest.eyes.box.bottom) / 2
    x, lips = np.mean(vera.manifest.mouth.slit, axis=0)
    assert (place.x, place.eyes, place.lips) == pytest.approx((40 + x * scale, eyes * scale, lips * scale), abs=1.5)


def test_a_package_without_eyes_cannot_be_placed() -> None:
    package = build_small_package()
    manifest = package.manifest.model_copy(update={"eyes": None})
    blind = AvatarPackage(manifest, package.picture, package.fields, None, package.interior)
    with pytest.raises(NeuralError, match="Small"):
        loop_of_package(blind, 64, 64, seconds=0.1)


def test_a_face_in_a_photograph_is_found_where_the_manifest_says(vera: AvatarPackage) -> None:
    loop = loop_of_file(POSTER, 512, 512)
    assert loop.pictures.shape == (1, 768, 512)
    known, found = loop_of_package(vera, 512, 512, seconds=0.04).places[0], loop.places[0]
    unit = known.lips - known.eyes
    assert found.x == pytest.approx(known.x, abs=0.15 * unit)
    assert found.eyes == pytest.approx(known.eyes, abs=0.25 * unit)
    assert found.lips == pytest.approx(known.lips, abs=0.25 * unit)


def test_a_video_is_taken_at_25_pictures_a_second_and_steadied(tmp_path: Path) -> None:
    poster = cv2.resize(cv2.imread(str(POSTER)), (320, 320))
    moved = [np.roll(poster, 4 * (number % 2), 1) for number in range(10)]
    path = film(tmp_path / "ten.mp4", moved, rate=10)
    loop = loop_of_file(path, 256, 192)
    assert len(loop.places) == pytest.approx(23, abs=2)
    assert loop.pictures.shape[1:] == (288, 256)
    middles = [place.x for place in loop.places]
    assert max(abs(np.diff(middles))) < 2.0
    long = film(tmp_path / "long.mp4", [cv2.resize(poster, (160, 160))] * round(LONGEST + 2), rate=1)
    assert len(loop_of_file(long, 160, 160).places) == LONGEST * 25


def test_an_avatar_may_bring_a_video(tmp_path: Path) -> None:
    assert source_beside(tmp_path / "face") is None
    for name in ("poster.jpg", "neural.jpg"):
        (tmp_path / name).touch()
    assert source_beside(tmp_path / "face") == tmp_path / "neural.jpg"
    (tmp_path / "neural.mp4").touch()
    assert source_beside(tmp_path / "face.zip") == tmp_path / "neural.mp4"


def test_pictures_without_a_face_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((300, 300, 3), 99, np.uint8))
    with pytest.raises(NeuralError, match=r"grey\.png: no face"):
        loop_of_file(tmp_path / "grey.png", 256, 256)
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "text.mp4").write_text("not a video")
    for name in ("text.jpg", "text.mp4", "missing.mp4", "missing.png"):
        with pytest.raises(NeuralError, match=name):
            loop_of_file(tmp_path / name, 256, 256)


def test_sessions_of_an_avatar_share_its_pictures(vera: AvatarPackage) -> None:
    engine = LoudnessEngine()
    prepared: list[int] = []
    original = engine.prepare

    def prepare(crops: np.ndarray) -> str:
        prepared.append(len(crops))
        return original(crops)

    engine.prepare = prepare  # type: ignore[method-assign]
    faces = NeuralFaces(engine, 128, 128)
    try:
        first = faces.open(vera, lambda: 0.0)
        second = faces.open(vera, lambda: 0.0)
        assert prepared == [100]
        first.close()
        third = faces.open(vera, lambda: 0.0, POSTER)
        assert prepared == [100, 1]
        assert (third.width, third.height) == (128, 128)
        del first, second
        gc.collect()
        faces.open(vera, lambda: 0.0).close()
        assert prepared == [100, 1, 100], "pictures are kept though nobody shows them"
        with pytest.raises(NeuralError, match="gone"):
            faces.open(vera, lambda: 0.0, Path("gone.jpg"))
    finally:
        faces.close()
    assert engine.closed


def test_wav2lip_from_its_folder_speaks_with_an_avatars_face(tmp_path: Path, vera: AvatarPackage) -> None:
    before = threading.active_count()
    write_wav2lip(tmp_path / WAV2LIP_FILE)
    clock = HandClock()
    faces = open_faces("wav2lip", tmp_path, 256, 256, device="cpu")
    faces.worker.clock = clock.now
    try:
        face = faces.open(vera, clock.now)
        face.say(voice(1.0), face.latency)
        still, speaking = (np.zeros((384, 256), np.uint8) for _ in range(2))
        for at in ticks(0.04, 1.0):
            clock.time = at - 0.04
            settle(faces.worker)
            pose = face.pose(at)
        assert pose.share == 1
        face.paint(pose, speaking)
        face.cut(1.0)
        face.paint(face.pose(2.0), still)
        face.close()
    finally:
        faces.close()
        faces.close()
    assert threading.active_count() == before
    place = loop_of_package(vera, 256, 256, seconds=0.04).places[0]
    changed = np.abs(speaking[:256].astype(int) - still[:256])
    rows = slice(round(place.lips) - 8, round(place.lips) + 8)
    assert changed[rows, round(place.x) - 12 : round(place.x) + 12].mean() > 10, "no mouth is painted"
    assert changed[: round(place.eyes) - 12].mean() < changed[rows].mean() / 4, "the brow is painted over"


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NeuralError, match=WAV2LIP_FILE.replace(".", r"\.")):
        open_faces("wav2lip", tmp_path, 256, 256, device="cpu")
    with pytest.raises(NeuralError, match=r"musetalkV15.*there is no such file"):
        open_faces("musetalk", tmp_path, 256, 256, device="cpu")
    for name in ("musetalkV15/musetalk.json", "musetalkV15/unet.pth", "sd-vae/config.json", "whisper/config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    if importlib.util.find_spec("torch") is None:
        with pytest.raises(NeuralError, match=r"visavis\[musetalk\]"):
            open_faces("musetalk", tmp_path, 256, 256, device="cpu")


def test_a_face_that_is_too_small_is_refused() -> None:
    from visavis.avatar.neural.composition import SpeakingFace
    from visavis.avatar.neural.pictures import FaceLoop

    loop = FaceLoop(np.zeros((1, 96, 64), np.uint8), (Place(10, 2, 8),))
    with pytest.raises(NeuralError, match="too few"):
        SpeakingFace(loop, LoudnessEngine())
