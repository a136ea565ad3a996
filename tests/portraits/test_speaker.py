"""What a new avatar says: the sound with its mouth shapes, wherever those come from."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.portraits.house import Speaker as Voices
from visavis.portraits.maker import Spoken
from visavis.portraits.speaker import Speaker
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.ports import SPEECH_RATE, SpeechChunk, Voice
from visavis.viseme import Viseme


class Untimed(EspeakSynthesizer):
    """A synthesizer that tells nothing of its timing."""

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:  # pyright: ignore
        async for chunk in super().synthesize(text, voice):
            yield SpeechChunk(chunk.pcm)


class Silent(Voices):
    """One that has nothing to say."""

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        for chunk in ():
            yield chunk


class Endless(Voices):
    """One that never stops."""

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        while True:
            yield SpeechChunk(np.zeros(SPEECH_RATE, np.int16), ())


@pytest.mark.parametrize("kind", [EspeakSynthesizer, Untimed])
async def test_the_mouth_moves_while_there_is_sound(kind: type[EspeakSynthesizer]) -> None:
    synthesizer = kind()
    await synthesizer.start()
    try:
        spoken = await Speaker(synthesizer, NetVisemeEstimator).say("Ana", "")
    finally:
        await synthesizer.close()
    assert isinstance(spoken, Spoken)
    seconds = len(spoken.pcm) / SPEECH_RATE
    assert 2 < seconds < 12
    shapes = {shape.viseme for shape in spoken.visemes}
    assert Viseme.PP in shapes or Viseme.AA in shapes
    assert len(shapes) > 5
    starts = [shape.start for shape in spoken.visemes]
    assert starts == sorted(starts)
    assert spoken.visemes[-1].end == pytest.approx(seconds, abs=0.5)


async def test_nothing_to_hear_is_no_film() -> None:
    assert await Speaker(Silent(), NetVisemeEstimator).say("Ana", "") is None


async def test_who_never_stops_is_cut() -> None:
    spoken = await Speaker(Endless(), NetVisemeEstimator).say("Ana", "")
    assert spoken is not None
    assert len(spoken.pcm) / SPEECH_RATE == pytest.approx(30, abs=2)
