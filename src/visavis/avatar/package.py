"""AvatarPackage: the pictures and fields that a puppet is made of, read from a folder or zip that is not trusted.

Reading needs no pickle and no code of the package's; every size is checked before memory is taken for it.
"""

import io
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from pydantic_core import from_json

from visavis.avatar.files import (
    MAX_FILE,
    UNREADABLE,
    Files,
    FilesInside,
    PackageError,
    folder_with,
    more_than,
    open_files,
    picture_size,
    plain_compression,
    small_directory,
)
from visavis.avatar.manifest import Manifest, Overrides

Pixels = NDArray[np.uint8]
Field = NDArray[np.float16]

MANIFEST: Final = "manifest.json"
FIELDS: Final = "fields.npz"
_MAX_MANIFEST: Final = 1024 * 1024
_MAX_VALUES: Final = 20_000
_MAX_FINDINGS: Final = 50
TONGUES: Final = 3
"""Lower layers of a mouth's interior: the tongue at rest, up, out."""
_SUFFIXES: Final = (".webp", ".png")
_MAX_SHIFT: Final = 4096.0
"""Largest value in a field; displacements are pixels at weight 1."""
_MAGIC: Final = b"\x93NUMPY\x01\x00"
# The header is a Python literal. It is matched, not evaluated: Python's parser may be driven into the ground.
_HEADER: Final = re.compile(
    rb"\{'descr': '([<>|=]?[A-Za-z][0-9]{0,3})', 'fortran_order': (False|True), "
    rb"'shape': \(((?:[0-9]{1,9},? ?){0,8})\), ?\}\s*"
)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fields:
    """The float16 arrays of ``fields.npz``. K shapes in the manifest's order, G grid nodes a side."""

    main: Field
    """(K, G, G, 2): displacement (x, y) of each node at weight 1, canonical pixels."""
    upper: Field
    """(K, rows, columns, 2): the same on the mouth's window, for the skin above the lips' line …"""
    lower: Field
    """… and for the skin below it."""
    depth: Field
    """(G, G): distance towards the camera, in units of depth."""
    head: Field
    """(G, G): how far a node moves with the head, 0–1."""
    breath: Field
    """(G, G): how far a node moves with the breath, 0–1."""
    gain: Field | None = None
    """(len(shading.shapes), rows, columns): relative change of luminance at weight 1."""


@dataclass(frozen=True, slots=True)
class EyePictures:
    """``blink``: (levels, height, width, 3); ``gaze``: (gaze_y, gaze_x, height, width, 3); BGR."""

    blink: Pixels
    gaze: Pixels


@dataclass(frozen=True, slots=True)
class InteriorPictures:
    """Layers (height, width, 4), BGRA with premultiplied alpha; ``lower`` has one per tongue position before that."""

    back: Pixels
    teeth: Pixels
    lower: Pixels


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class AvatarPackage:
    """Everything about one face that all its sessions share. Not to be written to."""

    manifest: Manifest
    picture: Pixels
    """(size, size, 3): the face at rest, BGR."""
    fields: Fields
    eyes: EyePictures | None = None
    interior: InteriorPictures | None = None
    matte: Pixels | None = None
    """(size, size): how much of each pixel is the person, 0–255; None: the picture cannot be taken apart."""
    plate: Pixels | None = None
    """(size, size, 3): the background without the person, BGR; None: the manifest's colour."""


def load_package(path: Path) -> AvatarPackage:
    """Read and check the package in the folder or zip at ``path``. Blocks. Raises ``PackageError``."""
    files = open_files(path)
    folder = folder_with(files, MANIFEST) if path.is_file() else None
    problems: list[PackageError] = []
    package = read_package(FilesInside(files, folder) if folder else files, problems)
    if package is None:
        raise problems[0]
    return package


