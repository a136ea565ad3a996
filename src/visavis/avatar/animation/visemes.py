"""The mouth shapes of speech: each viseme as weights of ARKit blendshapes, and how it blends with its neighbours.

The table is the project's own, tuned by eye on the embedded avatar.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.face import Tongue
from visavis.blendshape import ARKIT, ARKIT_INDEX
from visavis.viseme import Viseme

Weights = NDArray[np.float32]


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
    before: float = 0.055
    after: float = 0.06
    hold: Hold = Hold.NONE
    tongue: Tongue = Tongue.REST
    vowel: bool = False


SHAPES: Final[dict[Viseme, MouthShape]] = {
    Viseme.SIL: MouthShape(shape(), strength=0.7, before=0.07, after=0.07),
    Viseme.PP: MouthShape(
        shape(mouthPress=0.28, mouthRollUpper=0.15, mouthRollLower=0.30, mouthPucker=0.06), hold=Hold.LIPS
    ),
    Viseme.FF: MouthShape(
        shape(jawOpen=0.075, mouthRollLower=0.24, mouthUpperUp=0.62, mouthShrugUpper=0.12, mouthStretch=0.08),
        hold=Hold.TEETH,
    ),
    Viseme.TH: MouthShape(
        shape(jawOpen=0.19, mouthLowerDown=0.28, mouthUpperUp=0.30, mouthStretch=0.08),
        strength=1.3,
        tongue=Tongue.OUT,
    ),
    Viseme.DD: MouthShape(
        shape(jawOpen=0.12, mouthLowerDown=0.30, mouthUpperUp=0.15, mouthStretch=0.10), tongue=Tongue.UP
    ),
    Viseme.KK: MouthShape(shape(jawOpen=0.16, mouthLowerDown=0.25, mouthUpperUp=0.15, mouthStretch=0.12), strength=0.8),
    Viseme.CH: MouthShape(
        shape(jawOpen=0.09, mouthFunnel=0.50, mouthPucker=0.18, mouthUpperUp=0.20, mouthLowerDown=0.25),
        strength=1.2,
        before=0.08,
    ),
    Viseme.SS: MouthShape(
        shape(jawOpen=0.05, mouthStretch=0.30, mouthLowerDown=0.35, mouthUpperUp=0.20, mouthSmile=0.10), strength=1.1
    ),
    Viseme.NN: MouthShape(shape(jawOpen=0.11, mouthLowerDown=0.26, mouthUpperUp=0.12), strength=0.9, tongue=Tongue.UP),
    Viseme.RR: MouthShape(shape(jawOpen=0.11, mouthFunnel=0.30, mouthPucker=0.26, mouthLowerDown=0.15), before=0.08),
    Viseme.AA: MouthShape(shape(jawOpen=0.44, mouthLowerDown=0.24, mouthUpperUp=0.15), strength=1.4, vowel=True),
    Viseme.E: MouthShape(
        shape(jawOpen=0.26, mouthStretch=0.26, mouthSmile=0.10, mouthLowerDown=0.30, mouthUpperUp=0.20),
        strength=1.2,
        vowel=True,
    ),
    Viseme.IH: MouthShape(
        shape(jawOpen=0.14, mouthStretch=0.36, mouthSmile=0.18, mouthLowerDown=0.32, mouthUpperUp=0.22), vowel=True
    ),
    Viseme.OH: MouthShape(
        shape(jawOpen=0.31, mouthFunnel=0.50, mouthPucker=0.26), strength=1.3, before=0.09, after=0.07, vowel=True
    ),
    Viseme.OU: MouthShape(
        shape(jawOpen=0.13, mouthFunnel=0.34, mouthPucker=0.68), strength=1.2, before=0.10, after=0.07, vowel=True
    ),
}
"""PP/B/M close the lips, FF puts the teeth on the lip, CH/RR/OH/OU round the lips."""

SHAPE_MATRIX: Final[Weights] = np.stack([SHAPES[viseme].weights for viseme in Viseme])
"""(15, 52) in the order of ``Viseme``."""
