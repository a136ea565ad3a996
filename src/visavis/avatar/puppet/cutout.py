"""The person cut out of a package's picture, ready to be laid over anything."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.opencv import Floats

_FADE: Final = 0.1
"""Share of the picture's width over which a person whom its sides cut fades out beside them."""


def cut_out(package: AvatarPackage) -> Pixels:
    """(size, size, 4): BGRA with premultiplied alpha; opaque everywhere where the package has no matte.

    Premultiplied before it is warped, no colour from outside the person gets in between: no fringe.
    """
    whole = cv2.cvtColor(package.picture, cv2.COLOR_BGR2BGRA)
    if package.matte is None:
        return np.asarray(whole, np.uint8)
    whole[..., 3] = 255
    return premultiplied(np.asarray(whole, np.uint8), package.matte)


def premultiplied(layer: Pixels, alpha: Pixels) -> Pixels:
    """All channels of ``layer`` times ``alpha`` (rows, columns)."""
    spread = np.asarray(cv2.merge([alpha] * layer.shape[2]), np.uint8)
    return np.asarray(cv2.multiply(layer, spread, scale=1 / 255), np.uint8)


def side_fade(size: int) -> Pixels:
    """(size, size): 255, falling to 0 at the left and right border."""
    from_side = np.minimum(np.arange(size), np.arange(size)[::-1]) / (_FADE * size)
    t = np.clip(from_side, 0, 1)
    row: Floats = (255 * t * t * (3 - 2 * t) + 0.5).astype(np.float32)
    return np.repeat(row.astype(np.uint8)[None], size, 0)
