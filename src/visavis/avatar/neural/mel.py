"""Mel spectra as the two networks were trained on: librosa's for Wav2Lip, OpenAI Whisper's for MuseTalk."""

from functools import cache
from typing import Final

import numpy as np

from visavis.avatar.neural.ports import HEARING_RATE, Floats

BANDS: Final = 80

COLUMN: Final = 200
"""Samples between two columns of Wav2Lip's mel: 80 a second."""
WINDOW: Final = 800
"""Samples that a column looks at: half before its middle, half after."""
_PRE_EMPHASIS: Final = 0.97
_LOWEST, _HIGHEST = 55.0, 7600.0

_STEP, _LOOK = 160, 400
"""Samples between two columns of Whisper's mel, and the samples that each looks at."""
WHISPER_SAMPLES: Final = 30 * HEARING_RATE
"""What Whisper's encoder listens to at once."""


@cache
def mel_filters(fft: int, low: float, high: float) -> Floats:
    """(BANDS, fft // 2 + 1): triangles of equal area on Slaney's mel scale, as ``librosa.filters.mel`` makes them.

    The scale (Auditory Toolbox, M. Slaney, 1998) is linear to 1 kHz (3 mel per 200 Hz), then logarithmic (27 mel for a
    factor of 6.4). ``low``, ``high`` in Hz.
    """
    edges = _hertz(np.linspace(_mel(low), _mel(high), BANDS + 2))
    bins = np.arange(fft // 2 + 1) * (HEARING_RATE / fft)
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (edges[2:] - edges[:-2]))[:, None], np.float32)


def wav2lip_mel(sound: Floats) -> Floats:
    """(BANDS, columns) in −4…4.

    ``sound``: ``HEARING_RATE``, −1…1; one sample (for the pre-emphasis), then ``WINDOW + COLUMN * (columns - 1)``.
    Column k is centred on sample ``1 + WINDOW // 2 + COLUMN * k``.
    """
    if len(sound) <= WINDOW:
        raise ValueError(f"{len(sound)} samples are too few for a column")
    clear = np.asarray(sound[1:] - _PRE_EMPHASIS * sound[:-1], np.float32)
    amplitude = np.abs(np.fft.rfft(_columns(clear, WINDOW, COLUMN) * _hann(WINDOW)))
    level = 20 * np.log10(np.maximum(1e-5, mel_filters(WINDOW, _LOWEST, _HIGHEST) @ amplitude.T)) - 20
    return np.clip(8 * (level + 100) / 100 - 4, -4, 4).astype(np.float32)


def whisper_mel(sound: Floats) -> Floats:
    """(BANDS, 3000): ``sound`` (``HEARING_RATE``, −1…1, at most 30 s) and silence after it, as Whisper takes it.

    Log power, at most 8 decades below its maximum, (x + 4) / 4: ``log_mel_spectrogram`` of openai/whisper.
    """
    if len(sound) > WHISPER_SAMPLES:
        raise ValueError("Whisper listens to 30 s at most")
    # Columns that see silence alone need no transform.
    columns = min(WHISPER_SAMPLES // _STEP, (len(sound) + _LOOK // 2) // _STEP + 1)
    half = _LOOK // 2
    padded = np.pad(np.pad(sound, (0, WHISPER_SAMPLES - len(sound))), half, mode="reflect").astype(np.float32)
    spectrum = np.fft.rfft(_columns(padded, _LOOK, _STEP)[:columns] * _hann(_LOOK))
    power = mel_filters(_LOOK, 0.0, 8000.0) @ (np.abs(spectrum) ** 2).T
    level = np.full((BANDS, WHISPER_SAMPLES // _STEP), -10.0)
    level[:, :columns] = np.log10(np.maximum(power, 1e-10))
    return ((np.maximum(level, level.max() - 8) + 4) / 4).astype(np.float32)


def _columns(sound: Floats, length: int, step: int) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(sound, length)[::step]


@cache
def _hann(length: int) -> Floats:
    """Periodic, as for spectra."""
    return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length), np.float32)


_LINEAR_STEP = 200 / 3
_LOG_FROM = 1000.0
_LOG_STEP = np.log(6.4) / 27


def _mel(hertz: float) -> float:
    if hertz < _LOG_FROM:
        return hertz / _LINEAR_STEP
    return float(_LOG_FROM / _LINEAR_STEP + np.log(hertz / _LOG_FROM) / _LOG_STEP)


def _hertz(mel: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    bend = _LOG_FROM / _LINEAR_STEP
    return np.where(mel < bend, mel * _LINEAR_STEP, _LOG_FROM * np.exp(_LOG_STEP * (mel - bend)))
