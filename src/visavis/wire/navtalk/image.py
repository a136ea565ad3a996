"""Pictures from clients: checked by their content, and scaled down to what a model looks at."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.background import MAX_BYTES, picture_background
from visavis.avatar.files import jpeg_size, picture_size
from visavis.avatar.view import PictureBackground
from visavis.language.ports import Image
from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.base64_text import decode_base64

MAX_SIDE: Final = 1024
"""Pixels of the longer side of a picture that is handed on."""

MAX_PIXELS: Final = 25_000_000
"""Largest picture that is unpacked: above a phone's camera, below what fills a server's memory."""

_QUALITY: Final = 85


def prepare_image(source: str, max_side: int = MAX_SIDE) -> Image:
    """The picture in ``source`` (data URL or bare base64 of a JPEG, PNG or WebP), its longer side ≤ ``max_side``.

    Takes up to some 0.2 s: to be called in a thread. Raises ``BadMessage``.
    """
    data = decode_base64(_payload(source))
    media_type = _media_type(data)
    width, height = jpeg_size(data) or picture_size(data) or (0, 0)
    if width <= 0 or height <= 0 or width * height > MAX_PIXELS:
        raise BadMessage(BadKind.BAD_IMAGE, "size")
    # Also a picture that is small enough is unpacked: what cannot be read must not reach a provider.
    scale = min(8, 1 << max(0, (max(width, height) // max_side).bit_length() - 1))
    pixels = _unpack(data, _REDUCED[scale] if media_type == "image/jpeg" else cv2.IMREAD_COLOR)
    if max(width, height) <= max_side:
        return Image(media_type, data)
    ratio = max_side / max(pixels.shape[:2])
    if ratio < 1:
        size = (max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    packed, result = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not packed:
        raise BadMessage(BadKind.BAD_IMAGE, "not packed")
    return Image("image/jpeg", result.tobytes())


def prepare_background(source: str) -> PictureBackground:
    """The picture in ``source`` (as ``prepare_image`` takes it), to stand behind an avatar.

    Takes some 50 ms: to be called in a thread. Raises ``BadMessage``.
    """
    payload = _payload(source)
    # Before it is decoded; what white space it holds is allowed for.
    if len(payload) > MAX_BYTES * 3 // 2:
        raise BadMessage(BadKind.BAD_IMAGE, "size")
    try:
        return picture_background(decode_base64(payload))
    except ValueError as error:
        raise BadMessage(BadKind.BAD_IMAGE, str(error)) from None


# A JPEG can be unpacked at a half, a quarter or an eighth of its size, for that much less work.
_REDUCED: Final = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def _payload(source: str) -> str:
    """The base64 of a data URL (RFC 2397), or the source itself."""
    if source[:5].lower() != "data:":
        return source
    head, comma, payload = source.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise BadMessage(BadKind.BAD_IMAGE, "data URL without base64")
    return payload


def _media_type(data: bytes) -> str:
    """By the first bytes; what the data URL says is not believed."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    raise BadMessage(BadKind.BAD_IMAGE, "no JPEG, PNG or WebP")


def _unpack(data: bytes, flags: int) -> np.ndarray:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise BadMessage(BadKind.BAD_IMAGE, "cannot be unpacked")
    return pixels
