"""The few OpenCV calls of the puppet, typed; all interpolate linearly."""

from typing import TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.package import Pixels

Floats = NDArray[np.float32]
Values = TypeVar("Values", Pixels, Floats)

# Sessions are spread over threads; OpenCV's own would only get in each other's way.
cv2.setNumThreads(1)


def read_at(values: Values, points: Floats, out: Values | None = None) -> Values:
    """``values`` at ``points`` (rows, columns, 2: index positions x, y); beyond the border, the border."""
    result = cv2.remap(values, points, cast("Floats", None), cv2.INTER_LINEAR, out, cv2.BORDER_REPLICATE)
    return cast("Values", result)


def warp(values: Pixels, to_source: NDArray[np.floating], width: int, height: int, border: int) -> Pixels:
    """(height, width): ``values`` at ``to_source`` (2 × 3) · (x, y, 1); ``border``: OpenCV's constant."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    result = cv2.warpAffine(values, to_source, (width, height), flags=flags, borderMode=border)
    return cast("Pixels", result)


def blend(first: Pixels, second: Pixels, share: Floats) -> Pixels:
    """``first`` · share + ``second`` · (1 − share), pixel by pixel."""
    return cast("Pixels", cv2.blendLinear(first, second, share, 1 - share))


def mix(first: Pixels, second: Pixels, share: float) -> Pixels:
    """``first`` · (1 − share) + ``second`` · share."""
    return cast("Pixels", cv2.addWeighted(first, 1 - share, second, share, 0))
