"""Displacement fields on small grids: summing them, turning them round, and reading them at pixels.

A field says where each canonical point goes ("forward"). Painting needs where each painted point comes from
("backward"): B(q) = q − F(B(q)), found by fixed-point rounds on the grid, warm from the frame before.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from visavis.avatar.puppet.opencv import Floats, read_at

SETTLE_ROUNDS = 8
"""Rounds after a jump (or at first); a jump of the lips by 60 px is then found to within a tenth of a pixel."""
TRACK_ROUNDS = (2, 4)
"""Rounds from one frame to the next while the face moves little, and while it moves much."""

_FEW = 0.5
"""Share of fields beyond which all are summed at once; it costs what this share of them cost one by one."""

Shift = tuple[float, float]
"""(x, y), canonical pixels."""


def weighted_sum(weights: Floats, fields: Floats, out: Floats) -> None:
    """``out`` = Σ weights[k] · fields[k]; all contiguous."""
    active = np.flatnonzero(weights).tolist()
    if len(active) > _FEW * len(weights):
        np.dot(weights, fields.reshape(len(weights), -1), out=out.reshape(-1))
        return
    out.fill(0)
    for index in active:
        cv2.scaleAdd(fields[index], float(weights[index]), out, dst=out)


def grid_nodes(left: float, top: float, step: float, columns: int, rows: int) -> Floats:
    """Canonical coordinates (x, y) of a grid's nodes: (rows, columns, 2)."""
    x = left + step * np.arange(columns, dtype=np.float32)
    y = top + step * np.arange(rows, dtype=np.float32)
    return np.ascontiguousarray(np.dstack(np.meshgrid(x, y)), np.float32)


@dataclass(frozen=True, slots=True)
class Drive:
    """What moves the fields in one frame: the shapes' ``weights``, the pose's ``terms``, and rounds to solve."""

    weights: Floats
    terms: Floats
    rounds: int


class BackwardMap:
    """The backward map of one grid, kept from frame to frame. Inside it counts in nodes: no conversion per round.

    ``corner``: the canonical point that ``points`` counts from.
    """

    def __init__(self, nodes: Floats, step: float, corner: tuple[float, float]) -> None:
        rows, columns = nodes.shape[:2]
        self._step = float(step)
        self._places = grid_nodes(0, 0, 1, columns, rows)
        self._targets = self._places.copy()
        self._shift = (0.0, 0.0)
        self._forward = np.empty_like(nodes)
        self._moved = np.empty_like(nodes)
        # Whole grids: numpy is ten times slower at adding a pair to each point of one.
        self._origin = np.ascontiguousarray(np.broadcast_to(nodes[0, 0] - np.array(corner, np.float32), nodes.shape))
        self._points = np.empty_like(nodes)
        self.values = self._places.copy()
        """(rows, columns, 2): where the point painted at each node (plus the shift) comes from, in nodes."""

    def solve(
        self,
        forward: Floats,
        rounds: int,
        shift: Shift | None = None,
        lively: tuple[slice, slice] | None = None,
    ) -> None:
        """Find the map for ``forward`` (canonical pixels at the nodes), for nodes moved by ``shift`` pixels.

        Where only the ``lively`` (rows, columns) move fast, the others are content with the fewest rounds.
        """
        if shift is not None:
            before, self._shift = self._shift, (shift[0] / self._step, shift[1] / self._step)
            for axis in (0, 1):
                np.add(self._places[..., axis], self._shift[axis], out=self._targets[..., axis])
                self.values[..., axis] += self._shift[axis] - before[axis]
        np.multiply(forward, np.float32(1 / self._step), out=self._forward)
        calm = rounds if lively is None or rounds >= SETTLE_ROUNDS else TRACK_ROUNDS[0]
        for _ in range(calm):
            read_at(self._forward, self.values, self._moved)
            np.subtract(self._targets, self._moved, out=self.values)
        for _ in range(rounds - calm):
            values, moved = self.values[lively], self._moved[lively]
            read_at(self._forward, values, moved)
            np.subtract(self._targets[lively], moved, out=values)

    def points(self) -> Floats:
        """The map in canonical pixels from the corner; to be used before the next call."""
        cv2.scaleAdd(self.values, self._step, self._origin, self._points)
        return self._points


def hat_matrix(positions: Floats, nodes: int) -> Floats:
    """(len(positions), nodes): linear interpolation at positions given in nodes, the ends held."""
    held = np.clip(positions, 0, nodes - 1)
    return np.maximum(0.0, 1.0 - np.abs(held[:, None] - np.arange(nodes, dtype=np.float32))).astype(np.float32)
