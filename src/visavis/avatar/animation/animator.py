"""The Animator: what a conversation does in, FaceFrames out."""

import math
import random
from bisect import insort
from collections.abc import Sequence
from typing import Final

import numpy as np

from visavis.avatar.animation.emotions import HOLD, Mood
from visavis.avatar.animation.follow import Follower
from visavis.avatar.animation.gestures import Attention, Beats, Gestures
from visavis.avatar.animation.idle import Blinks, Drift, Gaze, breath
from visavis.avatar.animation.speech import SpeechMotion
from visavis.avatar.animation.spring import Spring
from visavis.avatar.animation.states import STARTLED
from visavis.avatar.animation.tables import HOUSE, Tables
from visavis.avatar.animation.visemes import shape
from visavis.avatar.emotion import Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.blendshape import ARKIT, ARKIT_INDEX, ArkitFrame, Weights
from visavis.speech.ports import Pcm16
from visavis.viseme import TimedViseme

_STATES: Final = tuple(FaceState)
_JAW: Final = ARKIT_INDEX["jawOpen"]
_BROWS: Final = ARKIT_INDEX["browInnerUp"]
_MOUTH: Final = np.array([name.startswith(("mouth", "jaw")) for name in ARKIT])
_PARTING: Final = np.array(
    [
        name in ("jawOpen", "mouthFunnel", "mouthShrugUpper") or name.startswith(("mouthUpperUp", "mouthLowerDown"))
        for name in ARKIT
    ]
)
_GAPING: Final = [ARKIT_INDEX["jawOpen"], ARKIT_INDEX["mouthFunnel"]]
_VOICE: Final = np.array([name.startswith(("mouth", "jaw", "tongue", "cheekPuff")) for name in ARKIT])
_EYES: Final = np.array([name.startswith(("eyeBlink", "eyeLook")) for name in ARKIT])
_GAZE_PER_YAW: Final = 1 / math.radians(26)
_GAZE_PER_PITCH: Final = 1 / math.radians(20)
"""Gaze units per radian: how the eyes turn back to stay on the visitor while the head turns."""
_MOVED_BROWS: Final = shape(browInnerUp=0.22, browOuterUp=0.20)
"""What a gesture of the brows at 1 adds."""
_ATTENTIVE: Final = shape(browInnerUp=0.08, eyeWide=0.06)
_MOODED: Final = 0.85
"""How much of a state's weights an emotion at full intensity takes away."""
_ATTEND: Final = 0.4
"""Seconds in which the face turns to a visitor who begins to speak."""
_WIDEST_YAW, _WIDEST_PITCH, _WIDEST_ROLL = 0.15, 0.11, 0.15
"""Radians that the head never reaches."""
_SPEED: Final = 9.0
"""Most that a weight changes in a second: jaws and lips are heavy."""
_PENDING: Final = 64
"""Events ahead of time that are held; of more, the oldest is dropped that is no change of state."""

_Event = FaceState | Feeling | bool
"""A change of state, of feeling, or whether the visitor speaks."""


