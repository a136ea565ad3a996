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
_BEHIND: Final = 200
"""Grey behind a picture with transparent parts."""
_STRIP: Final = 64
"""Rows that are mixed with it at a time."""
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
        alpha = _alpha(data)
    except cv2.error:
        picture = alpha = None
    if picture is None:
        raise NotAnImage("the picture is damaged")
    # What was announced bounds what is decoded; a decoder that found more is not trusted.
    if picture.shape[0] * picture.shape[1] != width * height:
        raise NotAnImage("the picture is damaged: its size is not what it says")
    upright = np.asarray(picture, np.uint8)
    if alpha is not None and alpha.shape == upright.shape[:2]:
        _lay_behind(upright, alpha)
    return _smaller(upright)


def _lay_behind(picture: Pixels, alpha: Pixels) -> None:
    """Mix grey into ``picture``: what is not to be seen may hold anything. In strips, which take little memory."""
    for top in range(0, len(picture), _STRIP):
        strip = picture[top : top + _STRIP]
        share = (alpha[top : top + _STRIP].astype(np.float32) / 255)[..., None]
        strip[:] = strip * share + _BEHIND * (1 - share) + 0.5


def _alpha(data: bytes) -> Pixels | None:
    """(height, width): how much of each pixel is to be seen, if the picture says so."""
    # PNG: RFC 2083 §4.1.1 (colour types with alpha) and §4.2.9 (tRNS); WebP: RFC 9649 §2.7 (L), §3.4.
    png = data[:8] == b"\x89PNG\r\n\x1a\n" and (data[25] in (4, 6) or b"tRNS" in data[:4096])
    webp = data[8:12] == b"WEBP" and (data[12:16] == b"VP8L" or (data[12:16] == b"VP8X" and bool(data[20] & 0x10)))
    if not (png or webp):
        return None
    whole = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4:
        return None
    alpha = whole[..., 3]
    # A copy: the whole picture need not be kept for it.
    return np.array(alpha // 257 if alpha.dtype == np.uint16 else alpha, np.uint8)


def _smaller(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    scale = _WORKING_SIDE / max(height, width)
    if scale >= 1:
        return picture
    size = (max(MIN_SIDE, round(width * scale)), max(MIN_SIDE, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
