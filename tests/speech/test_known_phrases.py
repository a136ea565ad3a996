"""The end of a turn by what is known to be said, and the fixed one."""

import numpy as np
import pytest

from visavis.speech.fixed_turn import FixedTurnDetector
from visavis.speech.known_phrases import KnownPhrases

SOUND = np.zeros(16_000, np.int16)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("how old are you", 0.2),
        ("How old are you?", 0.2),
        ("what's your name", 0.2),
        ("what", 0.9),
        ("how old", 0.9),
        ("who are", 0.9),
        ("who are you", 0.4),
        ("who are you talking to", 0.2),
        ("", 0.9),
    ],
)
async def test_a_whole_phrase_ends_the_turn_soon_and_its_beginning_does_not(text: str, seconds: float) -> None:
    phrases = ("How old are you?", "What’s your name?", "Who are you?", "Who are you talking to?", "…")
    detector = KnownPhrases(phrases, FixedTurnDetector(0.9), whole=0.2, begun=0.4)
    assert await detector.silence(SOUND, text) == seconds
