"""The embedded recognizer: English by pocketsphinx in worker processes (workers/recognition.py), no download.

It is made for an avatar that knows what its visitors ask: what is near one of the context's phrases is understood
almost always, free dictation with every third or fourth word wrong on people. It recognizes while the user speaks and
has the words within a tenth of a second after the end.
"""

import asyncio
import os
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from visavis.speech.ports import Pcm16, RecognitionContext, SpeechError, Transcript
from visavis.speech.recognition_pool import RecognitionPool
from visavis.speech.utterance_buffer import UtteranceBuffer
from visavis.speech.vocabulary import acronyms, sounded, spelled, words_of, written
from visavis.speech.worker import Exchange, Reply, WorkerError, WorkerProcess

Pronounce = Callable[[Iterable[str]], Awaitable[Mapping[str, str]]]
"""Gives pronunciations in ARPAbet without stress (``{"hello": "HH AH L OW"}``) for the words it can."""

MAX_LEXICONS: Final = 64
"""Contexts whose phrases are kept ready for the workers."""

MAX_PHRASES: Final = 2000
"""Phrases used of a context at most; the rest is dropped, and logged."""

_TRIES: Final = 2
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """A context's phrases, as the worker wants them and as they were written."""

    written: Mapping[str, str]
    pronunciations: Mapping[str, str]

    def data(self) -> dict[str, Any]:
        return {"phrases": list(self.written), "pronunciations": dict(self.pronunciations)}

    def transcript(self, reply: Reply) -> str:
        """The text; a whole phrase as its author wrote it."""
        text = str(reply.data["text"])
        return self.written[text] if reply.data["phrase"] and text in self.written else written(text)


class PocketsphinxRecognizer:
    """A ``Recognizer`` for English.

    ``workers``: processes at most, one utterance each (about 170 MB, and a fifth to two fifths of a core while
    somebody speaks); None: one per core, at most four. The first is started by ``start``, others when they are needed.
    An utterance that finds all busy is kept and recognized afterwards. ``pronounce``: for words of phrases that the
    dictionary lacks; a rough rule stands in for it.
    """

    def __init__(self, *, workers: int | None = None, pronounce: Pronounce | None = None) -> None:
        self._pool = RecognitionPool("visavis.speech.workers.recognition", size=workers or min(4, os.cpu_count() or 1))
        self._pronounce = pronounce
        self._lexicons: OrderedDict[tuple[str, ...], _Lexicon] = OrderedDict()
        self._utterances: set[_Utterance] = set()

    @property
    def pids(self) -> tuple[int, ...]:
        """The worker processes that are up."""
        return self._pool.pids

    async def start(self) -> None:
        """Start the first worker (half a second). Raises ``SpeechError``."""
        await self._pool.start()

    async def close(self) -> None:
        """End everything; utterances under way fail. Idempotent."""
        await asyncio.gather(*(utterance.cancel() for utterance in tuple(self._utterances)))
        await self._pool.close()

    def open(self, context: RecognitionContext) -> "_Utterance":
        """Begin an utterance. For a language other than English, its ``finish`` raises ``SpeechError``."""
        utterance = _Utterance(self._pool, self._lexicon, context)
        self._utterances.add(utterance)
        utterance.task.add_done_callback(lambda _: self._utterances.discard(utterance))
        return utterance

    async def _lexicon(self, context: RecognitionContext, worker: WorkerProcess) -> _Lexicon:
        key = context.phrases
        if key not in self._lexicons:
            self._lexicons[key] = await self._learn(key, worker)
            if len(self._lexicons) > MAX_LEXICONS:
                self._lexicons.popitem(last=False)
        self._lexicons.move_to_end(key)
        return self._lexicons[key]

    async def _learn(self, phrases: tuple[str, ...], worker: WorkerProcess) -> _Lexicon:
        if len(phrases) > MAX_PHRASES:
            _log.warning("phrases dropped", given=len(phrases), used=MAX_PHRASES)
        texts: dict[str, str] = {}
        for phrase in phrases[:MAX_PHRASES]:
            if words := words_of(phrase):
                texts.setdefault(" ".join(words), phrase.strip())
        words = sorted({word for text in texts for word in text.split()})
        unknown: list[str] = (await worker.call("unknown", {"words": words})).data["unknown"] if words else []
        letters = acronyms(phrases)
        pronunciations = {word: spelled(word) for word in unknown if word in letters}
        others = [word for word in unknown if word not in pronunciations]
        found: Mapping[str, str] = {}
        if others and self._pronounce is not None:
            try:
                found = await self._pronounce(others)
            except SpeechError as error:
                _log.warning("phrases pronounced by rule", reason=str(error))
        pronunciations |= {word: found.get(word) or sounded(word) for word in others}
        return _Lexicon(texts, {word: phones for word, phones in pronunciations.items() if phones})


