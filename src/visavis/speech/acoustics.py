"""Log-mel features of speech, whole or as it streams: what the viseme net and the time-warping aligner look at.

10 ms apart, 25 ms Hamming windows, pre-emphasis 0.97, 26 triangular bands from 80 to 7 600 Hz (the mel scale of
O'Shaughnessy, ``2595 log10(1 + f / 700)``). Frame ``i`` is centred on sample ``i * HOP``.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.speech.ports import LISTEN_RATE

Floats = NDArray[np.float32]

HOP: Final = 160
"""Samples at ``LISTEN_RATE`` from one frame to the next: 10 ms."""

BANDS: Final = 26
_WINDOW: Final = 400
_FFT: Final = 512
_EMPHASIS: Final = 0.97
_FLOOR: Final = 1e-6


def _mel_filters(low: float, high: float) -> Floats:
    bottom, top = (2595 * math.log10(1 + f / 700) for f in (low, high))
    edges_hz = 700 * (np.power(10, np.linspace(bottom, top, BANDS + 2) / 2595) - 1)
    edges = np.floor((_FFT + 1) * edges_hz / LISTEN_RATE).astype(int)
    filters = np.zeros((_FFT // 2 + 1, BANDS), np.float32)
    for band in range(BANDS):
        start, peak, end = edges[band : band + 3]
        filters[start:peak, band] = np.linspace(0, 1, peak - start, endpoint=False)
        filters[peak:end, band] = np.linspace(1, 0, end - peak, endpoint=False)
    return filters


_FILTERS: Final = _mel_filters(80, 7600)
_HAMMING: Final = np.hamming(_WINDOW).astype(np.float32)


class LogMelStream:
    """Log-mel frames of sound as it comes."""

    def __init__(self) -> None:
        # Half a window of silence before the first sample puts it in the middle of frame 0.
        self._buffer = np.zeros(_WINDOW // 2, np.float32)
        self._last_sample = np.zeros(1, np.float32)

    def push(self, samples: Floats) -> Floats:
        """The frames, (n, ``BANDS``), that became complete by ``samples`` (``LISTEN_RATE``, full scale 1)."""
        if len(samples) == 0:
            return np.zeros((0, BANDS), np.float32)
        before = np.concatenate((self._last_sample, samples[:-1]))
        self._last_sample = samples[-1:].copy()
        return self._frames((samples - _EMPHASIS * before).astype(np.float32))

    def flush(self) -> Floats:
        """The frames whose windows reach beyond the last sample."""
        return self._frames(np.zeros(_WINDOW // 2, np.float32))

    def _frames(self, emphasized: Floats) -> Floats:
        buffer = np.concatenate((self._buffer, emphasized))
        count = max(0, 1 + (len(buffer) - _WINDOW) // HOP)
        self._buffer = buffer[count * HOP :]
        if count == 0:
            return np.zeros((0, BANDS), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(buffer, _WINDOW)[::HOP][:count] * _HAMMING
        power = np.abs(np.fft.rfft(windows, _FFT)) ** 2
        return np.log(power @ _FILTERS + _FLOOR).astype(np.float32)


def log_mel(samples: Floats) -> Floats:
    """All frames, (1 + n // ``HOP``, ``BANDS``), of ``samples`` (``LISTEN_RATE``, full scale 1)."""
    stream = LogMelStream()
    return np.concatenate((stream.push(samples), stream.flush()))
