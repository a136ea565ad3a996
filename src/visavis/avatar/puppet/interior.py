"""What is behind the lips: cavity, palate, lower teeth and tongue, upper teeth."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.face import Tongue
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats, channel, inverse, mix, spread, warp
from visavis.avatar.puppet.rig import Rig

_TONGUES: Final = {Tongue.REST: 0, Tongue.UP: 1, Tongue.OUT: 2}
_TONGUE_STEP: Final = 0.5
"""Share of a tongue layer that comes or goes per frame: a change takes two frames instead of popping."""
_CAVITY: Final = (20, 10, 26)
"""Colour (B, G, R) where a package has no interior."""


class MouthInterior:
    """One session's teeth and tongue."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._shares = np.array([1.0, 0.0, 0.0], np.float32)

    def move_tongue(self, tongue: Tongue) -> None:
        """Bring the tongue nearer to ``tongue``, once per frame."""
        goal = _TONGUES[tongue]
        if self._shares[goal] == 1:
            return
        self._shares -= _TONGUE_STEP
        self._shares[goal] += 2 * _TONGUE_STEP
        np.clip(self._shares, 0, 1, out=self._shares)
        self._shares /= self._shares.sum()

    def paint(self, x: Floats, y: Floats, shift: Floats, terms: Floats, jaw: float) -> Pixels:
        """(len(y), len(x), 4): the interior at canonical columns ``x`` and rows ``y`` (evenly spaced), opaque BGRA.

        ``shift``: the pose's displacement of the lips' centre; ``terms``: the pose's terms; ``jaw``: jawOpen.
        """
        rig = self._rig
        place, pictures = rig.manifest.mouth.interior, rig.interior
        if place is None or pictures is None:
            out = np.empty((len(y), len(x), 4), np.uint8)
            out[:] = (*_CAVITY, 255)
            return out
        # The head carries the teeth: p = centre + A⁻¹ (p' − centre − shift), A = 1 + the pose's gradient there.
        xx, xy, yx, yy = np.dot(terms, rig.mouth.pose_gradient).tolist()
        part = 1 / (((1 + xx) * (1 + yy) - xy * yx) * place.scale)
        a, b, c, d = (1 + yy) * part, -xy * part, -yx * part, (1 + xx) * part
        (centre_x, centre_y), (shift_x, shift_y) = rig.mouth.centre.tolist(), shift.tolist()
        first_x, first_y = float(x[0]) - centre_x - shift_x, float(y[0]) - centre_y - shift_y
        spacing = float(x[1] - x[0]) if len(x) > 1 else 1.0
        to_x = a * first_x + b * first_y + (centre_x - place.left) / place.scale - 0.5
        to_y = c * first_x + d * first_y + (centre_y - place.top) / place.scale - 0.5
        fixed = np.array([[a * spacing, b * spacing, to_x], [c * spacing, d * spacing, to_y]])
        lowered = fixed.copy()
        lowered[1, 2] -= (jaw * place.jaw_travel - place.jaw_offset) / place.scale
        red, green, blue = place.cavity
        out = warp(pictures.back, fixed, len(x), len(y), (blue, green, red, 255))
        _over(out, self._lower(pictures.lower), lowered)
        _over(out, pictures.teeth, fixed)
        return out

    def _lower(self, layers: Pixels) -> Pixels:
        shown = np.flatnonzero(self._shares)
        mixed, total = layers[shown[0]], float(self._shares[shown[0]])
        for index in shown[1:]:
            share = float(self._shares[index])
            total += share
            mixed = mix(mixed, layers[index], share / total)
        return mixed


def _over(below: Pixels, layer: Pixels, to_layer: NDArray[np.float64]) -> None:
    """``layer`` (premultiplied BGRA), warped, over ``below`` (opaque), in place; the result stays opaque."""
    height, width = below.shape[:2]
    moved = warp(layer, to_layer, width, height, (0, 0, 0, 0))
    clear = inverse(channel(moved, 3))
    cv2.multiply(below, spread(clear), below, 1 / 255)
    cv2.add(below, moved, below)
