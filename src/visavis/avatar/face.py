"""FaceFrame: what a face shows at one instant, free of pixels; and the Renderer port that turns it into a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.emotion import Feeling
from visavis.avatar.view import Background
from visavis.blendshape import ARKIT, ArkitFrame
from visavis.speech.ports import Pcm16
from visavis.viseme import TimedViseme


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


class Sized(Protocol):
    """What has the size of its pictures."""

    @property
    def width(self) -> int:
        """Pixels across; even."""
        ...

    @property
    def height(self) -> int:
        """Pixels down; even."""
        ...


class Renderer(Sized, Protocol):
    """Paints one session's face. Not thread-safe: one call at a time, from any thread."""

    def paint(self, face: FaceFrame, frame: NDArray[np.uint8]) -> None:
        """Write the picture into ``frame``: I420 planes, shape (height * 3 // 2, width), limited range BT.601."""
        ...

    def behind(self, background: Background) -> None:
        """What lies behind the person from the next picture on. From any thread, also while one is painted."""
        ...


class Face(Sized, Protocol):
    """One session's face as a stage plays it; all times are media seconds. All but ``paint`` on the event loop."""

    @property
    def latency(self) -> float:
        """Seconds by which sound must wait for its pictures; fixed."""
        ...

    def say(self, pcm: Pcm16, at: float) -> None:
        """Sound that will be heard from ``at`` on."""
        ...

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """Mouth shapes of such sound, in order of time."""
        ...

    def follow(self, frames: Sequence[ArkitFrame]) -> None:
        """Weights that came with such sound, in order of time: they take the place of its mouth shapes."""
        ...

    def stress(self, times: Sequence[float]) -> None:
        """When the voice stresses a word, in order of time."""
        ...

    def feel(self, feeling: Feeling, at: float) -> None:
        """What the avatar shows to feel from ``at`` on."""
        ...

    def hear(self, speaking: bool, at: float) -> None:
        """The visitor began to speak at ``at``, or made a pause."""
        ...

    def behind(self, background: Background) -> None:
        """What lies behind the person from the next picture on. Ignored by faces whose pictures have no matte."""
        ...

    def state(self, state: FaceState, at: float) -> None:
        """What the avatar does from ``at`` on."""
        ...

    def cut(self, at: float) -> None:
        """The voice is silent from ``at`` on."""
        ...

    def pose(self, at: float) -> Any:
        """What is to be seen at ``at``."""
        ...

    def paint(self, pose: Any, frame: NDArray[np.uint8]) -> None:
        """Write a pose as I420 into ``frame`` (height * 3 // 2, width). In a pool thread, one call at a time."""
        ...

    def close(self) -> None:
        """Give the large buffers back, whoever still holds the face. Idempotent."""
        ...
