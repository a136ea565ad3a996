"""SpeechMotion: timed visemes to mouth weights, with coarticulation.

After the dominance functions of Cohen and Massaro (1993): each sound pulls the mouth towards its shape with a force
that grows before it and fades after it, and the mouth is where the forces balance. Lips that round are pulled by
forces of their own, which reach further ahead and which most consonants do not resist.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.avatar.animation.easing import eased
from visavis.avatar.animation.loudness import Loudness
from visavis.avatar.animation.visemes import SHAPES, Hold, MouthShape
from visavis.avatar.face import Tongue
from visavis.blendshape import ARKIT, ARKIT_INDEX, Weights
from visavis.speech.ports import Pcm16
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
_LIPS_RAMP, _TEETH_RAMP, _JAW_RAMP = 0.06, 0.11, 0.10
"""Seconds in which lips close before the plateau of a closure and open after it, lip and teeth meet, and the heavier
jaw comes up."""
_FAR: Final = 2.6
"""Fade lengths at which a shape is over (below a ten-thousandth)."""
_ROUND_EARLY, _ROUND_LATE = 1.7, 1.4
"""How much further ahead lips begin to round, and how much longer they stay round, than they do other things."""
_REDUCED: Final = 0.07
"""Seconds of a vowel below which it is reached the less the shorter it is; fast speech opens the mouth less."""
_LEAST: Final = 0.45
"""Force of the shortest sound, as a share."""
_UNSURE: Final = 0.02
"""Seconds of a closure below which it may be a mistake of an estimator, and is not held."""
_LOUD, _QUIET = np.float32(1.45), np.float32(0.5)
"""How far the loudest vowel opens the mouth, and the quietest consonant, as a share of their shapes."""
_LOUD_JAW: Final = 0.14
"""How much further the loudest vowel lowers the jaw, whichever it is."""
_MIDDLING: Final = 0.75
"""Loudness of a voice whose sound is not known."""
_SAME: Final = 0.005
"""Seconds between two pieces of one sound."""

_ORDER: Final = {viseme: index for index, viseme in enumerate(Viseme)}
_TEETH_HOLD: Final = 0.85
_JAW: Final = ARKIT_INDEX["jawOpen"]
_ROUND: Final = np.array([name in ("mouthFunnel", "mouthPucker") for name in ARKIT])
_OPENS: Final = np.array([name == "jawOpen" or name.startswith(("mouthLowerDown", "mouthUpperUp")) for name in ARKIT])


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
    def force(self) -> float:
        return self.shape.strength * max(_LEAST, min(1.0, (self.end - self.start) / _REDUCED))

    @property
    def begins(self) -> float:
        return self.start + self.quarter - _FAR * (_ROUND_EARLY * self.shape.before + self.quarter)

    @property
    def ends(self) -> float:
        return self.end - self.quarter + _FAR * (_ROUND_LATE * self.shape.after + self.quarter)


@dataclass(frozen=True, slots=True)
class MouthPose:
    """The mouth at one instant: ARKit weights, the tongue, how much speech there is, and how far the lips must be
    closed or on the teeth (all 0–1)."""

    weights: Weights
    tongue: Tongue
    activity: float
    closure: float = 0.0


REST: Final = MouthPose(np.zeros(len(ARKIT), np.float32), Tongue.REST, 0.0)


class SpeechMotion:
    """The mouth's shapes to come and just gone. Holds at most ``LIMIT`` of them."""

    def __init__(self, shapes: Mapping[Viseme, MouthShape] = SHAPES) -> None:
        self._shapes = shapes
        matrix = np.stack([shapes[viseme].weights for viseme in Viseme])
        self._open, self._round = np.where(_OPENS, matrix, 0), np.where(_ROUND, matrix, 0)
        self._other = matrix - self._open - self._round
        self._vowels = np.array([shapes[viseme].vowel for viseme in Viseme])
        self._sounds: deque[_Sound] = deque()
        self._loudness = Loudness()

    def __len__(self) -> int:
        return len(self._sounds)

    def add(self, visemes: Sequence[TimedViseme]) -> None:
        """Append shapes, in order of time (media seconds). Beyond ``LIMIT`` they are dropped."""
        for timed in visemes:
            if timed.end <= timed.start:
                continue
            index, last = _ORDER[timed.viseme], self._sounds[-1] if self._sounds else None
            if last and last.index == index and abs(timed.start - last.end) < _SAME and last.cut == math.inf:
                last.end = timed.end
            elif len(self._sounds) < LIMIT:
                self._sounds.append(_Sound(self._shapes[timed.viseme], index, timed.start, timed.end))

    def sound(self, pcm: Pcm16, at: float) -> None:
        """The voice (``SPEECH_RATE``) from ``at`` on, in order of time: louder vowels open the mouth further."""
        self._loudness.add(pcm, at)

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
        shares, rounds = np.zeros(len(Viseme), np.float32), np.zeros(len(Viseme), np.float32)
        total = rounding = _REST
        vowels = raised = lips = teeth = activity = 0.0
        tongue, tongue_share = Tongue.REST, 0.0
        for sound in near:
            shape = sound.shape
            fading = eased(1 - (at - sound.cut) / CLOSING) if sound.cut < at else 1.0
            kernel = _kernel(sound, now, shape.before, shape.after)
            force = sound.force * kernel
            total += force
            shares[sound.index] += force * fading
            force_round = (
                sound.force * shape.rounds * _kernel(sound, now, _ROUND_EARLY * shape.before, _ROUND_LATE * shape.after)
            )
            rounding += force_round
            rounds[sound.index] += force_round * fading
            if shape.vowel:
                vowels += force * fading
            if sound.index:
                activity = max(activity, fading * min(1.0, kernel))
            if shape.hold is Hold.LIPS:
                lips = max(lips, fading * _hold(sound, now, _LIPS_RAMP))
                raised = max(raised, fading * _hold(sound, now, _JAW_RAMP))
            elif shape.hold is Hold.TEETH:
                teeth = max(teeth, fading * _TEETH_HOLD * _hold(sound, now, _TEETH_RAMP))
            if force * fading > tongue_share:
                tongue, tongue_share = shape.tongue, force * fading
        shares /= np.float32(total)
        level = self._loudness.level(now)
        level = np.float32(_MIDDLING if level is None else level)
        loud = np.where(self._vowels, _LOUD * level, _QUIET + (1 - _QUIET) * level)
        weights = (loud * shares) @ self._open + shares @ self._other
        weights += (np.minimum(loud, 1) * rounds / np.float32(rounding)) @ self._round
        weights[_JAW] += _LOUD_JAW * level * vowels / total
        weights[_JAW] *= 1 - raised
        if teeth > 0:
            weights += teeth * (self._shapes[Viseme.FF].weights - weights)
        if lips > 0:
            weights += lips * (self._shapes[Viseme.PP].weights - weights)
        return MouthPose(np.asarray(weights, np.float32), tongue, activity, max(lips, teeth))

    def _near(self, now: float) -> list[_Sound]:
        near: list[_Sound] = []
        for sound in self._sounds:
            # In order of start; nothing begins earlier than this before its start.
            if sound.start - _FAR * _WIDEST > now + 2 * sound.quarter:
                break
            if sound.begins < now < sound.ends:
                near.append(sound)
        return near


_WIDEST: Final = _ROUND_EARLY * max(shape.before for shape in SHAPES.values())


def _kernel(sound: _Sound, now: float, before: float, after: float) -> float:
    """1 in the middle of the sound, falling as a Gaussian from a quarter of its length inside either end."""
    quarter = sound.quarter
    early = sound.start + quarter - now
    late = now - (sound.end - quarter)
    if early > 0:
        return math.exp(-((early / (before + quarter)) ** 2) * 1.4)
    if late > 0:
        return math.exp(-((late / (after + quarter)) ** 2) * 1.4)
    return 1.0


def _hold(sound: _Sound, now: float, ramp: float) -> float:
    """1 around the middle of a closure, 0 before and after it; smooth."""
    half = max(_HOLD_PLATEAU, sound.quarter)
    away = abs(now - (sound.start + sound.end) / 2) - half
    return eased(1 - away / ramp)
