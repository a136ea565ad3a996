"""An avatar of a portrait whose points are placed by hand: needs no networks."""

import asyncio
import json
import threading
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.avatar.photo.conftest import POINTS, covered, encoded
from visavis.avatar.animation.visemes import SHAPES, shape
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.contact_sheet import still
from visavis.avatar.face import FaceFrame
from visavis.avatar.package import Pixels, load_package
from visavis.avatar.persona import PersonaError
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.errors import (
    Covered,
    FaceTooSmall,
    NoFace,
    PointsInvalid,
    PointsNeeded,
    SeveralFaces,
    TurnedAway,
)
from visavis.avatar.photo.folder import avatar_id, save_photo_avatar
from visavis.avatar.photo.importer import PhotoAvatar, Stage, analyse_photo, build_avatar, import_photo
from visavis.avatar.photo.table import load_table
from visavis.avatar.photo.topology import NAMED
from visavis.viseme import Viseme

AGREED = consent_now("I am Ana, and I agree.")


@pytest.fixture(scope="module")
def avatar(portrait: Pixels) -> PhotoAvatar:
    return import_photo(encoded(portrait), name="Ana", consent=AGREED, points=POINTS)


def test_progress_ascends_from_any_thread(portrait: Pixels) -> None:
    seen: list[tuple[float, Stage, int]] = []

    def progress(share: float, what: Stage) -> None:
        seen.append((share, what, threading.get_ident()))

    async def run() -> PhotoAvatar:
        return await asyncio.to_thread(
            import_photo, encoded(portrait), name="Ana", consent=AGREED, points=POINTS, progress=progress
        )

    asyncio.run(run())
    shares = [share for share, _, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert all(what for _, what, _ in seen)
    assert {thread for _, _, thread in seen} != {threading.get_ident()}


def test_an_analysis_becomes_the_same_avatar(avatar: PhotoAvatar, portrait: Pixels) -> None:
    analysis = analyse_photo(encoded(portrait))
    assert not analysis.sure
    assert set(analysis.points) == set(POINTS)
    assert analysis.confidence == dict.fromkeys(POINTS, 0.0)
    assert (analysis.width, analysis.height) == (768, 768)
    with pytest.raises(PointsNeeded):
        build_avatar(analysis, name="Ana", consent=AGREED)
    made = build_avatar(analysis, name="Ana", consent=AGREED, points=POINTS)
    assert made.package.manifest == avatar.package.manifest
    assert np.array_equal(made.package.picture, avatar.package.picture)
    assert made.points == avatar.points


def test_who_watches_may_stop_it(portrait: Pixels) -> None:
    class Stopped(Exception):
        pass

    def progress(share: float, what: Stage) -> None:
        if share > 0.3:
            raise Stopped

    with pytest.raises(Stopped):
        import_photo(encoded(portrait), name="Ana", consent=AGREED, points=POINTS, progress=progress)


@pytest.mark.parametrize("light", [0, 255])
def test_a_picture_of_nothing_shows_no_eyes(light: int) -> None:
    nothing = np.full((768, 768, 3), light, np.uint8)
    with pytest.raises(Covered) as caught:
        analyse_photo(encoded(nothing), points=POINTS)
    assert caught.value.part == "eyes"


def test_half_a_face_may_lie_in_black_shadow(portrait: Pixels) -> None:
    shadowed = portrait.copy()
    shadowed[:, 400:] = 0
    package = import_photo(encoded(shadowed), name="Ana", consent=AGREED, points=POINTS).package
    assert package.eyes is not None
    assert package.eyes.blink[-1, :, :20].max() > 50


def test_closed_lips_may_be_placed_at_one_point(portrait: Pixels) -> None:
    middle = POINTS["upper_lip_bottom"]
    points = {**POINTS, "lower_lip_top": middle}
    made = import_photo(encoded(portrait), name="Ana", consent=AGREED, points=points)
    assert made.points["lower_lip_top"] == made.points["upper_lip_bottom"] == middle


def test_the_lips_part_and_close(avatar: PhotoAvatar) -> None:
    package = avatar.package
    box = package.manifest.mouth.box

    def dark(face: FaceFrame) -> int:
        picture = still(package, face, 768, 768)[box.top : box.bottom, box.left : box.right]
        return int((picture.max(2) < 90).sum())

    rest = dark(FaceFrame())
    assert dark(FaceFrame(SHAPES[Viseme.AA].weights)) > rest + 700
    assert dark(FaceFrame(SHAPES[Viseme.PP].weights)) < rest + 60


def test_the_jaw_takes_the_chin_along_and_leaves_the_eyes(avatar: PhotoAvatar) -> None:
    fields, manifest = avatar.package.fields, avatar.package.manifest
    jaw = np.asarray(fields.main, np.float64)[manifest.shapes.index("jawOpen")]
    step = manifest.size / manifest.grid
    assert manifest.eyes is not None
    eyes = jaw[: int(manifest.eyes.box.bottom / step)]
    assert np.abs(eyes).max() < 3
    middle = np.mean(manifest.mouth.slit, 0)
    below = jaw[int((middle[1] + 0.6 * 245 * 0.6) / step), int(middle[0] / step)]
    assert below[1] > 25
    assert np.abs(jaw[0]).max() == 0
    assert np.abs(jaw[-1]).max() < 0.5


def test_both_skins_agree_beside_the_corners(avatar: PhotoAvatar) -> None:
    fields, mouth = avatar.package.fields, avatar.package.manifest.mouth
    x = mouth.window.left + mouth.window.step * np.arange(mouth.window.columns)
    beside = (x < mouth.slit[0][0] - 8) | (x > mouth.slit[-1][0] + 8)
    apart = np.abs(np.asarray(fields.upper, np.float64) - np.asarray(fields.lower, np.float64))
    assert apart[:, :, beside].max() < 0.5
    assert apart[:, :, ~beside].max() > 30


def test_a_blink_hides_the_eyes_and_nothing_else(avatar: PhotoAvatar) -> None:
    package = avatar.package
    assert package.manifest.eyes is not None
    box = package.manifest.eyes.box
    opened, shut = (still(package, FaceFrame(blink=blink), 768, 768).astype(int) for blink in (0.0, 1.0))
    changed = np.abs(opened - shut).max(2) > 24
    inside = changed[box.top : box.bottom, box.left : box.right]
    assert inside.sum() > 1000
    assert changed.sum() == inside.sum()
    # The dark of the irises is gone.
    for side in (slice(box.left, 384), slice(384, box.right)):
        part = slice(box.top + 30, box.bottom)
        assert (opened[part, side].max(2) < 60).sum() > 3 * (shut[part, side].max(2) < 60).sum()


def test_irises_go_where_the_gaze_goes(avatar: PhotoAvatar) -> None:
    package = avatar.package
    assert package.manifest.eyes is not None
    box = package.manifest.eyes.box

    def iris(gaze: float) -> float:
        half = still(package, FaceFrame(gaze_x=gaze), 768, 768)[box.top + 35 : box.bottom - 10, box.left + 20 : 365]
        dark = half.max(2) < 80
        return float(np.nonzero(dark)[1].mean())

    assert iris(-0.6) + 4 < iris(0.0) < iris(0.6) - 4


def test_the_background_is_told_from_the_person(avatar: PhotoAvatar) -> None:
    matte, plate = avatar.package.matte, avatar.package.plate
    assert matte is not None
    assert plate is not None
    assert matte.shape == (768, 768)
    assert matte[350:450, 350:420].min() > 240
    assert matte[5:60, 5:60].max() < 15
    # Behind the forehead there is the wall that is beside it.
    wall = plate[20:60, 20:60].mean((0, 1))
    assert np.abs(plate[170:230, 330:440].astype(int) - wall).mean() < 25


def test_it_becomes_a_folder_that_the_catalogue_reads(avatar: PhotoAvatar, tmp_path: Path) -> None:
    folder = tmp_path / "ana"
    save_photo_avatar(avatar, folder, language="es")
    assert {path.name for path in folder.iterdir()} == {"avatar.toml", "face", "poster.jpg", "thumbnail.jpg"}
    found = Catalogue(tmp_path).get("ana")
    assert found is not None
    assert (found.name, found.persona.language) == ("Ana", "es")
    assert "AI avatar" in found.persona.greeting
    package = load_package(found.package)
    assert np.array_equal(package.picture, avatar.package.picture)
    assert package.manifest.kind == "photo"
    assert package.manifest.consent == AGREED
    assert package.matte is not None
    assert package.plate is not None
    consent = json.loads((folder / "face" / "manifest.json").read_text("utf-8"))["consent"]
    assert consent["statement"] == "I am Ana, and I agree."
    assert consent["given"].endswith("Z")
    assert cv2.imread(str(folder / "poster.jpg")).shape == (720, 720, 3)
    with pytest.raises(FileExistsError):
        save_photo_avatar(avatar, folder)
    assert [path.name for path in tmp_path.iterdir()] == ["ana"]


def test_a_name_may_hold_anything(avatar: PhotoAvatar, tmp_path: Path) -> None:
    name = 'Ana "the\\best"\n=1'
    odd = replace(
        avatar, package=replace(avatar.package, manifest=avatar.package.manifest.model_copy(update={"name": name}))
    )
    save_photo_avatar(odd, tmp_path / avatar_id(name))
    (found,) = [a for a in Catalogue(tmp_path).all() if a.package.is_relative_to(tmp_path)]
    assert found.name == name


def test_what_fails_leaves_nothing(avatar: PhotoAvatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imwrite", lambda *_: False)
    with pytest.raises(OSError, match="cannot be written"):
        save_photo_avatar(avatar, tmp_path / "ana")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "id"), [("Ána María", "ana-maria"), ("  ", "avatar"), ("李", "avatar"), ("../x", "x")]
)
def test_ids(name: str, id: str) -> None:
    assert avatar_id(name) == id