class Animator:
    """One session's face over media time (seconds). Not thread-safe.

    The same calls with the same seed give the same frames. ``frame`` must be asked for times that do not go back; an
    earlier one is answered for the latest. What is past is forgotten; what is ahead is bounded by the ``LIMIT`` of
    ``speech`` and ``follow``, and at most 64 events.
    """

    def __init__(self, seed: int, tables: Tables = HOUSE) -> None:
        self._manners = tables.states
        manners = [tables.states[state] for state in _STATES]
        self._manner_weights = np.stack([manner.weights for manner in manners])
        self._manner_poses = np.array(
            [(m.yaw_drift, m.pitch_drift, m.roll_drift, m.yaw, m.pitch, m.roll) for m in manners], np.float32
        )
        # A stream each, so that one layer's draws do not depend on another's.
        streams = [random.Random(f"{seed}:{name}") for name in ("blink", "gaze", "drift", "attention", "turns")]
        self._blinks, self._gaze = Blinks(streams[0]), Gaze(streams[1])
        self._drifts = [Drift(streams[2], pace) for pace in (0.11, 0.14, 0.09, 0.08, 0.07, 0.16)]
        self._breath_phase = streams[2].random()
        self._speech, self._follower = SpeechMotion(tables.visemes), Follower()
        self._turns = streams[4]
        self._beats, self._attention, self._gestures = Beats(seed), Attention(streams[3]), Gestures()
        self._mood = Mood(tables.emotions)
        self._events: list[tuple[float, int, _Event]] = []
        self._event_count = 0
        self._state = FaceState.IDLE
        self._startled_until = math.inf
        self._mood_until = math.inf
        self._voice_until = -math.inf
        mix = np.zeros(len(_STATES), np.float32)
        mix[_STATES.index(self._state)] = 1
        self._mix = Spring(mix)
        self._attending = Spring(np.zeros(1, np.float32))
        self._visitor_speaks = False
        self._now = -math.inf
        self._shown: Weights | None = None
        self._shown_at = -math.inf

    def state(self, state: FaceState, at: float) -> None:
        """Take on ``state`` from ``at`` on (also ahead of time), smoothly within 180 to 400 ms.

        ``INTERRUPTED`` turns into ``LISTENING`` by itself after 0.9 s, if no other state is asked for in between.
        """
        self._add(state, at)

    def feel(self, feeling: Feeling, at: float) -> None:
        """Show ``feeling`` from ``at`` on (also ahead of time), within 0.4 s.

        It stays for ``emotions.HOLD`` seconds, counted from ``at`` or from the end of the voice that it comes with,
        then fades within ``emotions.FADE`` seconds; another feeling takes its place, ``NEUTRAL`` ends it.
        """
        self._add(feeling, at)

    def hear(self, speaking: bool, at: float) -> None:
        """The visitor speaks from ``at`` on, or pauses."""
        self._add(speaking, at)

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """Append mouth shapes at absolute media times, in order; they may arrive in pieces."""
        self._speech.add(visemes)
        self._beats.speak(visemes)
        if visemes:
            self._voice_until = max(self._voice_until, visemes[-1].end)

    def sound(self, pcm: Pcm16, at: float) -> None:
        """The voice (``SPEECH_RATE``) that is heard from ``at`` on, in order: louder vowels open the mouth further."""
        self._speech.sound(pcm, at)

    def follow(self, frames: Sequence[ArkitFrame]) -> None:
        """Append weights at absolute media times, in order; where there are any, they move the mouth, not the visemes.

        What they do to brows and cheeks is added. Where they move the eyes, those are theirs too.
        """
        self._follower.add(frames)
        if frames:
            self._voice_until = max(self._voice_until, frames[-1].at)

    def stress(self, times: Sequence[float]) -> None:
        """The voice stresses a word at ``times`` (media seconds): most carry a beat of the head."""
        self._beats.stress(times)

    def cut(self, at: float) -> None:
        """Forget everything of the voice and all events after ``at``; the mouth is at rest 120 ms later."""
        self._speech.cut(at)
        self._follower.cut(at)
        self._beats.cut(at)
        self._gestures.cut(at)
        self._events = [event for event in self._events if event[0] <= at]
        self._voice_until = min(self._voice_until, at)

    def frame(self, at: float) -> FaceFrame:
        """The face at media time ``at``."""
        at = max(at, self._now)
        self._advance(at)
        mouth, followed, bearing = self._speech.pose(at), self._follower.pose(at), self._mood.bearing()
        gesture, attending = self._gestures.pose(at), float(self._attending.values[0])
        state = (1 - _MOODED * bearing.presence) * (self._mix.values @ self._manner_weights) + attending * _ATTENTIVE
        # Speech needs the mouth: a smile gives way to it, most where the jaw is open; nothing parts closing lips.
        jaw = min(1.0, 2 * float(mouth.weights[_JAW]))
        state[_MOUTH] *= 1 - mouth.activity * (0.35 + 0.65 * jaw)
        state[_PARTING] *= 1 - mouth.closure
        mood = bearing.weights
        mood[_MOUTH] *= 1 - mouth.activity * (0.3 + 0.4 * jaw)
        mood[_GAPING] *= 1 - self._mix.values[_STATES.index(FaceState.SPEAKING)]
        mood[_PARTING] *= (1 - mouth.activity) * (1 - mouth.closure)
        weights = state + mood + mouth.weights
        weights += gesture.brows * _MOVED_BROWS
        drift = [bearing.drift * wander.at(at) for wander in self._drifts]
        weights[_BROWS] += 0.05 * (1 + drift[5])
        if followed.share > 0:
            weights[_VOICE] *= 1 - followed.share
            weights[~_EYES] += followed.share * followed.weights[~_EYES]
            weights[_EYES] += followed.eyes * followed.weights[_EYES]

        yaw_drift, pitch_drift, roll_drift, yaw, pitch, roll = (
            float(value) for value in self._mix.values @ self._manner_poses
        )
        beats = bearing.beats
        yaw = _within(yaw + bearing.yaw + yaw_drift * drift[0] + beats * gesture.yaw, _WIDEST_YAW)
        pitch = _within(pitch + bearing.pitch + pitch_drift * drift[1] + beats * gesture.pitch, _WIDEST_PITCH)
        roll = _within(roll + bearing.roll + roll_drift * drift[2] + beats * gesture.roll, _WIDEST_ROLL)
        manner = self._manners[self._state]
        ours = 1 - followed.eyes
        closed = self._blinks.closed(at, manner.blink_every * bearing.blink_every)
        look_x, look_y = self._gaze.at(at, manner, bearing, attending, self._blinks)
        weights = np.clip(weights, 0.0, 1.0, dtype=np.float32)
        if self._shown is not None:
            most = np.float32(_SPEED * (at - self._shown_at))
            weights = np.clip(weights, self._shown - most, self._shown + most)
        self._shown, self._shown_at = weights, at
        return FaceFrame(
            arkit=weights,
            yaw=yaw,
            pitch=pitch,
            roll=roll,
            tx=1.2 * drift[3],
            ty=0.9 * drift[4],
            breath=breath(at, self._breath_phase),
            gaze_x=_unit(ours * look_x - yaw * _GAZE_PER_YAW),
            gaze_y=_unit(ours * look_y + pitch * _GAZE_PER_PITCH),
            blink=ours * closed,
            tongue=mouth.tongue,
        )

    def _add(self, event: _Event, at: float) -> None:
        self._event_count += 1
        insort(self._events, (at, self._event_count, event))
        if len(self._events) > _PENDING:
            passing = (index for index, (_, _, held) in enumerate(self._events) if not isinstance(held, FaceState))
            del self._events[next(passing, 0)]

    def _advance(self, at: float) -> None:
        """Go from the last frame to ``at``: events in order of time, and the springs and moves between them."""
        now = at if math.isinf(self._now) else self._now
        self._gestures.begin(self._beats.due(at), now)
        while (due := self._due(at)) is not None:
            when, event = due
            self._move(now, max(now, when))
            now = max(now, when)
            self._enter(event, when)
        self._move(now, at)
        self._now = at

    def _move(self, now: float, at: float) -> None:
        goal = np.zeros(len(_STATES), np.float32)
        goal[_STATES.index(self._state)] = 1
        self._mix.move(goal, self._manners[self._state].settle, at - now)
        self._attending.move(np.full(1, self._visitor_speaks, np.float32), _ATTEND, at - now)
        self._mood.move(at - now)
        self._gestures.begin(self._attention.due(at), now)

    def _due(self, at: float) -> tuple[float, _Event | None] | None:
        """Take the next event that ``at`` has reached; None for one of a mood that has stayed long enough."""
        asked = self._events[0][0] if self._events else math.inf
        faded = max(self._mood_until, self._voice_until + HOLD) if self._mood_until < math.inf else math.inf
        if min(asked, self._startled_until, faded) > at:
            return None
        if asked <= min(self._startled_until, faded):
            when, _, event = self._events.pop(0)
            return when, event
        if self._startled_until <= faded:
            return self._startled_until, FaceState.LISTENING
        return faded, None

    def _enter(self, event: _Event | None, at: float) -> None:
        match event:
            case None:
                self._mood_until = math.inf
                self._mood.fade()
            case Feeling():
                self._mood_until = at + HOLD
                self._mood.feel(event)
            case bool():
                self._visitor_speaks = event
                self._attention.hear(event, at)
                if not event and self._turns.random() < 0.4:
                    self._blinks.soon(max(at, self._now) + 0.1)
            case FaceState():
                startled = event is FaceState.INTERRUPTED and self._state is not event
                ends = self._state is FaceState.SPEAKING and event is not self._state
                if startled or (ends and self._turns.random() < 0.7):
                    self._blinks.soon(max(at, self._now) + 0.06)
                self._startled_until = at + STARTLED if event is FaceState.INTERRUPTED else math.inf
                self._state = event


def _within(angle: float, limit: float) -> float:
    """The angle, bent towards ``limit``, which it never passes."""
    return limit * math.tanh(angle / limit)


def _unit(value: float) -> float:
    return min(1.0, max(-1.0, value))
