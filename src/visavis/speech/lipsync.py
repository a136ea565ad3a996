"""Visemes and word marks for synthesizers that give none.

An alignment needs the whole sound, and sound must not wait for it. So the first stretch goes out at once with the
streaming net's shapes, more of them follow only when the listener would otherwise run dry, and as soon as the whole
sound is there and aligned, the rest goes out with exact shapes.
"""

import asyncio
import bisect
import contextlib
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Final

import numpy as np
import structlog

from visavis.speech.alignment import Alignment, SpeechAligner
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.phoneme import clip_visemes
from visavis.speech.ports import (
    SPEECH_RATE,
    Pcm16,
    SpeechChunk,
    SpeechError,
    Synthesizer,
    VisemeEstimator,
    Voice,
    WordMark,
)
from visavis.viseme import TimedViseme

FIRST: Final = 0.25
"""Seconds in the first chunk, which is all that is surely seen with the net's shapes."""

STEP: Final = 0.25
"""Seconds in each further chunk that goes out before the alignment is there."""

MARGIN: Final = 0.3
"""Seconds of sound that a listener who plays from the first chunk on must still have when the next one goes out."""

MAX_HELD: Final = 120.0
"""Seconds of sound held at most; then the inner synthesizer waits."""

_NET_PIECE: Final = SPEECH_RATE // 10
"""Samples that the net is given at a time: it looks at no more than is needed, as an alignment mostly follows."""

_CHARACTERS_PER_SECOND: Final = 15.0
_WORD: Final = re.compile(r"\S*\w\S*")

_log = structlog.stdlib.get_logger(__name__)


class LipSync:
    """A ``Synthesizer`` that adds visemes and word marks to those of ``inner``.

    What comes with visemes, or with weights of the whole face, passes untouched.
    ``aligner`` is started and closed with this; ``estimator`` makes the streaming estimator of one utterance.
    """

    def __init__(
        self,
        inner: Synthesizer,
        aligner: SpeechAligner,
        estimator: Callable[[], VisemeEstimator] = NetVisemeEstimator,
    ) -> None:
        self._inner = inner
        self._aligner = aligner
        self._estimator = estimator

    async def start(self) -> None:
        """Start the inner synthesizer and the aligner. Raises ``SpeechError``."""
        await self._inner.start()
        await self._aligner.start()

    async def close(self) -> None:
        """Close both. Idempotent."""
        await self._inner.close()
        await self._aligner.close()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``. Raises ``SpeechError`` when the inner synthesizer does; a failed alignment is only logged."""
        chunks = self._inner.synthesize(text, voice)
        try:
            first = await anext(chunks, None)
            if first is None:
                return
            if first.visemes is not None or first.arkit:
                yield first
                async for chunk in chunks:
                    yield chunk
                return
            utterance = _Utterance(self._aligner, self._estimator(), text, voice)
            async with contextlib.aclosing(utterance.run(first, chunks)) as timed:
                async for chunk in timed:
                    yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()


class _Utterance:
    """One text on its way: what has come of its sound, what is known of it, what has gone out."""

    def __init__(self, aligner: SpeechAligner, estimator: VisemeEstimator, text: str, voice: Voice) -> None:
        self._aligner = aligner
        self._estimator = estimator
        self._text = text
        self._voice = voice
        self._pcm: Pcm16 = np.zeros(0, np.int16)
        self._estimated: list[TimedViseme] = []
        self._alignment: Alignment | None = None
        self._finishing = False
        self._settled = False
        self._error: BaseException | None = None
        self._looked_at = 0
        self._sent = 0
        self._words = [match.start() for match in _WORD.finditer(text)]
        self._words_sent = 0
        self._changed = asyncio.Event()
        self._taken = asyncio.Event()

    async def run(self, first: SpeechChunk, rest: AsyncIterator[SpeechChunk]) -> AsyncGenerator[SpeechChunk, None]:
        listening = asyncio.create_task(self._listen(first, rest), name="lipsync")
        began: float | None = None
        try:
            while not self._settled:
                self._changed.clear()
                due = 0.0 if began is None else began + self._sent / SPEECH_RATE - MARGIN
                wanted = FIRST if began is None else STEP
                wait = due - time.monotonic()
                if wait <= 0 and self._estimate(end := self._sent + round(wanted * SPEECH_RATE)):
                    began = began or time.monotonic()
                    yield self._cut(end)
                    continue
                # Overdue, only news can help.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait if wait > 0 else None):
                        await self._changed.wait()
            if self._error is not None:
                raise self._error
            if self._sent < len(self._pcm):
                yield self._cut(len(self._pcm))
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    def _estimate(self, end: int) -> bool:
        """Have the net look at the sound until the shapes up to sample ``end`` are known; whether there was enough."""
        if self._finishing:
            # The estimator is busy in another thread, with the last of the sound.
            return False
        while not self._estimated or self._estimated[-1].end * SPEECH_RATE < end:
            piece = self._pcm[self._looked_at : self._looked_at + _NET_PIECE]
            if len(piece) == 0:
                return False
            self._looked_at += len(piece)
            self._estimated += self._estimator.push(piece)
        return True

    def _estimate_rest(self) -> None:
        self._estimated += self._estimator.push(self._pcm[self._looked_at :])
        self._estimated += self._estimator.flush()

    async def _listen(self, first: SpeechChunk, rest: AsyncIterator[SpeechChunk]) -> None:
        """Collect the sound, then align it."""
        try:
            self._take(first.pcm)
            async for chunk in rest:
                self._take(chunk.pcm)
                while len(self._pcm) - self._sent > MAX_HELD * SPEECH_RATE:
                    self._taken.clear()
                    await self._taken.wait()
            try:
                self._alignment = await self._aligner.align(self._pcm, self._text, self._voice.language)
            except SpeechError as error:
                _log.info("no alignment, keeping the estimated visemes", reason=str(error))
                self._finishing = True
                await asyncio.to_thread(self._estimate_rest)
        except Exception as error:
            self._error = error
        self._settled = True
        self._changed.set()

    def _take(self, pcm: Pcm16) -> None:
        self._pcm = np.concatenate((self._pcm, pcm))
        self._changed.set()

    def _cut(self, end: int) -> SpeechChunk:
        """The next chunk, up to sample ``end``."""
        start_s, end_s = self._sent / SPEECH_RATE, end / SPEECH_RATE
        visemes = self._estimated if self._alignment is None else self._alignment.visemes
        chunk = SpeechChunk(
            pcm=self._pcm[self._sent : end],
            visemes=tuple(v.shifted(-start_s) for v in clip_visemes(visemes, start_s, end_s)),
            words=self._marks(start_s, end_s, last=self._settled),
        )
        self._sent = end
        self._taken.set()
        return chunk

    def _marks(self, start: float, end: float, *, last: bool) -> tuple[WordMark, ...]:
        """The words that begin in the chunk; one that was thought later than it turns out to be begins with it."""
        marks: list[WordMark] = []
        while self._words_sent < len(self._words):
            offset = self._words[self._words_sent]
            at = self._word_time(offset)
            if at >= end and not last:
                break
            marks.append(WordMark(offset, min(max(at, start), end) - start))
            self._words_sent += 1
        return tuple(marks)

    def _word_time(self, offset: int) -> float:
        if self._alignment is not None and self._alignment.words:
            marks = self._alignment.words
            index = bisect.bisect_right([mark.offset for mark in marks], offset) - 1
            return marks[max(0, index)].at
        if self._settled:
            return offset / max(1, len(self._text)) * len(self._pcm) / SPEECH_RATE
        return offset / (_CHARACTERS_PER_SECOND * self._voice.rate)
