"""AvatarPackage: the pictures and fields that a puppet is made of, read from a folder or zip that is not trusted.

Reading needs no pickle and no code of the package's; every size is checked before memory is taken for it.
"""

import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from visavis.avatar.files import MAX_FILE, Files, PackageError, open_files, picture_size
from visavis.avatar.manifest import Manifest

Pixels = NDArray[np.uint8]
Field = NDArray[np.float16]

MANIFEST: Final = "manifest.json"
FIELDS: Final = "fields.npz"
TONGUES: Final = 3
"""Lower layers of a mouth's interior: the tongue at rest, up, out."""
_SUFFIXES: Final = (".webp", ".png")
_MAX_SHIFT: Final = 4096.0
"""Largest value in a field; displacements are pixels at weight 1."""


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


def load_package(path: Path) -> AvatarPackage:
    """Read and check the package in the folder or zip at ``path``. Blocks. Raises ``PackageError``."""
    files = open_files(path)
    manifest = _manifest(files)
    size = manifest.size
    eyes = interior = None
    if manifest.eyes is not None:
        box = manifest.eyes.box
        strips = _picture(files, "eyes", box.width, box.height * manifest.eyes.pictures, 3)
        strips = strips.reshape(manifest.eyes.pictures, box.height, box.width, 3)
        levels = len(manifest.eyes.blink)
        grid = (len(manifest.eyes.gaze_y), len(manifest.eyes.gaze_x), box.height, box.width, 3)
        eyes = EyePictures(strips[:levels], strips[levels:].reshape(grid))
    if manifest.mouth.interior is not None:
        inside = manifest.mouth.interior
        layers = _picture(files, "interior", inside.width, inside.height * (2 + TONGUES), 4)
        layers = layers.reshape(2 + TONGUES, inside.height, inside.width, 4)
        interior = InteriorPictures(layers[0], layers[1], layers[2:])
    return AvatarPackage(manifest, _picture(files, "picture", size, size, 3), _fields(files, manifest), eyes, interior)


def save_package(package: AvatarPackage, folder: Path) -> None:
    """Write ``package`` into ``folder`` (made when missing) in the form that ``load_package`` reads. Lossless."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = package.manifest.model_dump_json(indent=1, exclude_none=True)
    (folder / MANIFEST).write_text(manifest + "\n", encoding="utf-8")
    _write_picture(folder / "picture.webp", package.picture)
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


def _manifest(files: Files) -> Manifest:
    try:
        return Manifest.model_validate_json(files.read(MANIFEST))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise PackageError(MANIFEST, field, first["msg"].removeprefix("Value error, ")) from None


def _picture(files: Files, stem: str, width: int, height: int, channels: int) -> Pixels:
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
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error:
        pixels = None
    if pixels is None or pixels.dtype != np.uint8 or pixels.shape != (height, width, channels):
        raise PackageError(name, "", f"cannot be decoded as 8-bit with {channels} channels")
    return np.asarray(pixels, np.uint8)


def _write_picture(path: Path, pixels: Pixels) -> None:
    # A WebP quality above 100 means lossless to OpenCV.
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    if not cv2.imwrite(str(path), pixels, options):
        raise OSError(f"{path} cannot be written")


def _fields(files: Files, manifest: Manifest) -> Fields:
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
    data = files.read(FIELDS)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return Fields(**{name: _array(archive, name, shape) for name, shape in expected.items()})
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise PackageError(FIELDS, "", "is not a readable npz file") from error


def _array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...]) -> Field:
    try:
        with archive.open(f"{name}.npy") as member:
            data = member.read(MAX_FILE + 1)
    except KeyError:
        raise PackageError(FIELDS, name, "is missing") from None
    if len(data) > MAX_FILE:
        raise PackageError(FIELDS, name, f"is larger than {MAX_FILE} bytes")
    stream = io.BytesIO(data)
    try:
        # The header is looked at first: numpy would take memory for whatever shape it announces.
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ValueError("it has an unknown version")
        announced, _, dtype = np.lib.format.read_array_header_1_0(stream)
        if dtype != np.float16 or announced != shape:
            raise PackageError(FIELDS, name, f"is {dtype} {announced}, the manifest asks float16 {shape}")
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except ValueError as error:
        raise PackageError(FIELDS, name, f"is not a numpy array: {error}") from None
    if not bool(np.isfinite(array).all()) or float(np.abs(array).max()) > _MAX_SHIFT:
        raise PackageError(FIELDS, name, f"holds values that are not finite or beyond ±{_MAX_SHIFT:.0f}")
    return np.asarray(array, np.float16)
