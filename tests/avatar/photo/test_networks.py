"""What the face networks find; skipped where the package index is out of reach."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.avatar.photo.conftest import POINTS, encoded
from visavis.avatar.package import Pixels
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.errors import FaceTooSmall, NoFace, SeveralFaces, TurnedAway
from visavis.avatar.photo.importer import import_photo
from visavis.avatar.photo.landmarks import find_face, pose_of
from visavis.avatar.photo.lender import load_lender
from visavis.avatar.photo.networks import FaceNetworks, ModelFilesError
from visavis.avatar.photo.table import load_table
from visavis.avatar.photo.topology import OVAL

AGREED = consent_now("They agree.")


def test_landmarks_lie_where_the_parts_are(networks: FaceNetworks, portrait: Pixels) -> None:
    face = find_face(portrait, networks, load_table())
    for name, place in POINTS.items():
        assert np.hypot(*(np.array(face.named()[name]) - place)) < 12, name
    pose = pose_of(face, load_table())
    assert abs(pose.yaw) + abs(pose.pitch) + abs(pose.roll) < 0.02
    assert pose.scale == pytest.approx(load_lender().unit, rel=0.02)


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


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFilesError, match=r"face_detection_short_range.*models pull"):
        FaceNetworks(tmp_path)
    (tmp_path / "face_detection_short_range.tflite").write_bytes(b"no network" * 50)
    with pytest.raises(ModelFilesError, match="no network"):
        FaceNetworks(tmp_path)
