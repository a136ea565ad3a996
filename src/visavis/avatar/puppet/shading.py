"""Light and shadow that follow the shapes: folds of a smile, the shadow of an open jaw."""

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats, read_at
from visavis.avatar.puppet.rig import Rig
from visavis.avatar.puppet.warp import weighted_sum

_NOTHING = 0.004
"""Weights below this change no light."""
_ONE = 128.0
"""The gain 1 in the eight-bit map that is multiplied into the picture."""


class Shading:
    """One session's shading of its luminance plane."""

    def __init__(self, rig: Rig, side: int) -> None:
        self._rig = rig
        rows, columns = rig.face
        self._nodes = (_on_pixels(rows, len(rig.nodes), side), _on_pixels(columns, len(rig.nodes), side))
        per_node = side / len(rig.nodes)
        self._top, self._bottom = round(self._nodes[0].start * per_node), round(self._nodes[0].stop * per_node)
        self._left, self._right = round(self._nodes[1].start * per_node), round(self._nodes[1].stop * per_node)
        self._first = np.empty_like(rig.nodes[self._nodes])
        self._first[:] = columns.start, rows.start
        self._sum = np.empty((rows.stop - rows.start, columns.stop - columns.start), np.float32)
        self._at = np.empty_like(rig.nodes[self._nodes])

    def apply(self, weights: Floats, backward: Floats, luma: Pixels) -> None:
        """Multiply the gains of ``weights`` into ``luma``. ``backward``: the main grid's backward map, in nodes."""
        rig = self._rig
        if rig.gain is None or rig.gain_weights is None:
            return
        strengths = rig.gain_weights @ weights
        if float(np.abs(strengths).max()) < _NOTHING:
            return
        weighted_sum(strengths, rig.gain, self._sum)
        cv2.subtract(backward[self._nodes], self._first, self._at)
        moved = read_at(self._sum, self._at)
        coarse = np.asarray(cv2.convertScaleAbs(moved, alpha=_ONE, beta=_ONE), np.uint8)
        size = (self._right - self._left, self._bottom - self._top)
        fine = cv2.resize(coarse, size, interpolation=cv2.INTER_LINEAR)
        part = luma[self._top : self._bottom, self._left : self._right]
        cv2.multiply(part, fine, dst=part, scale=1 / _ONE)


def _on_pixels(span: slice, nodes: int, side: int) -> slice:
    """The smallest span of nodes around ``span`` whose cells end on the borders of output pixels."""
    borders = [node for node in range(nodes + 1) if node * side % nodes == 0]
    start = max(node for node in borders if node <= span.start)
    return slice(start, min(node for node in borders if node >= span.stop))
