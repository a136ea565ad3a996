"""Bundles: whole avatars (persona, face, pictures) as folders or zips that travel, and are not trusted.

Whatever comes in is copied first, file by file and bounded, into a folder of our own; there it is checked. Only what
holds no error is moved to where avatars are, in one step.
"""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

import cv2
import numpy as np

from visavis.avatar.catalogue import AVATAR_ID, PICTURES, Avatar
from visavis.avatar.files import (
    MAX_FILES,
    MAX_TOTAL,
    Files,
    FilesInside,
    PackageError,
    folder_with,
    jpeg_size,
    open_files,
    picture_size,
)
from visavis.avatar.manifest import Manifest
from visavis.avatar.package import MANIFEST, Pixels, read_package
from visavis.avatar.persona import (
    AVATAR_FILE,
    Persona,
    PersonaError,
    plain_persona,
    read_avatar_file,
    write_avatar_file,
)
from visavis.avatar.photo.folder import avatar_id

KnowledgeCheck = Callable[[Path], Sequence[tuple[str, str]]]
"""What is wrong with a file of knowledge: keys (empty: the whole file) and problems."""

_FACE: Final = "face"
_MAX_PICTURE_PIXELS: Final = 4096 * 4096
_SUFFIXES: Final = frozenset({".toml", ".json", ".npz", ".png", ".webp", ".jpg", ".jpeg", ".zip", ".txt", ".md"})
_PLAIN_NAMES: Final = frozenset({"LICENSE", "LICENCE", "NOTICE", "COPYING"})
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""Of all files in a zip that is written, so that the same avatar gives the same zip."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was found in a folder or zip."""

    id: str
    """The id it would have among the avatars: its folder's name, else made from its name."""
    name: str
    problems: tuple[PackageError, ...]
    """All that is wrong with it; empty: it can be used."""
    left_out: tuple[str, ...]
    """Files that no avatar has a use for, and that are not taken along."""


class AvatarExists(Exception):
    """There is an avatar of this id already."""

    def __init__(self, id: str) -> None:
        super().__init__(f"there is an avatar {id!r} already")
        self.id = id


