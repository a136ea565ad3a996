"""Reading a photograph that is not trusted: bounds are checked before memory is taken."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.files import jpeg_size, picture_size
from visavis.avatar.package import Pixels
from visavis.avatar.photo.errors import NotAnImage, TooLarge

MAX_BYTES: Final = 20 * 1024 * 1024
"""Largest photograph, as a file."""
MAX_PIXELS: Final = 50_000_000
"""Largest photograph, unpacked."""
MIN_SIDE: Final = 64
_WORKING_SIDE: Final = 2400
"""Photographs are made smaller to this longest side: an avatar's picture has less."""


def decode(data: bytes) -> Pixels:
    """(height, width, 3) BGR, upright (EXIF orientation undone), the longest side at most 2400. Blocks.

    Raises ``NotAnImage`` and ``TooLarge``.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"the photo is larger than {MAX_BYTES // 1024**2} MB; save it smaller")
    announced = picture_size(data) or jpeg_size(data)
    if announced is None:
        raise NotAnImage("this is no JPEG, PNG or WebP picture")
    width, height = announced
    if width * height > MAX_PIXELS:
        raise TooLarge(f"the photo has {width} × {height} pixels; at most {MAX_PIXELS // 10**6} million are taken")
    if min(width, height) < MIN_SIDE:
        raise NotAnImage(f"the picture has only {width} × {height} pixels")
    try:
        # Without IMREAD_IGNORE_ORIENTATION, OpenCV turns the picture as its EXIF data asks.
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        picture = None
    if picture is None:
        raise NotAnImage("the picture is damaged")
    # What was announced bounds what is decoded; a decoder that found more is not trusted.
    if picture.shape[0] * picture.shape[1] != width * height:
        raise NotAnImage("the picture is damaged: its size is not what it says")
    return _smaller(np.asarray(picture, np.uint8))


def _smaller(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