def read_package(files: Files, problems: list[PackageError]) -> AvatarPackage | None:
    """The package that ``files`` make; None after all that is wrong with it was added to ``problems``. Blocks."""
    before = len(problems)
    manifest = _manifest(files, problems)
    if manifest is None:
        return None
    size = manifest.size
    eyes = interior = None
    if manifest.eyes is not None:
        box = manifest.eyes.box
        count = manifest.eyes.pictures
        strips = _tried(problems, lambda: read_picture(files, "eyes", box.width, box.height * count, 3))
        if strips is not None:
            strips = strips.reshape(count, box.height, box.width, 3)
            levels = len(manifest.eyes.blink)
            grid = (len(manifest.eyes.gaze_y), len(manifest.eyes.gaze_x), box.height, box.width, 3)
            eyes = EyePictures(strips[:levels], strips[levels:].reshape(grid))
    if manifest.mouth.interior is not None:
        inside = manifest.mouth.interior
        height = inside.height * (2 + TONGUES)
        layers = _tried(problems, lambda: read_picture(files, "interior", inside.width, height, 4))
        if layers is not None:
            layers = layers.reshape(2 + TONGUES, inside.height, inside.width, 4)
            interior = InteriorPictures(layers[0], layers[1], layers[2:])
    picture = _tried(problems, lambda: read_picture(files, "picture", size, size, 3))
    matte = plate = None
    if "matte.png" in files.names():
        matte = _tried(problems, lambda: read_picture(files, "matte", size, size, 1))
    if any("plate" + suffix in files.names() for suffix in _SUFFIXES):
        plate = _tried(problems, lambda: read_picture(files, "plate", size, size, 3))
    fields = _fields(files, manifest, problems)
    if picture is None or fields is None or len(problems) > before:
        return None
    return AvatarPackage(manifest, picture, fields, eyes, interior, matte, plate)


def save_package(package: AvatarPackage, folder: Path) -> None:
    """Write ``package`` into ``folder`` (made when missing) in the form that ``load_package`` reads. Lossless."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = {"overrides"} if package.manifest.overrides == Overrides() else set[str]()
    manifest = package.manifest.model_dump_json(indent=1, exclude_none=True, exclude=plain)
    (folder / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    _write_picture(folder / "picture.webp", package.picture)
    if package.matte is not None:
        _write_picture(folder / "matte.png", package.matte)
    if package.plate is not None:
        _write_picture(folder / "plate.webp", package.plate)
    if package.eyes is not None:
        strips = np.concatenate([package.eyes.blink, package.eyes.gaze.reshape(-1, *package.eyes.gaze.shape[2:])])
        _write_picture(folder / "eyes.webp", strips.reshape(-1, *strips.shape[2:]))
    if package.interior is not None:
        layers = np.concatenate([package.interior.back[None], package.interior.teeth[None], package.interior.lower])
        # PNG: WebP's lossless mode may change the colour under zero alpha.
        _write_picture(folder / "interior.png", layers.reshape(-1, *layers.shape[2:]))
    fields = package.fields
    arrays = {name: getattr(fields, name) for name in Fields.__slots__ if getattr(fields, name) is not None}
    np.savez_compressed(folder / FIELDS, **arrays)


def read_picture(files: Files, stem: str, width: int, height: int, channels: int) -> Pixels:
    """The picture ``stem`` as PNG or WebP, of exactly this size: (height, width, channels), or (height, width) for one.

    Raises ``PackageError``, before memory is taken for another size.
    """
    present = files.names()
    name = next((stem + suffix for suffix in _SUFFIXES if stem + suffix in present), None)
    if name is None:
        raise PackageError(stem + _SUFFIXES[0], "", "is missing")
    data = files.read(name)
    announced = picture_size(data)
    if announced is None:
        raise PackageError(name, "", "is neither a PNG nor a WebP picture")
    if announced != (width, height):
        raise PackageError(name, "size", f"is {announced[0]} × {announced[1]}, the manifest asks {width} × {height}")
    flag = cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_UNCHANGED
    shape = (height, width) if channels == 1 else (height, width, channels)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint8 or pixels.shape != shape:
        raise PackageError(name, "", f"cannot be decoded as 8-bit with {channels} channels")
    return np.asarray(pixels, np.uint8)


def _tried(problems: list[PackageError], read: Callable[[], _T]) -> _T | None:
    try:
        return read()
    except PackageError as error:
        problems.append(error)
        return None


def _manifest(files: Files, problems: list[PackageError]) -> Manifest | None:
    try:
        content = files.read(MANIFEST)
        if len(content) > _MAX_MANIFEST:
            raise PackageError(MANIFEST, "", f"is larger than {_MAX_MANIFEST} bytes")
        try:
            crowded = more_than(from_json(content), _MAX_VALUES)
        except ValueError:
            # The validation tells where it is no JSON.
            crowded = False
        if crowded:
            raise PackageError(MANIFEST, "", f"holds more than {_MAX_VALUES} values")
        return Manifest.model_validate_json(content)
    except PackageError as error:
        problems.append(error)
    except ValidationError as error:
        problems += _validation_problems(MANIFEST, error)
    return None


def _validation_problems(file: str, error: ValidationError) -> list[PackageError]:
    """Each of pydantic's findings, the first 50 of them, with the field that it is about."""
    found = [
        PackageError(
            file,
            ".".join(str(part) for part in one["loc"] if part != "[key]"),
            one["msg"].removeprefix("Value error, "),
        )
        for one in error.errors(include_url=False, include_input=False)
    ]
    # What another version of the format looks like is not known here.
    version = [one for one in found if one.field == "format"]
    return version or found[:_MAX_FINDINGS]


