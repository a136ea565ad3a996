"""The person cut out: straight colour carried outwards beyond the matte's edge, and a studio's backdrop behind."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats
from bake.smooth import blurred, soft_step

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]
_LEVELS: Final = 9
_SURE: Final = 0.5
"""Alpha from which a pixel's own colour is trusted alone."""


def matte_of(render: NDArray[np.uint16]) -> Pixels:
    """(size, size): alpha of a render BGRA, 16 bits a channel. What is nearly nothing is nothing."""
    alpha = render[..., 3].astype(np.float32) / 65535
    alpha = np.where(alpha < 0.008, 0, np.where(alpha > 0.996, 1, alpha))
    return (alpha * 255 + 0.5).astype(np.uint8)


def bled(colour: Floats, alpha: Floats) -> Floats:
    """(size, size, 3): straight ``colour`` where ``alpha`` is high; elsewhere the colour of what is nearest to there.

    Mean colours weighted by alpha, from the finest scale that knows any ("push and pull"): blending the edge with any
    background then shows neither a dark fringe nor the render's noise in thin hair.
    """
    weights = alpha**2
    sums = [np.dstack([colour * weights[..., None], weights]).astype(np.float32)]
    for _ in range(_LEVELS):
        last = sums[-1]
        if min(last.shape[:2]) < 4:
            break
        sums.append(np.asarray(cv2.resize(last, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32))
    filled = sums[-1][..., :3] / np.maximum(sums[-1][..., 3:], 1e-6)
    for level in reversed(sums[:-1]):
        height, width = level.shape[:2]
        coarse = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
        known = level[..., 3:]
        own = level[..., :3] / np.maximum(known, 1e-6)
        share = soft_step(0.0, _SURE**2, known)
        filled = own * share + coarse * (1 - share)
    return np.asarray(filled, np.float32)


def straight(render: NDArray[np.uint16]) -> tuple[Pixels, Pixels]:
    """The face's picture (size, size, 3), BGR, and its matte, of a 16-bit render with straight alpha."""
    matte = matte_of(render)
    colour = render[..., :3].astype(np.float32) / 65535
    filled = bled(colour, matte.astype(np.float32) / 255)
    return np.clip(filled * 255 + 0.5, 0, 255).astype(np.uint8), matte


def plate_of(light: Colour, dark: Colour, size: int) -> Pixels:
    """(size, size, 3), BGR: a studio's backdrop, a soft pool of ``light`` behind the head, falling to ``dark``.

    Both R, G, B. A trace of grain, the same everywhere, keeps the gradient from showing steps once it is encoded.
    """
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    away = np.hypot((x - 0.44) / 1.05, (y - 0.40) / 0.95)
    share = soft_step(0.0, 0.85, away)[..., None] * 0.9 + 0.1 * y[..., None]
    ends = [np.array(one[::-1], np.float32) for one in (light, dark)]
    colour = ends[0] * (1 - share) + ends[1] * share
    grain = np.random.default_rng(0).normal(0, 0.6, (size, size)).astype(np.float32)
    return np.clip(colour + blurred(grain, 0.7)[..., None] + 0.5, 0, 255).astype(np.uint8)
