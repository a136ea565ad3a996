"""Avatars that travel: what came in is what went out, and nothing harmful comes in."""

import json
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.bundle import (
    AvatarExists,
    RefusedBundle,
    check_bundle,
    export_bundle,
    import_bundle,
)
from visavis.avatar.catalogue import Avatar, Catalogue
from visavis.avatar.files import MAX_FILE
from visavis.avatar.manifest import DefaultPersona
from visavis.avatar.package import AvatarPackage, load_package, save_package
from visavis.avatar.photo.consent import consent_now


@pytest.fixture
def ana(small: AvatarPackage, tmp_path: Path) -> Path:
    """An avatar as from-photo makes it: with matte, plate and consent."""
    folder = tmp_path / "theirs" / "ana"
    face = folder / "face"
    size = small.manifest.size
    manifest = small.manifest.model_copy(update={"kind": "photo", "consent": consent_now("I am Ana and agree.")})
    matte, plate = np.full((size, size), 200, np.uint8), np.full((size, size, 3), 90, np.uint8)
    save_package(replace(small, manifest=manifest, matte=matte, plate=plate), face)
    cv2.imwrite(str(folder / "poster.jpg"), small.picture)
    (folder / "knowledge.toml").write_text('[[entry]]\nquestion = "Who?"\nanswer = "Ana."\n')
    (folder / "avatar.toml").write_text('name = "Ana"\nknowledge = "knowledge.toml"\nprompt = "You are Ana."\n')
    return folder


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    folder = tmp_path / "ours"
    folder.mkdir()
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def avatar_of(folder: Path, id: str) -> Avatar:
    avatar = Catalogue(folder).get(id)
    assert avatar is not None
    return avatar


def zipped(folder: Path, target: Path) -> Path:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder.parent))
    return target


def test_an_avatar_goes_out_and_comes_in_whole(ana: Path, ours: Path, tmp_path: Path) -> None:
    archive = tmp_path / "ana.zip"
    export_bundle(avatar_of(ana.parent, "ana"), archive)
    bundle = import_bundle(archive, ours)
    assert (bundle.id, bundle.name, bundle.left_out) == ("ana", "Ana", ())
    assert content(ours / "ana") == content(ana)
    consent = load_package(avatar_of(ours, "ana").package).manifest.consent
    assert consent is not None
    assert consent.statement == "I am Ana and agree."


