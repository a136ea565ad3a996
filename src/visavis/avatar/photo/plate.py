"""The background as if nobody stood before it."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Floats

_MARGIN: Final = 14
"""How far from the person's outline the photograph is not believed: strands of hair, shadows, canonical pixels."""
_NEAR: Final = 24
"""How far behind the person lines of the background go on, in canonical pixels; farther in it is soft."""
_LEAST: Final = 4
"""Side of the smallest picture of the pyramid."""


def plate_of(picture: Pixels, matte: Pixels) -> Pixels:
    """(size, size, 3): ``picture`` (canonical) without the person, whose place takes on the colours around it."""
    hole = cv2.dilate(np.asarray(matte > 6, np.uint8), _disc(_MARGIN))
    # What hangs on the person by no more than a thread is no background.
    hole = cv2.morphologyEx(hole, cv2.MORPH_CLOSE, _disc(_MARGIN))
    if hole.all():
        # Nothing of the background is seen; what the upper border shows has to do.
        hole[0, :] = 0
    filled = _filled(picture.astype(np.float32), (1 - hole).astype(np.float32))
    core = cv2.erode(hole, _disc(_NEAR))
    continued = cv2.inpaint(picture, np.asarray(hole, np.uint8), 4, cv2.INPAINT_TELEA).astype(np.float32)
    near = cv2.GaussianBlur((hole - core).astype(np.float32), (0, 0), _NEAR / 3)[..., None]
    # Streaks that a fill draws are the weaker the farther from what they come of.
    inside = cv2.GaussianBlur(continued, (0, 0), 2.5) * near + filled * (1 - near)
    share = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), 2.5)[..., None]
    share = np.clip(2 * share - 0.5, 0, 1)
    return np.asarray(np.clip(inside * share + picture * (1 - share) + 0.5, 0, 255), np.uint8)


def _disc(radius: int) -> Pixels:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _filled(values: Floats, known: Floats) -> Floats:
    """``values`` where ``known`` is 1, and smooth colours between: means of ever coarser pictures, from the coarsest
    down (Gortler et al., "The lumigraph", 1996, §3.4)."""
    side = values.shape[0]
    if side <= _LEAST:
        mean = (values * known[..., None]).sum((0, 1)) / max(float(known.sum()), 1e-6)
        return np.asarray(np.where(known[..., None] > 0, values, mean), np.float32)
    half = (max(1, side // 2), max(1, side // 2))
    weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
    coarse = (
        cv2.resize(values * known[..., None], half, interpolation=cv2.INTER_AREA) / np.maximum(weight, 1e-6)[..., None]
    )
    below = _filled(coarse.astype(np.float32), np.asarray(np.minimum(weight * 4, 1), np.float32))
    up = cv2.GaussianBlur(cv2.resize(below, (side, side), interpolation=cv2.INTER_CUBIC), (0, 0), 1.0)
    return np.asarray(values * known[..., None] + up * (1 - known[..., None]), np.float32)
