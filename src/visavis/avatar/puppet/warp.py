"""Displacement fields on small grids: summing them, turning them round, and reading them at pixels.

A field says where each canonical point goes ("forward"). Painting needs where each painted point comes from
("backward"): B(q) = q − F(B(q)), found by fixed-point rounds on the grid, warm from the frame before.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from visavis.avatar.puppet.opencv import Floats, read_at

SETTLE_ROUNDS = 8
"""Rounds after a jump (or at first); a jump of the lips by 60 px is then found to within a tenth of a pixel."""
TRACK_ROUNDS = (2, 4)
"""Rounds from one frame to the next while the face moves little, and while it moves much."""


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


@dataclass(frozen=True, slots=True)
class Drive:
    """What moves the fields in one frame: ``active`` (shape, weight) pairs, the pose's terms, and rounds to solve."""

    active: list[tuple[int, float]]
    terms: Floats
    rounds: int


class BackwardMap:
    """The backward map of one grid, kept from frame to frame. Inside it counts in nodes: no conversion per round."""

    def __init__(self, nodes: Floats, step: float) -> None:
        rows, columns = nodes.shape[:2]
        self._origin = nodes[0, 0].copy()
        self._step = np.float32(step)
        self._places = grid_nodes(0, 0, 1, columns, rows)
        self._targets = self._places
        self._shift = np.zeros(2, np.float32)
        self._forward = np.empty_like(nodes)
        self._moved = np.empty_like(nodes)
        self.values = self._places.copy()
        """(rows, columns, 2): where the point painted at each node (plus the shift) comes from, in nodes."""

    def solve(self, forward: Floats, rounds: int, shift: Floats | None = None) -> None:
        """Find the map for ``forward`` (canonical pixels at the nodes), for nodes moved by ``shift`` pixels."""
        if shift is not None:
            in_nodes = shift / self._step
            self._targets = self._places + in_nodes
            self.values += in_nodes - self._shift
            self._shift = in_nodes
        np.multiply(forward, 1 / self._step, out=self._forward)
        for _ in range(rounds):
            read_at(self._forward, self.values, self._moved)
            np.subtract(self._targets, self._moved, out=self.values)

    def points(self, left: float, top: float, out: Floats | None = None) -> Floats:
        """The map in canonical pixels from (``left``, ``top``)."""
        points = np.empty_like(self.values) if out is None else out
        np.multiply(self.values, self._step, out=points)
        np.add(points, self._origin - np.array([left, top], np.float32), out=points)
        return points


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
