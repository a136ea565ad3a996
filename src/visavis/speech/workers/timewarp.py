"""Dynamic time warping of two recordings of one text, by their cepstra.

After Sakoe and Chiba (1978), "Dynamic programming algorithm optimization for spoken word recognition".
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.speech.acoustics import BANDS, HOP, Floats, log_mel
from visavis.speech.ports import LISTEN_RATE

_CEPSTRA: Final = 13
_BAND: Final = 0.25
"""How far, as a part of the whole, one recording may run ahead of the other."""

_COSINES: Final = np.cos(np.pi / BANDS * (np.arange(BANDS)[:, None] + 0.5) * np.arange(_CEPSTRA)).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Warp:
    """Which moments of two recordings belong together: ``reference`` and ``target`` in seconds, neither ever falls.

    ``distance``: how unlike the matched frames are on average; comparable between references for one target.
    """

    reference: NDArray[np.float64]
    target: NDArray[np.float64]
    distance: float

    def __call__(self, seconds: float) -> float:
        """The moment of the target that belongs to ``seconds`` of the reference."""
        return float(np.interp(seconds, self.reference, self.target))


def warp(reference: Floats, target: Floats) -> Warp:
    """Match two recordings (``LISTEN_RATE``, full scale 1); what is silent at their ends is left out of it."""
    (a_start, a_end), (b_start, b_end) = _speech(reference), _speech(target)
    a, b = cepstra(reference[a_start:a_end]), cepstra(target[b_start:b_end])
    path, distance = _match(a, b)
    frame = HOP / LISTEN_RATE
    moments = a_start / LISTEN_RATE + np.arange(len(path), dtype=np.float64) * frame
    return Warp(moments, b_start / LISTEN_RATE + path * frame, distance)


def _speech(samples: Floats) -> tuple[int, int]:
    """The first and last sample within 37 dB of the loudest 20 ms."""
    energy = np.convolve(samples**2, np.ones(320, np.float32) / 320, "same")
    loud = np.flatnonzero(energy > energy.max() * 2e-4)
    return (int(loud[0]), int(loud[-1]) + 1) if len(loud) else (0, len(samples))


def cepstra(samples: Floats) -> Floats:
    """(frames, 26): mel cepstra without the speaker's mean and spread, loudness weighted up, with their slopes."""
    bands = log_mel(samples)
    loudness = bands.max(axis=1)
    # Pauses have a mean of their own that says nothing of the speaker.
    speech = (bands @ _COSINES)[loudness > np.percentile(loudness, 95) - 6]
    values = np.clip((bands @ _COSINES - speech.mean(axis=0)) / (speech.std(axis=0) + 1e-3), -4, 4)
    values[:, 0] *= 1.5
    slopes = np.gradient(values, axis=0) if len(values) > 1 else np.zeros_like(values)
    return np.hstack((values, slopes)).astype(np.float32)


def _match(a: Floats, b: Floats) -> tuple[NDArray[np.float64], float]:
    """For each frame of ``a`` the (fractional) frame of ``b`` that it matches, and their average distance."""
    rows, columns = len(a), len(b)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
    distance = np.sqrt(np.maximum(squared, 0))
    apart = np.abs(np.arange(rows)[:, None] / rows - np.arange(columns) / columns)
    distance[apart > _BAND] = 1e4
    total = np.full((rows + 1, columns + 1), np.inf)
    total[0, 0] = 0
    # Cell by cell along the anti-diagonals, whose cells do not depend on each other.
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        best = np.minimum(np.minimum(total[i, j + 1], total[i + 1, j]), total[i, j])
        total[i + 1, j + 1] = best + distance[i, j]
    matched, visits = np.zeros(rows), np.zeros(rows)
    i, j = rows, columns
    while i > 0 and j > 0:
        matched[i - 1] += j - 1
        visits[i - 1] += 1
        step = int(np.argmin((total[i - 1, j - 1], total[i - 1, j], total[i, j - 1])))
        i, j = i - (step != 2), j - (step != 1)
    return matched / np.maximum(visits, 1), float(total[rows, columns]) / (rows + columns)
