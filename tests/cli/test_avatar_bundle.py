"""``visavis avatar check``, ``export``, ``import`` and ``preview``."""

import json
import shutil
import zipfile
from pathlib import Path

import av
import numpy as np
import pytest

from visavis.avatar.catalogue import EMBEDDED, Catalogue


@pytest.fixture
def vera(tmp_path: Path) -> Path:
    """A copy of the embedded avatar, to be damaged."""
    return Path(shutil.copytree(EMBEDDED / "vera", tmp_path / "theirs" / "nora"))


def test_an_avatar_goes_from_one_server_to_another(visavis, vera: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    done = visavis("avatar", "export", "nora", "nora.zip", "--set", f"avatars.folder={vera.parent}")
    assert done.returncode == 0, done.stderr
    done = visavis("avatar", "check", "nora.zip")
    assert done.returncode == 0, done.stderr
    assert "nora.zip is good" in done.stdout
    command = ("avatar", "import", "nora.zip", "--set", f"avatars.folder={ours}")
    done = visavis(*command)
    assert done.returncode == 0, done.stderr
    found = Catalogue(ours).get("nora")
    assert found is not None
    assert found.package == ours / "nora" / "face"
    again = visavis(*command)
    assert again.returncode == 1
    assert again.stderr == "visavis: there is an avatar 'nora' already; --force takes its place\n"
    assert visavis(*command, "--force").returncode == 0


def test_check_names_every_mistake(visavis, vera: Path) -> None:
    (vera / "face" / "eyes.webp").unlink()
    (vera / "face" / "fields.npz").write_bytes(b"no")
    with (vera / "avatar.toml").open("a") as file:
        file.write("nonsense = 1\n")
    done = visavis("avatar", "check", str(vera))
    assert done.returncode == 1
    assert "  avatar.toml: nonsense: is not a known key" in done.stderr
    assert "  face/eyes.webp: is missing" in done.stderr
    assert "  face/fields.npz: is not a readable npz file" in done.stderr


def test_check_reads_what_an_avatar_knows(visavis, vera: Path) -> None:
    (vera / "knowledge.toml").write_text('[[entry]]\nquestion = "Who?"\n[[entry]]\nquestion = 1\nanswer = ""\n')
    done = visavis("avatar", "check", str(vera))
    assert done.returncode == 1
    assert "  knowledge.toml: entry[1].answer: is missing" in done.stderr
    assert "  knowledge.toml: entry[2].question: must be text" in done.stderr
    assert "  knowledge.toml: entry[2].answer" in done.stderr


def test_an_embedded_avatar_is_not_pushed_aside_by_accident(visavis, vera: Path, tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    ours.mkdir()
    done = visavis("avatar", "import", str(vera.rename(vera.parent / "vera")), "--set", f"avatars.folder={ours}")
    assert done.returncode == 1
    assert list(ours.iterdir()) == []


def test_a_name_cannot_drive_the_terminal(visavis, vera: Path) -> None:
    (vera / "avatar.toml").write_text('name = "\\u001b[2Jgone"\n')
    done = visavis("avatar", "check", str(vera))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "gone" in done.stdout


def test_without_a_folder_it_goes_into_the_users_own(visavis, vera: Path, tmp_path: Path) -> None:
    done = visavis("avatar", "import", str(vera), XDG_DATA_HOME=str(tmp_path / "data"))
    assert done.returncode == 0, done.stderr
    listed = visavis("avatar", "list", XDG_DATA_HOME=str(tmp_path / "data"))
    assert vera.name in listed.stdout
    assert (tmp_path / "data" / "visavis" / "avatars" / vera.name / "avatar.toml").is_file()


def test_a_zip_that_leads_outside_is_a_plain_line(visavis, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as archive:
        archive.writestr("../evil.toml", "x")
    done = visavis("avatar", "check", "evil.zip")
    assert done.returncode == 1
    assert "'../evil.toml' leads outside the package" in done.stderr
    assert "Traceback" not in done.stderr


def test_show_says_where_a_face_comes_from(visavis, vera: Path) -> None:
    path = vera / "face" / "manifest.json"
    consent = {"statement": "I agree.", "given": "2026-01-02T03:04:05+00:00"}
    path.write_text(json.dumps({**json.loads(path.read_text()), "consent": consent}))
    done = visavis("avatar", "show", "nora", "--set", f"avatars.folder={vera.parent}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "kind       computer-made" in lines
    assert "licence    Apache-2.0" in lines
    assert "consent    2026-01-02 03:04 UTC: I agree." in lines
    assert any(line.startswith("source     Rendered") for line in lines)


def test_preview_draws_the_avatar(visavis, tmp_path: Path) -> None:
    done = visavis("avatar", "preview", "Vera", "--output", "drawn")
    assert done.returncode == 0, done.stderr
    drawn = {path.name: path.stat().st_size for path in (tmp_path / "drawn").iterdir()}
    assert set(drawn) == {"poster.jpg", "thumbnail.jpg", "sheet.png", "film.png", "film.webm"}
    assert min(drawn.values()) > 5000
    with av.open(str(tmp_path / "drawn" / "film.webm")) as film:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in film.decode(audio=0)])
    # It speaks.
    assert np.abs(sound).max() > 0.05
