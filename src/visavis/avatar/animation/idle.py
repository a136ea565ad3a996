"""What a living face does by itself: drift, breath, blinks, eyes that jump. Each a stream of its own under the seed."""

import math
import random
from collections import deque
from typing import Final

from visavis.avatar.animation.easing import eased
from visavis.avatar.animation.emotions import Bearing
from visavis.avatar.animation.states import Manner

_BREATHS: Final = 0.24
"""Breaths a second."""
_CLOSE: Final = 0.075
_SHUT: Final = 0.03
_OPEN: Final = 0.13
"""Seconds in which lids close, stay closed, and open."""
_DOUBLE: Final = 0.1
"""Share of blinks that are followed by a second one at once."""
_SACCADE: Final = 0.045
"""Seconds that the eyes take to jump."""
_ON_VISITOR: Final = 0.035
"""How far the eyes wander over the visitor's face."""
_ATTENTIVE: Final = 0.9
"""Share of the glances aside that are not made while the visitor speaks."""
_BLINK_ALONG: Final = 0.35
"""Share of the large jumps of the eyes that go with a blink."""


class Drift:
    """A slow wander within ±1: three sines of periods without a common multiple."""

    def __init__(self, random_: random.Random, pace: float) -> None:
        periods = (1.0, 1.618, 2.714)
        self._waves = [(pace * 2 * math.pi / period, random_.uniform(0, 2 * math.pi)) for period in periods]

    def at(self, time: float) -> float:
        total = sum(math.sin(speed * time + phase) for speed, phase in self._waves)
        return total / len(self._waves)


def breath(time: float, phase: float) -> float:
    """0 (out) to 1 (in); in takes a little less long than out."""
    turn = (time * _BREATHS + phase) % 1.0
    rising = turn / 0.42 if turn < 0.42 else 1 - (turn - 0.42) / 0.58
    return 0.5 - 0.5 * math.cos(math.pi * rising)


class Blinks:
    """When the lids fall. At most a few blinks are held, those not yet over."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        self._starts: deque[float] = deque()
        self._next = math.nan

    def soon(self, at: float) -> None:
        """Blink at ``at`` if no blink is under way then (with a large move of the eyes, or startled)."""
        if all(abs(at - start) > 0.35 for start in self._starts):
            self._starts.append(at)

    def closed(self, at: float, every: float) -> float:
        """How far the lids are closed, 0–1; they blink ``every`` so many seconds, on average."""
        if math.isnan(self._next):
            self._next = at + self._random.uniform(0.8, every)
        while self._next <= at:
            self.soon(self._next)
            if self._random.random() < _DOUBLE:
                self._starts.append(self._next + _CLOSE + _SHUT + _OPEN + 0.05)
            self._next += max(0.9, self._random.expovariate(1 / every))
        length = _CLOSE + _SHUT + _OPEN
        while self._starts and self._starts[0] + length < at:
            self._starts.popleft()
        return max((_lid(at - start) for start in self._starts), default=0.0)


def _lid(since: float) -> float:
    if since <= 0:
        return 0.0
    if since < _CLOSE:
        return eased(since / _CLOSE)
    return eased(1 - (since - _CLOSE - _SHUT) / _OPEN)


class Gaze:
    """Where the eyes rest: jumps between the visitor and what the state and the mood make them look at."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        self._from = self._to = (0.0, 0.0)
        self._away = False
        self._since = -math.inf
        self._next = math.nan
        self._manner: Manner | None = None

    def at(self, at: float, manner: Manner, bearing: Bearing, attending: float, blinks: Blinks) -> tuple[float, float]:
        """The gaze in the units of ``FaceFrame``, head held still; ``attending`` (0–1) to a visitor who speaks."""
        if math.isnan(self._next):
            self._next = at
        if manner is not self._manner:
            # A new state takes the eyes along at once.
            self._manner, self._next = manner, min(self._next, at + 0.08)
        while self._next <= at:
            likely = manner.look_away * bearing.look_away * (1 - _ATTENTIVE * attending)
            self._away = self._random.random() < likely and not (self._away and manner.returns)
            self._jump(self._next, manner, bearing.away or manner.away, blinks)
            self._next += self._random.uniform(*(manner.away_for if self._away else manner.hold_for))
        share = eased((at - self._since) / _SACCADE)
        x, y = (a + (b - a) * share for a, b in zip(self._from, self._to, strict=True))
        return x, y

    def _jump(self, at: float, manner: Manner, away: tuple[float, float], blinks: Blinks) -> None:
        centre = away if self._away else (0.0, 0.0)
        spread = manner.away_spread if self._away else _ON_VISITOR
        side = self._random.choice((-1.0, 1.0)) if self._away and manner.either_side else 1.0
        goal = (
            centre[0] * side + self._random.uniform(-spread, spread),
            centre[1] + self._random.uniform(-spread, spread) * 0.6,
        )
        if math.dist(goal, self._to) > 0.25 and self._random.random() < _BLINK_ALONG:
            blinks.soon(at)
        self._from, self._to, self._since = self._to, goal, at
