"""SpeechMotion: timed visemes to mouth weights, with coarticulation."""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.avatar.animation.visemes import SHAPE_MATRIX, SHAPES, Hold, MouthShape, Weights
from visavis.avatar.face import Tongue
from visavis.blendshape import ARKIT
from visavis.viseme import TimedViseme, Viseme

LEAD: Final = 0.05
"""Seconds by which lips go ahead of the sound; within 40–60 ms is how people's do."""
CLOSING: Final = 0.1
"""Seconds in which a cut mouth comes to rest."""
LIMIT: Final = 4096
"""Most visemes held; those beyond (more than five minutes ahead) are dropped."""
_REST: Final = 0.12
"""Share of the mouth at rest when shapes compete; it closes the mouth where no shape is near."""
_HOLD_PLATEAU: Final = 0.024
"""Half of the seconds for which lips stay closed at least: longer than half a frame at 25 a second."""
_HOLD_RAMP: Final = 0.055
"""Seconds from the plateau of a closure to its end."""
_FAR: Final = 2.6
"""Fade lengths at which a shape is over (below a ten-thousandth)."""

_ORDER: Final = {viseme: index for index, viseme in enumerate(Viseme)}
_PP: Final = SHAPES[Viseme.PP].weights
_FF: Final = SHAPES[Viseme.FF].weights
_TEETH_HOLD: Final = 0.85


@dataclass(slots=True)
class _Sound:
    """A viseme on its way; ``cut``: when it began to fade by force."""

    shape: MouthShape
    index: int
    start: float
    end: float
    cut: float = math.inf

    @property
    def quarter(self) -> float:
        return (self.end - self.start) / 4

    @property
    def begins(self) -> float:
        return self.start + self.quarter - _FAR * (self.shape.before + self.quarter)

    @property
    def ends(self) -> float:
        return self.end - self.quarter + _FAR * (self.shape.after + self.quarter)


@dataclass(frozen=True, slots=True)
class MouthPose:
    """The mouth at one instant: ARKit weights, the tongue, and how much speech there is (0–1)."""

    weights: Weights
    tongue: Tongue
    activity: float


REST: Final = MouthPose(np.zeros(len(ARKIT), np.float32), Tongue.REST, 0.0)


class SpeechMotion:
    """The mouth's shapes to come and just gone. Holds at most ``LIMIT`` of them."""

    def __init__(self) -> None:
        self._sounds: deque[_Sound] = deque()

    def __len__(self) -> int:
        return len(self._sounds)

    def add(self, visemes: Sequence[TimedViseme]) -> None:
        """Append shapes, in order of time (media seconds). Beyond ``LIMIT`` they are dropped."""
        for timed in visemes[: max(0, LIMIT - len(self._sounds))]:
            if timed.end > timed.start:
                shape = SHAPES[timed.viseme]
                self._sounds.append(_Sound(shape, _ORDER[timed.viseme], timed.start, timed.end))

    def cut(self, at: float) -> None:
        """Forget what would begin after ``at`` and bring the rest to an end within ``CLOSING``."""
        kept: deque[_Sound] = deque()
        for sound in self._sounds:
            if sound.begins - LEAD < at:
                sound.cut = min(sound.cut, at)
                kept.append(sound)
        self._sounds = kept

    def pose(self, at: float) -> MouthPose:
        """The mouth at media time ``at``; forgets what is over by then. ``at`` must not go back."""
        now = at + LEAD
        while self._sounds and (self._sounds[0].ends < now or self._sounds[0].cut + CLOSING < at):
            self._sounds.popleft()
        near = self._near(now)
        if not near:
            return REST
        shares = [0.0] * len(SHAPE_MATRIX)
        total = _REST
        lips = teeth = activity = 0.0
        tongue, tongue_share = Tongue.REST, 0.0
        for sound in near:
            shape = sound.shape
            force = shape.strength * _kernel(sound, now)
            fading = _ramp(1 - (at - sound.cut) / CLOSING) if sound.cut < at else 1.0
            total += force
            shares[sound.index] += force * fading
            if sound.index:
                activity = max(activity, fading * min(1.0, force / shape.strength))
            if shape.hold is Hold.LIPS:
                lips = max(lips, fading * _hold(sound, now))
            elif shape.hold is Hold.TEETH:
                teeth = max(teeth, fading * _TEETH_HOLD * _hold(sound, now))
            if force * fading > tongue_share:
                tongue, tongue_share = shape.tongue, force * fading
        weights = (np.array(shares, np.float32) / np.float32(total)) @ SHAPE_MATRIX
        if teeth > 0:
            weights += teeth * (_FF - weights)
        if lips > 0:
            weights += lips * (_PP - weights)
        return MouthPose(np.asarray(weights, np.float32), tongue, activity)

    def _near(self, now: float) -> list[_Sound]:
        near: list[_Sound] = []
        for sound in self._sounds:
            # In order of start; nothing begins earlier than this before its start.
            if sound.start - _FAR * _WIDEST > now + 2 * sound.quarter:
                break
            if sound.begins < now < sound.ends:
                near.append(sound)
        return near


_WIDEST: Final = max(shape.before for shape in SHAPES.values())


def _kernel(sound: _Sound, now: float) -> float:
    """1 in the middle of the sound, falling as a Gaussian from a quarter of its length inside either end."""
    quarter = sound.quarter
    early = sound.start + quarter - now
    late = now - (sound.end - quarter)
    if early > 0:
        return math.exp(-((early / (sound.shape.before + quarter)) ** 2) * 1.4)
    if late > 0:
        return math.exp(-((late / (sound.shape.after + quarter)) ** 2) * 1.4)
    return 1.0


def _hold(sound: _Sound, now: float) -> float:
    """1 around the middle of a closure, 0 before and after it; smooth."""
    half = max(_HOLD_PLATEAU, sound.quarter)
    away = abs(now - (sound.start + sound.end) / 2) - half
    return _ramp(1 - away / _HOLD_RAMP)


def _ramp(share: float) -> float:
    share = min(1.0, max(0.0, share))
    return share * share * (3 - 2 * share)
