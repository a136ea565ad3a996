import asyncio

import numpy as np
import pytest
from structlog.testing import capture_logs

from visavis.speech.ports import LISTEN_RATE, Pcm16, SpeechError
from visavis.speech.turn import OPEN, SURE, USUAL, AdaptiveTurnDetector, leaves_open

SOUND = np.zeros(LISTEN_RATE, np.int16)

FINISHED = """
    what time is it
    where is the meeting room
    how are you
    who are you
    who is she
    where are they
    what are you looking for
    where are you from
    tell me who you are
    tell me more
    i do not know
    yes i do
    no it is not
    yes
    no
    thank you very much
    very well
    i think so
    i would like a coffee please
    can you help me
    hello there
    How much does it cost?
    book a table for two
""".strip().splitlines()

UNFINISHED = """
    i would like to
    i was thinking about the
    what time does the
    can you tell me if
    my name is
    we are going to
    i wanted to ask whether
    um
    well
    i need a table for
    because
    i'd like a room with a
    do you know when the
    the opening hours are
    So I said to him, and
    i was wondering why they
""".strip().splitlines()


@pytest.mark.parametrize("text", FINISHED)
def test_a_whole_sentence_is_not_open(text: str) -> None:
    assert not leaves_open(text)


@pytest.mark.parametrize("text", UNFINISHED)
def test_a_sentence_that_wants_another_word_is_open(text: str) -> None:
    assert leaves_open(text)


def test_nothing_said_is_not_open() -> None:
    assert not leaves_open("")
    assert not leaves_open("…")
    assert not leaves_open("12")


class Ear:
    """Stands for the network: the probability that it would give, or its failure."""

    def __init__(self, answer: float | SpeechError) -> None:
        self.answer = answer

    async def finished(self, audio: Pcm16) -> float:
        await asyncio.sleep(0)
        if isinstance(self.answer, SpeechError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("probability", "text", "expected"),
    [
        (0.95, "where is the room", SURE),
        (0.95, "where is the", USUAL),
        (0.95, "", SURE),
        (0.6, "where is the room", USUAL),
        (0.6, "where is the", OPEN),
        (0.2, "where is the room", OPEN),
        (0.2, "where is the", OPEN),
    ],
)
async def test_sound_and_text_together_choose_the_wait(probability: float, text: str, expected: float) -> None:
    detector = AdaptiveTurnDetector("en-US", Ear(probability))  # pyright: ignore[reportArgumentType]
    assert await detector.silence(SOUND, text) == expected


async def test_the_text_alone_chooses_without_the_network() -> None:
    detector = AdaptiveTurnDetector("en")
    assert await detector.silence(SOUND, "where is the room") == USUAL
    assert await detector.silence(SOUND, "where is the") == OPEN
    assert await detector.silence(SOUND, "") == USUAL


async def test_the_text_rule_is_silent_in_other_languages() -> None:
    # "Was ist das an": "an" and "was" are English function words by accident.
    detector = AdaptiveTurnDetector("de-DE")
    assert await detector.silence(SOUND, "mach das licht an") == USUAL
    assert await AdaptiveTurnDetector("en").silence(SOUND, "mach das licht an") == OPEN


async def test_a_network_that_fails_leaves_the_text_rule() -> None:
    detector = AdaptiveTurnDetector("en", Ear(SpeechError("broken")))  # pyright: ignore[reportArgumentType]
    with capture_logs() as logs:
        assert await detector.silence(SOUND, "where is the") == OPEN
    assert logs[0]["reason"] == "broken"