class _Utterance:
    """A ``RecognitionStream``: a task that takes a worker, hands it the sound as it comes, and waits for the words."""

    def __init__(
        self,
        pool: RecognitionPool,
        lexicon: Callable[[RecognitionContext, WorkerProcess], Awaitable[_Lexicon]],
        context: RecognitionContext,
    ) -> None:
        self._pool = pool
        self._lexicon = lexicon
        self._context = context
        self._buffer = UtteranceBuffer()
        self._ended = False
        self._cancelled = False
        self._exchange: Exchange | None = None
        self._partials: deque[asyncio.Future[Reply | None]] = deque()
        self._words: _Lexicon | None = None
        self.task = asyncio.create_task(self._recognize(), name="recognize")
        # Whether or not somebody comes to ask for it.
        self.task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def push(self, pcm: Pcm16) -> None:
        """Hand over sound; all of it is kept until the end, for another try if a worker crashes."""
        if self._ended or self.task.done():
            return
        taken = self._buffer.append(pcm)
        if len(taken):
            self._tell("sound", taken.tobytes())

    async def partial(self) -> str:
        """The words so far; empty while the utterance waits for a worker."""
        if self._exchange is None or self._words is None or self._ended:
            return ""
        words = self._words
        future: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self._partials.append(future)
        self._tell("partial")
        reply = await future
        return words.transcript(reply) if reply is not None else ""

    async def finish(self) -> Transcript:
        """The words, within a tenth of a second when a worker was free. Raises ``SpeechError``."""
        if not self._ended:
            self._ended = True
            self._tell("finish")
        try:
            return await self.task
        except asyncio.CancelledError:
            if self._cancelled:
                raise SpeechError("the utterance was cancelled") from None
            raise

    async def cancel(self) -> None:
        """Throw the utterance away. Idempotent."""
        self._cancelled = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def _tell(self, operation: str, payload: bytes = b"") -> None:
        if self._exchange is None:
            return
        try:
            self._exchange.send(operation, payload=payload)
        except WorkerError:
            # The worker is gone or hopelessly late. The task sees the exchange end and begins anew.
            self._exchange.cancel()
            self._exchange = None

    async def _recognize(self) -> Transcript:
        language = self._context.language
        if language.lower().replace("_", "-").split("-")[0] != "en":
            raise SpeechError(f"pocketsphinx understands English only, not {language!r}: choose another recognizer")
        reason = ""
        for attempt in range(1, _TRIES + 1):
            async with self._pool.worker() as worker:
                try:
                    return await self._attempt(worker)
                except WorkerError as error:
                    reason = str(error)
                    _log.warning("recognition failed", attempt=attempt, reason=reason)
                finally:
                    self._forget_partials()
        raise SpeechError(f"speech could not be recognized: {reason}")

    async def _attempt(self, worker: WorkerProcess) -> Transcript:
        words = self._words = await self._lexicon(self._context, worker)
        async with await worker.open("utterance", words.data()) as exchange:
            self._exchange = exchange
            # What came before a worker was free, and what another one has heard already.
            if len(sound := self._buffer.sound()):
                self._tell("sound", sound.tobytes())
            if self._ended:
                self._tell("finish")
            try:
                async for reply in exchange:
                    if not self._partials:
                        return Transcript(words.transcript(reply))
                    if not (future := self._partials.popleft()).done():
                        future.set_result(reply)
            finally:
                self._exchange = None
        raise WorkerError("the recognition worker gave no words")

    def _forget_partials(self) -> None:
        while self._partials:
            if not (future := self._partials.popleft()).done():
                future.set_result(None)
