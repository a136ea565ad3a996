"""Dynamic time warping of two recordings of one text, by their cepstra.

After Sakoe and Chiba (1978), "Dynamic programming algorithm optimization for spoken word recognition".
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from visavis.speech.acoustics import BANDS, Floats, log_mel

_CEPSTRA: Final = 13
_BAND: Final = 0.25
"""How far, as a part of the whole, one recording may run ahead of the other."""

_COSINES: Final = np.cos(np.pi / BANDS * (np.arange(BANDS)[:, None] + 0.5) * np.arange(_CEPSTRA)).astype(np.float32)


def cepstra(samples: Floats) -> Floats:
    """(frames, 26): mel cepstra without the speaker's mean and spread, loudness weighted up, with their slopes."""
    values = log_mel(samples) @ _COSINES
    values = (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3)
    values[:, 0] *= 1.5
    slopes = np.gradient(values, axis=0) if len(values) > 1 else np.zeros_like(values)
    return np.hstack((values, slopes)).astype(np.float32)


def warp(reference: Floats, target: Floats) -> NDArray[np.float64]:
    """For each 10 ms frame of ``reference`` the (fractional) frame of ``target`` that it matches; never falls."""
    a, b = cepstra(reference), cepstra(target)
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
    return matched / np.maximum(visits, 1)
