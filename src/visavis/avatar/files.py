"""Reading the files of an untrusted folder or zip: bounded, and never outside of it."""

import struct
import zipfile
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

MAX_FILE: Final = 32 * 1024 * 1024
"""Largest file of a package, unpacked, in bytes."""
MAX_FILES: Final = 64
"""Most files in a zipped package."""


class PackageError(Exception):
    """An avatar package cannot be used; the message names the file and, where there is one, the field."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field


class Files(Protocol):
    """The files of one package, by their names."""

    def names(self) -> frozenset[str]:
        """The names of all files at the top level."""
        ...

    def read(self, name: str) -> bytes:
        """The content of a file. Raises ``PackageError`` when it is missing, too large or outside."""
        ...


class FolderFiles:
    """A package that is a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def names(self) -> frozenset[str]:
        return frozenset(path.name for path in self._folder.iterdir() if path.is_file())

    def read(self, name: str) -> bytes:
        path = (self._folder / name).resolve()
        if not path.is_relative_to(self._folder):
            raise PackageError(name, "", "lies outside the package")
        try:
            if path.stat().st_size > MAX_FILE:
                raise PackageError(name, "", f"is larger than {MAX_FILE} bytes")
            return path.read_bytes()
        except OSError as error:
            raise PackageError(name, "", error.strerror or "cannot be read") from error


class ZipFiles:
    """A package that is a zip; its files lie at the top level or in one folder."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._members: dict[str, str] = {}
        try:
            with zipfile.ZipFile(archive) as opened:
                entries = [entry for entry in opened.infolist() if not entry.is_dir()]
        except (OSError, zipfile.BadZipFile) as error:
            raise PackageError(archive.name, "", "is not a readable zip file") from error
        if len(entries) > MAX_FILES:
            raise PackageError(archive.name, "", f"holds more than {MAX_FILES} files")
        for entry in entries:
            path = PurePosixPath(entry.filename)
            if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
                raise PackageError(archive.name, "", f"{entry.filename!r} leads outside the package")
            if entry.file_size > MAX_FILE:
                raise PackageError(archive.name, "", f"{entry.filename!r} is larger than {MAX_FILE} bytes")
            if len(path.parts) <= 2:
                self._members[path.name] = entry.filename

    def names(self) -> frozenset[str]:
        return frozenset(self._members)

    def read(self, name: str) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise PackageError(name, "", "is missing")
        try:
            with zipfile.ZipFile(self._archive) as opened, opened.open(member) as file:
                data = file.read(MAX_FILE + 1)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise PackageError(name, "", "cannot be unpacked") from error
        if len(data) > MAX_FILE:
            raise PackageError(name, "", f"is larger than {MAX_FILE} bytes")
        return data


def open_files(path: Path) -> Files:
    """The files of the package at ``path``. Raises ``PackageError`` when there is no folder or zip."""
    if path.is_dir():
        return FolderFiles(path)
    if path.is_file():
        return ZipFiles(path)
    raise PackageError(path.name, "", "is neither a folder nor a zip file")


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
