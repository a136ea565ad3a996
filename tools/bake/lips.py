"""Where the closed lips touch: the line along which an opening jaw tears the skin that the camera sees."""

from typing import Final

import numpy as np

from bake.projection import Projection
from bake.raster import Floats, Grid, see
from bake.smooth import blurred

_ACROSS: Final = 1.5
_DOWN: Final = 0.5
"""Distances of the points looked at, in pixels of a picture of 768."""
_TORN: Final = 6.0
"""By how many pixels (of 768) the lower lip must part from the upper one at jawOpen 1."""
_WIDE: Final = 120.0
_RISE: Final = 3.0
"""How far the line may rise or fall from one column to the next."""


def lip_line(mesh: Projection) -> Floats:
    """(points, 2): the line from the left corner to the right one, canonical pixels."""
    unit = mesh.size / 768
    jaw = mesh.moves[mesh.names.index("jawOpen"), :, 1]
    middle = mesh.size / 2
    whole = Grid(middle, 0.0, _DOWN * unit, 1, int(768 / _DOWN))
    column = _moved_down(mesh, jaw, whole)[:, 0]
    start = int(np.nanargmax(np.diff(column)))
    reach = int(_WIDE / 2 / _DOWN)
    columns = 2 * int(_WIDE / _ACROSS) + 1
    near = Grid(middle - _WIDE * unit, max(0, start - reach) * _DOWN * unit, _ACROSS * unit, columns, 2 * reach)
    steps = np.diff(_moved_down(mesh, jaw, near), axis=0)
    rows, torn = np.zeros(columns), np.zeros(columns)
    half = columns // 2
    for order in (range(half, columns), range(half - 1, -1, -1)):
        at = float(min(start, reach)) if order.step > 0 else rows[half]
        for index in order:
            slack = reach if index == half else _RISE / _DOWN
            low, high = int(max(0, at - slack)), int(at + slack + 1)
            part = np.nan_to_num(steps[low:high, index], nan=-1.0)
            best = int(np.argmax(part))
            rows[index], torn[index] = low + best, part[best]
            at = rows[index] if torn[index] > _TORN * unit else at
    left, right = half, half
    while left > 0 and torn[left - 1] > _TORN * unit:
        left -= 1
    while right < columns - 1 and torn[right + 1] > _TORN * unit:
        right += 1
    if right - left < 8:
        raise ValueError("the lips' line was not found: jawOpen does not part the lips")
    y = near.top + (rows[left : right + 1] + 0.5) * near.step * _DOWN / _ACROSS
    y = blurred(y[None].astype(np.float32), 1.5)[0]
    x = near.left + np.arange(left, right + 1) * near.step
    return np.stack([x, y], 1).astype(np.float32)


def _moved_down(mesh: Projection, jaw: Floats, grid: Grid) -> Floats:
    """(rows, columns): how far jawOpen moves what is seen; NaN where nothing is. Rows are ``_DOWN`` apart."""
    unit = mesh.size / 768
    # The grid's points are square; a grid of its own height is had by squeezing the mesh instead.
    squeeze = grid.step / (_DOWN * unit)
    points = mesh.points.copy()
    points[:, 1] = (points[:, 1] - grid.top) * squeeze + grid.top
    seen = see(points, mesh.depth, mesh.triangles, grid)
    return np.where(seen.hit, seen.read(jaw), np.nan).astype(np.float32)
