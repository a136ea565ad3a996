"""The eye pictures: blinks and gazes that equal the face's picture wherever neither lid nor eyeball moves."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats
from bake.smooth import blurred, soft_step

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

BLINKS: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
GAZE_X: Final = (-0.7, -0.35, 0.0, 0.35, 0.7)
GAZE_Y: Final = (-0.55, 0.0, 0.45)
RANGE_X, RANGE_Y = 26.0, 20.0
"""Degrees of the gaze 1."""
_STILL: Final = 0.35
"""Pixels (of 768) that a lid moves before its picture counts as another."""
_GROW, _FEATHER = 5.0, 5.0
"""Pixels (of 768) by which what changes is made larger (lashes, their shadows), and over which it is mixed in."""


def gaze_weights(x: float, y: float) -> dict[str, float]:
    """ARKit weights of the lids that go with a gaze; x to the image's right, y up."""
    weights = {
        "eyeLookOutLeft": x,
        "eyeLookInRight": x,
        "eyeLookInLeft": -x,
        "eyeLookOutRight": -x,
        "eyeLookUpLeft": y,
        "eyeLookUpRight": y,
        "eyeLookDownLeft": -y,
        "eyeLookDownRight": -y,
    }
    return {name: weight for name, weight in weights.items() if weight > 0}


def blink_weights(closed: float) -> dict[str, float]:
    """ARKit weights of both lids."""
    return {"eyeBlinkLeft": closed, "eyeBlinkRight": closed} if closed else {}


def eye_box(eyes: NDArray[np.floating], size: int) -> Box:
    """Around the projected eyeballs (n, 2): the lids, their folds and the lashes."""
    unit = size / 768
    low, high = eyes.min(0), eyes.max(0)
    across, down = 20 * unit, 15 * unit
    left, top = int(low[0] - across), int(low[1] - down)
    right, bottom = int(high[0] + across) + 1, int(high[1] + down * 0.8) + 1
    return max(0, left), max(0, top), min(size, right), min(size, bottom)


def changed(movement: Floats, eyeballs: NDArray[np.bool_], size: int) -> Floats:
    """(height, width) 0–1: where an eye picture differs from the face's. ``movement``: pixels that the skin moves;
    ``eyeballs``: where they are seen at rest."""
    unit = size / 768
    moving = (movement > _STILL * unit) | eyeballs
    away = cv2.distanceTransform(np.where(moving, 0, 1).astype(np.uint8), cv2.DIST_L2, 5)
    share = soft_step((_GROW + _FEATHER) * unit, _GROW * unit, away)
    height, width = share.shape
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    return share * soft_step(0, _FEATHER * unit, np.minimum(rows, columns))


def eye_picture(picture: Pixels, render: Pixels, share: Floats) -> Pixels:
    """``render`` (height, width, 3) where ``share`` is 1, brought to the light of ``picture`` around there.

    Renders differ a little in their denoised light; the seam tells by how much.
    """
    difference = picture.astype(np.float32) - render.astype(np.float32)
    seam = np.where((share > 0.02) & (share < 0.98), np.maximum(0, 1 - np.abs(difference).max(2) / 24), 0)
    if float(seam.sum()) > 50:
        weight = blurred(seam.astype(np.float32), 9.0) + 1e-3
        correction = blurred(difference * seam[..., None], 9.0) / weight[..., None]
        correction *= soft_step(0, 0.05, weight)[..., None]
    else:
        correction = np.zeros_like(difference)
    mixed = picture + share[..., None] * (render + correction - picture)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)
