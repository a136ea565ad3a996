"""Folds and shadows: the embedded avatar's, bent to the photograph's face."""

from typing import Final

import numpy as np

from visavis.avatar.manifest import Box, Shading
from visavis.avatar.package import AvatarPackage, Field
from visavis.avatar.photo.geometry import mesh, sample, smooth_step, spread
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.table import Table
from visavis.avatar.photo.topology import OVAL

_COLUMNS: Final = 96
_ROWS: Final = 112
_SHARE: Final = 0.75
"""A photograph's light is not the one that the maps were made in."""


def gains_of(face: Face, table: Table, lender: AvatarPackage, size: int) -> tuple[Shading, Field]:
    """The manifest's part and the maps."""
    theirs, maps = lender.manifest.shading, lender.fields.gain
    assert theirs is not None
    assert maps is not None
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
    there = table.points[:, :2] * lender.manifest.head.unit + table.origin * lender.manifest.size
    at = spread(face.points[:, :2], there, nodes, smoothing=2.0).reshape(_ROWS, _COLUMNS, 2)
    box = theirs.box
    u = (at[..., 0] - box.left) * theirs.columns / box.width
    v = (at[..., 1] - box.top) * theirs.rows / box.height
    inside = np.minimum(np.minimum(u, theirs.columns - u), np.minimum(v, theirs.rows - v))
    edge = np.minimum(np.minimum(x - left, right - x), np.minimum(y - top, bottom - y))
    share = _SHARE * smooth_step(0, 4, inside) * smooth_step(0, margin, edge)
    bent = np.stack([sample(np.asarray(one, np.float32), u, v) * share for one in maps])
    shading = Shading(
        box=Box(left=left, top=top, right=right, bottom=bottom), columns=_COLUMNS, rows=_ROWS, shapes=theirs.shapes
    )
    return shading, bent.astype(np.float16)
