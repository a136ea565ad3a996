"""The Animator: states and timed visemes in, FaceFrames out."""

import math
import random
from bisect import insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.avatar.animation.idle import Blinks, Drift, Gaze, breath
from visavis.avatar.animation.speech import LEAD, SpeechMotion
from visavis.avatar.animation.states import MANNERS, STARTLED, Manner
from visavis.avatar.animation.visemes import SHAPES, Weights, shape
from visavis.avatar.face import FaceFrame, FaceState
from visavis.blendshape import ARKIT, ARKIT_INDEX
from visavis.viseme import TimedViseme

_STATES: Final = tuple(FaceState)
_MATRIX: Final[Weights] = np.stack([MANNERS[state].weights for state in _STATES])
_JAW: Final = ARKIT_INDEX["jawOpen"]
_MOUTH: Final = np.array([name.startswith(("mouth", "jaw")) for name in ARKIT])
_GAZE_PER_YAW: Final = 1 / math.radians(26)
_GAZE_PER_PITCH: Final = 1 / math.radians(20)
"""Gaze units per radian: how the eyes turn back to stay on the visitor while the head turns."""
_BEAT_GAP: Final = 0.45
_BEAT_VOWEL: Final = 0.085
"""A vowel this long (seconds) may carry a beat; beats are at least the gap apart."""
_BEAT: Final = 0.34
"""Seconds from the start of a nod or beat to its end."""
_BEAT_BROWS: Final = shape(browInnerUp=0.16, browOuterUp=0.14)
_PENDING: Final = 64
"""State changes ahead of time that are held; the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class _Nod:
    """A short move of the head, down (positive ``pitch``) and back, with the brows if ``brows``."""

    start: float
    pitch: float
    roll: float = 0.0
    brows: float = 0.0


class Animator:
    """One session's face over media time (seconds). Not thread-safe.

    The same calls with the same seed give the same frames. ``frame`` must be asked for times that do not go back; an
    earlier one is answered for the latest. What is past is forgotten; ahead, at most ``speech.LIMIT`` visemes are held.
    """

    def __init__(self, seed: int) -> None:
        # A stream each, so that one layer's draws do not depend on another's.
        streams = [random.Random(f"{seed}:{name}") for name in ("blink", "gaze", "drift", "beat", "nod")]
        self._beat_random, self._nod_random = streams[3], streams[4]
        self._blinks, self._gaze = Blinks(streams[0]), Gaze(streams[1])
        self._drifts = [Drift(streams[2], pace) for pace in (0.11, 0.14, 0.09, 0.08, 0.07, 0.16)]
        self._breath_phase = streams[2].random()
        self._speech = SpeechMotion()
        self._nods: deque[_Nod] = deque(maxlen=_PENDING)
        self._last_beat = -math.inf
        self._next_nod = math.nan
        self._changes: list[tuple[float, int, FaceState]] = []
        self._change_count = 0
        self._state = FaceState.IDLE
        self._startled_until = math.inf
        self._mix = np.array([1.0] + [0.0] * (len(_STATES) - 1), np.float32)
        self._speed = np.zeros(len(_STATES), np.float32)
        self._now = -math.inf

    def state(self, state: FaceState, at: float) -> None:
        """Take on ``state`` from ``at`` on (also ahead of time), smoothly within 180 to 400 ms.

        ``INTERRUPTED`` turns into ``LISTENING`` by itself after 0.9 s, if no other state is asked for in between.
        """
        self._change_count += 1
        insort(self._changes, (at, self._change_count, state))
        del self._changes[:-_PENDING]

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """Append mouth shapes at absolute media times, in order; they may arrive in pieces."""
        self._speech.add(visemes)
        for timed in visemes:
            long = timed.end - timed.start >= _BEAT_VOWEL
            if not (long and SHAPES[timed.viseme].vowel) or timed.start - self._last_beat < _BEAT_GAP:
                continue
            if self._beat_random.random() < 0.6:
                self._last_beat = timed.start
                self._nods.append(
                    _Nod(
                        timed.start - LEAD,
                        self._beat_random.uniform(0.018, 0.036),
                        self._beat_random.uniform(-0.012, 0.012),
                        1.0 if self._beat_random.random() < 0.45 else 0.0,
                    )
                )

    def cut(self, at: float) -> None:
        """Forget everything after ``at``; the mouth is at rest 120 ms later."""
        self._speech.cut(at)
        self._nods = deque((nod for nod in self._nods if nod.start < at), _PENDING)
        self._changes = [change for change in self._changes if change[0] <= at]
        self._last_beat = min(self._last_beat, at)

    def frame(self, at: float) -> FaceFrame:
        """The face at media time ``at``."""
        at = max(at, self._now)
        manner = self._advance(at)
        mouth = self._speech.pose(at)
        jaw = float(mouth.weights[_JAW])

        weights = self._mix @ _MATRIX
        # Speech needs the mouth: a state's smile gives way to it, most where the jaw is open.
        weights[_MOUTH] *= 1 - mouth.activity * (0.35 + 0.65 * min(1.0, 2 * jaw))
        weights += mouth.weights

        drift = [wander.at(at) for wander in self._drifts]
        yaw_amount, pitch_amount, roll_amount, yaw, pitch, roll = self._mix @ _POSES
        yaw += yaw_amount * drift[0]
        pitch += pitch_amount * drift[1]
        roll += roll_amount * drift[2]
        for nod in self._nods:
            size = _bump((at - nod.start) / _BEAT)
            if size > 0:
                pitch += nod.pitch * size
                roll += nod.roll * size
                if nod.brows:
                    weights += size * nod.brows * _BEAT_BROWS
        weights[_BROWS] += 0.05 * (1 + drift[5])
        closed = self._blinks.closed(at, manner)
        look_x, look_y = self._gaze.at(at, manner, self._blinks)
        return FaceFrame(
            arkit=np.clip(weights, 0.0, 1.0, dtype=np.float32),
            yaw=float(yaw),
            pitch=float(pitch),
            roll=float(roll),
            tx=1.2 * drift[3],
            ty=0.9 * drift[4],
            breath=breath(at, self._breath_phase),
            gaze_x=_unit(look_x - float(yaw) * _GAZE_PER_YAW),
            gaze_y=_unit(look_y + float(pitch) * _GAZE_PER_PITCH),
            blink=closed,
            tongue=mouth.tongue,
        )

    def _advance(self, at: float) -> Manner:
        """Go from the last frame to ``at``: changes of state, their mix, nods; forget what is over."""
        now = at if math.isinf(self._now) else self._now
        while (change := self._due(at)) is not None:
            when, state = change
            self._blend(max(0.0, when - now))
            now = max(now, when)
            self._enter(state, when)
        self._blend(at - now)
        self._now = at
        manner = MANNERS[self._state]
        while manner.nod_every and self._next_nod <= at:
            self._nods.append(_Nod(self._next_nod, self._nod_random.uniform(0.03, 0.055)))
            if self._nod_random.random() < 0.4:
                self._nods.append(_Nod(self._next_nod + 0.8 * _BEAT, self._nod_random.uniform(0.02, 0.035)))
            self._next_nod += manner.nod_every * self._nod_random.uniform(0.6, 1.6)
        while self._nods and self._nods[0].start + _BEAT < at:
            self._nods.popleft()
        return manner

    def _due(self, at: float) -> tuple[float, FaceState] | None:
        """Take the next change of state that ``at`` has reached."""
        asked = self._changes[0][0] if self._changes else math.inf
        if min(asked, self._startled_until) > at:
            return None
        if asked <= self._startled_until:
            when, _, state = self._changes.pop(0)
            return when, state
        return self._startled_until, FaceState.LISTENING

    def _enter(self, state: FaceState, at: float) -> None:
        if state is FaceState.INTERRUPTED and self._state is not state:
            self._blinks.soon(at + 0.06)
        self._startled_until = at + STARTLED if state is FaceState.INTERRUPTED else math.inf
        self._state = state
        manner = MANNERS[state]
        if manner.nod_every:
            self._next_nod = at + manner.nod_every * self._nod_random.uniform(0.3, 0.9)

    def _blend(self, seconds: float) -> None:
        """Move the mix of states towards the present one: a critically damped spring, solved exactly."""
        if seconds <= 0:
            return
        goal = np.zeros(len(_STATES), np.float32)
        goal[_STATES.index(self._state)] = 1
        pull = _SETTLED / MANNERS[self._state].settle
        decay = math.exp(-pull * seconds)
        offset = self._mix - goal
        drive = self._speed + pull * offset
        self._mix = goal + (offset + drive * seconds) * decay
        self._speed = (self._speed - pull * drive * seconds) * decay


_SETTLED: Final = 4.74
"""Time constants after which a critically damped spring is within 5 %."""
_BROWS: Final = ARKIT_INDEX["browInnerUp"]
_POSES: Final = np.array(
    [(m.yaw_drift, m.pitch_drift, m.roll_drift, m.yaw, m.pitch, m.roll) for m in (MANNERS[state] for state in _STATES)],
    np.float32,
)


def _bump(share: float) -> float:
    """0 → 1 → 0 while ``share`` goes from 0 to 1; quick down, slow back."""
    if not 0 < share < 1:
        return 0.0
    return math.sin(math.pi * share**0.7) ** 2


def _unit(value: float) -> float:
    return min(1.0, max(-1.0, value))
