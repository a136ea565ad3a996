"""Recordings that are said instead of a microphone's sound."""

import wave
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from visavis.client.sound import MICROPHONE_RATE


class RecordingError(Exception):
    """A file cannot be said; the message, of one line, is for the user."""


def read_wav(path: Path) -> NDArray[np.int16]:
    """A WAV file's sound, 16-bit PCM of any rate and number of channels, as mono at ``MICROPHONE_RATE``.

    Raises ``RecordingError``.
    """
    try:
        with wave.open(str(path)) as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error.strerror or error}") from None
    except (wave.Error, EOFError) as error:
        # The module knows PCM only: floats, too, come here.
        raise RecordingError(f"{path} is not a WAV file of 16-bit PCM: {str(error) or 'it ends early'}") from None
    if width != 2:
        raise RecordingError(f"{path} is not a WAV file of 16-bit PCM: it has {8 * width}-bit samples")
    count = len(data) // (2 * channels)
    if not count or rate <= 0:
        raise RecordingError(f"{path} has no sound in it")
    pcm = np.frombuffer(data, "<i2", count * channels).reshape(-1, channels).mean(axis=1).astype(np.int16)
    if rate == MICROPHONE_RATE:
        return pcm
    return soxr.resample(pcm, rate, MICROPHONE_RATE, quality="HQ").astype(np.int16, copy=False)
