"""Whether someone wears glasses: they cross the ridge of the nose and the cheeks, where skin is plain."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, Floats, sample
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.topology import LOWER_LIDS, SKIN

_BROWS_MIDDLE, _RIDGE = 9, 195
"""Landmarks between the brows and on the ridge of the nose."""
_BRIDGE_STEP: Final = 0.2
_RIM_STEP: Final = 0.2
"""Steps of light, in shares of the skin's, that plain skin does not have (set on faces with glasses and without)."""
_SAMPLES: Final = 120


def wears_glasses(picture: Pixels, face: Face) -> bool:
    """Whether the face in ``picture`` has a bridge over its nose and rims under its eyes."""
    points = face.points[:, :2]
    between = points[263] - points[33]
    size = float(np.hypot(*between))
    across = between / size
    down: Doubles = np.array([-across[1], across[0]])
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(grey, (0, 0), max(0.3, 0.005 * size)), np.float32)
    skin = float(np.median(sample(soft, points[None, list(SKIN), 0], points[None, list(SKIN), 1])))

    def step(start: Doubles, end: Doubles, distance: float) -> float:
        return _step(soft, start, end, distance * size) / max(skin, 1.0)

    aside = [across * size * share for share in (-0.05, -0.025, 0.0, 0.025, 0.05)]
    bridge = np.median([step(points[_BROWS_MIDDLE] + a, points[_RIDGE] + a, 0.05) for a in aside])
    rims = [
        np.median([step(points[i] + 0.06 * size * down, points[i] + 0.42 * size * down, 0.03) for i in row[2:7]])
        for row in LOWER_LIDS.values()
    ]
    return float(bridge) > _BRIDGE_STEP and float(np.mean(rims)) > _RIM_STEP


def _step(light: Floats, start: Doubles, end: Doubles, distance: float) -> float:
    """The largest change of light within ``distance`` pixels on the way from ``start`` to ``end``."""
    way = start + (end - start) * np.linspace(0, 1, _SAMPLES)[:, None]
    values = sample(light, way[None, :, 0], way[None, :, 1])[0]
    apart = max(1, round(_SAMPLES * distance / max(float(np.hypot(*(end - start))), 1.0)))
    return float(np.abs(values[apart:] - values[:-apart]).max()) if apart < _SAMPLES else 0.0
