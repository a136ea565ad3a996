"""Emotions: how a face shows each of them, added to whatever else it does, and how long it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.avatar.animation.spring import Spring
from visavis.avatar.animation.visemes import shape
from visavis.avatar.emotion import Emotion, Feeling
from visavis.blendshape import Weights

SETTLE: Final = 0.4
"""Seconds in which an emotion is taken on or gives way to another."""
HOLD: Final = 6.0
"""Seconds for which an emotion stays, after it was told and after the voice it came with has ended."""
FADE: Final = 4.0
"""Seconds in which it then fades."""


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """How an emotion looks at intensity 1.

    ``weights`` are added; angles in radians as in ``FaceFrame``. ``blink_every`` multiplies the seconds between
    blinks, ``look_away`` the share of glances that leave the visitor; ``away`` is where those go (None: where the
    state sends them). ``beats`` multiplies how much the head moves with the voice, ``drift`` how much by itself.
    """

    weights: Weights
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    blink_every: float = 1.0
    look_away: float = 1.0
    away: tuple[float, float] | None = None
    beats: float = 1.0
    drift: float = 1.0


EXPRESSIONS: Final[dict[Emotion, Expression]] = {
    Emotion.HAPPY: Expression(
        shape(
            mouthSmile=0.90, cheekSquint=0.90, eyeSquint=0.45, mouthUpperUp=0.50, mouthLowerDown=0.28, mouthDimple=0.2,
            jawOpen=0.06, browOuterUp=0.25, browInnerUp=0.15,
        ),
        pitch=-0.02,
        beats=1.25,
        drift=1.15,
    ),
    Emotion.SAD: Expression(
        shape(
            browInnerUp=1.0, browDown=0.10, mouthFrown=1.0, mouthShrugLower=0.50, mouthRollLower=0.10, eyeSquint=0.15,
            eyeBlink=0.22,
        ),
        pitch=0.075,
        roll=0.035,
        blink_every=0.8,
        look_away=1.6,
        away=(0.25, -0.3),
        beats=0.5,
        drift=0.6,
    ),
    Emotion.SURPRISED: Expression(
        shape(browInnerUp=1.0, browOuterUp=1.0, eyeWide=1.0, jawOpen=0.26, mouthFunnel=0.22),
        pitch=-0.06,
        blink_every=1.6,
        look_away=0.2,
        drift=0.6,
    ),
    Emotion.CONCERNED: Expression(
        shape(
            browInnerUp=1.0, browDown=0.20, eyeSquint=0.45, eyeBlink=0.06, mouthFrown=0.60, mouthStretch=0.40,
            mouthPress=0.35, mouthRollLower=0.20,
        ),
        pitch=0.02,
        roll=0.075,
        look_away=0.5,
        beats=0.8,
        drift=0.7,
    ),
    Emotion.STERN: Expression(
        shape(
            browDown=1.0, eyeSquint=0.70, noseSneer=0.35, mouthPress=0.45, mouthFrown=0.70, mouthRollUpper=0.20,
            mouthRollLower=0.15, mouthShrugLower=0.20, eyeBlink=0.10,
        ),
        pitch=0.045,
        blink_every=1.8,
        look_away=0.15,
        beats=0.9,
        drift=0.4,
    ),
    Emotion.AMUSED: Expression(
        shape(
            mouthSmileLeft=1.0, mouthSmileRight=0.35, mouthDimpleLeft=0.60, mouthLeft=0.15, cheekSquintLeft=0.8,
            cheekSquintRight=0.35, eyeSquint=0.40, browOuterUpRight=0.85, browDownLeft=0.30, browInnerUp=0.10,
        ),
        roll=0.085,
        yaw=-0.04,
        beats=1.1,
        drift=1.1,
    ),
}  # fmt: skip
"""NEUTRAL has none: it is the absence of the others."""

_STRONG: Final = 0.3
"""How much of an emotion it takes to lead the eyes."""
SHOWN: Final = tuple(EXPRESSIONS)
"""The emotions that are shown, in the order of a mood's values."""


@dataclass(frozen=True, slots=True, eq=False)
class Bearing:
    """What a mood adds up to: ``weights`` (52,) and angles to add, factors to multiply by."""

    weights: Weights
    presence: float
    """How much the face is taken by the mood, 0–1: so much of what the state alone would show is gone."""
    yaw: float
    pitch: float
    roll: float
    blink_every: float
    look_away: float
    away: tuple[float, float] | None
    beats: float
    drift: float


class Mood:
    """The emotions that a face shows just now: the last one it was told, and those before on their way out."""

    def __init__(self, expressions: Mapping[Emotion, Expression]) -> None:
        self._expressions = [expressions[emotion] for emotion in SHOWN]
        self._weights = np.stack([expression.weights for expression in self._expressions])
        self._numbers = np.array(
            [
                (e.yaw, e.pitch, e.roll, e.blink_every - 1, e.look_away - 1, e.beats - 1, e.drift - 1)
                for e in self._expressions
            ],
            np.float32,
        )
        self._spring = Spring(np.zeros(len(SHOWN), np.float32))
        self._goals = np.zeros(len(SHOWN), np.float32)
        self._settle = SETTLE

    def feel(self, feeling: Feeling) -> None:
        """Go over to ``feeling`` from now on."""
        self._goals = np.zeros(len(SHOWN), np.float32)
        if feeling.emotion is not Emotion.NEUTRAL:
            self._goals[SHOWN.index(feeling.emotion)] = feeling.intensity
        self._settle = SETTLE

    def fade(self) -> None:
        """Go back to neutral, slowly."""
        self._goals, self._settle = np.zeros(len(SHOWN), np.float32), FADE

    def move(self, seconds: float) -> None:
        """Go on for ``seconds``."""
        self._spring.move(self._goals, self._settle, seconds)

    def bearing(self) -> Bearing:
        """What the face and head make of it now."""
        shown = self._spring.values
        yaw, pitch, roll, blink, look, beats, drift = (float(value) for value in shown @ self._numbers)
        strongest = int(shown.argmax())
        away = self._expressions[strongest].away if shown[strongest] > _STRONG else None
        return Bearing(
            shown @ self._weights,
            min(1.0, float(shown.sum())),
            yaw,
            pitch,
            roll,
            1 + blink,
            max(0.0, 1 + look),
            away,
            max(0.0, 1 + beats),
            1 + drift,
        )