class RefusedBundle(Exception):
    """An avatar is not taken; ``problems`` says why."""

    def __init__(self, problems: tuple[PackageError, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def check_bundle(path: Path, lenders: Collection[str] = (), *, check_knowledge: KnowledgeCheck | None = None) -> Bundle:
    """Look for everything that is wrong with the avatar, or the bare face package, in the folder or zip at ``path``.

    ``lenders``: ids of avatars whose face it may borrow; ``check_knowledge`` reads what it knows. Blocks. Raises
    ``OSError`` when there is no room for a copy.
    """
    with tempfile.TemporaryDirectory(prefix="visavis-") as staging:
        return _take_in(path, Path(staging), lenders, check_knowledge)


def import_bundle(
    path: Path,
    folder: Path,
    lenders: Collection[str] = (),
    *,
    taken: Collection[str] = (),
    force: bool = False,
    check_knowledge: KnowledgeCheck | None = None,
) -> Bundle:
    """Add the avatar (or the bare face package, with a plain persona) at ``path`` to the avatars in ``folder``. Blocks.

    An avatar of the same id, in ``folder`` or among ``taken``, gives way only by ``force``. In one step: whoever looks
    sees the old one, the new one, or none. Raises ``RefusedBundle``, ``AvatarExists``, ``OSError``; then nothing is
    changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _staging(folder) as staging:
        bundle = _take_in(path, staging, lenders, check_knowledge)
        if bundle.problems:
            raise RefusedBundle(bundle.problems)
        target = folder / bundle.id
        if (os.path.lexists(target) or bundle.id in taken) and not force:
            raise AvatarExists(bundle.id)
        _put(staging, target)
        return bundle


def export_bundle(avatar: Avatar, archive: Path) -> None:
    """Write ``avatar`` as the zip ``archive``, which must not exist, in one step. Blocks.

    A borrowed face travels along, with its pictures. Raises ``RefusedBundle`` when the zip could not be imported,
    ``FileExistsError``, ``OSError``.
    """
    if os.path.lexists(archive):
        raise FileExistsError(f"{archive} is there already")
    with tempfile.TemporaryDirectory(prefix="visavis-") as temporary:
        staging = Path(temporary) / avatar.id
        staging.mkdir()
        bundle = _take_in(avatar.folder, staging, (avatar.package.parent.name,))
        if bundle.problems:
            raise RefusedBundle(bundle.problems)
        borrowed = read_avatar_file(staging / AVATAR_FILE).package
        if not _face(staging, borrowed).exists():
            # In the folder that its persona asks for, the face is its own.
            _copy(open_files(avatar.package), staging / borrowed)
            for stem, picture in (("poster", avatar.poster), ("thumbnail", avatar.thumbnail)):
                if picture is not None:
                    shutil.copyfile(picture, staging / (stem + picture.suffix))
        if problems := _problems(staging, ()):
            raise RefusedBundle(tuple(problems))
        _zip(staging, archive)


def _take_in(
    path: Path, staging: Path, lenders: Collection[str], check_knowledge: KnowledgeCheck | None = None
) -> Bundle:
    """Copy what is at ``path`` into ``staging`` and check it there."""
    own_name = path.resolve().name if path.is_dir() else path.stem
    try:
        files = open_files(path)
        if (inside := folder_with(files, AVATAR_FILE)) is not None:
            left_out = _copy(FilesInside(files, inside) if inside else files, staging)
            problems = _problems(staging, lenders, check_knowledge)
            try:
                name = read_avatar_file(staging / AVATAR_FILE).persona.name
            except PersonaError:
                name = own_name
            wanted = inside or (path.resolve().name if path.is_dir() else "")
            id = wanted if AVATAR_ID.match(wanted) else avatar_id(name)
            return Bundle(id, name, tuple(problems), left_out)
        if (inside := folder_with(files, MANIFEST)) is None:
            problem = f"holds neither {AVATAR_FILE} (an avatar) nor {MANIFEST} (a face package)"
            raise PackageError(path.name, "", problem)
        left_out = _copy(FilesInside(files, inside) if inside else files, staging / _FACE)
        problems: list[PackageError] = []
        package = read_package(open_files(staging / _FACE), problems)
        name = package.manifest.name if package is not None else own_name
        write_avatar_file(staging / AVATAR_FILE, _default_persona(package.manifest if package else None, name))
        return Bundle(avatar_id(name), name, tuple(problems), left_out)
    except PackageError as error:
        return Bundle(avatar_id(own_name), own_name, (error,), ())


def _copy(files: Files, target: Path) -> tuple[str, ...]:
    """Copy what an avatar may consist of; returns the names of the rest. Raises ``PackageError``."""
    left_out: list[str] = []
    kept: list[str] = []
    for name in sorted(files.names()):
        (kept if _useful(PurePosixPath(name)) else left_out).append(name)
    if len(kept) > MAX_FILES:
        raise PackageError(kept[MAX_FILES], "", f"is one file too many: {MAX_FILES} are taken")
    total = 0
    target.mkdir(exist_ok=True)
    for name in kept:
        data = files.read(name)
        total += len(data)
        if total > MAX_TOTAL:
            raise PackageError(name, "", f"is too much: {MAX_TOTAL} bytes in all are taken")
        path = target / name
        try:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(data)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise PackageError(name, "", "is a file and a folder at once") from None
        except UnicodeEncodeError:
            raise PackageError(ascii(name), "", "has a name that cannot be written") from None
    return tuple(left_out)


def _useful(path: PurePosixPath) -> bool:
    hidden = any(part.startswith((".", "__")) for part in path.parts)
    known = path.suffix.lower() in _SUFFIXES or path.name in _PLAIN_NAMES
    return known and not hidden and len(path.parts) <= 2 and len(path.name.encode()) <= 255


def _face(folder: Path, package: str) -> Path:
    """Where the face would be: the folder, or the zip beside it."""
    zipped = folder / f"{package}.zip"
    return zipped if not (folder / package).exists() and zipped.is_file() else folder / package


def _problems(
    folder: Path, lenders: Collection[str], check_knowledge: KnowledgeCheck | None = None
) -> list[PackageError]:
    """All that is wrong with the avatar in ``folder``."""
    problems: list[PackageError] = []
    package = _FACE
    try:
        read = read_avatar_file(folder / AVATAR_FILE)
        package, knowledge = read.package, read.persona.knowledge
        if knowledge is not None and check_knowledge is not None:
            file = knowledge.relative_to(folder.resolve()).as_posix()
            problems += [PackageError(file, key, problem) for key, problem in check_knowledge(knowledge)]
    except PersonaError as error:
        problems += [PackageError(AVATAR_FILE, one.key, one.problem) for one in (error, *error.others)]
    if not AVATAR_ID.match(package):
        problem = f"{package!r} is not the name of a folder beside {AVATAR_FILE}, nor an avatar's id"
        problems.append(PackageError(AVATAR_FILE, "package", problem))
    elif (face := _face(folder, package)).exists():
        found: list[PackageError] = []
        try:
            read_package(open_files(face), found)
        except PackageError as error:
            found.append(error)
        for one in found:
            file = one.file if one.file == face.name else f"{face.name}/{one.file}"
            problems.append(PackageError(file, one.field, one.problem))
    elif package not in lenders and not problems:
        problems.append(PackageError(AVATAR_FILE, "package", f"there is no package and no avatar {package!r}"))
    for path in sorted(folder.iterdir()):
        if path.stem in ("poster", "thumbnail") and path.suffix in PICTURES:
            problems += _picture_problems(path)
    return problems


def _picture_problems(path: Path) -> list[PackageError]:
    data = path.read_bytes()
    announced = picture_size(data) or jpeg_size(data)
    if announced is None:
        return [PackageError(path.name, "", "is no JPEG, PNG or WebP picture")]
    width, height = announced
    if not 0 < width * height <= _MAX_PICTURE_PIXELS:
        return [PackageError(path.name, "size", f"is {width} × {height}, at most {_MAX_PICTURE_PIXELS} pixels do")]
    pixels: Pixels | None
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        pixels = None if decoded is None else np.asarray(decoded, np.uint8)
    except cv2.error:
        pixels = None
    return [] if pixels is not None else [PackageError(path.name, "", "cannot be decoded")]


def _default_persona(manifest: Manifest | None, name: str) -> Persona:
    """Who a face that comes alone is: as its manifest says, else someone plain."""
    said = manifest.persona if manifest is not None else None
    if said is None:
        return plain_persona(name)
    plain = plain_persona(name, language=said.language, voice=said.voice, rate=said.rate)
    return replace(plain, greeting=said.greeting or plain.greeting, prompt=said.prompt or plain.prompt)


@contextmanager
def _staging(folder: Path) -> Generator[Path]:
    """A folder on the same file system, which is gone afterwards; the catalogue passes over names with a dot."""
    staging = Path(tempfile.mkdtemp(prefix=".import-", dir=folder))
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _put(staging: Path, target: Path) -> None:
    """Move ``staging`` to ``target``. What was there goes; it comes back when that fails."""
    staging.chmod(0o755)
    if not os.path.lexists(target):
        staging.rename(target)
        return
    if target.is_symlink() or not target.is_dir():
        raise FileExistsError(f"{target} is not a folder")
    with _staging(target.parent) as aside:
        old = aside / "old"
        target.rename(old)
        try:
            staging.rename(target)
        except OSError:
            old.rename(target)
            raise


def _zip(folder: Path, archive: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".export-", dir=archive.resolve().parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as writing:
            for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                entry = zipfile.ZipInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}", _DATE)
                entry.external_attr = 0o100644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                writing.writestr(entry, path.read_bytes())
        temporary.chmod(0o644)
        # Unlike a rename, a link never takes the place of a file that came about meanwhile.
        os.link(temporary, archive)
    finally:
        temporary.unlink(missing_ok=True)
