"""Follower: frames of ARKit weights that came with a voice, resampled to the frame clock and faded in and out."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.animation.easing import eased
from visavis.blendshape import ARKIT, ArkitFrame, Weights

LIMIT: Final = 8192
"""Most frames held; those beyond (more than two minutes ahead at 60 a second) are dropped."""
FADE: Final = 0.1
"""Seconds in which the frames take the place of other movement, and give it back."""
_GAP: Final = 0.2
"""Seconds between two frames beyond which the face is its own in between."""
_OPENED: Final = 0.02
"""A weight of the eyes beyond this shows that the frames move the eyes too."""
_EYES: Final = np.array([name.startswith(("eyeBlink", "eyeLook")) for name in ARKIT])


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """The frames at one instant: ``weights`` (52,) and how much they count, 0–1, also for the eyes."""

    weights: Weights
    share: float
    eyes: float


_NOTHING: Final = Followed(np.zeros(len(ARKIT), np.float32), 0.0, 0.0)


class Follower:
    """The frames to come and just gone. Holds at most ``LIMIT`` of them."""

    def __init__(self) -> None:
        self._frames: deque[ArkitFrame] = deque()
        self._share = self._eyes = 0.0
        self._moves_eyes = False
        self._now: float | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, frames: Sequence[ArkitFrame]) -> None:
        """Append frames in order of time (media seconds). Beyond ``LIMIT`` they are dropped; so is one that is not
        later than the last, or whose time or weights are no finite numbers."""
        for frame in frames[: max(0, LIMIT - len(self._frames))]:
            last = self._frames[-1].at if self._frames else -np.inf
            if last < frame.at < np.inf and np.isfinite(frame.weights).all():
                self._frames.append(frame)

    def cut(self, at: float) -> None:
        """Hold still from ``at`` on, and fade."""
        if not self._frames or self._frames[-1].at <= at:
            return
        still = self._weights(at)
        while self._frames and self._frames[-1].at > at:
            self._frames.pop()
        if still is not None:
            self._frames.append(ArkitFrame(at, still))

    def pose(self, at: float) -> Followed:
        """The frames at media time ``at``; forgets what is over by then. ``at`` must not go back."""
        last, self._now = at if self._now is None else self._now, at
        covered = self._covered(last, at)
        step = (2 * covered - (at - last)) / FADE
        self._share = min(1.0, max(0.0, self._share + step))
        while len(self._frames) > 1 and self._frames[1].at <= at:
            self._frames.popleft()
        if self._share == 0:
            self._moves_eyes = False
            if self._frames and self._frames[0].at + FADE < at:
                self._frames.popleft()
        if self._share == 0:
            self._eyes = 0.0
            return _NOTHING
        weights = self._weights(at, hold=True)
        if weights is None:
            return _NOTHING
        self._moves_eyes = self._moves_eyes or bool((weights[_EYES] > _OPENED).any())
        eyes = self._eyes + (abs(step) if self._moves_eyes else -abs(step))
        self._eyes = min(self._share, max(0.0, eyes))
        return Followed(weights, eased(self._share), eased(self._eyes))

    def _weights(self, at: float, *, hold: bool = False) -> Weights | None:
        """Between the two frames around ``at``; with ``hold`` also at the end of a stretch and before its beginning."""
        before: ArkitFrame | None = None
        for frame in self._frames:
            if frame.at > at:
                if before is None:
                    return _clean(frame.weights) if hold else None
                if frame.at - before.at > _GAP:
                    break
                share = (at - before.at) / (frame.at - before.at)
                return _clean((1 - share) * before.weights + share * frame.weights)
            before = frame
        return None if before is None else _clean(before.weights)

    def _covered(self, start: float, end: float) -> float:
        """Seconds between ``start`` and ``end`` for which there are frames."""
        covered, before = 0.0, None
        for frame in self._frames:
            if before is not None and frame.at - before <= _GAP:
                covered += max(0.0, min(end, frame.at) - max(start, before))
            if frame.at > end:
                break
            before = frame.at
        return covered


def _clean(weights: NDArray[np.floating]) -> Weights:
    return np.clip(weights, 0.0, 1.0, dtype=np.float32)
