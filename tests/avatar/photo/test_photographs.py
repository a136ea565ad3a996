"""Two photographs of real people: what is taken, and what is refused, and why."""

import struct

import cv2
import numpy as np
import pytest

from tests.avatar.photo.conftest import covered, encoded
from visavis.avatar.animation.visemes import SHAPES
from visavis.avatar.contact_sheet import still
from visavis.avatar.face import FaceFrame
from visavis.avatar.package import Pixels
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.errors import (
    Covered,
    CutOff,
    FaceTooSmall,
    NoFace,
    NotAnImage,
    SeveralFaces,
    TurnedAway,
)
from visavis.avatar.photo.image import decode
from visavis.avatar.photo.importer import PhotoAnalysis, PhotoAvatar, analyse_photo, build_avatar
from visavis.avatar.photo.networks import FaceNetworks
from visavis.viseme import Viseme

SKIN = (150, 175, 215)


@pytest.fixture(scope="module")
def analysis(networks: FaceNetworks, photograph: bytes) -> PhotoAnalysis:
    return analyse_photo(photograph, models=networks)


@pytest.fixture(scope="module")
def avatar(networks: FaceNetworks, analysis: PhotoAnalysis) -> PhotoAvatar:
    return build_avatar(analysis, name="Someone", consent=consent_now("They agree."), models=networks)


class Parts:
    """Where the parts of an analysed face are, and polygons over them."""

    def __init__(self, analysis: PhotoAnalysis) -> None:
        at = {name: np.array(place) for name, place in analysis.points.items()}
        self.mouth = (at["mouth_left"] + at["mouth_right"]) / 2
        self.wide = float(at["mouth_left"][0] - at["mouth_right"][0])
        self.outer = at["right_eye_outer"], at["left_eye_outer"]
        self.nose = (at["right_eye_inner"] + at["left_eye_inner"]) / 2
        self.apart = float(self.outer[1][0] - self.outer[0][0])
        self.chin = at["chin"]

    def over_mouth(self) -> list[tuple[float, float]]:
        shape = ((-1.0, -0.55), (1.0, -0.55), (0.8, 0.7), (0.0, 0.95), (-0.8, 0.7))
        return [tuple(self.mouth + np.array(place) * self.wide) for place in shape]

    def over_eyes(self, last: bool = True) -> list[tuple[float, float]]:
        right = self.outer[1] + (0.25 * self.apart, 0) if last else self.nose
        left, high = self.outer[0] - (0.25 * self.apart, 0), np.array([0, 0.2 * self.apart])
        return [tuple(place) for place in (left - high, right - high, right + high, left + high)]


def hand(picture: Pixels, parts: Parts) -> Pixels:
    """Four fingers over the mouth."""
    out = picture.copy()
    for finger in range(4):
        y = parts.mouth[1] + (0.25 * finger - 0.35) * parts.wide
        left, right = int(parts.mouth[0] - 1.2 * parts.wide), int(parts.mouth[0] + 0.9 * parts.wide)
        for down, thick, light in ((0.0, 0.24, 0.92 + 0.03 * finger), (0.12, 0.03, 0.6)):
            level = int(y + down * parts.wide)
            colour = tuple(light * value for value in SKIN)
            cv2.line(out, (left, level), (right, level), colour, max(1, int(thick * parts.wide)), cv2.LINE_AA)
    return out


def test_the_parts_are_found_surely(analysis: PhotoAnalysis) -> None:
    assert analysis.sure
    assert min(analysis.confidence.values()) >= 0.5
    assert min(analysis.confidence.values()) > 0.6


def test_glasses_are_seen_where_they_are_worn(analysis: PhotoAnalysis, networks: FaceNetworks) -> None:
    # Of the two photographs the one with the taller frame shows glasses.
    assert analysis.glasses == (analysis.height > analysis.width)
    parts, drawn = Parts(analysis), analysis.photo.copy()
    if analysis.glasses:
        return
    for x, y in (parts.outer[0] * 0.67 + parts.nose * 0.33, parts.outer[1] * 0.67 + parts.nose * 0.33):
        size = (int(0.24 * parts.apart), int(0.19 * parts.apart))
        cv2.ellipse(drawn, (int(x), int(y + 0.05 * parts.apart)), size, 0, 0, 360, (30, 30, 40), 3, cv2.LINE_AA)
    half = int(0.12 * parts.apart)
    x, y = (int(value) for value in parts.nose)
    cv2.line(drawn, (x - half, y), (x + half, y), (30, 30, 40), 3, cv2.LINE_AA)
    assert analyse_photo(encoded(drawn), models=networks).glasses


