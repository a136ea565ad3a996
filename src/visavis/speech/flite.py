"""flite: English in a few voices, more human than espeak-ng, with exact timing. Its library comes from the system.

It renders a sentence as a whole (about 35 ms) in worker processes (workers/flite.py says why).
"""

import ctypes.util
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from visavis.speech.flite_voices import DEFAULT, VOICES, voice_name
from visavis.speech.ports import SpeechChunk, SpeechError, Voice
from visavis.speech.synthesis_pool import SynthesisPool

_FIRST_SOUND: Final = 100
"""Characters wanted per stretch: short, as nothing is heard of a stretch before all of it is rendered."""


def flite_installed() -> bool:
    """Whether the system has the library (Debian: ``libflite1``)."""
    return ctypes.util.find_library("flite_cmu_us_slt") is not None


class FliteSynthesizer:
    """A ``Synthesizer`` by ``workers`` flite processes (one renders about 75 times faster than real time).

    Voices: those of ``flite_voices.py``; an unknown name gives the default one.
    """

    def __init__(self, *, workers: int = 1) -> None:
        self._pool = SynthesisPool("visavis.speech.workers.flite", size=workers)

    async def start(self) -> None:
        """Start the workers. Raises ``SpeechError``, also when the library is missing."""
        await self._pool.start()

    async def close(self) -> None:
        """End the workers. Idempotent."""
        await self._pool.close()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``: sound, visemes and word marks. A text without letters and digits gives no chunk.

        Raises ``SpeechError``, also for any language but English.
        """
        if not speaks(voice.language):
            raise SpeechError(f"flite does not speak the language {voice.language!r}")
        names = (voice_name(name) for name in voice.names)
        data = {"voice": next((name for name in names if name in VOICES), DEFAULT), "rate": voice.rate}
        async with aclosing(self._pool.speak(text, data, wanted=_FIRST_SOUND)) as chunks:
            async for chunk in chunks:
                yield chunk


def speaks(language: str) -> bool:
    """Whether flite speaks the BCP 47 ``language``: English of any country."""
    return language.casefold().replace("_", "-").partition("-")[0] == "en"
