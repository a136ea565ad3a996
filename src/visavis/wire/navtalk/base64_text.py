"""Base64 as clients write it: standard or URL-safe alphabet, with or without padding or line breaks (RFC 4648)."""

import binascii
from typing import Final

from visavis.wire.navtalk.bad_message import BadKind, BadMessage

_TO_STANDARD: Final = bytes.maketrans(b"-_", b"+/")
_WHITE_SPACE: Final = " \t\r\n"

_PIECE: Final = 256 * 1024
"""Characters decoded at a time: a millisecond of work, after which other threads may have the interpreter."""


def decode_base64(text: str) -> bytes:
    """The bytes of ``text``. Raises ``BadMessage``."""
    end = len(text.rstrip("=" + _WHITE_SPACE))
    decoded: list[bytes] = []
    rest = b""
    try:
        for start in range(0, end, _PIECE):
            piece = text[start : min(start + _PIECE, end)].encode("ascii")
            if b"=" in piece:
                raise BadMessage(BadKind.BAD_BASE64, "padding within")
            rest += piece.translate(_TO_STANDARD, _WHITE_SPACE.encode())
            whole = len(rest) & ~3
            decoded.append(_decode(rest[:whole]))
            rest = rest[whole:]
        decoded.append(_decode(rest + b"=" * (-len(rest) % 4)) if rest else b"")
    except (UnicodeEncodeError, binascii.Error):
        raise BadMessage(BadKind.BAD_BASE64) from None
    return b"".join(decoded)


def _decode(piece: bytes) -> bytes:
    return binascii.a2b_base64(piece, strict_mode=True)
