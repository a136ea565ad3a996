"""Client tokens: short-lived stand-ins for a license that a page may have (JWT, RFC 7519, signed by HS256).

The signing key is derived from the license's key, so nothing is stored: a token dies with its license, and every server
with the same licenses takes it. The best practices of RFC 8725 are kept: one algorithm, an explicit type, and a key for
this purpose alone.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Final

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

DEFAULT_LIFETIME: Final = 600.0
"""Seconds a token lives when its maker does not say: a page loads and calls within them."""

_ALGORITHM: Final = "HS256"
_TYPE: Final = "visavis-client+jwt"
_PURPOSE: Final = b"visavis client token 1"
_SKEW: Final = 60.0
"""Seconds by which the clock of the server that made a token may be ahead."""
# Three parts of base64url; the signature has 32 bytes. Bounds what is decoded before the signature is checked.
_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{1,512}\.[A-Za-z0-9_-]{1,4096}\.[A-Za-z0-9_-]{43}")

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """What a token is to be bound to; None: not bound. Times in seconds.

    ``lifetime``: how long calls may be begun with it. ``max_sessions``: calls at a time with this very token.
    ``max_duration``: the longest a call may last.
    """

    avatar_id: str | None = None
    origin: str | None = None
    lifetime: float | None = None
    max_sessions: int | None = None
    max_duration: float | None = None


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; ``id`` may be logged, ``token`` may not. ``expires_at`` is UTC."""

    token: str = field(repr=False)
    id: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClientToken:
    """What a valid token says."""

    id: str
    license_id: str
    avatar_id: str | None
    origin: str | None
    max_sessions: int | None
    max_duration: float | None


class _Claims(BaseModel):
    """The token's payload. Unknown claims are refused: they may be limits that this server would not keep."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    jti: Annotated[str, Field(min_length=1, max_length=64)]
    iat: Annotated[float, Field(allow_inf_nan=False)]
    exp: Annotated[float, Field(allow_inf_nan=False)]
    avatar: str | None = None
    origin: str | None = None
    sessions: Annotated[int, Field(ge=1)] | None = None
    duration: _Seconds | None = None


def issue(key: str, license_id: str, request: TokenRequest, now: float) -> IssuedToken:
    """A token of the license with this key; ``now`` in seconds since 1970. ``request.lifetime`` is taken as it is."""
    lifetime = DEFAULT_LIFETIME if request.lifetime is None else request.lifetime
    claims = _Claims(
        jti=f"tok_{secrets.token_hex(8)}",
        iat=round(now, 3),
        exp=round(now + lifetime, 3),
        avatar=request.avatar_id,
        origin=request.origin,
        sessions=request.max_sessions,
        duration=request.max_duration,
    )
    token = jwt.encode(
        claims.model_dump(exclude_none=True),
        _signing_key(key),
        _ALGORITHM,
        headers={"kid": license_id, "typ": _TYPE},
    )
    return IssuedToken(token, claims.jti, datetime.fromtimestamp(claims.exp, UTC))


def read(
    token: str, key_of: Callable[[str], str | None], now: float, longest: float, *, expired: bool = False
) -> ClientToken | None:
    """What ``token`` says; None when it is no token, forged, expired, or of a longer life than ``longest`` seconds.

    ``expired``: also of one whose time is over.

    ``key_of`` gives the key of the license with an id. Signatures are compared in constant time.
    """
    if not _SHAPE.fullmatch(token):
        return None
    try:
        license_id = jwt.get_unverified_header(token).get("kid")
        key = key_of(license_id) if isinstance(license_id, str) else None
        if not isinstance(license_id, str) or key is None:
            return None
        # The times are checked below, against the clock that the server was given.
        decoded = jwt.decode_complete(
            token, _signing_key(key), algorithms=[_ALGORITHM], options={"verify_exp": False, "verify_iat": False}
        )
        claims = _Claims.model_validate(decoded["payload"])
    except (jwt.InvalidTokenError, ValidationError, RecursionError):
        # The last, from older versions of PyJWT: signed, but nested deeper than the JSON parser goes.
        return None
    if decoded["header"].get("typ") != _TYPE:
        return None
    if not claims.iat - _SKEW <= now or claims.exp - claims.iat > longest + 0.01:
        return None
    if now >= claims.exp and not expired:
        return None
    return ClientToken(claims.jti, license_id, claims.avatar, claims.origin, claims.sessions, claims.duration)


def _signing_key(key: str) -> bytes:
    """32 bytes that only this purpose uses (HKDF-Expand's first block, RFC 5869, without its counter)."""
    return hmac.digest(key.encode("utf-8", "surrogatepass"), _PURPOSE, hashlib.sha256)
