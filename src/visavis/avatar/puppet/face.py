"""PuppetFace: an animator and the renderer of its frames, as a stage plays them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.animation.animator import Animator
from visavis.avatar.emotion import Feeling
from visavis.avatar.face import FaceFrame, FaceState, Renderer
from visavis.avatar.view import Background
from visavis.blendshape import ArkitFrame
from visavis.speech.ports import Pcm16
from visavis.viseme import TimedViseme


class PuppetFace:
    """See ``Face``. It moves by mouth shapes, so sound need not wait for it."""

    latency = 0.0

    def __init__(self, animator: Animator, renderer: Renderer) -> None:
        self._animator = animator
        self._renderer: Renderer | None = renderer
        self.width, self.height = renderer.width, renderer.height

    def say(self, pcm: Pcm16, at: float) -> None:
        """See ``Face``. Only its loudness matters."""
        self._animator.sound(pcm, at)

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """See ``Face``."""
        self._animator.speak(visemes)

    def follow(self, frames: Sequence[ArkitFrame]) -> None:
        """See ``Face``."""
        self._animator.follow(frames)

    def stress(self, times: Sequence[float]) -> None:
        """See ``Face``."""
        self._animator.stress(times)

    def feel(self, feeling: Feeling, at: float) -> None:
        """See ``Face``."""
        self._animator.feel(feeling, at)

    def hear(self, speaking: bool, at: float) -> None:
        """See ``Face``."""
        self._animator.hear(speaking, at)

    def behind(self, background: Background) -> None:
        """See ``Face``."""
        if self._renderer:
            self._renderer.behind(background)

    def state(self, state: FaceState, at: float) -> None:
        """See ``Face``."""
        self._animator.state(state, at)

    def cut(self, at: float) -> None:
        """See ``Face``."""
        self._animator.cut(at)

    def pose(self, at: float) -> FaceFrame:
        """See ``Face``."""
        return self._animator.frame(at)

    def paint(self, pose: FaceFrame, frame: NDArray[np.uint8]) -> None:
        """See ``Face``."""
        if self._renderer:
            self._renderer.paint(pose, frame)

    def close(self) -> None:
        """See ``Face``."""
        self._renderer = None
