"""What the face networks find, and the avatars of two photographs; skipped where the package index is out of reach."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.avatar.photo.conftest import POINTS, encoded
from visavis.avatar.animation.visemes import SHAPES
from visavis.avatar.face import FaceFrame
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.errors import Covered, FaceTooSmall, NoFace, SeveralFaces, TurnedAway
from visavis.avatar.photo.image import decode
from visavis.avatar.photo.importer import import_photo
from visavis.avatar.photo.landmarks import find_face, pose_of
from visavis.avatar.photo.networks import FaceNetworks, ModelFilesError
from visavis.avatar.photo.table import load_table
from visavis.avatar.photo.topology import OVAL
from visavis.avatar.preview import still
from visavis.viseme import Viseme

AGREED = consent_now("They agree.")


def test_landmarks_lie_where_the_parts_are(networks: FaceNetworks, portrait: Pixels, lender: AvatarPackage) -> None:
    face = find_face(portrait, networks, load_table())
    for name, place in POINTS.items():
        assert np.hypot(*(np.array(face.named()[name]) - place)) < 12, name
    pose = pose_of(face, load_table())
    assert abs(pose.yaw) + abs(pose.pitch) + abs(pose.roll) < 0.02
    assert pose.scale == pytest.approx(lender.manifest.head.unit, rel=0.02)


@pytest.mark.parametrize("angle", [-25, 20])
def test_a_tilted_head_is_seen_as_tilted(networks: FaceNetworks, portrait: Pixels, angle: float) -> None:
    turned = cv2.warpAffine(portrait, cv2.getRotationMatrix2D((384, 384), angle, 1), (768, 768))
    pose = pose_of(find_face(turned, networks, load_table()), load_table())
    assert np.degrees(pose.roll) == pytest.approx(-angle, abs=3)


def test_points_by_hand_correct_what_is_found(networks: FaceNetworks, portrait: Pixels) -> None:
    table = load_table()
    found = find_face(portrait, networks, table)
    x, y = found.named()["mouth_left"]
    moved = find_face(portrait, networks, table, {"mouth_left": (x + 9, y + 4)})
    assert moved.named()["mouth_left"] == pytest.approx((x + 9, y + 4), abs=0.2)
    assert np.abs(moved.points[list(OVAL)[:3]] - found.points[list(OVAL)[:3]]).max() < 1.5


def test_refusals(networks: FaceNetworks, portrait: Pixels) -> None:
    def made(picture: Pixels) -> None:
        import_photo(encoded(picture), name="x", consent=AGREED, models=networks)

    noise = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    with pytest.raises(NoFace):
        made(noise)
    with pytest.raises(SeveralFaces):
        made(np.hstack([portrait, portrait[:, ::-1]]))
    with pytest.raises(FaceTooSmall):
        made(cv2.resize(portrait, (150, 150), interpolation=cv2.INTER_AREA))
    with pytest.raises(TurnedAway):
        made(cv2.warpAffine(portrait, cv2.getRotationMatrix2D((384, 384), 55, 1), (768, 768)))


def test_photographs_are_taken_and_masked_ones_refused(networks: FaceNetworks, photograph: bytes) -> None:
    photo = decode(photograph)
    avatar = import_photo(photograph, name="Someone", consent=AGREED, models=networks)
    package = avatar.package
    rest = still(package, FaceFrame(), 768, 768)
    assert package.matte is not None
    person = package.matte > 250
    assert 0.3 < person.mean() < 0.8
    assert np.abs(rest.astype(int) - package.picture)[person].mean() < 4
    box = package.manifest.mouth.box

    def mouth(viseme: Viseme) -> Pixels:
        picture = still(package, FaceFrame(SHAPES[viseme].weights), 768, 768)
        return picture[box.top : box.bottom, box.left : box.right]

    closed = rest[box.top : box.bottom, box.left : box.right]
    assert (mouth(Viseme.AA).max(2) < 110).sum() > (closed.max(2) < 110).sum() + 400
    # Neither teeth nor the dark behind them are left at rest, whatever the photograph shows.
    lips = np.array(package.manifest.mouth.slit)[8:-8]
    grey = cv2.cvtColor(rest, cv2.COLOR_BGR2LAB).astype(int)
    along = np.stack([grey[np.rint(lips[:, 1] + dy).astype(int), np.rint(lips[:, 0]).astype(int)] for dy in (-4, 0, 4)])
    assert along[1, :, 0].mean() <= along[[0, 2], :, 0].mean() + 2
    points = avatar.points
    left, right = points["mouth_right"][0], points["mouth_left"][0]
    wide = right - left
    masked = photo.copy()
    top, bottom = int(points["upper_lip_top"][1] - 0.4 * wide), int(points["chin"][1])
    masked[top:bottom, int(left - 0.5 * wide) : int(right + 0.5 * wide)] = (200, 150, 100)
    with pytest.raises(Covered) as caught:
        import_photo(encoded(masked), name="x", consent=AGREED, models=networks)
    assert caught.value.part == "mouth"


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=r"face_detection_short_range.*models pull"):
        FaceNetworks(tmp_path)
    (tmp_path / "face_detection_short_range.tflite").write_bytes(b"no network" * 50)
    with pytest.raises(ModelFilesError, match="no network"):
        FaceNetworks(tmp_path)