@pytest.mark.parametrize("statement", ["", "  ", "x" * 3000])
def test_consent_is_words(statement: str) -> None:
    with pytest.raises(ValueError, match="consent"):
        consent_now(statement)


def test_without_networks_a_guess_is_offered(portrait: Pixels) -> None:
    with pytest.raises(PointsNeeded) as caught:
        import_photo(encoded(portrait), name="Ana", consent=AGREED)
    guess = caught.value.guess
    assert (caught.value.width, caught.value.height) == (768, 768)
    for name, place in POINTS.items():
        assert np.hypot(*(np.array(guess[name]) - place)) < 40, name
    # The guess itself is a set of points that can be given.
    assert import_photo(encoded(portrait), name="Ana", consent=AGREED, points=guess).package.manifest.name == "Ana"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"third_eye": (10.0, 10.0)}, "'third_eye' is no point"),
        ({"chin": (384.0, 900.0)}, "chin: .* outside"),
        ({"chin": (float("nan"), 9.0)}, "chin: .* outside"),
    ],
)
def test_points_are_checked(portrait: Pixels, change: dict[str, tuple[float, float]], message: str) -> None:
    with pytest.raises(PointsInvalid, match=message):
        import_photo(encoded(portrait), name="Ana", consent=AGREED, points=POINTS | change)


