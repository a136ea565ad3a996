"""End of turn by what visitors are known to say: a whole phrase of the persona's needs no long silence after it."""

import re
from collections.abc import Iterable

from visavis.speech.ports import Pcm16, TurnDetector


class KnownPhrases:
    """A ``TurnDetector`` for one persona, with seconds of silence.

    ``whole`` after one of ``phrases``, ``begun`` after one that a longer one begins with, else whatever ``other`` says.
    """

    def __init__(self, phrases: Iterable[str], other: TurnDetector, *, whole: float, begun: float) -> None:
        self._phrases = {_words(phrase) for phrase in phrases} - {()}
        self._begun = {phrase[:count] for phrase in self._phrases for count in range(1, len(phrase))}
        self._other = other
        self._seconds = whole, begun

    async def silence(self, audio: Pcm16, text: str) -> float:
        """Seconds of silence to wait for."""
        words = _words(text)
        if words in self._phrases:
            return self._seconds[words in self._begun]
        return await self._other.silence(audio, text)


def _words(text: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w']+", text.lower().replace("’", "'")))