def _write_picture(path: Path, pixels: Pixels) -> None:
    # A WebP quality above 100 means lossless to OpenCV.
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if not cv2.imwrite(str(path), pixels, options):
        raise OSError(f"{path} cannot be written")


def _fields(files: Files, manifest: Manifest, problems: list[PackageError]) -> Fields | None:
    shapes, grid, window = len(manifest.shapes), manifest.grid, manifest.mouth.window
    expected: dict[str, tuple[int, ...]] = {
        "main": (shapes, grid, grid, 2),
        "upper": (shapes, window.rows, window.columns, 2),
        "lower": (shapes, window.rows, window.columns, 2),
        "depth": (grid, grid),
        "head": (grid, grid),
        "breath": (grid, grid),
    }
    if manifest.shading is not None:
        shading = manifest.shading
        expected["gain"] = (len(shading.shapes), shading.rows, shading.columns)
    unreadable = PackageError(FIELDS, "", "is not a readable npz file")
    arrays: dict[str, Field] = {}
    try:
        data = files.read(FIELDS)
        if not small_directory(data[-2 * 65_536 :]):
            raise unreadable
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name, shape in expected.items():
                array = _tried(problems, lambda name=name, shape=shape: _array(archive, name, shape))
                if array is not None:
                    arrays[name] = array
    except PackageError as error:
        problems.append(error)
    except UNREADABLE:
        problems.append(unreadable)
    return Fields(**arrays) if len(arrays) == len(expected) else None


def _array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> Field:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError:
        raise PackageError(FIELDS, name, "is missing") from None
    if not plain_compression(entry):
        raise PackageError(FIELDS, name, "is packed in a way other than 'stored' and 'deflated'")
    try:
        with archive.open(entry) as member:
            data = member.read(MAX_FILE + 1)
    except UNREADABLE:
        raise PackageError(FIELDS, name, "cannot be unpacked") from None
    if len(data) > MAX_FILE:
        raise PackageError(FIELDS, name, f"is larger than {MAX_FILE} bytes")
    array = _parsed(data, name, shape)
    if not bool(np.isfinite(array).all()) or float(np.abs(array).max()) > _MAX_SHIFT:
        raise PackageError(FIELDS, name, f"holds values that are not finite or beyond ±{_MAX_SHIFT:.0f}")
    return array


def _parsed(data: bytes, name: str, shape: tuple[int, ...]) -> Field:
    """An array in version 1.0 of numpy's format (numpy.lib.format), if it is float16 of this shape."""

    def wrong(problem: str) -> PackageError:
        return PackageError(FIELDS, name, f"is not a numpy array: {problem}")

    if not data.startswith(_MAGIC) or len(data) < 10:
        raise wrong("it does not begin as one of version 1.0")
    begin = 10 + int.from_bytes(data[8:10], "little")
    header = _HEADER.fullmatch(data[10:begin])
    if header is None:
        raise wrong("its header cannot be read")
    try:
        dtype = np.dtype(header[1].decode())
    except TypeError:
        raise wrong("its header has an unknown type") from None
    announced = tuple(int(part) for part in header[3].replace(b",", b" ").split())
    if dtype != np.float16 or announced != shape:
        raise PackageError(FIELDS, name, f"is {dtype} {announced}, the manifest asks float16 {shape}")
    values = data[begin:]
    needed = 2 * int(np.prod(shape))
    if len(values) != needed:
        raise wrong(f"it holds {len(values)} bytes of values, not {needed}")
    order = "F" if header[2] == b"True" else "C"
    return np.array(np.frombuffer(values, np.float16).reshape(shape, order=order), np.float16, order="C")
