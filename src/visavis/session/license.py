"""Licenses: the keys with which clients may call, and what a key or one of its client tokens allows."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from visavis.session import tokens
from visavis.session.events import Refusal, RefusalKind
from visavis.session.tokens import IssuedToken, TokenRequest

ANY_ORIGIN = "*"


@dataclass(frozen=True, slots=True)
class License:
    """A key and its limits; ``name`` is what logs call it.

    ``id`` names the license in tokens and records: ``lic_`` and the first 12 hexadecimal digits of the key's SHA-256.
    ``persistence``: whether its sessions are kept for visitors who come back; None: as the avatar or the server says.
    """

    key: str = field(repr=False)
    name: str = ""
    max_sessions: int | None = None
    allowed_origins: tuple[str, ...] = (ANY_ORIGIN,)
    persistence: bool | None = None
    id: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", f"lic_{_digest(self.key).hex()[:12]}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What a license key, or a client token of it, allows. ``token_id`` is empty for the key itself; None: no limit.

    ``max_sessions`` are the token's own, besides the license's. ``max_duration`` in seconds.
    """

    license: License
    token_id: str = ""
    avatar_id: str | None = None
    origin: str | None = None
    max_sessions: int | None = None
    max_duration: float | None = None

    def may_see(self, avatar_id: str) -> bool:
        """Whether this avatar may be looked up and called."""
        return self.avatar_id is None or self.avatar_id == avatar_id

    def allows_origin(self, origin: str | None) -> bool:
        """Whether a client with this Origin header may call.

        A program without one may, as far as the license goes: it could send any. A token that is bound to an origin is
        for pages, which always send one with a WebSocket.
        """
        if self.origin is not None and origin != self.origin:
            return False
        allowed = self.license.allowed_origins
        return origin is None or ANY_ORIGIN in allowed or origin in allowed


class Licenses:
    """The licenses a server knows. ``token_lifetime``: the longest life of a client token, in seconds."""

    def __init__(
        self,
        licenses: Iterable[License],
        *,
        token_lifetime: float = 3600.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.token_lifetime = token_lifetime
        self._clock = clock
        self._licenses = tuple((_digest(license.key), license) for license in licenses)
        self._keys = {license.id: license for _, license in self._licenses}

    def license(self, key: str) -> License | None:
        """The license with this very key, or None. Takes the same time for every wrong key."""
        given, found = _digest(key), None
        for digest, license in self._licenses:
            if hmac.compare_digest(digest, given):
                found = license
        return found

    def authorize(self, key: str) -> Grant | None:
        """What a license key or a client token allows; None where it is neither, or not any more."""
        license = self.license(key)
        if license is not None:
            return Grant(license)
        token = tokens.read(key, self._key_of, self._clock(), self.token_lifetime)
        if token is None:
            return None
        return Grant(
            self._keys[token.license_id],
            token.id,
            token.avatar_id,
            token.origin,
            token.max_sessions,
            token.max_duration,
        )

    def guessed(self, key: str) -> bool:
        """Whether a key that was not authorized may be a guess: it is not empty, and no token that has expired."""
        return bool(key) and tokens.read(key, self._key_of, self._clock(), self.token_lifetime, expired=True) is None

    def issue(self, license: License, request: TokenRequest) -> IssuedToken:
        """A client token of ``license``. Raises ``Refusal``: a lifetime or an origin that the license cannot give."""
        if request.lifetime is not None and request.lifetime > self.token_lifetime:
            raise Refusal(RefusalKind.BAD_REQUEST, f"lifetime may be {self.token_lifetime:g} seconds at most.")
        if request.origin is not None and not Grant(license).allows_origin(request.origin):
            raise Refusal(RefusalKind.ORIGIN_NOT_ALLOWED, "origin is not one that this license allows.")
        if request.lifetime is None and self.token_lifetime < tokens.DEFAULT_LIFETIME:
            request = TokenRequest(
                request.avatar_id, request.origin, self.token_lifetime, request.max_sessions, request.max_duration
            )
        return tokens.issue(license.key, license.id, request, self._clock())

    def _key_of(self, license_id: str) -> str | None:
        license = self._keys.get(license_id)
        return license.key if license else None


def _digest(key: str) -> bytes:
    # Digests are of one length, so that comparing them does not tell the key's.
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()
