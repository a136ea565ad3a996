"""Loudness: how loud the vowels of a voice are from moment to moment, for a mouth that opens with them."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.speech.ports import SPEECH_RATE, Pcm16

LIMIT: Final = 60.0
"""Seconds of sound held; what goes beyond is dropped, and then taken as being of middling loudness."""
_HOP: Final = 0.01
_MOST: Final = round(LIMIT / _HOP)
_SAMPLES: Final = round(SPEECH_RATE * _HOP)
_COARSE: Final = 8
"""Samples that are averaged: what is left lies below 1.5 kHz, where vowels are loud and hisses are not."""
_FLOOR: Final = 0.05
"""Level, as a share of full scale, below which no voice counts as loud."""
_FORGET: Final = 0.9996
"""By how much the loudest level of late sinks in 10 ms: 4 % a second."""
_STEVENS: Final = 0.6
"""Loudness grows with this power of the sound's pressure (Stevens)."""
_SMOOTH: Final = np.hanning(11)[1:-1].astype(np.float32)
_SMOOTH_SUM: Final = float(_SMOOTH.sum())
_REACH: Final = len(_SMOOTH) // 2
_PAST: Final = 100
"""Steps behind the present that are kept at least."""


class Loudness:
    """The loudness of a voice over media time, in relation to the loudest of late. Holds at most ``LIMIT`` seconds."""

    def __init__(self) -> None:
        self._origin = 0.0
        self._levels: NDArray[np.float32] = np.zeros(0, np.float32)
        self._rest: Pcm16 = np.zeros(0, np.int16)
        self._loudest = _FLOOR
        self._heard = False
        self._last = 0.0

    @property
    def _end(self) -> float:
        return self._origin + self.seconds

    @property
    def seconds(self) -> float:
        """Of sound that are held."""
        return len(self._levels) * _HOP

    def add(self, pcm: Pcm16, at: float) -> None:
        """Sound (``SPEECH_RATE``) that is heard from media time ``at`` on, in order of time."""
        known = self._end + len(self._rest) / SPEECH_RATE
        if not len(self._levels) + len(self._rest) or not -_HOP < at - known < LIMIT:
            self._origin, self._levels, self._rest = at, np.zeros(0, np.float32), np.zeros(0, np.int16)
        elif at - known > _HOP:
            silence = np.zeros(min(_MOST - len(self._levels), round((at - self._end) / _HOP)), np.float32)
            self._levels, self._rest = np.concatenate((self._levels, silence)), np.zeros(0, np.int16)
        pcm = np.concatenate((self._rest, pcm))
        steps = min(len(pcm) // _SAMPLES, _MOST - len(self._levels))
        if steps <= 0:
            self._rest = pcm[:_SAMPLES]
            return
        self._rest = pcm[steps * _SAMPLES :][:_SAMPLES]
        coarse = pcm[: steps * _SAMPLES].reshape(-1, _COARSE).mean(1, dtype=np.float32) / np.float32(32768)
        rising = np.diff(coarse, prepend=np.float32(self._last)).reshape(steps, -1)
        self._last = float(coarse[-1])
        levels = np.sqrt(np.square(rising).mean(1))
        if not self._heard:
            # Else the first sound of all would count as loud.
            self._heard, self._loudest = True, max(_FLOOR, float(levels.max()))
        out = np.empty(steps, np.float32)
        for index, level in enumerate(levels.tolist()):
            self._loudest = max(level, _FLOOR, self._loudest * _FORGET)
            out[index] = (level / self._loudest) ** _STEVENS
        self._levels = np.concatenate((self._levels, out))

    def level(self, at: float) -> float | None:
        """0 (silent) to 1 (as loud as any of late) around media time ``at``; None where no sound was ever known.

        Forgets what lies more than a second before. ``at`` must not go back by more.
        """
        if not len(self._levels):
            return None
        place = (at - self._origin) / _HOP - 0.5
        centre = math.floor(place)
        share = place - centre
        level = (1 - share) * self._around(centre) + share * self._around(centre + 1)
        if centre > 4 * _PAST and centre < len(self._levels):
            self._levels = self._levels[centre - _PAST :]
            self._origin += (centre - _PAST) * _HOP
        return level

    def _around(self, centre: int) -> float:
        first = max(0, centre - _REACH)
        near = self._levels[first : max(0, centre + _REACH + 1)]
        offset = first - (centre - _REACH)
        return float(near @ _SMOOTH[offset : offset + len(near)]) / _SMOOTH_SUM
