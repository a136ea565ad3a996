"""Folds and shadows: the lender's, bent to the photograph's face."""

from typing import Final

import numpy as np

from visavis.avatar.manifest import Box, Shading
from visavis.avatar.package import Field
from visavis.avatar.photo.geometry import mesh, sample, smooth_step, spread
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.lender import Lender
from visavis.avatar.photo.topology import OVAL

_COLUMNS: Final = 96
_ROWS: Final = 112
_SHARE: Final = 0.75
"""A photograph's light is not the one that the maps were made in."""


def gains_of(face: Face, lender: Lender, size: int) -> tuple[Shading, Field]:
    """The manifest's part and the maps."""
    oval = face.points[list(OVAL), :2]
    low, high = oval.min(0), oval.max(0)
    margin = 0.12 * float(high[1] - low[1])
    left, top = (max(0, int(v - margin)) for v in low)
    right, bottom = (min(size, int(v + margin)) for v in high)
    x, y = mesh(
        left + (np.arange(_COLUMNS) + 0.5) * (right - left) / _COLUMNS,
        top + (np.arange(_ROWS) + 0.5) * (bottom - top) / _ROWS,
    )
    nodes = np.stack([x.ravel(), y.ravel()], 1)
    at = spread(face.points[:, :2], lender.points, nodes, smoothing=2.0).reshape(_ROWS, _COLUMNS, 2)
    rows, columns = lender.gain.shape[1:]
    box = lender.gain_box
    u = (at[..., 0] - box[0]) * columns / (box[2] - box[0])
    v = (at[..., 1] - box[1]) * rows / (box[3] - box[1])
    inside = np.minimum(np.minimum(u, columns - u), np.minimum(v, rows - v))
    edge = np.minimum(np.minimum(x - left, right - x), np.minimum(y - top, bottom - y))
    share = _SHARE * smooth_step(0, 4, inside) * smooth_step(0, margin, edge)
    bent = np.stack([sample(np.asarray(one, np.float32), u, v) * share for one in lender.gain])
    shading = Shading(
        box=Box(left=left, top=top, right=right, bottom=bottom),
        columns=_COLUMNS,
        rows=_ROWS,
        shapes=lender.gain_shapes,
    )
    return shading, bent.astype(np.float16)
