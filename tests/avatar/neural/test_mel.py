"""Against numbers that librosa 0.11 and transformers' WhisperFeatureExtractor give for the same sound."""

import numpy as np
import pytest

from visavis.avatar.neural.mel import COLUMN, WINDOW, mel_filters, wav2lip_mel, whisper_mel

BANDS = [0, 5, 11, 19, 33, 47, 60, 71, 79]


def sound() -> np.ndarray:
    """A second of what is the same on every machine: noise from whole numbers, louder in the middle."""
    n = np.arange(16000, dtype=np.int64)
    return (((n * n * 7919 + n * 104729) % 65521 / 65521 - 0.5) * 0.6 * np.sin(np.pi * n / 16000)).astype(np.float32)


def column(number: int, count: int = 1) -> np.ndarray:
    """What ``wav2lip_mel`` needs for ``count`` columns from the ``number``-th of the whole sound on."""
    start = number * COLUMN - WINDOW // 2 - 1
    return sound()[start : start + 1 + WINDOW + COLUMN * (count - 1)]


@pytest.mark.parametrize(
    ("number", "librosa"),
    [
        (20, [-1.3408, -0.9363, -0.7326, -0.3629, 0.5542, 0.6038, 0.8102, 1.3587, 1.2312]),
        (27, [-1.1595, -0.777, -0.4644, -0.1597, 0.7842, 0.7144, 1.1417, 1.354, 1.3885]),
        (35, [-0.7953, -0.1882, -0.4529, 0.0636, 0.6748, 0.7918, 1.2047, 1.4268, 1.5596]),
    ],
)
def test_wav2lip_mel_is_librosas(number: int, librosa: list[float]) -> None:
    assert wav2lip_mel(column(number))[BANDS, 0] == pytest.approx(librosa, abs=2e-4)
    assert wav2lip_mel(column(number - 3, 16))[BANDS, 3] == pytest.approx(librosa, abs=2e-4)


def test_wav2lip_mel_stays_in_its_range() -> None:
    assert wav2lip_mel(np.zeros(1 + WINDOW, np.float32)) == pytest.approx(-4)
    noise = np.random.default_rng(1).standard_normal(1 + WINDOW).astype(np.float32) * 1e3
    assert wav2lip_mel(noise).max() == 4
    assert wav2lip_mel(column(20, 16)).shape == (80, 16)
    with pytest.raises(ValueError, match="too few"):
        wav2lip_mel(np.zeros(WINDOW, np.float32))


@pytest.mark.parametrize(
    ("number", "whisper"),
    [
        (0, [-0.2762, -0.2944, -0.66, -0.2217, -0.0565, -0.281, -0.3409, -0.1946, -0.2855]),
        (40, [0.7303, 0.7415, 0.3961, 0.7072, 0.5846, 0.7705, 0.8264, 0.5596, 0.7334]),
        (99, [0.0311, 0.0649, 0.0282, 0.1079, 0.1186, 0.0772, -0.0776, 0.0134, -0.027]),
        (100, [-0.3009, -0.2937, -0.5265, -0.2824, -0.275, -0.2432, -0.5321, -0.3213, -0.3344]),
        (101, [-1.0467] * 9),
        (2999, [-1.0467] * 9),
    ],
)
def test_whisper_mel_is_whispers(number: int, whisper: list[float]) -> None:
    mel = whisper_mel(sound())
    assert mel.shape == (80, 3000)
    assert mel.dtype == np.float32
    assert mel[BANDS, number] == pytest.approx(whisper, abs=2e-4)


def test_whisper_hears_thirty_seconds_and_no_more() -> None:
    whole = np.tile(sound(), 30)
    mel = whisper_mel(whole)
    assert mel[:, 40 + 1500] == pytest.approx(mel[:, 40 + 1600], abs=1e-3)
    assert mel[:, 2999].max() > -0.9
    with pytest.raises(ValueError, match="30 s"):
        whisper_mel(np.zeros(30 * 16000 + 1, np.float32))


def test_triangles_have_equal_area() -> None:
    filters = mel_filters(4096, 55.0, 7600.0)
    assert filters.sum(1) * (16000 / 4096) == pytest.approx(1, abs=0.02)
    peaks = filters.argmax(1)
    assert (np.diff(peaks) > 0).all()
