"""When a pause ends the user's turn: how long a silence to wait for, from what was said and how it sounded.

A pause after "I would like to" is thinking, one after "what time is it" is not. The text rule looks at the last word;
smart-turn (smart_turn.py) listens to the intonation. Both err often (on read speech cut at word ends, the network alone
calls 43 % finished, together with the rule 21 %), so they only choose between waits and never decide by themselves.
"""

import re
from typing import Final

import structlog

from visavis.speech.ports import Pcm16, SpeechError
from visavis.speech.smart_turn import SmartTurn

SURE: Final = 0.224
"""Seconds to wait when the sound is surely that of an end (seven frames of voice activity)."""

USUAL: Final = 0.48
"""Seconds to wait when nothing speaks against an end."""

OPEN: Final = 0.9
"""Seconds to wait when the sentence does not seem to be over."""

_log = structlog.stdlib.get_logger(__name__)


class AdaptiveTurnDetector:
    """A ``TurnDetector``. ``language``: BCP 47; the text rule knows English only. ``model``: smart-turn, if there.

    ``sure``, ``usual`` and ``long`` are the seconds it chooses from. Holds nothing of a turn; one instance may serve
    many conversations in its language.
    """

    def __init__(
        self,
        language: str = "en",
        model: SmartTurn | None = None,
        *,
        sure: float = SURE,
        usual: float = USUAL,
        long: float = OPEN,
    ) -> None:
        self._english = language.lower().split("-")[0] == "en"
        self._model = model
        self._sure, self._usual, self._long = sure, usual, long

    async def silence(self, audio: Pcm16, text: str) -> float:
        """Seconds of silence to wait for; takes 50–100 ms with the model.

        ``audio``: the turn so far at 16 kHz; ``text``: its words so far, empty when unknown. When the model fails or
        is too busy, the text alone decides.
        """
        unfinished = self._english and leaves_open(text)
        finished = await self._listen(audio)
        if finished is None:
            return self._long if unfinished else self._usual
        if finished > 0.8:
            return self._usual if unfinished else self._sure
        return self._usual if finished > 0.5 and not unfinished else self._long

    async def _listen(self, audio: Pcm16) -> float | None:
        if self._model is None:
            return None
        try:
            return await self._model.finished(audio)
        except SpeechError as error:
            _log.warning("end of turn judged by its text alone", reason=str(error))
            return None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_QUESTION: Final = _words("who whom whose what which where when why how")
_JOINING: Final = _words(
    """and or but because if although though unless until while whereas whether than as so a an the my your our their
    its every each very too quite rather more most less such uh um er erm hmm like well let's i'd you'd we'd i'll
    you'll we'll i'm you're we're they're"""
)
"""They ask for another word after them, wherever they stand."""

_PREPOSITIONS: Final = _words(
    """of to in on at for from with by about into onto between under over through during without within against
    towards near"""
)
"""They may end a question ("what are you looking for"), hardly a statement."""

_AUXILIARIES: Final = _words(
    """is are was were am be been being has have had do does did will would can could should may might must shall isn't
    aren't don't doesn't didn't can't couldn't won't wouldn't shouldn't want need going"""
)
"""They may end a short answer ("yes I do") or an indirect question ("tell me who you are")."""

_SUBJECTS: Final = _words("i he she we they")
"""They end a sentence only when turned round: "where are they"."""

_COMPLETE: Final = _words("more well so")
"""Joining words that may end a sentence all the same: "tell me more", "very well", "I think so"."""

_WORD: Final = re.compile(r"[a-z]+(?:'[a-z]+)?")


def leaves_open(text: str) -> bool:
    """Whether English ``text`` ends in a word after which another one must come. False when there is no word.

    Punctuation and case do not matter, as recognizers give neither.
    """
    words = _WORD.findall(text.lower().replace("’", "'"))
    if not words:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    asked = any(word in _QUESTION for word in words[:-1])
    if last in _JOINING:
        return not (before and last in _COMPLETE)
    if last in _PREPOSITIONS:
        return not asked
    if last in _AUXILIARIES:
        subject = before in _SUBJECTS or before in ("you", "it", "there", "not")
        return not (subject and (asked or len(words) <= 3))
    return last in _SUBJECTS and before not in _AUXILIARIES
