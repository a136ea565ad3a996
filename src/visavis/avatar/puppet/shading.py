"""Light and shadow that follow the shapes: folds of a smile, the shadow of an open jaw."""

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats, read_at, warp
from visavis.avatar.puppet.rig import Rig
from visavis.avatar.puppet.warp import add_weighted

_NOTHING = 0.02
"""Weights below this change no light."""
_ONE = 128.0
"""The gain 1 in the eight-bit map that is multiplied into the picture."""


class Shading:
    """One session's shading of its luminance plane."""

    def __init__(self, rig: Rig, side: int) -> None:
        self._rig = rig
        rows, columns = rig.face
        scale = rig.size / side
        # The rectangle of output pixels whose centres lie between the outermost nodes of the face.
        first, last = rig.nodes[rows.start, columns.start], rig.nodes[rows.stop - 1, columns.stop - 1]
        self._left, self._top = (max(0, int(np.ceil(v / scale - 0.5))) for v in first)
        self._right, self._bottom = (min(side, int(v / scale - 0.5) + 1) for v in last)
        to_node = scale / rig.step
        self._to_grid = np.array(
            [
                [to_node, 0, ((self._left + 0.5) * scale - first[0]) / rig.step],
                [0, to_node, ((self._top + 0.5) * scale - first[1]) / rig.step],
            ],
            np.float32,
        )
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        self._sum = np.empty(shape, np.float32)

    def apply(self, weights: Floats, backward: Floats, luma: Pixels) -> None:
        """Multiply the gains of ``weights`` into ``luma``. ``backward``: the main grid's backward map."""
        rig = self._rig
        if rig.gain is None or rig.gain_weights is None:
            return
        strengths = rig.gain_weights @ weights
        active = [(int(i), float(strengths[i])) for i in np.nonzero(np.abs(strengths) > _NOTHING)[0]]
        if not active:
            return
        self._sum.fill(0)
        add_weighted(self._sum, rig.gain, active)
        origin = rig.nodes[rig.face[0].start, rig.face[1].start]
        at = (backward[rig.face] - origin) * np.float32(1 / rig.step)
        coarse = np.asarray(cv2.convertScaleAbs(read_at(self._sum, at), alpha=_ONE, beta=_ONE), np.uint8)
        width, height = self._right - self._left, self._bottom - self._top
        fine = warp(coarse, self._to_grid, width, height, cv2.BORDER_REPLICATE)
        part = luma[self._top : self._bottom, self._left : self._right]
        cv2.multiply(part, fine, dst=part, scale=1 / _ONE)
