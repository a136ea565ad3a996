"""Token buckets: how much of something a client may send."""

import time
from collections.abc import Callable
from typing import Final


class TokenBucket:
    """Holds at most ``burst`` tokens, starts full, and gains ``rate`` of them a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate: Final = rate
        self._burst: Final = burst
        self._clock: Final = clock
        self._tokens = burst
        self._at = clock()

    def take(self, amount: float) -> bool:
        """Take ``amount`` if it is there; else leave everything as it is."""
        self._fill()
        if amount > self._tokens:
            return False
        self._tokens -= amount
        return True

    def spend(self, amount: float) -> float:
        """Take ``amount`` even if it is not there; the seconds until the debt is paid back, 0 without one."""
        self._fill()
        self._tokens -= amount
        return max(0.0, -self._tokens / self._rate)

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