def test_some_points_are_needed(portrait: Pixels) -> None:
    with pytest.raises(PointsInvalid, match="mouth_left is missing"):
        import_photo(
            encoded(portrait), name="Ana", consent=AGREED, points={k: v for k, v in POINTS.items() if k != "mouth_left"}
        )


@pytest.mark.parametrize("points", [dict.fromkeys(POINTS, (300.0, 300.0)), {k: (9.0, v[1]) for k, v in POINTS.items()}])
def test_points_that_make_no_face_are_refused(portrait: Pixels, points: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(PointsInvalid, match="points"):
        import_photo(encoded(portrait), name="Ana", consent=AGREED, points=points)


def test_no_face() -> None:
    with pytest.raises(NoFace):
        import_photo(encoded(np.full((400, 400, 3), 120, np.uint8)), name="Nobody", consent=AGREED)


def test_several_faces(portrait: Pixels) -> None:
    with pytest.raises(SeveralFaces, match="2 faces"):
        import_photo(encoded(np.hstack([portrait, portrait])), name="Twins", consent=AGREED)


def test_too_small(portrait: Pixels) -> None:
    small = cv2.resize(portrait, (160, 160), interpolation=cv2.INTER_AREA)
    with pytest.raises(FaceTooSmall, match="pixels high"):
        import_photo(
            encoded(small),
            name="Ana",
            consent=AGREED,
            points={k: (x * 160 / 768, y * 160 / 768) for k, (x, y) in POINTS.items()},
        )


def test_lying_on_its_side(portrait: Pixels) -> None:
    lying = cv2.rotate(portrait, cv2.ROTATE_90_CLOCKWISE)
    with pytest.raises(TurnedAway):
        import_photo(
            encoded(lying), name="Ana", consent=AGREED, points={k: (768 - y, x) for k, (x, y) in POINTS.items()}
        )


@pytest.mark.parametrize(("axis", "way"), [("yaw", "to the side"), ("pitch", "up or down")])
def test_a_turned_face(portrait: Pixels, axis: str, way: str) -> None:
    table, angle = load_table(), np.radians(32)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = {"yaw": [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], "pitch": [[1, 0, 0], [0, cos, -sin], [0, sin, cos]]}
    places = 240 * table.points @ np.array(turn[axis]).T + 384
    points = {name: (float(places[index, 0]), float(places[index, 1])) for name, index in NAMED.items()}
    face = replace(analyse_photo(encoded(portrait)).face, points=places, found=True)
    analysis = replace(analyse_photo(encoded(portrait)), face=face)
    with pytest.raises(TurnedAway, match=way):
        build_avatar(analysis, name="Ana", consent=AGREED, points=points)


@pytest.mark.parametrize("colour", [(190, 160, 120), (25, 25, 25), (235, 235, 235)])
def test_a_mask(portrait: Pixels, colour: tuple[int, int, int]) -> None:
    masked = covered(portrait, [(260, 420), (508, 420), (500, 540), (384, 610), (268, 540)], colour)
    with pytest.raises(Covered) as caught:
        import_photo(encoded(masked), name="Ana", consent=AGREED, points=POINTS)
    assert (caught.value.code, caught.value.part) == ("covered", "mouth")


def test_sunglasses(portrait: Pixels) -> None:
    dark = covered(portrait, [(250, 300), (518, 300), (510, 390), (258, 390)], (15, 15, 15))
    with pytest.raises(Covered) as caught:
        import_photo(encoded(dark), name="Ana", consent=AGREED, points=POINTS)
    assert caught.value.part == "eyes"


def test_smile_widens_the_mouth(avatar: PhotoAvatar) -> None:
    manifest, fields = avatar.package.manifest, avatar.package.fields
    smile = shape(mouthSmile=1.0)
    assert smile.sum() == 2
    step = manifest.size / manifest.grid
    for name, (x, y), sign in (
        ("mouthSmileRight", manifest.mouth.slit[0], -1),
        ("mouthSmileLeft", manifest.mouth.slit[-1], 1),
    ):
        move = np.asarray(fields.main, np.float64)[manifest.shapes.index(name), int(y / step), int(x / step)]
        assert sign * move[0] > 5
        assert move[1] < -8


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_name_has_a_length(portrait: Pixels, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        import_photo(encoded(portrait), name=name, consent=AGREED, points=POINTS)


def test_a_language_that_is_none_is_not_kept(avatar: PhotoAvatar, tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match="language"):
        save_photo_avatar(avatar, tmp_path / "ana", language="klingon!")
    assert list(tmp_path.iterdir()) == []
