"""Reading the files of an untrusted folder or zip: bounded, and never outside of it."""

import lzma
import os
import re
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import Final, Protocol, cast

MAX_FILE: Final = 32 * 1024 * 1024
"""Largest file of a package, unpacked, in bytes."""
MAX_FILES: Final = 64
"""Most files in a zipped package."""
MAX_TOTAL: Final = 128 * 1024 * 1024
"""Most bytes of all files together, unpacked."""
MAX_DEPTH: Final = 3
"""Most parts of a file's path."""
_MAX_RATIO: Final = 200
_RATIO_FROM: Final = 1024 * 1024
"""Smaller files than this may be packed as tightly as they like."""
_MAX_DIRECTORY: Final = 256 * 1024
_TAIL: Final = 65_536 + 22 + 20
_LINK: Final = 0o120000
# JPEG markers that begin a frame (ITU-T T.81, table B.1): SOF0–SOF15 without DHT, JPG and DAC.
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_END, _SCAN = 0xD9, 0xDA
# What stands alone (TEM, RST) is passed over, as decoders do, and stuffing (FF 00) is none.
_MARKER: Final = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd8]")
_MAX_SCANS: Final = 64
"""Encoders make about ten."""
_MAX_SEGMENTS: Final = 4096

UNREADABLE: Final = (
    OSError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
"""What ``zipfile`` raises for archives that are damaged, encrypted, or of a kind that it does not know."""


class PackageError(Exception):
    """An avatar package cannot be used; the message names the file and, where there is one, the field."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field
        self.problem = problem


class Files(Protocol):
    """The files of one package, by their paths relative to it, with ``/``."""

    def names(self) -> frozenset[str]:
        """The paths of all files, of at most ``MAX_DEPTH`` parts."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file. Raises ``PackageError`` when it is missing, too large or outside."""
        ...


class FolderFiles:
    """A package that is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def names(self) -> frozenset[str]:
        names: set[str] = set()
        for parent, folders, files in os.walk(self._folder):
            inside = PurePosixPath(Path(parent).relative_to(self._folder).as_posix())
            if len(inside.parts) + 1 >= MAX_DEPTH:
                folders.clear()
            names.update(str(inside / file) for file in files)
        return frozenset(names)

    def read(self, name: str) -> bytes:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise PackageError(name, "", "lies outside the package")
        if path.exists() and not path.is_file():
            raise PackageError(name, "", "is not a file")
        try:
            with path.open("rb") as file:
                data = file.read(MAX_FILE + 1)
        except OSError as error:
            raise PackageError(name, "", error.strerror or "cannot be read") from error
        if len(data) > MAX_FILE:
            raise PackageError(name, "", f"is larger than {MAX_FILE} bytes")
        return data


class ZipFiles:
    """A package that is a zip. All that it announces is checked when it is opened."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._members: dict[str, str] = {}
        try:
            with archive.open("rb") as file:
                file.seek(max(0, archive.stat().st_size - _TAIL))
                if not small_directory(file.read()):
                    raise PackageError(archive.name, "", f"holds more than {MAX_FILES} files")
            with zipfile.ZipFile(archive) as opened:
                entries = opened.infolist()
        except UNREADABLE as error:
            raise PackageError(archive.name, "", "is not a readable zip file") from error
        if len(entries) > MAX_FILES:
            raise PackageError(archive.name, "", f"holds more than {MAX_FILES} files")
        for entry in entries:
            if (problem := _wrong(entry)) is not None:
                raise PackageError(archive.name, "", f"{entry.filename!r} {problem}")
            if entry.is_dir():
                continue
            path = PurePosixPath(entry.filename)
            # Some file systems take the two for one.
            if str(path).casefold() in {name.casefold() for name in self._members}:
                raise PackageError(archive.name, "", f"{entry.filename!r} is there twice")
            if len(path.parts) <= MAX_DEPTH:
                self._members[str(path)] = entry.filename
        if sum(entry.file_size for entry in entries) > MAX_TOTAL:
            raise PackageError(archive.name, "", f"is larger than {MAX_TOTAL} bytes when unpacked")

    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def read(self, name: str) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise PackageError(name, "", "is missing")
        try:
            with zipfile.ZipFile(self._archive) as opened, opened.open(member) as file:
                data = file.read(MAX_FILE + 1)
        except (*UNREADABLE, KeyError) as error:
            raise PackageError(name, "", "cannot be unpacked") from error
        if len(data) > MAX_FILE:
            raise PackageError(name, "", f"is larger than {MAX_FILE} bytes")
        return data


class FilesInside:
    """The files of one folder among ``files``, by their paths in that folder."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._prefix = f"{folder}/"

    def names(self) -> frozenset[str]:
        inside = (name for name in self._files.names() if name.startswith(self._prefix))
        return frozenset(name.removeprefix(self._prefix) for name in inside)

    def read(self, name: str) -> bytes:
        return self._files.read(self._prefix + name)


def open_files(path: Path) -> Files:
    """The files of the folder or zip at ``path``. Raises ``PackageError`` when there is none."""
    if path.is_dir():
        return FolderFiles(path)
    if path.is_file():
        return ZipFiles(path)
    raise PackageError(path.name, "", "is neither a folder nor a zip file")


def folder_with(files: Files, name: str) -> str | None:
    """The folder of the file ``name``: "" for the top level, else the only folder there that has it; else None."""
    names = files.names()
    if name in names:
        return ""
    paths = [PurePosixPath(path) for path in names]
    folders = [path.parts[0] for path in paths if len(path.parts) == 2 and path.name == name]
    return folders[0] if len(folders) == 1 else None


def more_than(value: object, limit: int) -> bool:
    """Whether a value parsed from JSON or TOML holds more values than ``limit``, itself and all inside it.

    Each of them might be wrong, and what is said of that takes memory.
    """
    waiting, count = [value], 0
    while waiting and count <= limit:
        one = waiting.pop()
        count += 1
        if isinstance(one, dict):
            waiting += cast("dict[str, object]", one).values()
        elif isinstance(one, list):
            waiting += cast("list[object]", one)
    return count + len(waiting) > limit


def small_directory(tail: bytes) -> bool:
    """Whether a zip that ends with ``tail`` lists no more than a package may hold.

    ``zipfile`` takes memory for every entry of the list before anyone can count them. The record that says how long the
    list is (APPNOTE.TXT §4.3.16) is looked for wherever ``zipfile`` might find it; ZIP64's is not taken.
    """
    if b"PK\x06\x07" in tail[-_TAIL:]:
        return False
    at = tail.find(b"PK\x05\x06")
    while at >= 0:
        size = int.from_bytes(tail[at + 12 : at + 16], "little")
        if size > _MAX_DIRECTORY:
            return False
        at = tail.find(b"PK\x05\x06", at + 1)
    return True


def plain_compression(entry: zipfile.ZipInfo) -> bool:
    """Whether unpacking takes no more memory than what is read: LZMA takes whatever the archive asks."""
    return entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def _wrong(entry: zipfile.ZipInfo) -> str | None:
    """Why an entry of a zip must not be unpacked."""
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or any(c in "\\:\0" or not c.isprintable() for c in entry.filename):
        return "leads outside the package"
    if not path.parts:
        return "has no name"
    if (entry.external_attr >> 16) & 0o170000 == _LINK:
        return "is a link"
    if not plain_compression(entry):
        return "is packed in a way other than 'stored' and 'deflated'"
    if entry.file_size > MAX_FILE:
        return f"is larger than {MAX_FILE} bytes"
    if entry.file_size > max(_RATIO_FROM, _MAX_RATIO * entry.compress_size):
        return f"is packed to less than 1/{_MAX_RATIO} of its size"
    return None


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Width and height that a PNG or WebP announces, read before anything is unpacked; None for anything else.

    PNG: RFC 2083 §11.2.1 (IHDR). WebP: RFC 9649 §2.5–2.7 (VP8, VP8L, VP8X chunks).
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR" and len(data) >= 24:
        width, height = struct.unpack(">II", data[16:24])
        return width, height
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:
        kind = data[12:16]
        if kind == b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return width & 0x3FFF, height & 0x3FFF
        if kind == b"VP8L":
            bits = struct.unpack("<I", data[21:25])[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        if kind == b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in a JPEG's frame header (ITU-T T.81, B.2.2); None when it is no JPEG, or one made for harm.

    That is one of more scans than any encoder makes: a few bytes of each cost a pass over all pixels, minutes together.
    """
    if data[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return (width, height) if width and height and not _has_too_many_scans(data) else None
        if marker == 0x01 or 0xD0 <= marker <= 0xD9:
            at += 2
            continue
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _has_too_many_scans(jpeg: bytes) -> bool:
    """Counted as decoders find them (ITU-T T.81, B.2), as far as they would read."""
    at, scans, components, progressive = 2, 0, b"", False
    for _ in range(_MAX_SEGMENTS):
        found = _MARKER.search(jpeg, at)
        if found is None:
            return False
        start = found.end()
        marker = jpeg[start - 1]
        if marker == _END:
            return False
        if marker in _FRAMES:
            components, progressive = jpeg[start + 7 : start + 8], marker in _PROGRESSIVE
        elif marker == _SCAN:
            scans += 1
            if scans > _MAX_SCANS:
                return True
            if not progressive and jpeg[start + 2 : start + 3] == components:
                # One scan of everything: decoders stop after it.
                return False
        at = start + max(2, int.from_bytes(jpeg[start : start + 2]))
    return True
