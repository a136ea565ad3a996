"""How the 468 landmarks move with each ARKit blendshape: a table taken from an avatar with fields of its own.

``tools/landmark_table.py`` makes it: the landmarks are found in its picture, its displacement fields read there.
"""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.photo.geometry import Doubles
from visavis.avatar.photo.topology import BROWS, LANDMARKS, LOWER_LIP, OVAL, UPPER_LIP

TABLE_FILE: Final = Path(__file__).parent / "data" / "landmarks.npz"


@dataclass(frozen=True, slots=True)
class Table:
    """``points``: (468, 3) of a face that looks into the camera, decimetres, x right, y down, z away.

    ``shapes``: names of K blendshapes; ``moves``: (K, 468, 2) how far each at weight 1 moves each point, decimetres.
    ``firm``: indices of the points that no expression moves.
    """

    points: Doubles
    shapes: tuple[str, ...]
    moves: Doubles
    firm: NDArray[np.intp]


@functools.cache
def load_table() -> Table:
    """The project's table."""
    with np.load(TABLE_FILE, allow_pickle=False) as data:
        points = np.asarray(data["points"], np.float64)
        moves = np.asarray(data["moves"], np.float64)
        shapes = tuple(str(name) for name in data["shapes"])
    assert points.shape == (LANDMARKS, 3)
    assert moves.shape == (len(shapes), LANDMARKS, 2)
    soft = {*BROWS["left"], *BROWS["right"]}.union(*UPPER_LIP, *LOWER_LIP)
    chin = points[list(OVAL), 1].max() - 0.35
    firm = [i for i in range(LANDMARKS) if i not in soft and points[i, 1] < chin]
    return Table(points, shapes, moves, np.array(firm, np.intp))