def test_the_mouth_is_closed_at_rest_and_opens(avatar: PhotoAvatar) -> None:
    package = avatar.package
    rest = still(package, FaceFrame(), 768, 768)
    assert package.matte is not None
    person = package.matte > 250
    assert 0.3 < person.mean() < 0.8
    assert np.abs(rest.astype(int) - package.picture)[person].mean() < 4
    box = package.manifest.mouth.box
    opened = still(package, FaceFrame(SHAPES[Viseme.AA].weights), 768, 768)
    part = (slice(box.top, box.bottom), slice(box.left, box.right))
    assert ((opened[part].max(2) < 110) & (rest[part].max(2) >= 110)).sum() > 250
    # Neither teeth nor the dark behind them are left at rest, whatever the photograph shows.
    lips = np.array(package.manifest.mouth.slit)[8:-8]
    grey = cv2.cvtColor(rest, cv2.COLOR_BGR2LAB).astype(int)
    along = np.stack([grey[np.rint(lips[:, 1] + dy).astype(int), np.rint(lips[:, 0]).astype(int)] for dy in (-4, 0, 4)])
    assert along[1, :, 0].mean() <= along[[0, 2], :, 0].mean() + 2


def test_nothing_of_the_person_is_left_on_the_plate(avatar: PhotoAvatar) -> None:
    package = avatar.package
    assert package.matte is not None
    assert package.plate is not None
    # The plate is smooth where the person was: no line of them goes on.
    deep = cv2.erode(np.asarray(package.matte > 128, np.uint8), np.ones((9, 9), np.uint8)) > 0
    lines = np.abs(cv2.Laplacian(cv2.cvtColor(package.plate, cv2.COLOR_BGR2GRAY), cv2.CV_64F))
    there = np.abs(cv2.Laplacian(cv2.cvtColor(package.picture, cv2.COLOR_BGR2GRAY), cv2.CV_64F))
    assert lines[deep].mean() < 0.15 * there[deep].mean()
    # Far from the person the photograph is as it was.
    far = cv2.dilate(np.asarray(package.matte > 0, np.uint8), np.ones((81, 81), np.uint8)) == 0
    assert far.sum() > 5000
    assert np.abs(package.plate.astype(int) - package.picture)[far].max() <= 1


def test_the_persons_colours_go_on_beyond_the_edge(avatar: PhotoAvatar) -> None:
    package = avatar.package
    assert package.matte is not None
    solid = np.asarray(package.matte > 250, np.uint8)
    ring = (cv2.dilate(solid, np.ones((9, 9), np.uint8)) > 0) & (solid == 0) & (package.matte < 60)
    # The nearest colour of the person is the colour there: no rim of the background is left to be seen.
    _, labels = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    nearest = np.zeros((labels.max() + 1, 3), int)
    nearest[labels[solid > 0]] = package.picture[solid > 0]
    off = np.abs(package.picture[ring].astype(int) - nearest[labels[ring]]).mean(1)
    assert np.median(off) < 25


@pytest.mark.parametrize("colour", [(200, 180, 150), (240, 240, 240)])
def test_a_mask_is_refused(networks: FaceNetworks, analysis: PhotoAnalysis, colour: tuple[int, int, int]) -> None:
    with pytest.raises(Covered) as caught:
        analyse_photo(encoded(covered(analysis.photo, Parts(analysis).over_mouth(), colour)), models=networks)
    assert caught.value.part == "mouth"


