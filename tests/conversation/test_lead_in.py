"""Silence before a response's first sound."""

import numpy as np
import pytest

from visavis.conversation.lead_in import without_lead_in
from visavis.speech.ports import SPEECH_RATE, SpeechChunk, WordMark
from visavis.viseme import TimedViseme, Viseme

TONE = (8000 * np.sin(np.arange(SPEECH_RATE // 2) * 0.1)).astype(np.int16)
NOISE = np.random.default_rng(0).integers(-200, 200, SPEECH_RATE).astype(np.int16)


def spoken(silence: float) -> SpeechChunk:
    """A word that begins with closed lips, after so many seconds of a quiet room."""
    pcm = np.concatenate([NOISE[: round(silence * SPEECH_RATE)], TONE])
    visemes = (
        TimedViseme(Viseme.SIL, 0.0, silence - 0.05),
        TimedViseme(Viseme.PP, silence - 0.05, silence + 0.02),
        TimedViseme(Viseme.AA, silence + 0.02, silence + 0.4),
    )
    return SpeechChunk(pcm, visemes, (WordMark(0, 0.0), WordMark(5, silence + 0.2)))


def test_most_of_the_silence_is_left_out_and_all_stays_in_its_place() -> None:
    chunk = without_lead_in(spoken(0.1))
    quiet = len(chunk.pcm) - len(TONE)
    assert 0.015 <= quiet / SPEECH_RATE <= 0.021
    assert np.array_equal(chunk.pcm[quiet:], TONE)
    begins = quiet / SPEECH_RATE
    assert chunk.visemes is not None
    lips, open_ = chunk.visemes[-2:]
    assert (lips.viseme, open_.viseme) == (Viseme.PP, Viseme.AA)
    assert (lips.start, open_.start) == pytest.approx((begins - 0.05, begins + 0.02), abs=0.001)
    assert [mark.at for mark in chunk.words] == pytest.approx([0.0, begins + 0.2], abs=0.001)


@pytest.mark.parametrize("silence", [0.0, 0.015, 0.5])
def test_sound_that_begins_at_once_and_a_pause_that_is_meant_are_left_alone(silence: float) -> None:
    chunk = SpeechChunk(np.concatenate([NOISE[: round(silence * SPEECH_RATE)], TONE]))
    assert without_lead_in(chunk) is chunk


def test_silence_alone_is_left_alone() -> None:
    chunk = SpeechChunk(np.zeros(SPEECH_RATE // 10, np.int16))
    assert without_lead_in(chunk) is chunk
