"""What every photo avatar is lent: teeth, tongue, and how folds and shadows come with the blendshapes.

``tools/landmark_table.py`` takes it from an avatar whose face is known in three dimensions.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from visavis.avatar.manifest import Interior
from visavis.avatar.package import Field, InteriorPictures
from visavis.avatar.photo.geometry import Doubles

LENDER_FILE: Final = Path(__file__).parent / "data" / "lender.npz"


@dataclass(frozen=True, slots=True, eq=False)
class Lender:
    """``notice``: to be passed on. ``unit``: pixels of its picture per decimetre. ``points``: (468, 2) its landmarks
    in its picture; ``line``: (N, 2) its lips' line. ``cheeks``: B, G, R of its cheeks.

    ``place``, ``pictures``: the mouth's interior. ``gain``: (maps, rows, columns) relative changes of light inside
    ``gain_box`` (left, top, right, bottom) at weight 1 of the blendshapes ``gain_shapes``.
    """

    notice: str
    unit: float
    points: Doubles
    line: Doubles
    cheeks: Doubles
    place: Interior
    pictures: InteriorPictures
    gain_box: tuple[int, int, int, int]
    gain_shapes: tuple[tuple[str, ...], ...]
    gain: Field


@functools.cache
def load_lender() -> Lender:
    """The project's lender."""
    with np.load(LENDER_FILE, allow_pickle=False) as data:
        layers = np.asarray(data["layers"], np.uint8)
        left, top, right, bottom = (int(v) for v in data["gain_box"])
        return Lender(
            notice=str(data["notice"]),
            unit=float(data["unit"]),
            points=np.asarray(data["points"], np.float64),
            line=np.asarray(data["line"], np.float64),
            cheeks=np.asarray(data["cheeks"], np.float64),
            place=Interior.model_validate_json(str(data["place"])),
            pictures=InteriorPictures(layers[0], layers[1], layers[2:]),
            gain_box=(left, top, right, bottom),
            gain_shapes=tuple(tuple(str(names).split()) for names in data["gain_shapes"]),
            gain=np.asarray(data["gain"], np.float16),
        )
