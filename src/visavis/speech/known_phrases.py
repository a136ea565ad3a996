"""End of turn by what visitors are known to say: a whole phrase of the persona's needs no long silence after it."""

import re
from collections.abc import Iterable

from visavis.speech.ports import Pcm16, TurnDetector


class KnownPhrases:
    """A ``TurnDetector`` for one persona: ``seconds`` after one of ``phrases``, else whatever ``other`` says.

    A phrase that is the beginning of a longer one is left to ``other``.
    """

    def __init__(self, phrases: Iterable[str], other: TurnDetector, *, seconds: float) -> None:
        spoken = {_words(phrase) for phrase in phrases} - {()}
        self._whole = {
            phrase
            for phrase in spoken
            if not any(len(longer) > len(phrase) and longer[: len(phrase)] == phrase for longer in spoken)
        }
        self._other = other
        self._seconds = seconds

    async def silence(self, audio: Pcm16, text: str) -> float:
        """Seconds of silence to wait for."""
        if _words(text) in self._whole:
            return self._seconds
        return await self._other.silence(audio, text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w']+", text.lower().replace("’", "'")))
