"""The spoken half of a response: lines become sound on the stage, and are told word by word as they are heard."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from visavis.avatar.emotion import Feeling
from visavis.avatar.face import FaceState
from visavis.conversation.lead_in import without_lead_in
from visavis.conversation.lines import Line
from visavis.conversation.stage import Stage
from visavis.conversation.stress import stresses
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, Synthesizer, Voice, WordMark

_AHEAD_SECONDS = 12.0
"""How much sound is queued at most before the next line is synthesized."""
_CHARACTERS_PER_SECOND = 15.0
"""Pace of speech where a synthesizer tells no word times."""
_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class _Cue:
    at: float
    text: str
    feelings: tuple[Feeling, ...] = ()
    """Those that begin with it."""


class Speaking:
    """Speaks one response on a stage; its face takes on each feeling with the feeling's first word.

    ``spawn`` runs the task that tells the words. ``on_words`` gets the text as it sounds, ``on_sound`` a copy of the
    sound, ``on_first_sound`` the media time of the first sample. The owner calls ``say`` for each line, then
    ``finish``; or ``cut`` at any time.
    """

    def __init__(
        self,
        stage: Stage,
        synthesizer: Synthesizer,
        voice: Voice,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        on_words: Callable[[str], None],
        on_sound: Callable[[Pcm16], None],
        on_first_sound: Callable[[float], None],
    ) -> None:
        self._stage = stage
        self._synthesizer = synthesizer
        self._voice = voice
        self._spawn = spawn
        self._on_words = on_words
        self._on_sound = on_sound
        self._on_first_sound = on_first_sound
        self._cues: deque[_Cue] = deque()
        self._cued = asyncio.Event()
        self._teller: asyncio.Task[None] | None = None
        self._end: float | None = None
        self._cut = False

    @property
    def started(self) -> bool:
        """Whether any sound was queued."""
        return self._end is not None

    async def say(self, line: Line) -> None:
        """Synthesize and queue a line; returns when all its sound is queued. Raises ``SpeechError``.

        Where the voice fails, the words are still told.
        """
        if self._teller is None:
            self._teller = self._spawn(self._tell())
        await self._stage.room(_AHEAD_SECONDS)
        script, text = _Script(line), line.text.lstrip()
        lead = len(line.text) - len(text)
        if not text:
            self._cue(script.rest(self._present))
            return
        # Every implementation of the port is an async generator; the type of the port is the wider one.
        stream = cast(AsyncGenerator[SpeechChunk, None], self._synthesizer.synthesize(text, self._voice))
        start: float | None = None
        try:
            async with aclosing(stream):
                async for chunk in stream:
                    if not len(chunk.pcm):
                        continue
                    if self._end is None:
                        chunk = without_lead_in(chunk)
                    at = self._stage.say(chunk)
                    if self._end is None:
                        self._stage.show(FaceState.SPEAKING, at)
                        self._on_first_sound(at)
                    start = at if start is None else start
                    self._end = at + len(chunk.pcm) / SPEECH_RATE
                    self._on_sound(chunk.pcm)
                    self._stage.stress(stresses(text, chunk.words, chunk.visemes or (), self._voice.language), at)
                    marks = [WordMark(mark.offset + lead, at + mark.at) for mark in chunk.words]
                    self._cue(script.advance(marks, start, self._end))
        finally:
            self._cue(script.rest(self._present))

    async def finish(self) -> None:
        """Wait until everything has been heard and told."""
        if self._end is not None:
            await self._stage.heard(self._end)
        while self._cues:
            self._on_words(self._cues.popleft().text)
        if self._teller:
            self._teller.cancel()
            await asyncio.wait([self._teller])

    def cut(self) -> float:
        """Stop at once: what was not heard is dropped. The time at which it is silent."""
        self._cut = True
        at = self._stage.cut()
        while self._cues and self._cues[0].at < at:
            self._on_words(self._cues.popleft().text)
        self._cues.clear()
        if self._teller:
            self._teller.cancel()
        return at

    @property
    def _present(self) -> float:
        """The media time after the last sound; without any, now."""
        return self._end if self._end is not None else self._stage.now

    def _cue(self, cues: list[_Cue]) -> None:
        if self._cut:
            # The line that was being made goes with the rest.
            return
        for cue in cues:
            for feeling in cue.feelings:
                self._stage.feel(feeling, cue.at)
            if cue.text:
                self._cues.append(cue)
        self._cued.set()

    async def _tell(self) -> None:
        while True:
            self._cued.clear()
            while self._cues:
                await self._stage.heard(self._cues[0].at)
                if self._cues:
                    self._on_words(self._cues.popleft().text)
            await self._cued.wait()


class _Script:
    """A line's text and feelings, given out in step with its sound."""

    def __init__(self, line: Line) -> None:
        self.text = line.text
        self._feelings = deque(line.feelings)
        self._told = 0
        self._marked = False
        self._last = 0.0

    def advance(self, marks: list[WordMark], start: float, end: float) -> list[_Cue]:
        """The words that begin in the sound queued so far: at their marks, else at an even pace from ``start``."""
        self._marked = self._marked or bool(marks)
        if not self._marked:
            marks = [
                WordMark(word.start(), start + word.start() / _CHARACTERS_PER_SECOND)
                for word in _WORD.finditer(self.text)
                if start + word.start() / _CHARACTERS_PER_SECOND < end
            ]
        cues: list[_Cue] = []
        for mark in marks:
            word = _WORD.match(self.text, mark.offset)
            until = word.end() if word else mark.offset
            if until > self._told:
                self._last = max(self._last, mark.at)
                text, self._told = self.text[self._told : until], until
                cues.append(_Cue(self._last, text, self._begun(until)))
        return cues

    def rest(self, at: float) -> list[_Cue]:
        """What no mark has given out, at media time ``at``; told once."""
        text, self._told = self.text[self._told :], len(self.text)
        feelings = self._begun(self._told + 1)
        return [_Cue(at, text, feelings)] if text or feelings else []

    def _begun(self, until: int) -> tuple[Feeling, ...]:
        """The feelings that begin before offset ``until``; given out once."""
        begun: list[Feeling] = []
        while self._feelings and self._feelings[0][0] < until:
            begun.append(self._feelings.popleft()[1])
        return tuple(begun)