def test_a_hand_before_the_mouth_is_refused(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    with pytest.raises(Covered) as caught:
        analyse_photo(encoded(hand(analysis.photo, Parts(analysis))), models=networks)
    assert caught.value.part == "mouth"


@pytest.mark.parametrize(("both", "colour"), [(True, (18, 18, 18)), (True, SKIN), (False, (18, 18, 18)), (False, SKIN)])
def test_covered_eyes_are_refused(
    networks: FaceNetworks, analysis: PhotoAnalysis, both: bool, colour: tuple[int, int, int]
) -> None:
    with pytest.raises(Covered) as caught:
        analyse_photo(encoded(covered(analysis.photo, Parts(analysis).over_eyes(both), colour)), models=networks)
    assert caught.value.part == "eyes"


@pytest.mark.parametrize("turn", [cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE])
def test_a_photo_on_its_side_or_head_is_refused(networks: FaceNetworks, analysis: PhotoAnalysis, turn: int) -> None:
    with pytest.raises(TurnedAway, match="over the shoulder"):
        analyse_photo(encoded(np.asarray(cv2.rotate(analysis.photo, turn), np.uint8)), models=networks)


def test_a_photo_on_its_side_that_says_so_is_taken(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    jpeg = encoded(np.asarray(cv2.rotate(analysis.photo, cv2.ROTATE_90_COUNTERCLOCKWISE), np.uint8), ".jpg")
    # TIFF header and one entry: Orientation (0x0112) = 6, "the right side is the top".
    tiff = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    upright = analyse_photo(
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(tiff) + 2) + tiff + jpeg[2:], models=networks
    )
    assert upright.photo.shape == analysis.photo.shape
    for name, place in analysis.points.items():
        assert np.hypot(*(np.array(upright.points[name]) - place)) < 4, name


@pytest.mark.parametrize("edge", ["bottom", "left"])
def test_a_face_that_is_cut_off_is_refused(networks: FaceNetworks, analysis: PhotoAnalysis, edge: str) -> None:
    parts = Parts(analysis)
    kept = analysis.photo[: int(parts.mouth[1])] if edge == "bottom" else analysis.photo[:, int(parts.mouth[0]) :]
    with pytest.raises((CutOff, Covered)):
        analyse_photo(encoded(np.ascontiguousarray(kept)), models=networks)


def test_a_face_from_edge_to_edge_is_taken(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    parts = Parts(analysis)
    top, bottom = int(parts.nose[1] - 0.8 * parts.apart), int(parts.chin[1] + 0.1 * parts.apart)
    left, right = int(parts.outer[0][0] - 0.45 * parts.apart), int(parts.outer[1][0] + 0.45 * parts.apart)
    close = np.ascontiguousarray(analysis.photo[max(0, top) : bottom, max(0, left) : right])
    assert analyse_photo(encoded(close), models=networks).sure


def test_a_small_face_is_refused(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    share = 80 / analysis.face.height
    small = cv2.resize(analysis.photo, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    with pytest.raises(FaceTooSmall):
        analyse_photo(encoded(np.asarray(small, np.uint8)), models=networks)


def test_two_people_are_refused(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    with pytest.raises(SeveralFaces, match="2 faces"):
        analyse_photo(encoded(np.hstack([analysis.photo, analysis.photo[:, ::-1]])), models=networks)


def test_other_kinds_of_pictures_of_the_same(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    photo = analysis.photo
    seen = np.full(photo.shape[:2], 255, np.uint8)
    kinds = {
        "grey": encoded(np.asarray(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY), np.uint8)),
        "16 bits": encoded(photo.astype(np.uint16) * 257),  # type: ignore[arg-type]
        "alpha": encoded(np.dstack([photo, seen])),
        "webp": encoded(photo, ".webp"),
    }
    for kind, data in kinds.items():
        found = analyse_photo(data, models=networks)
        assert found.sure, kind
        for name, place in analysis.points.items():
            assert np.hypot(*(np.array(found.points[name]) - place)) < 0.03 * analysis.face.height, (kind, name)
    with pytest.raises(NoFace):
        analyse_photo(encoded(np.dstack([photo, np.zeros_like(seen)])), models=networks)


def test_an_animated_picture_is_its_first_frame_or_refused(networks: FaceNetworks, analysis: PhotoAnalysis) -> None:
    animation = cv2.Animation()
    animation.frames = [analysis.photo, np.zeros_like(analysis.photo)]
    animation.durations = np.array([100, 100])
    for suffix in (".webp", ".png"):
        done, data = cv2.imencodeanimation(suffix, animation)
        assert done
        try:
            found = analyse_photo(data.tobytes(), models=networks)
        except NotAnImage:
            continue
        assert found.photo.shape == analysis.photo.shape


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_half_a_file_is_refused(analysis: PhotoAnalysis, suffix: str, share: float) -> None:
    data = encoded(analysis.photo, suffix)
    with pytest.raises(NotAnImage):
        decode(data[: int(len(data) * share)])
