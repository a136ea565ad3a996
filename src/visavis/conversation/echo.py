"""The echo guard: the avatar's own voice, heard back through the visitor's microphone, must not interrupt it.

Browsers cancel most echo; this is for those that do not. Sound is judged by its normalized cross-correlation with what
was played lately: both pre-emphasized, so that the low harmonics which all voices share weigh less. With simulated
rooms (0.1–0.3 s tail, −6 to −25 dB) over 0.3 s, an echo gives 0.52–0.87, another voice 0.05–0.21, and another voice
over the echo up to 0.4.
"""

import difflib
import re
from collections import deque

import numpy as np
import soxr
from numpy.typing import NDArray

from visavis.conversation.stage import Stage
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE, Pcm16

_WINDOW_SECONDS = 0.3
_DELAY_SECONDS = 1.2
"""The longest way out and back: the client's jitter buffer, the air, and two network trips."""
_ECHO = 0.45
_SUSPICIOUS = 0.3
"""Correlation from which what was heard may have been an echo beside something else."""
_PRE_EMPHASIS = 0.95
_SIMILAR = 0.8
"""Share of a turn's words that must be a stretch of the avatar's own."""
_FEWEST_WORDS = 4
_REMEMBERED_WORDS = 60


class EchoGuard:
    """Judges what the microphone hears against what the stage played."""

    def __init__(self, stage: Stage, *, enabled: bool = True) -> None:
        self._stage = stage
        self._enabled = enabled
        self._words: deque[str] = deque(maxlen=_REMEMBERED_WORDS)
        self._suspicious = False

    def audible(self) -> bool:
        """Whether the avatar is heard now."""
        return self._stage.audible

    def is_echo(self, heard: Pcm16) -> bool:
        """Whether ``heard`` (at ``LISTEN_RATE``, ending now) is the avatar's own voice coming back."""
        self._suspicious = False
        # What sounded last is still on its way back when the server has sent it all.
        if not self._enabled or not self._stage.audible_within(_DELAY_SECONDS):
            return False
        window = _emphasized(heard[-round(_WINDOW_SECONDS * LISTEN_RATE) :])
        played = self._stage.played(_DELAY_SECONDS + len(window) / LISTEN_RATE)
        reference = _emphasized(soxr.resample(played, SPEECH_RATE, LISTEN_RATE, quality="LQ"))
        correlation = best_correlation(window, reference)
        self._suspicious = correlation >= _SUSPICIOUS
        return correlation >= _ECHO

    def said(self, text: str) -> None:
        """The avatar said ``text``."""
        self._words.extend(_words(text))

    def is_own_text(self, text: str) -> bool:
        """Whether a turn that may have been an echo, by its sound, repeats the avatar's own words of late."""
        words = _words(text)
        if not self._suspicious or len(words) < _FEWEST_WORDS:
            return False
        matcher = difflib.SequenceMatcher(None, list(self._words), words, autojunk=False)
        return matcher.find_longest_match().size >= _SIMILAR * len(words)


def best_correlation(window: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """The greatest normalized correlation (0–1) of ``window`` with any stretch of ``reference`` of its length."""
    lags = len(reference) - len(window) + 1
    if lags < 1 or not len(window):
        return 0.0
    size = 1 << (len(reference) + len(window)).bit_length()
    spectrum = np.fft.rfft(reference, size) * np.conj(np.fft.rfft(window, size))
    products = np.fft.irfft(spectrum, size)[:lags]
    squares = np.concatenate(([0.0], np.cumsum(np.square(reference, dtype=np.float64))))
    energies = squares[len(window) :] - squares[: -len(window)]
    # Near-silent stretches would divide by nothing.
    floor = max(float(energies.max()) * 1e-3, 1e-9)
    scale = np.sqrt(np.maximum(energies, floor) * max(float(np.square(window, dtype=np.float64).sum()), 1e-9))
    return float(np.max(np.abs(products) / scale))


def _emphasized(pcm: Pcm16) -> NDArray[np.float32]:
    sound = pcm.astype(np.float32) * np.float32(1 / 32768)
    sound[1:] -= np.float32(_PRE_EMPHASIS) * sound[:-1].copy()
    return sound


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
