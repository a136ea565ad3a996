"""VoiceTimeline: what a voice says, laid out on the media clock as the playout lays it out."""

from collections import deque
from typing import Final

import numpy as np

from visavis.speech.ports import SPEECH_RATE, Pcm16

LIMIT: Final = 150.0
"""Seconds that are held at most: more than a playout holds."""


class VoiceTimeline:
    """Mono int16 at ``SPEECH_RATE``, silence where nothing was placed; sample ``n`` is due at ``n / SPEECH_RATE``.

    Drops what ``forget`` says; over ``LIMIT`` seconds, also the oldest.
    """

    def __init__(self) -> None:
        self._stretches: deque[tuple[int, Pcm16]] = deque()

    @property
    def end(self) -> float:
        """Media time (seconds) after the last sample; minus infinity when empty."""
        return self._last / SPEECH_RATE if self._stretches else float("-inf")

    @property
    def _last(self) -> int:
        start, pcm = self._stretches[-1]
        return start + len(pcm)

    def place(self, pcm: Pcm16, at: float) -> None:
        """Sound that begins at media time ``at``. Raises ``ValueError`` for what begins before the end of the last."""
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"a voice is one-dimensional int16, not {pcm.dtype} of {pcm.ndim} dimensions")
        start = round(at * SPEECH_RATE)
        if self._stretches and start < self._last:
            raise ValueError("sound must be placed in the order in which it is heard")
        if len(pcm):
            self._stretches.append((start, pcm.copy()))
            self.forget(self.end - LIMIT)

    def clear(self) -> None:
        """Forget everything."""
        self._stretches.clear()

    def forget(self, before: float) -> None:
        """Forget the stretches that ended before media time ``before``."""
        mark = before * SPEECH_RATE
        while self._stretches and self._stretches[0][0] + len(self._stretches[0][1]) < mark:
            self._stretches.popleft()

    def sound_from(self, at: float, tail: float) -> tuple[float, float] | None:
        """Start and end (seconds) of the first sound that ends after ``at - tail``.

        Stretches with gaps of at most ``tail`` between them count as one.
        """
        found: tuple[int, int] | None = None
        gap = tail * SPEECH_RATE
        for start, pcm in self._stretches:
            end = start + len(pcm)
            if found is None:
                if end + gap > at * SPEECH_RATE:
                    found = start, end
            elif start - found[1] <= gap:
                found = found[0], end
            else:
                break
        return None if found is None else (found[0] / SPEECH_RATE, found[1] / SPEECH_RATE)

    def window(self, start: int, count: int) -> Pcm16:
        """``count`` samples from sample ``start`` (may be negative)."""
        out = np.zeros(count, np.int16)
        for begin, pcm in self._stretches:
            if begin >= start + count:
                break
            first, last = max(begin, start), min(begin + len(pcm), start + count)
            if first < last:
                out[first - start : last - start] = pcm[first - begin : last - begin]
        return out
