"""Licenses: the keys with which clients may call."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class License:
    """A key and its limits; ``name`` is what logs call it."""

    key: str = field(repr=False)
    name: str = ""
    max_sessions: int | None = None


class Licenses:
    """The licenses a server knows."""

    def __init__(self, licenses: Iterable[License]) -> None:
        self._licenses = tuple(licenses)

    def authorize(self, key: str) -> License | None:
        """The license with this key, or None. Takes the same time for every wrong key."""
        given, found = key.encode("utf-8", "surrogatepass"), None
        for license in self._licenses:
            if hmac.compare_digest(license.key.encode(), given):
                found = license
        return found