def test_the_same_avatar_gives_the_same_zip(ana: Path, tmp_path: Path) -> None:
    avatar = avatar_of(ana.parent, "ana")
    for name in ("a.zip", "b.zip"):
        export_bundle(avatar, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with pytest.raises(FileExistsError):
        export_bundle(avatar, tmp_path / "a.zip")


def test_a_borrowed_face_travels_along(ana: Path, ours: Path, tmp_path: Path) -> None:
    guide = ana.parent / "guide"
    guide.mkdir()
    (guide / "avatar.toml").write_text('name = "Guide"\npackage = "ana"\n')
    archive = tmp_path / "guide.zip"
    export_bundle(avatar_of(ana.parent, "guide"), archive)
    import_bundle(archive, ours)
    avatar = avatar_of(ours, "guide")
    assert avatar.package == ours / "guide" / "ana"
    assert content(avatar.package) == content(ana / "face")
    assert avatar.poster == ours / "guide" / "poster.jpg"


def test_who_borrows_comes_in_where_the_lender_is(ana: Path, ours: Path) -> None:
    guide = ana.parent / "guide"
    guide.mkdir()
    (guide / "avatar.toml").write_text('name = "Guide"\npackage = "ana"\n')
    assert "no avatar 'ana'" in str(check_bundle(guide).problems[0])
    assert check_bundle(guide, ["ana"]).problems == ()


@pytest.mark.parametrize("as_zip", [False, True])
def test_a_bare_face_gets_a_plain_persona(small_folder: Path, ours: Path, tmp_path: Path, as_zip: bool) -> None:
    source = zipped(small_folder, tmp_path / "face.zip") if as_zip else small_folder
    assert import_bundle(source, ours).id == "small"
    avatar = avatar_of(ours, "small")
    assert avatar.name == "Small"
    assert "AI avatar" in avatar.persona.prompt
    load_package(avatar.package)


def test_a_bare_face_is_who_its_manifest_says(small: AvatarPackage, ours: Path, tmp_path: Path) -> None:
    persona = DefaultPersona(voice="es_ES-davefx", language="es", rate=1.1, greeting="¡Hola!\x7f")
    manifest = small.manifest.model_copy(update={"persona": persona})
    save_package(replace(small, manifest=manifest), tmp_path / "theirs")
    import_bundle(tmp_path / "theirs", ours)
    read = avatar_of(ours, "small").persona
    assert (read.voice, read.language, read.rate, read.greeting) == ("es_ES-davefx", "es", 1.1, "¡Hola!\x7f")
    assert "AI avatar" in read.prompt


def test_wrong_knowledge_is_named(ana: Path, ours: Path) -> None:
    def check(path: Path) -> list[tuple[str, str]]:
        assert path.read_text() == (ana / "knowledge.toml").read_text()
        return [("entry[1].answer", "is missing"), ("entry[2].question", "must be text")]

    problems = check_bundle(ana, check_knowledge=check).problems
    assert [(one.file, one.field) for one in problems] == [
        ("knowledge.toml", "entry[1].answer"),
        ("knowledge.toml", "entry[2].question"),
    ]
    with pytest.raises(RefusedBundle):
        import_bundle(ana, ours, check_knowledge=check)


def test_an_avatar_there_gives_way_only_by_force(ana: Path, ours: Path) -> None:
    import_bundle(ana, ours)
    (ours / "ana" / "mine.txt").write_text("mine")
    before = content(ours)
    for taken in ((), ("ana",)):
        with pytest.raises(AvatarExists):
            import_bundle(ana, ours, taken=taken)
    assert content(ours) == before
    import_bundle(ana, ours, force=True)
    assert content(ours / "ana") == content(ana)
    assert [path.name for path in ours.iterdir()] == ["ana"]


def test_an_embedded_avatars_id_is_taken(ana: Path, ours: Path) -> None:
    with pytest.raises(AvatarExists):
        import_bundle(ana, ours, taken=["ana"])
    assert list(ours.iterdir()) == []


def test_everything_that_is_wrong_is_said_at_once(ana: Path, ours: Path) -> None:
    face = ana / "face"
    (ana / "avatar.toml").write_text('nam = "Ana"\n')
    (ana / "poster.jpg").write_bytes(b"<html>")
    (face / "eyes.webp").unlink()
    (face / "fields.npz").write_bytes(b"PK")
    with pytest.raises(RefusedBundle) as caught:
        import_bundle(ana, ours)
    said = {(problem.file, problem.field) for problem in caught.value.problems}
    assert said == {
        ("avatar.toml", "name"),
        ("avatar.toml", "nam"),
        ("poster.jpg", ""),
        ("face/eyes.webp", ""),
        ("face/fields.npz", ""),
    }
    assert list(ours.iterdir()) == []


@pytest.mark.parametrize("name", ["matte.png", "plate.webp"])
def test_what_is_beside_a_photos_package_is_checked(ana: Path, name: str) -> None:
    cv2.imwrite(str(ana / "face" / name), np.zeros((8, 8, 3), np.uint8))
    (problem,) = check_bundle(ana).problems
    assert (problem.file, problem.field) == (f"face/{name}", "size")


def test_a_photo_without_consent_is_refused(ana: Path) -> None:
    path = ana / "face" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["consent"]
    path.write_text(json.dumps(manifest))
    (problem,) = check_bundle(ana).problems
    assert (problem.file, problem.field) == ("face/manifest.json", "consent")


def test_each_wrong_field_of_a_manifest_is_named(small_folder: Path) -> None:
    path = small_folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest.update(size="64", grid=1)
    manifest["shapes"].append("jawDance")
    path.write_text(json.dumps(manifest))
    fields = {problem.field for problem in check_bundle(small_folder).problems}
    assert fields == {"size", "grid", "shapes.4"}


@pytest.mark.parametrize("wrong", ["../ana", "/etc", "face/inner", "..", "."])
def test_a_package_elsewhere_is_refused(ana: Path, ours: Path, wrong: str) -> None:
    (ana / "avatar.toml").write_text(f'name = "Ana"\npackage = "{wrong}"\n')
    with pytest.raises(RefusedBundle, match=r"avatar\.toml: package"):
        import_bundle(ana, ours)


def link(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("ana/passwords.txt")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(entry, "/etc/passwd")


def bomb(archive: zipfile.ZipFile) -> None:
    archive.writestr("ana/notes.txt", bytes(MAX_FILE // 2))


def many_bombs(archive: zipfile.ZipFile) -> None:
    noise = os.urandom(300_000)
    for index in range(5):
        archive.writestr(f"ana/{index}.txt", (noise + bytes(MAX_FILE - 300_000)))


def lzma_packed(archive: zipfile.ZipFile) -> None:
    archive.writestr("ana/notes.txt", b"x" * 1000, zipfile.ZIP_LZMA)


def same_but_for_case(archive: zipfile.ZipFile) -> None:
    archive.writestr("ana/Avatar.toml", b"")


def a_million(archive: zipfile.ZipFile) -> None:
    for index in range(5000):
        archive.writestr(f"ana/{index:0100}.txt", b"")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda archive: archive.writestr("../evil.toml", b"x"), "leads outside"),
        (lambda archive: archive.writestr("/tmp/evil.toml", b"x"), "leads outside"),
        (lambda archive: archive.writestr("ana/\x1b[2Jx.toml", b"x"), "leads outside"),
        (link, "is a link"),
        (bomb, "1/200"),
        (many_bombs, "larger than"),
        (lzma_packed, "packed in a way"),
        (same_but_for_case, "there twice"),
        (a_million, "more than 64 files"),
    ],
)
def test_a_zip_that_means_harm_is_refused(
    ana: Path, ours: Path, tmp_path: Path, change: Callable[[zipfile.ZipFile], object], message: str
) -> None:
    archive = zipped(ana, tmp_path / "ana.zip")
    with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as opened:
        change(opened)
    with pytest.raises(RefusedBundle, match=message):
        import_bundle(archive, ours)
    assert list(ours.iterdir()) == []
    assert not (tmp_path / "evil.toml").exists()


def test_files_without_use_stay_behind(ana: Path, ours: Path) -> None:
    (ana / "run.sh").write_text("rm -rf /")
    (ana / "face" / "code.pkl").write_bytes(b"\x80\x04.")
    (ana / ".hidden.toml").write_text("")
    (ana / "LICENSE").write_text("CC0")
    bundle = import_bundle(ana, ours)
    assert bundle.left_out == (".hidden.toml", "face/code.pkl", "run.sh")
    assert set(content(ours / "ana")) == set(content(ana)) - set(bundle.left_out)


def test_a_link_in_a_folder_brings_nothing_from_outside(ana: Path, ours: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (ana / "notes.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(RefusedBundle, match="outside"):
        import_bundle(ana, ours)
    (ana / "notes.txt").unlink()
    os.mkfifo(ana / "notes.txt")
    with pytest.raises(RefusedBundle, match="is not a file"):
        import_bundle(ana, ours)


def test_what_is_no_avatar_is_refused(ours: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "nothing"):
        with pytest.raises(RefusedBundle):
            import_bundle(path, ours)


def test_a_failed_move_leaves_the_old_one(ana: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_bundle(ana, ours)
    before = content(ours)
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name.startswith(".import-"):
            raise OSError("the disk is full")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OSError, match="full"):
        import_bundle(ana, ours, force=True)
    assert content(ours) == before


def test_the_catalogue_passes_over_what_is_being_written(
    ana: Path, ours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ana.rename(ours / ".import-x")
    known = Catalogue(ours)
    assert [avatar for avatar in known.all() if avatar.folder.parent == ours] == []
    assert "left out" not in capsys.readouterr().out


@pytest.fixture(autouse=True)
def nothing_left_in_temporary_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield
    assert list(temporary.iterdir()) == []
