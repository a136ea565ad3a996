"""Base64 as clients write it: standard or URL-safe alphabet, with or without padding or line breaks (RFC 4648)."""

import binascii
from typing import Final

from visavis.wire.navtalk.bad_message import BadKind, BadMessage

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE: Final = b" \t\r\n"


def decode_base64(text: str) -> bytes:
    """The bytes of ``text``. Raises ``BadMessage``."""
    try:
        raw = text.encode("ascii").translate(_TO_STANDARD, _WHITE_SPACE).rstrip(b"=")
    except UnicodeEncodeError:
        raise BadMessage(BadKind.BAD_BASE64, "not ASCII") from None
    try:
        return binascii.a2b_base64(raw + b"=" * (-len(raw) % 4), strict_mode=True)
    except binascii.Error:
        raise BadMessage(BadKind.BAD_BASE64) from None
