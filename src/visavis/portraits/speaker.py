"""What a new avatar says in its film."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Final, cast

import numpy as np
import structlog

from visavis.portraits.maker import Spoken
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, SpeechError, Synthesizer, VisemeEstimator, Voice
from visavis.viseme import TimedViseme

log = structlog.get_logger(__name__)

SENTENCE: Final = "Hello! I am {name}, an AI avatar. It is nice to meet you."
_LONGEST: Final = 30 * SPEECH_RATE


class Speaker:
    """Says the sentence by the server's synthesizer; ``estimator`` gives mouth shapes where that gives none."""

    def __init__(self, synthesizer: Synthesizer, estimator: Callable[[], VisemeEstimator]) -> None:
        self._synthesizer = synthesizer
        self._estimator = estimator

    async def say(self, name: str, voice: str) -> Spoken | None:
        """The sentence of the avatar ``name``, in English; None when no voice could say it (which is logged)."""
        visemes: list[TimedViseme] = []
        sound: list[Pcm16] = []
        length = 0
        # Every implementation of the port is an async generator; the type of the port is the wider one.
        stream = cast(
            "AsyncGenerator[SpeechChunk]", self._synthesizer.synthesize(SENTENCE.format(name=name), Voice(voice))
        )
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    shapes = chunk.visemes if chunk.visemes is not None else self._shapes(chunk.pcm)
                    visemes += [shape.shifted(length / SPEECH_RATE) for shape in shapes]
                    sound.append(chunk.pcm)
                    length += len(chunk.pcm)
                    if length > _LONGEST:
                        break
        except SpeechError as error:
            log.warning("a new avatar could not be heard", error=str(error))
            return None
        return Spoken(np.concatenate(sound), tuple(visemes)) if sound else None

    def _shapes(self, pcm: Pcm16) -> tuple[TimedViseme, ...]:
        estimator = self._estimator()
        return (*estimator.push(pcm), *estimator.flush())
