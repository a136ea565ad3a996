"""What of a triangle mesh the camera sees: a z-buffer over a grid of points."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_PAIRS: Final = 4_000_000
"""(triangle, point) pairs looked at together: bounds the memory taken."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Points at (left + column · step, top + row · step) canonical pixels."""

    left: float
    top: float
    step: float
    columns: int
    rows: int

    @classmethod
    def over(cls, size: int, nodes: int) -> "Grid":
        """``nodes`` a side over the whole picture, each in the middle of its cell."""
        step = size / nodes
        return cls(step / 2, step / 2, step, nodes, nodes)

    def points(self) -> Floats:
        """(rows, columns, 2)."""
        x = self.left + self.step * np.arange(self.columns)
        y = self.top + self.step * np.arange(self.rows)
        return np.dstack(np.meshgrid(x, y)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Seen:
    """What lies at each point of a grid: ``corners`` (rows, columns, 3) of the foremost triangle, −1 where there is
    none, and ``shares`` (rows, columns, 3), its barycentric coordinates."""

    corners: NDArray[np.int32]
    shares: Floats

    @property
    def hit(self) -> NDArray[np.bool_]:
        return self.corners[..., 0] >= 0

    def read(self, values: NDArray[np.floating]) -> Floats:
        """``values`` (vertices, …) between the corners: (rows, columns, …); 0 where nothing is seen."""
        shares = np.where(self.hit[..., None], self.shares, 0)
        shares = shares.reshape(*shares.shape, *[1] * (values.ndim - 1))
        return sum(values[self.corners[..., i]].astype(np.float32) * shares[:, :, i] for i in range(3))


def see(points: NDArray[np.floating], depth: NDArray[np.floating], triangles: NDArray[np.integer], grid: Grid) -> Seen:
    """``points`` (vertices, 2): canonical pixels; ``depth`` (vertices,): greater is nearer to the camera."""
    at = (points - (grid.left, grid.top)) / grid.step
    corners = at[triangles]
    low = np.ceil(corners.min(1)).astype(np.int64)
    high = np.floor(corners.max(1)).astype(np.int64)
    low = np.maximum(low, 0)
    high = np.minimum(high, (grid.columns - 1, grid.rows - 1))
    spans = np.maximum(high - low + 1, 0)
    counts = spans[:, 0] * spans[:, 1]
    nearest = np.full(grid.rows * grid.columns, -np.inf)
    found = np.full((grid.rows * grid.columns, 3), -1, np.int32)
    shares = np.zeros((grid.rows * grid.columns, 3), np.float32)
    chosen = np.flatnonzero(counts)
    for part in np.array_split(chosen, int(counts.sum() // _PAIRS) + 1):
        which = np.repeat(part, counts[part])
        first = np.repeat(np.cumsum(counts[part]) - counts[part], counts[part])
        place = np.arange(len(which)) - first
        column = low[which, 0] + place % spans[which, 0]
        row = low[which, 1] + place // spans[which, 0]
        a, b, c = (corners[which, i] for i in range(3))
        ab, ac, ap = b - a, c - a, np.stack([column, row], 1) - a
        area = ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            v = (ap[:, 0] * ac[:, 1] - ap[:, 1] * ac[:, 0]) / area
            w = (ab[:, 0] * ap[:, 1] - ab[:, 1] * ap[:, 0]) / area
        inside = (v >= -1e-9) & (w >= -1e-9) & (v + w <= 1 + 1e-9)
        which, node, v, w = which[inside], (row * grid.columns + column)[inside], v[inside], w[inside]
        weights = np.stack([1 - v - w, v, w], 1)
        z = (depth[triangles[which]] * weights).sum(1)
        order = np.lexsort((z, node))
        last = order[np.append(node[order][1:] != node[order][:-1], True)] if len(order) else order
        better = last[z[last] > nearest[node[last]]]
        nearest[node[better]] = z[better]
        found[node[better]] = triangles[which[better]]
        shares[node[better]] = weights[better]
    shape = (grid.rows, grid.columns, 3)
    return Seen(found.reshape(shape), shares.reshape(shape))
