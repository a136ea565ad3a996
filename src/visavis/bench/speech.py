"""What the measuring visitors say: synthesized by the embedded voice, cut to its first and last audible sample."""

import numpy as np
from numpy.typing import NDArray

from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.ports import Voice

_AUDIBLE = 600
_VOICES = ("en-us", "en-us+f3", "en-gb", "en-us+m3")


async def synthesize(sentences: tuple[str, ...]) -> list[NDArray[np.int16]]:
    """Each sentence by the next of four voices, at the microphone's rate."""
    voice = EspeakSynthesizer()
    await voice.start()
    try:
        return [
            trimmed(
                np.concatenate(
                    [
                        chunk.pcm
                        async for chunk in voice.synthesize(sentence, Voice(_VOICES[number % len(_VOICES)], "en"))
                    ]
                )
            )
            for number, sentence in enumerate(sentences)
        ]
    finally:
        await voice.close()


def trimmed(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Without the silence at both ends."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > _AUDIBLE)
    return pcm[loud[0] : loud[-1] + 1] if len(loud) else pcm
