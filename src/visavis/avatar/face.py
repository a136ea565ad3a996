"""FaceFrame: what a face shows at one instant, free of pixels; and the Renderer port that turns it into a picture."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

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
"""The 52 blendshapes of Apple's ARKit face tracking, in alphabetical order: the order of ``FaceFrame.arkit``."""

ARKIT_INDEX: Final[dict[str, int]] = {name: index for index, name in enumerate(ARKIT)}


class FaceState(StrEnum):
    """What the avatar is doing, as its face shows it."""

    IDLE = "idle"
    LISTENING = "listening"
    THINKING = "thinking"
    SPEAKING = "speaking"
    INTERRUPTED = "interrupted"


class Tongue(StrEnum):
    """Where the tongue is seen between open lips."""

    REST = "rest"
    UP = "up"
    OUT = "out"


def _no_weights() -> NDArray[np.float32]:
    return np.zeros(len(ARKIT), np.float32)


@dataclass(frozen=True, slots=True)
class FaceFrame:
    """A face at one instant. ``arkit`` (52 weights 0–1, order ``ARKIT``) must not be written to after creation.

    ``yaw``/``pitch``/``roll`` in radians (positive: to the avatar's left, down, towards its left shoulder);
    ``tx``/``ty`` shift the head in canonical pixels; ``breath`` 0–1; ``gaze_x``/``gaze_y`` −1…1 (0: into the camera);
    ``blink`` 0 open – 1 closed.
    """

    arkit: NDArray[np.float32] = field(default_factory=_no_weights)
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    tx: float = 0.0
    ty: float = 0.0
    breath: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0
    blink: float = 0.0
    tongue: Tongue = Tongue.REST


class Renderer(Protocol):
    """Paints one session's face. Not thread-safe: one call at a time, from any thread."""

    @property
    def width(self) -> int:
        """Pixels across; even."""
        ...

    @property
    def height(self) -> int:
        """Pixels down; even."""
        ...

    def paint(self, face: FaceFrame, frame: NDArray[np.uint8]) -> None:
        """Write the picture into ``frame``: I420 planes, shape (height * 3 // 2, width), limited range BT.601."""
        ...
