"""Transparency mode: no listening and no thinking; the avatar says the sound that the client pushes."""

import asyncio
import uuid
from collections.abc import Callable

import structlog

from visavis.avatar.face import FaceState
from visavis.conversation.events import AnswerAudioDone, ConversationEvent
from visavis.conversation.stage import Stage
from visavis.conversation.viseme_stream import VisemeStream
from visavis.media.playout import PlayoutFull
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, VisemeEstimator
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

_STARTLED_SECONDS = 0.6
"""How long the face of an interrupted avatar shows it."""


class Transparency:
    """Passes pushed speech through to the stage, with mouth shapes estimated from the sound alone.

    An utterance ends by ``commit_audio``, or when nothing was pushed for ``gap`` seconds. Each one's end is told by
    ``AnswerAudioDone``, when its last sample was heard or it was cleared. Sound beyond the playout's limit is dropped
    and logged.
    """

    def __init__(
        self,
        stage: Stage,
        estimator: VisemeEstimator,
        emit: Callable[[ConversationEvent], None],
        *,
        gap: float = 0.6,
    ) -> None:
        self._stage = stage
        self._visemes = VisemeStream(stage, estimator)
        self._emit = emit
        self._gap = gap
        self._tasks = Tasks()
        self._response_id = ""
        """Of the utterance that is being pushed; empty between two."""
        self._end = 0.0
        """The media time after its last sample."""
        self._unheard: dict[str, asyncio.Task[None]] = {}
        """Utterances that are whole and not yet heard to their end, in their order: who waits for that end."""
        self._full = False
        self._gap_timer: asyncio.TimerHandle | None = None
        self._calm_timer: asyncio.TimerHandle | None = None
        self._activity = asyncio.get_running_loop().time()

    @property
    def quiet_since(self) -> float | None:
        """Loop time since when nothing was said; None while something is."""
        return None if self._stage.audible else self._activity

    def push_audio(self, pcm: Pcm16) -> None:
        """More of the avatar's speech, at ``SPEECH_RATE``."""
        if not len(pcm):
            return
        try:
            at = self._stage.say(SpeechChunk(pcm))
        except PlayoutFull as error:
            if not self._full:
                log.warning("pushed speech is dropped", error=str(error))
            self._full = True
            return
        if not self._response_id:
            self._response_id = f"resp_{uuid.uuid4().hex[:20]}"
            _stop(self._calm_timer)
            self._stage.show(FaceState.SPEAKING, at)
        self._end = at + len(pcm) / SPEECH_RATE
        self._visemes.push(pcm, at)
        loop = asyncio.get_running_loop()
        self._activity = loop.time()
        _stop(self._gap_timer)
        self._gap_timer = loop.call_later(self._gap, self.commit_audio)

    def commit_audio(self) -> None:
        """The utterance is whole: what is queued is said to its end."""
        _stop(self._gap_timer)
        if not self._response_id:
            return
        self._visemes.end()
        self._unheard[self._response_id] = self._tasks.spawn(self._await_end(self._response_id, self._end))
        self._response_id = ""
        self._full = False

    async def clear_audio(self) -> None:
        """Be silent at once: what was not heard is dropped, of this utterance and of those that are whole."""
        self.commit_audio()
        if not self._unheard:
            return
        silent_at = self._stage.cut()
        self._visemes.drop()
        loop = asyncio.get_running_loop()
        self._activity = loop.time()
        self._stage.show(FaceState.INTERRUPTED, silent_at)
        _stop(self._calm_timer)
        self._calm_timer = loop.call_later(_STARTLED_SECONDS, self._stage.show, FaceState.IDLE)
        unheard, self._unheard = self._unheard, {}
        for response_id, waiting in unheard.items():
            waiting.cancel()
            self._emit(AnswerAudioDone(response_id))

    async def close(self) -> None:
        """Silence, and nothing left running."""
        _stop(self._gap_timer)
        _stop(self._calm_timer)
        self._stage.cut()
        await self._visemes.close()
        await self._tasks.close()

    async def _await_end(self, response_id: str, end: float) -> None:
        await self._stage.heard(end)
        del self._unheard[response_id]
        self._activity = asyncio.get_running_loop().time()
        if not self._unheard and not self._response_id:
            self._stage.show(FaceState.IDLE)
        self._emit(AnswerAudioDone(response_id))


def _stop(timer: asyncio.TimerHandle | None) -> None:
    if timer:
        timer.cancel()
