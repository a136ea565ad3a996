"""``visavis avatar from-photo``, without the face networks: points placed by hand."""

import json
from pathlib import Path

import cv2
import pytest

from tests.avatar.photo.conftest import PORTRAIT
from visavis.avatar.catalogue import Catalogue

CONSENT = ("--consent", "I am Ana and agree to an avatar of my photo.")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    assert cv2.imwrite(str(path), cv2.imread(str(PORTRAIT)))
    return path


@pytest.fixture(autouse=True)
def no_networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_guess_is_written_corrected_and_used(visavis, photo: Path, tmp_path: Path) -> None:
    folder = tmp_path / "avatars"
    folder.mkdir()
    command = ("avatar", "from-photo", str(photo), "--name", "Ana", *CONSENT, "--set", f"avatars.folder={folder}")
    asked = visavis(*command)
    assert asked.returncode == 1
    points = tmp_path / "portrait.points.json"
    assert str(points) in asked.stderr
    assert "models pull face-landmarks" in asked.stderr
    assert {"mouth_left", "chin"} <= set(json.loads(points.read_text()))
    done = visavis(*command, "--points", str(points))
    assert done.returncode == 0, done.stderr
    assert str(folder / "ana") in done.stdout
    found = Catalogue(folder).get("ana")
    assert found is not None
    assert found.name == "Ana"
    assert "I am Ana" in (folder / "ana" / "face" / "manifest.json").read_text()
    again = visavis(*command, "--points", str(points))
    assert again.returncode == 1
    assert "is there already" in again.stderr


def test_without_consent_nothing_is_made(visavis, photo: Path, tmp_path: Path) -> None:
    out = tmp_path / "ana"
    done = visavis("avatar", "from-photo", str(photo), "--name", "Ana", "--output", str(out))
    assert done.returncode == 2
    assert "--consent" in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [("[1, 2]", "an object"), ("{", "not JSON"), ('{"chin": [1]}', "chin"), ('{"chin": [true, 2]}', "chin")],
)
def test_a_file_of_points_is_checked(visavis, photo: Path, tmp_path: Path, content: str, message: str) -> None:
    points = tmp_path / "points.json"
    points.write_text(content)
    out = tmp_path / "ana"
    done = visavis(
        "avatar", "from-photo", str(photo), "--name", "A", "--output", str(out), "--points", str(points), *CONSENT
    )
    assert done.returncode == 2
    assert message in done.stderr


def test_what_is_no_picture_is_named(visavis, tmp_path: Path) -> None:
    wrong = tmp_path / "notes.jpg"
    wrong.write_text("not a picture")
    done = visavis("avatar", "from-photo", str(wrong), "--name", "A", "--output", str(tmp_path / "a"), *CONSENT)
    assert done.returncode == 1
    assert "notes.jpg: this is no JPEG, PNG or WebP picture" in done.stderr
