"""Displacement fields on small grids: summing them, turning them round, and reading them at pixels.

A field says where each canonical point goes ("forward"). Painting needs where each painted point comes from
("backward"): B(q) = q − F(B(q)), found by fixed-point rounds on the grid, warm from the frame before.
"""

from collections.abc import Iterable

import cv2
import numpy as np

from visavis.avatar.puppet.opencv import Floats, read_at

SETTLE_ROUNDS = 8
"""Rounds after a jump (or at first); a jump of the lips by 60 px is then found to within a tenth of a pixel."""
TRACK_ROUNDS = 2
"""Rounds from one frame to the next while everything moves smoothly."""


def add_weighted(out: Floats, fields: Floats, weights: Iterable[tuple[int, float]]) -> None:
    """``out`` += Σ weight · fields[index]."""
    for index, weight in weights:
        cv2.scaleAdd(fields[index], weight, out, dst=out)


def numbered(weights: Floats) -> list[tuple[int, float]]:
    """(index, weight) of all weights that are not zero."""
    return [(int(index), float(weights[index])) for index in np.flatnonzero(weights)]


def grid_nodes(left: float, top: float, step: float, columns: int, rows: int) -> Floats:
    """Canonical coordinates (x, y) of a grid's nodes: (rows, columns, 2)."""
    x = left + step * np.arange(columns, dtype=np.float32)
    y = top + step * np.arange(rows, dtype=np.float32)
    return np.ascontiguousarray(np.dstack(np.meshgrid(x, y)), np.float32)


class BackwardMap:
    """The backward map of one grid, kept from frame to frame."""

    def __init__(self, nodes: Floats, step: float) -> None:
        self._nodes = nodes
        self._origin = nodes[0, 0].copy()
        self._per_step = 1.0 / step
        self._shift = np.zeros(2, np.float32)
        self._at = np.empty_like(nodes)
        self._moved = np.empty_like(nodes)
        self._targets = nodes.copy()
        self.values = nodes.copy()
        """(rows, columns, 2): where the point painted at each node (plus the shift) comes from."""

    def solve(self, forward: Floats, rounds: int, shift: Floats | None = None) -> None:
        """Find the map for ``forward`` (same shape as the nodes), for nodes moved by ``shift`` canonical pixels."""
        if shift is not None:
            np.add(self._nodes, shift, out=self._targets)
            self.values += shift - self._shift
            self._shift = shift
        for _ in range(rounds):
            self.sample(forward, self._moved)
            np.subtract(self._targets, self._moved, out=self.values)

    def sample(self, field: Floats, out: Floats) -> None:
        """Read ``field`` (one or two channels on this grid) at the points that the map names."""
        np.subtract(self.values, self._origin, out=self._at)
        np.multiply(self._at, self._per_step, out=self._at)
        read_at(field, self._at, out)


def hat_matrix(positions: Floats, nodes: int) -> Floats:
    """(len(positions), nodes): linear interpolation at positions given in nodes, the ends held."""
    held = np.clip(positions, 0, nodes - 1)
    return np.maximum(0.0, 1.0 - np.abs(held[:, None] - np.arange(nodes, dtype=np.float32))).astype(np.float32)


def read_at_pixels(values: Floats, columns: Floats, rows: Floats) -> Floats:
    """A grid's two-channel ``values`` at the pixels of a rectangle, exactly (OpenCV's warps round to 1/32 node).

    ``columns`` and ``rows``: hat matrices of the rectangle's pixels. Returns (pixel rows, pixel columns, 2).
    """
    out = np.empty((len(rows), len(columns), 2), np.float32)
    across = columns.T
    for channel in (0, 1):
        out[..., channel] = rows @ values[..., channel] @ across
    return out
