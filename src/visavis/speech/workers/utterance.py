"""What every synthesizing worker does with its engine's output: bring it to one rate and loudness, and cut it.

The replies to a request are chunks: raw 16-bit mono sound at ``SPEECH_RATE`` as the payload, and::

    {"visemes": [["PP", 0.0, 0.08], …], "words": [[6, 0.41, 0.47], …]}

with seconds from the chunk's first sample, and character offsets into the text of the request; a word's last number is
when its stressed vowel begins, null where that is not known. ``visemes`` is null where the engine told no phonemes.
"""

from typing import Final

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]
from numpy.typing import NDArray

from visavis.speech.phoneme import Shapes, TimedPhoneme, timed_visemes
from visavis.speech.ports import SPEECH_RATE, Pcm16
from visavis.speech.workers.serving import Request, RequestCancelled

FIRST_CHUNK: Final = 0.12
"""Seconds of sound that must be there before the first reply is sent."""

NEXT_CHUNKS: Final = 0.5
"""Seconds of sound in the replies after it."""

_KNEE: Final = 10 ** (-4 / 20)
_CEILING: Final = 10 ** (-1.2 / 20)
"""Amplitudes between which the limiter bends the curve: nothing below the knee changes, nothing passes the ceiling."""


def limit(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Keep ``samples`` (full scale is 1) under −1.2 dBFS by a curve that is smooth and leaves quiet sound alone."""
    room = _CEILING - _KNEE
    level = np.abs(samples)
    bent = _KNEE + room * np.tanh((level - _KNEE) / room)
    return np.where(level > _KNEE, np.sign(samples) * bent, samples).astype(np.float32)


class UtteranceWriter:
    """Answers ``request`` with the sound and timing of one utterance, chunk by chunk.

    ``rate``: the engine's sampling rate in Hz; ``gain``: linear factor for its samples. Chunks end where a phoneme
    begins, so that the shapes of a phoneme are known when they are sent. Times are seconds from the utterance's
    beginning; phonemes and words must be told in order, before or with the sound that they belong to.
    """

    def __init__(self, request: Request, rate: int, gain: float = 1.0) -> None:
        self._request = request
        self._gain = gain / 32768
        # Medium quality: what it holds back (15 ms of sound) costs nothing here, as engines run ahead of time.
        self._resampler = soxr.ResampleStream(rate, SPEECH_RATE, 1, dtype="float32", quality="MQ")
        self._samples = np.zeros(0, np.float32)
        self._sent = 0
        self._phonemes: list[TimedPhoneme] = []
        self._words: list[tuple[int, float, float | None]] = []
        self._last_word = -1

    def phoneme(self, shapes: Shapes, start: float) -> None:
        """The next phoneme begins at ``start``."""
        # On the sample grid, where chunks are cut too.
        start = round(start * SPEECH_RATE) / SPEECH_RATE
        if self._phonemes:
            start = max(start, self._phonemes[-1].start)
        self._phonemes.append(TimedPhoneme(shapes, start))

    def word(self, offset: int, at: float) -> None:
        """The word at character ``offset`` begins at ``at``; one that lies behind an earlier one is left out."""
        if offset > self._last_word:
            self._last_word = offset
            self._words.append((offset, at, None))

    def stress(self, at: float) -> None:
        """The stressed vowel of the last word begins at ``at``; only the first one counts, and none of a word sent."""
        if self._words and self._words[-1][2] is None:
            self._words[-1] = (*self._words[-1][:2], at)

    def sound(self, pcm: Pcm16) -> None:
        """More samples at the engine's rate. Raises ``RequestCancelled``."""
        if self._request.cancelled:
            raise RequestCancelled
        self._push(pcm, last=False)
        if self._phonemes:
            available = (self._sent + len(self._samples)) / SPEECH_RATE
            boundary = max((p.start for p in self._phonemes if p.start <= available), default=0.0)
            if boundary - self._sent / SPEECH_RATE >= (NEXT_CHUNKS if self._sent else FIRST_CHUNK):
                self._send(round(boundary * SPEECH_RATE))

    def finish(self) -> None:
        """Send what is left. Raises ``RequestCancelled``."""
        self._push(np.zeros(0, np.int16), last=True)
        end = self._sent + len(self._samples)
        # Events are rounded to milliseconds: none may fall off the end.
        self._words = [(offset, min(at, (end - 1) / SPEECH_RATE), stress) for offset, at, stress in self._words]
        if len(self._samples):
            self._send(end)

    def _push(self, pcm: Pcm16, *, last: bool) -> None:
        samples = self._resampler.resample_chunk(pcm.astype(np.float32) * self._gain, last=last)
        self._samples = np.concatenate((self._samples, samples))

    def _send(self, end: int) -> None:
        count = end - self._sent
        start_s, end_s = self._sent / SPEECH_RATE, end / SPEECH_RATE
        visemes = timed_visemes(self._phonemes, start_s, end_s) if self._phonemes else None
        words = [word for word in self._words if word[1] < end_s]
        pcm = np.rint(limit(self._samples[:count]) * 32767).astype("<i2")
        self._request.reply(
            {
                "visemes": visemes
                and [[v.viseme, round(v.start - start_s, 4), round(v.end - start_s, 4)] for v in visemes],
                "words": [
                    [offset, *(at and round(max(0.0, at - start_s), 4) for at in times)] for offset, *times in words
                ],
            },
            pcm.tobytes(),
        )
        self._samples = self._samples[count:]
        self._sent = end
        self._words = self._words[len(words) :]
        # The phoneme that spans the boundary, if any, still matters.
        while len(self._phonemes) > 1 and self._phonemes[1].start <= end_s:
            del self._phonemes[0]
