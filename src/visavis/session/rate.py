"""How often one address may try: token buckets for calls begun, and for licenses that were wrong."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from visavis.session.events import Refusal, RefusalKind

_IPV6_NETWORK: Final = 64
"""Bits that name a subscriber: the rest of an IPv6 address its owner chooses at will (RFC 6177)."""


class RateLimited(Refusal):
    """Refused as ``RATE_LIMITED``; ``retry_after``: whole seconds until the next attempt is let through."""

    def __init__(self, wait: float) -> None:
        self.retry_after: Final = max(1, math.ceil(wait))
        unit = "second" if self.retry_after == 1 else "seconds"
        super().__init__(
            RefusalKind.RATE_LIMITED,
            f"Too many attempts from this address. Please try again in {self.retry_after} {unit}.",
        )


class AttemptLimits:
    """Counts attempts by address; every limit is a number a minute, which may also come all at once. 0: no limit.

    It remembers ``addresses`` of them and forgets those that were quiet for longest. All the addresses of an IPv6
    subscriber count as one.
    """

    def __init__(
        self,
        connects_per_minute: int,
        failures_per_minute: int,
        *,
        addresses: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connects: Final = _Buckets(connects_per_minute, addresses, clock)
        self._failures: Final = _Buckets(failures_per_minute, addresses, clock)

    def connect(self, address: str) -> None:
        """A call is begun. Raises ``RateLimited`` after too many calls, or too many wrong licenses."""
        self.check(address)
        name = _subscriber(address)
        wait = self._connects.wait(name)
        if wait:
            raise RateLimited(wait)
        self._connects.take(name)

    def check(self, address: str) -> None:
        """A license is about to be looked at. Raises ``RateLimited`` after too many wrong ones."""
        wait = self._failures.wait(_subscriber(address))
        if wait:
            raise RateLimited(wait)

    def failed(self, address: str) -> None:
        """A license was wrong."""
        self._failures.take(_subscriber(address))


class _Buckets:
    """A bucket for each name that was seen lately: it holds ``per_minute`` tokens, and gains as many in a minute."""

    def __init__(self, per_minute: int, size: int, clock: Callable[[], float]) -> None:
        self._burst: Final = per_minute
        self._size: Final = size
        self._clock: Final = clock
        self._filled: Final[OrderedDict[str, tuple[float, float]]] = OrderedDict()
        """Tokens, and when they were counted; the name that was used last stands last."""

    def wait(self, name: str) -> float:
        """Seconds until there is a token; 0 when there is one, or no limit."""
        missing = 1.0 - self._tokens(name)
        # A limit of 0 never gets here with a token missing. What is left of rounding is no reason to wait.
        return missing * 60.0 / self._burst if self._burst and missing > 1e-9 else 0.0

    def take(self, name: str) -> None:
        """Take a token if there is one."""
        if not self._burst:
            return
        self._filled[name] = (max(0.0, self._tokens(name) - 1.0), self._clock())
        self._filled.move_to_end(name)
        if len(self._filled) > self._size:
            self._filled.popitem(last=False)

    def _tokens(self, name: str) -> float:
        tokens, at = self._filled.get(name, (float(self._burst), self._clock()))
        return min(self._burst, tokens + (self._clock() - at) * self._burst / 60.0)


def _subscriber(address: str) -> str:
    """The name under which an address is counted; what is no IP address (a Unix socket's peer) counts as it is."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, _IPV6_NETWORK), strict=False).network_address)
