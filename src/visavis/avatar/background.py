"""Pictures that people give to stand behind an avatar: read with care, since nobody knows where they come from."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.files import jpeg_size, picture_size
from visavis.avatar.view import PictureBackground

MAX_BYTES: Final = 2 * 1024 * 1024
"""Largest file of a background."""

MAX_PIXELS: Final = 4_000_000
"""Largest picture that is unpacked."""

MAX_SIDE: Final = 16_384
"""Longest side that is unpacked: OpenCV takes none of 32 768 and more out of a picture."""

_KEPT_PIXELS: Final = 1280 * 720
"""What is kept of it: enough for the largest usual frame, and less than 3 MB for a session."""


def picture_background(data: bytes) -> PictureBackground:
    """The picture in a JPEG, PNG or WebP file, scaled down to at most 0.92 megapixels. Transparency in it is left out.

    Takes some 50 ms: to be called in a thread. Raises ``ValueError`` for what is no such file, or too large a one; the
    size is read from its head before anything is unpacked.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"the file is larger than {MAX_BYTES} bytes")
    size = jpeg_size(data) or picture_size(data)
    if size is None:
        raise ValueError("this is no JPEG, PNG or WebP picture")
    if min(size) <= 0 or size[0] * size[1] > MAX_PIXELS:
        raise ValueError(f"the picture has more than {MAX_PIXELS} pixels")
    if max(size) > MAX_SIDE:
        raise ValueError(f"the picture has a side of more than {MAX_SIDE} pixels")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise ValueError("the picture cannot be unpacked")
    height, width = pixels.shape[:2]
    scale = (_KEPT_PIXELS / (width * height)) ** 0.5
    if scale < 1:
        smaller = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
    return PictureBackground(pixels.astype(np.uint8, copy=False))
