"""AudioFace: an AudioRenderer as a stage plays it: heard, cut, posed on the event loop and painted in the pool."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from visavis.avatar.emotion import Feeling
from visavis.avatar.face import FaceState
from visavis.avatar.neural.ports import AudioRenderer, Drawn, Pixels
from visavis.avatar.view import Background
from visavis.blendshape import ArkitFrame
from visavis.speech.ports import Pcm16
from visavis.viseme import TimedViseme

_HELD: Final = 0.12
"""Seconds for which a mouth stands in for those after it that did not get ready."""
_FADE: Final = 0.12
"""Seconds in which the drawn mouth takes the place of the pictures' own, and gives it back."""
_LITTLE: Final = 1e-3
_WAITING: Final = 64
"""Mouths ahead of their time that are held; the oldest are dropped."""


@dataclass(frozen=True, slots=True)
class AudioPose:
    """What is to be seen at media time ``at``: a mouth, and how far it covers the pictures' own (0–1)."""

    at: float
    drawn: Drawn | None
    share: float


class AudioFace:
    """One session's face. All but ``paint`` on the event loop.

    The voice must not sound earlier than ``latency`` seconds after it is handed over: ``Playout(clock,
    lead=face.latency)``.
    """

    def __init__(self, renderer: AudioRenderer) -> None:
        self._renderer: AudioRenderer | None = renderer
        self._size = renderer.width, renderer.height
        self._latency = renderer.latency
        self._waiting: deque[Drawn] = deque(maxlen=_WAITING)
        self._shown: Drawn | None = None
        self._share = 0.0
        self._at: float | None = None
        self._cut = False

    @property
    def width(self) -> int:
        """Pixels across; even."""
        return self._size[0]

    @property
    def height(self) -> int:
        """Pixels down; even."""
        return self._size[1]

    @property
    def latency(self) -> float:
        """Seconds by which sound must wait for its pictures; fixed."""
        return self._latency

    def say(self, pcm: Pcm16, at: float) -> None:
        """Sound (``SPEECH_RATE``) that will be heard from media time ``at`` (seconds) on."""
        if self._renderer:
            self._renderer.push(pcm, at)

    def speak(self, visemes: Sequence[TimedViseme]) -> None:
        """Takes mouth shapes as other faces do, and needs none: the sound says it all."""

    def follow(self, frames: Sequence[ArkitFrame]) -> None:
        """Takes weights as other faces do, and needs none: the sound says it all."""

    def stress(self, times: Sequence[float]) -> None:
        """Takes stresses as other faces do; the pictures show none of them."""

    def feel(self, feeling: Feeling, at: float) -> None:
        """Takes feelings as other faces do; the pictures show none of them."""

    def hear(self, speaking: bool, at: float) -> None:
        """Takes the visitor's speech and pauses as other faces do; the pictures show none of them."""

    def behind(self, background: Background) -> None:
        """Takes backgrounds as other faces do, and keeps its own: its pictures have no matte."""

    def state(self, state: FaceState, at: float) -> None:
        """Takes states as other faces do; the pictures show none of them."""

    def cut(self, at: float) -> None:
        """The voice is silent from ``at`` on: nothing that was made for it is shown, the mouth closes now."""
        if self._renderer:
            self._renderer.clear()
        self._waiting.clear()
        self._cut = True

    def pose(self, at: float) -> AudioPose:
        """What is to be seen at media time ``at``; times that do not go back."""
        if self._renderer:
            self._waiting.extend(self._renderer.frames())
        while self._waiting and self._waiting[0].at <= at + 1e-6:
            self._shown = self._waiting.popleft()
            self._cut = False
        speaking = self._shown is not None and not self._cut and at - self._shown.at < _HELD
        step = 0.0 if self._at is None else max(0.0, at - self._at) / _FADE
        share = self._share + (step if speaking else -step)
        # Sums of steps come out at 0 and 1.
        self._share = 0.0 if share < _LITTLE else 1.0 if share > 1 - _LITTLE else share
        self._at = at
        if self._share == 0 and not speaking:
            self._shown = None
        return AudioPose(at, self._shown, self._share)

    def paint(self, pose: AudioPose, frame: Pixels) -> None:
        """Write a pose into ``frame``: I420, shape (height * 3 // 2, width). In a pool thread, one call at a time."""
        renderer = self._renderer
        if renderer:
            renderer.paint(pose.at, pose.drawn, pose.share, frame)

    def close(self) -> None:
        """Give everything back, whoever still holds the face; it stays as it was painted last. Idempotent."""
        if self._renderer:
            self._renderer.close()
        self._renderer = None
        self._waiting.clear()
        self._shown = None
