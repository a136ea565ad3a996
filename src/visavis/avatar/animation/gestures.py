"""Gestures of the head and brows: beats on stressed words, nods in the visitor's pauses, brows that follow a story."""

import math
import random
from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from visavis.avatar.animation.visemes import SHAPES
from visavis.viseme import TimedViseme

BEAT_GAP: Final = 0.45
"""Seconds from one beat to the next, at least."""
STRESS_LEAD: Final = 0.15
"""Seconds by which a beat begins before its stress; its lowest point then comes just before the stressed vowel."""
NOD_AFTER: Final = 0.3
"""Seconds of the visitor's silence after which a nod may come."""
NOD_SPEECH: Final = 1.0
"""Seconds for which the visitor must have spoken before."""
_NOD_SHARE: Final = 0.7
"""Of the pauses that allow a nod."""
_BEAT: Final = 0.36
_NOD: Final = 0.46
"""Seconds from the start of a beat or nod to its end."""
_STRESS_SHARE, _VOWEL_SHARE = 0.85, 0.6
"""Of the stresses told, and of the long vowels that stand in for them, how many carry a beat."""
_LONG_VOWEL: Final = 0.085
"""Seconds of a vowel that may stand in for a stress."""
_TOLD_NEAR: Final = 2.0
"""A vowel this near (seconds) to a stress that was told stands in for none."""
_TOO_LATE: Final = 0.15
"""Seconds after which a move that was not begun in time is left out."""
_HELD: Final = 1024
"""Most stresses and vowels held ahead of time; those beyond are dropped."""


@dataclass(frozen=True, slots=True)
class Move:
    """A short move and back: ``pitch`` (positive down), ``roll``, ``yaw`` in radians; ``brows`` 0–1."""

    start: float
    length: float
    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    brows: float = 0.0


@dataclass(frozen=True, slots=True)
class Gesture:
    """The sum of all moves at one instant."""

    pitch: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    brows: float = 0.0


class Beats:
    """Which stresses carry a beat of the head. Whether one does depends on its time and the seed alone."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._stresses: list[float] = []
        self._vowels: deque[float] = deque()
        self._told: deque[float] = deque(maxlen=_HELD)
        self._last = -math.inf

    def stress(self, times: Sequence[float]) -> None:
        """The voice stresses a word at ``times`` (media seconds), in order."""
        for time in times[: max(0, _HELD - len(self._stresses))]:
            insort(self._stresses, time)
            self._told.append(time)

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """Long vowels of the voice, which stand in where no stress is told."""
        for timed in visemes:
            if timed.end - timed.start >= _LONG_VOWEL and SHAPES[timed.viseme].vowel and len(self._vowels) < _HELD:
                self._vowels.append(timed.start)

    def cut(self, at: float) -> None:
        """Forget what lies after ``at``."""
        self._stresses = [time for time in self._stresses if time < at]
        self._vowels = deque(time for time in self._vowels if time < at)
        self._told = deque((time for time in self._told if time < at), _HELD)
        self._last = min(self._last, at)

    def due(self, at: float) -> list[Move]:
        """The beats that have begun by ``at``."""
        moves: list[Move] = []
        until = at + STRESS_LEAD
        while True:
            stress = self._stresses[0] if self._stresses else math.inf
            vowel = self._vowels[0] if self._vowels else math.inf
            time = min(stress, vowel)
            if time > until:
                return moves
            if stress <= vowel:
                self._stresses.pop(0)
                share, size = _STRESS_SHARE, 1.0
            else:
                self._vowels.popleft()
                share, size = _VOWEL_SHARE, 0.75
                if any(abs(time - told) < _TOLD_NEAR for told in self._told):
                    continue
            if time - self._last < BEAT_GAP:
                continue
            # A stream of its own for each, so that it does not matter how the voice came in pieces.
            draw = random.Random(f"{self._seed}:beat:{time:.3f}")
            if draw.random() < share:
                self._last = time
                moves.append(
                    Move(
                        time - STRESS_LEAD,
                        _BEAT,
                        pitch=size * draw.uniform(0.022, 0.048),
                        roll=draw.uniform(-0.014, 0.014),
                        yaw=draw.uniform(-0.016, 0.016),
                        brows=size * draw.uniform(0.5, 1.0) if draw.random() < 0.55 else 0.0,
                    )
                )


class Attention:
    """What the head and brows do while a visitor speaks and pauses."""

    def __init__(self, random_: random.Random) -> None:
        self._random = random_
        self._speaking = False
        self._since = math.nan
        self._paused = -math.inf
        self._nod = math.inf
        self._brows = math.inf

    def hear(self, speaking: bool, at: float) -> None:
        """The visitor speaks from ``at`` on, or pauses."""
        if speaking == self._speaking:
            return
        self._speaking = speaking
        if speaking:
            if at - self._paused >= NOD_AFTER or math.isnan(self._since):
                self._since = at
            self._nod = math.inf
            self._brows = at + self._random.uniform(0.7, 2.0)
        else:
            self._paused = at
            self._brows = math.inf
            if at - self._since >= NOD_SPEECH:
                self._nod = at + NOD_AFTER

    def due(self, at: float) -> list[Move]:
        """The moves that have begun by ``at``."""
        moves: list[Move] = []
        if self._nod <= at:
            if self._random.random() < _NOD_SHARE:
                size = self._random.uniform(0.034, 0.06)
                moves.append(Move(self._nod, _NOD, pitch=size, brows=0.25 * self._random.random()))
                if self._random.random() < 0.45:
                    moves.append(Move(self._nod + 0.8 * _NOD, _NOD, pitch=size * 0.6))
            self._nod = math.inf
        while self._brows <= at:
            length = self._random.uniform(0.6, 1.1)
            moves.append(
                Move(
                    self._brows,
                    length,
                    roll=self._random.uniform(-0.02, 0.02),
                    brows=self._random.uniform(0.3, 0.8),
                )
            )
            self._brows += length + self._random.uniform(0.8, 3.0)
        return moves


class Gestures:
    """All moves under way. At most a few at a time."""

    def __init__(self) -> None:
        self._moves: list[Move] = []

    def begin(self, moves: Sequence[Move], now: float) -> None:
        """Add moves; those that should have begun before ``now`` begin now, or not at all where it is too late."""
        self._moves += [replace(move, start=max(move.start, now)) for move in moves if now - move.start < _TOO_LATE]

    def cut(self, at: float) -> None:
        """Forget the moves that would begin after ``at``."""
        self._moves = [move for move in self._moves if move.start < at]

    def pose(self, at: float) -> Gesture:
        """Their sum at ``at``; forgets those that are over."""
        self._moves = [move for move in self._moves if move.start + move.length > at]
        pitch = roll = yaw = brows = 0.0
        for move in self._moves:
            size = _bump((at - move.start) / move.length)
            pitch += move.pitch * size
            roll += move.roll * size
            yaw += move.yaw * size
            brows += move.brows * size
        return Gesture(pitch, roll, yaw, min(1.0, brows))


def _bump(share: float) -> float:
    """0 → 1 → 0 while ``share`` goes from 0 to 1; quick there, slow back."""
    if not 0 < share < 1:
        return 0.0
    return math.sin(math.pi * share**0.7) ** 2
