"""What visitors say: sentences by several synthesized voices, at the microphone's rate."""

import numpy as np
from numpy.typing import NDArray

from visavis.bench.speech import trimmed
from visavis.client import MICROPHONE_RATE
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.ports import Voice

SILENCE = np.zeros(MICROPHONE_RATE, np.int16)


async def spoken(*sentences: tuple[str, str]) -> list[NDArray[np.int16]]:
    """Each (voice, sentence)."""
    engine = EspeakSynthesizer()
    await engine.start()
    try:
        return [
            trimmed(np.concatenate([chunk.pcm async for chunk in engine.synthesize(text, Voice(name))]))
            for name, text in sentences
        ]
    finally:
        await engine.close()
