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


def zoomed(values: Values, factor: float) -> Values:
    """``values``, ``factor`` times as large: pixel i lies at (i + 0.5) / factor - 0.5 of what was given."""
    result = cv2.resize(values, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return cast("Values", result)


def warp(
    values: Pixels, to_source: NDArray[np.floating], width: int, height: int, beside: tuple[int, int, int, int]
) -> Pixels:
    """(height, width): ``values`` at ``to_source`` (2 × 3) · (x, y, 1); ``beside``: the colour beyond the border."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    result = cv2.warpAffine(
        values, to_source, (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=beside
    )
    return cast("Pixels", result)


def channel(layer: Pixels, index: int) -> Pixels:
    """One of a layer's channels."""
    return cast("Pixels", cv2.extractChannel(layer, index))


def spread(plane: Pixels) -> Pixels:
    """(rows, columns, 4): a plane four times."""
    return cast("Pixels", cv2.merge((plane, plane, plane, plane)))


def times(first: Pixels, second: Pixels, factor: float = 1.0) -> Pixels:
    """``first`` · ``second`` · ``factor``, where 255 is one; both of the same shape."""
    return cast("Pixels", cv2.multiply(first, second, scale=factor / 255))


def plus(first: Pixels, second: Pixels) -> Pixels:
    """``first`` + ``second``, at most 255."""
    return cast("Pixels", cv2.add(first, second))


def scaled(layer: Pixels, factor: float) -> Pixels:
    """``layer`` · ``factor``, at most 255."""
    return cast("Pixels", cv2.convertScaleAbs(layer, alpha=factor))


def below_edges(plane: Pixels, rows: int) -> Pixels:
    """At each pixel the mean of its own row and those above it, ``rows`` in all."""
    return cast("Pixels", cv2.blur(plane, (1, rows), anchor=(0, rows - 1)))


def inverse(plane: Pixels) -> Pixels:
    """255 − ``plane``."""
    return cast("Pixels", cv2.bitwise_not(plane))


def mix(first: Pixels, second: Pixels, share: float) -> Pixels:
    """``first`` · (1 − share) + ``second`` · share."""
    return cast("Pixels", cv2.addWeighted(first, 1 - share, second, share, 0))
