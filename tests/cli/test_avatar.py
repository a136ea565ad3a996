"""``visavis avatar``: the embedded avatars and one's own."""

from pathlib import Path

import pytest

from visavis.avatar.catalogue import Catalogue


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with one good avatar, which borrows an embedded face, and one that is broken."""
    folder = tmp_path / "avatars"
    lender = Catalogue().all()[0].id
    (folder / "ada").mkdir(parents=True)
    (folder / "ada" / "avatar.toml").write_text(
        f'name = "Ada"\npackage = "{lender}"\ngreeting = "Good day."\nprompt = "You are Ada.\\nBe brief."\n'
    )
    (folder / "bob").mkdir()
    (folder / "bob" / "avatar.toml").write_text('nam = "Bob"\n')
    return folder


def test_list_has_the_embedded_and_ones_own(visavis, own: Path) -> None:
    done = visavis("avatar", "list", "--set", f"avatars.folder={own}")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert {row[0] for row in rows} == {"ada"} | {avatar.id for avatar in Catalogue().all()}
    assert "bob" in done.stderr


def test_show_by_name(visavis, own: Path) -> None:
    done = visavis("avatar", "show", "Ada", "--set", f"avatars.folder={own}")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "greeting   Good day." in lines
    assert lines[-2:] == ["prompt     You are Ada.", "           Be brief."]


def test_unknown_avatar_is_a_plain_line(visavis) -> None:
    done = visavis("avatar", "show", "Nobody")
    assert done.returncode == 1
    assert done.stderr == "visavis: there is no avatar 'Nobody'; 'visavis avatar list' shows those there are\n"
