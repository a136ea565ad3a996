"""espeak-ng: 100 languages, exact timing, first sound at once, a robot's voice.

The library is under the GPL-3 and stays in worker processes (workers/espeak.py); this side only talks to them.
"""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Final

from visavis.speech.espeak_voices import EspeakVoice, EspeakVoices
from visavis.speech.flite_voices import flite_voice
from visavis.speech.ports import SpeechChunk, SpeechError, Voice
from visavis.speech.pronunciation import arpabet_from_ipa
from visavis.speech.synthesis_pool import SynthesisPool

PREFIX: Final = "espeak:"
"""What may stand before a voice's name to say which engine is meant."""


class EspeakSynthesizer:
    """A ``Synthesizer`` by ``workers`` espeak-ng processes (one renders about 500 times faster than real time).

    Voices: any that ``espeak-ng --voices`` names, by tag or name, ``+variant`` optional (``en-us+f3``, ``de``). English
    for one of flite's voices is spoken by the one that stands in for it.
    """

    def __init__(self, *, workers: int = 1) -> None:
        self._pool = SynthesisPool("visavis.speech.workers.espeak", size=workers)
        self._voices: EspeakVoices | None = None

    @property
    def voices(self) -> EspeakVoices:
        """What is installed. Raises ``SpeechError`` before ``start``."""
        if self._voices is None:
            raise SpeechError("espeak-ng has not been started")
        return self._voices

    async def start(self) -> None:
        """Start the workers and learn their voices. Raises ``SpeechError``."""
        await self._pool.start()
        reply = await self._pool.call("voices")
        self._voices = EspeakVoices(
            tuple(EspeakVoice(identifier, name, tuple(tags)) for identifier, name, tags in reply.data["voices"]),
            tuple(reply.data["variants"]),
        )

    async def close(self) -> None:
        """End the workers. Idempotent."""
        await self._pool.close()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``: sound, visemes and word marks. A text without letters and digits gives no chunk.

        Raises ``SpeechError``, also when no voice speaks the language.
        """
        chosen, pace = self._choose(voice)
        async with aclosing(self._pool.speak(text, {"voice": chosen, "rate": voice.rate * pace})) as chunks:
            async for chunk in chunks:
                yield chunk

    def _choose(self, voice: Voice) -> tuple[str, float]:
        """What to select for ``voice``, and its own pace. Raises ``SpeechError``."""
        for name in voice.names:
            bare = name.removeprefix(PREFIX)
            other = flite_voice(bare) if voice.language.casefold().startswith("en") else None
            if other is not None:
                return self.voices.find(other.stand_in, voice.language), other.pace
            if self.voices.named(bare) is not None or bare.startswith("+"):
                return self.voices.find(bare, voice.language), 1.0
        return self.voices.find("", voice.language), 1.0

    async def phonemes(self, words: Iterable[str], language: str = "en") -> dict[str, str]:
        """How ``words`` are pronounced, in ARPAbet without stress (``"hello"``: ``"HH AH L OW"``).

        Words without any sound are left out. Raises ``SpeechError``.
        """
        asked = list(dict.fromkeys(words))
        if not asked:
            return {}
        reply = await self._pool.call("phonemes", {"words": asked, "voice": self.voices.find("", language)})
        spoken = zip(asked, reply.data["ipa"], strict=True)
        return {word: " ".join(phones) for word, ipa in spoken if (phones := arpabet_from_ipa(ipa))}
