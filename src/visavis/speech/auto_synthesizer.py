"""The embedded default: flite where it is installed and the language is English, otherwise espeak-ng."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from visavis.speech import espeak, flite
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.flite import FliteSynthesizer, flite_installed
from visavis.speech.flite_voices import flite_voice
from visavis.speech.ports import SpeechChunk, Voice


class AutoSynthesizer:
    """A ``Synthesizer`` that chooses between the embedded engines by voice and language.

    Voice names: ``flite:slt``, ``espeak:en-us+f3``, or either without its prefix; an unknown name gives the default
    voice of the language. A text without letters and digits gives no chunk.
    """

    def __init__(self, *, workers: int = 1) -> None:
        self.espeak = EspeakSynthesizer(workers=workers)
        self._flite = FliteSynthesizer(workers=workers) if flite_installed() else None

    @property
    def has_flite(self) -> bool:
        """Whether English is spoken by flite."""
        return self._flite is not None

    async def start(self) -> None:
        """Start the engines. Raises ``SpeechError``."""
        await self.espeak.start()
        if self._flite is not None:
            await self._flite.start()

    async def close(self) -> None:
        """End the engines. Idempotent."""
        await self.espeak.close()
        if self._flite is not None:
            await self._flite.close()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``. Raises ``SpeechError``, also when no engine speaks the language."""
        async with aclosing(self._engine(voice).synthesize(text, voice)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _engine(self, voice: Voice) -> EspeakSynthesizer | FliteSynthesizer:
        if self._flite is None or not flite.speaks(voice.language):
            return self.espeak
        for name in voice.names:
            if flite_voice(name) is not None:
                return self._flite
            if name.startswith(espeak.PREFIX) or self.espeak.voices.named(name) is not None:
                return self.espeak
        return self._flite
