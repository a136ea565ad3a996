"""What is behind the lips: cavity, palate, lower teeth and tongue, upper teeth."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.face import Tongue
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats, warp
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
        out = np.empty((len(y), len(x), 4), np.uint8)
        if place is None or pictures is None:
            out[:] = (*_CAVITY, 255)
            return out
        out[:] = (*reversed(place.cavity), 255)
        # The head carries the teeth: p = centre + A⁻¹ (p' − centre − shift), A = 1 + the pose's gradient there.
        centre = rig.mouth.centre.astype(np.float64)
        turned = np.linalg.inv(np.eye(2) + np.tensordot(terms, rig.mouth.pose_gradient, 1))
        spacing = (x[-1] - x[0]) / max(1, len(x) - 1)
        fixed = np.empty((2, 3))
        fixed[:, :2] = turned * spacing / place.scale
        first = np.array([x[0], y[0]], np.float64) - centre - shift
        fixed[:, 2] = (turned @ first + centre - (place.left, place.top)) / place.scale - 0.5
        lowered = fixed.copy()
        lowered[1, 2] -= (jaw * place.jaw_travel - place.jaw_offset) / place.scale
        _over(out, pictures.back, fixed)
        _over(out, self._lower(pictures.lower), lowered)
        _over(out, pictures.teeth, fixed)
        return out

    def _lower(self, layers: Pixels) -> Pixels:
        shown = np.flatnonzero(self._shares)
        if len(shown) == 1:
            return layers[int(shown[0])]
        mixed = sum(layers[index].astype(np.float32) * self._shares[index] for index in shown)
        return np.asarray(mixed, np.float32).astype(np.uint8)


def _over(below: Pixels, layer: Pixels, to_layer: NDArray[np.float64]) -> None:
    """``layer`` (premultiplied BGRA), warped, over ``below`` (opaque), in place; the result stays opaque."""
    height, width = below.shape[:2]
    moved = warp(layer, to_layer, width, height, cv2.BORDER_CONSTANT)
    clear = cv2.bitwise_not(moved[..., 3])
    through = cv2.merge((clear, clear, clear, clear))
    cv2.multiply(below, through, dst=below, scale=1 / 255)
    cv2.add(below, moved, dst=below)
