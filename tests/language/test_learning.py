"""A brain that learns meanings: piece by piece, in the background, and not after it was closed."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visavis.language.brain import PersonaBrain
from visavis.language.knowledge import Entry, Knowledge

MANY = Knowledge(tuple(Entry(f"What is number {at}?", (f"It is {at}.",)) for at in range(200)))


class SlowEncoder:
    """Encodes when it is let."""

    def __init__(self) -> None:
        self.encoded: list[str] = []
        self.called = threading.Event()
        self.let = threading.Event()

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        self.called.set()
        assert self.let.wait(10)
        self.encoded += sentences
        return np.full((len(sentences), 4), 0.5, np.float32)


async def test_every_sentence_is_learnt_once() -> None:
    encoder = SlowEncoder()
    encoder.let.set()
    brain = PersonaBrain(MANY, encoder=encoder)
    await brain.start()
    await brain.start()
    assert encoder.encoded == [entry.question for entry in MANY.entries]
    await brain.close()


async def test_closing_does_not_wait_for_all_of_it() -> None:
    encoder = SlowEncoder()
    brain = PersonaBrain(MANY, encoder=encoder)
    learning = asyncio.create_task(brain.start())
    assert await asyncio.to_thread(encoder.called.wait, 10)
    closing = asyncio.create_task(brain.close())
    await asyncio.sleep(0)
    encoder.let.set()
    await asyncio.wait_for(closing, 10)
    await learning
    assert 0 < len(encoder.encoded) < len(MANY.entries)


async def test_closed_before_it_began() -> None:
    encoder = SlowEncoder()
    brain = PersonaBrain(MANY, encoder=encoder)
    await brain.close()
    await brain.start()
    assert not encoder.encoded
