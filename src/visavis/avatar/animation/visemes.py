"""The mouth shapes of speech: each viseme as weights of ARKit blendshapes, and how it blends with its neighbours.

The table is the project's own, tuned by eye on the embedded avatar.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from visavis.avatar.face import Tongue
from visavis.blendshape import ARKIT, ARKIT_INDEX, Weights
from visavis.viseme import Viseme


def shape(**weights: float) -> Weights:
    """(52,): weights by name; a name without its side sets both sides."""
    out = np.zeros(len(ARKIT), np.float32)
    for name, weight in weights.items():
        sides = [name] if name in ARKIT_INDEX else [f"{name}Left", f"{name}Right"]
        for side in sides:
            out[ARKIT_INDEX[side]] = weight
    return out


class Hold(Enum):
    """Whether a shape may be watered down by its neighbours."""

    NONE = 0
    TEETH = 1
    """The lower lip must reach the upper teeth."""
    LIPS = 2
    """The lips must close."""


@dataclass(frozen=True, slots=True)
class MouthShape:
    """One viseme's shape and manners.

    ``before``/``after``: seconds over which it fades in before its start and out after its end (rounded vowels come
    early, closures are quick). ``strength``: its share when it competes with a neighbour.
    """

    weights: Weights
    strength: float = 1.0
    before: float = 0.045
    after: float = 0.04
    hold: Hold = Hold.NONE
    tongue: Tongue = Tongue.REST
    vowel: bool = False
    rounds: float = 1.0
    """How strongly it decides over the rounding of the lips; most consonants leave that to the vowel to come."""


SHAPES: Final[dict[Viseme, MouthShape]] = {
    Viseme.SIL: MouthShape(shape(), strength=0.7, before=0.07, after=0.07, rounds=0.5),
    Viseme.PP: MouthShape(
        shape(mouthPress=0.28, mouthRollUpper=0.15, mouthRollLower=0.30, mouthPucker=0.06), hold=Hold.LIPS
    ),
    Viseme.FF: MouthShape(
        shape(jawOpen=0.07, mouthRollLower=0.26, mouthUpperUp=0.64, mouthShrugUpper=0.12, mouthStretch=0.08),
        hold=Hold.TEETH,
    ),
    Viseme.TH: MouthShape(
        shape(jawOpen=0.12, mouthLowerDown=0.28, mouthUpperUp=0.22, mouthStretch=0.08),
        strength=1.3,
        tongue=Tongue.OUT,
        rounds=0.4,
    ),
    Viseme.DD: MouthShape(
        shape(jawOpen=0.08, mouthLowerDown=0.28, mouthUpperUp=0.12, mouthStretch=0.10), tongue=Tongue.UP, rounds=0.3
    ),
    Viseme.KK: MouthShape(
        shape(jawOpen=0.09, mouthLowerDown=0.20, mouthUpperUp=0.10, mouthStretch=0.12), strength=1.0, rounds=0.25
    ),
    Viseme.CH: MouthShape(
        shape(jawOpen=0.04, mouthFunnel=0.25, mouthPucker=0.42, mouthUpperUp=0.18, mouthLowerDown=0.22),
        strength=1.2,
        before=0.07,
    ),
    Viseme.SS: MouthShape(
        shape(jawOpen=0.05, mouthStretch=0.30, mouthLowerDown=0.35, mouthUpperUp=0.20, mouthSmile=0.10),
        strength=1.1,
        rounds=0.45,
    ),
    Viseme.NN: MouthShape(
        shape(jawOpen=0.07, mouthLowerDown=0.24, mouthUpperUp=0.10), strength=1.0, tongue=Tongue.UP, rounds=0.3
    ),
    Viseme.RR: MouthShape(shape(jawOpen=0.07, mouthFunnel=0.14, mouthPucker=0.40, mouthLowerDown=0.14), before=0.07),
    Viseme.AA: MouthShape(shape(jawOpen=0.35, mouthLowerDown=0.24, mouthUpperUp=0.15), strength=1.3, vowel=True),
    Viseme.E: MouthShape(
        shape(jawOpen=0.28, mouthStretch=0.26, mouthSmile=0.10, mouthLowerDown=0.30, mouthUpperUp=0.20),
        strength=1.2,
        vowel=True,
    ),
    Viseme.IH: MouthShape(
        shape(jawOpen=0.18, mouthStretch=0.40, mouthSmile=0.18, mouthLowerDown=0.32, mouthUpperUp=0.22), vowel=True
    ),
    Viseme.OH: MouthShape(
        shape(jawOpen=0.29, mouthFunnel=0.40, mouthPucker=0.34), strength=1.3, before=0.08, after=0.06, vowel=True
    ),
    Viseme.OU: MouthShape(
        shape(jawOpen=0.15, mouthFunnel=0.28, mouthPucker=0.68), strength=1.2, before=0.08, after=0.06, vowel=True
    ),
}
"""PP/B/M close the lips, FF puts the teeth on the lip, CH/RR/OH/OU round the lips."""
