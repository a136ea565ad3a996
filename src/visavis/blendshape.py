"""Blendshapes: the 52 weights of Apple's ARKit face tracking, which say how a face is moved."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ARKIT: Final[tuple[str, ...]] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight",
    "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight",
    "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper",
    "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft",
    "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight", "tongueOut",
)  # fmt: skip
"""The 52 names, in alphabetical order: the order of every array of 52 weights here."""

ARKIT_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(ARKIT)}

Weights = NDArray[np.float32]
"""(52,): weights 0–1 in the order of ``ARKIT``."""


@dataclass(frozen=True, slots=True, eq=False)
class ArkitFrame:
    """A face's weights at one instant: ``at`` in seconds on the timeline that the carrier names.

    Raises ``ValueError`` for weights that are not 52.
    """

    at: float
    weights: Weights
    """Must not be written to after creation."""

    def __post_init__(self) -> None:
        if self.weights.shape != (len(ARKIT),):
            raise ValueError(f"a face has {len(ARKIT)} weights, not {self.weights.shape}")
