"""Small tools on pictures and grids: soft steps, blurs, and values carried on to where none are known."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_SCALES: Final = (1.4, 1.0)
"""Blurs, one after the other, that make carried-on values smooth, in points."""


def smoothstep(low: float, high: float, values: NDArray[np.floating]) -> NDArray[np.floating]:
    """0 below ``low``, 1 above ``high``, and smooth between them; falling where ``low`` is greater."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def soft_step(low: float, high: float, values: NDArray[np.floating]) -> Floats:
    """``smoothstep``, for fields."""
    return smoothstep(low, high, values).astype(np.float32)


def blurred(values: NDArray[np.floating], sigma: float) -> Floats:
    """``values`` (rows, columns) or (rows, columns, channels), any number of channels."""
    array = np.asarray(values, np.float32)
    if array.ndim == 2 or array.shape[2] <= 4:
        out = cv2.GaussianBlur(array, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
        return np.asarray(out, np.float32).reshape(array.shape)
    return np.dstack([blurred(array[..., i : i + 4], sigma) for i in range(0, array.shape[2], 4)])


def distance_to(mask: NDArray[np.bool_]) -> Floats:
    """Distance of each point from the nearest one of ``mask``, in points."""
    if not mask.any():
        return np.full(mask.shape, float(sum(mask.shape)), np.float32)
    return np.asarray(cv2.distanceTransform(np.where(mask, 0, 1).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def nearest(values: NDArray[np.floating], known: NDArray[np.bool_]) -> Floats:
    """``values`` (rows, columns, …) with those of the nearest known point wherever none are known."""
    _, labels = cv2.distanceTransformWithLabels(
        np.where(known, 0, 1).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(int(labels.max()) + 1, np.intp)
    place[labels[known]] = np.flatnonzero(known)
    flat = np.asarray(values, np.float32).reshape(known.size, *values.shape[2:])
    return flat[place[labels]].reshape(values.shape)


def extended(values: NDArray[np.floating], known: NDArray[np.bool_]) -> Floats:
    """``values`` (rows, columns, channels) carried on smoothly to where none are known; the known stay as they are."""
    out = nearest(values, known)
    keep = known[..., None]
    for sigma in _SCALES:
        out = np.where(keep, values, blurred(out, sigma)).astype(np.float32)
    return out
