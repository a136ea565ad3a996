"""Transparency mode: no listening and no thinking; the avatar says the sound that the client pushes."""

import asyncio
import uuid
from collections.abc import Callable

import structlog

from visavis.avatar.face import FaceState
from visavis.conversation.events import AnswerAudioDone, ConversationEvent
from visavis.conversation.stage import Stage
from visavis.media.playout import PlayoutFull
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, VisemeEstimator
from visavis.tasks import Tasks
from visavis.viseme import TimedViseme

log = structlog.get_logger(__name__)


class Transparency:
    """Passes pushed speech through to the stage, with mouth shapes estimated from the sound alone.

    An utterance ends by ``commit_audio``, or when nothing was pushed for ``gap`` seconds. Sound beyond the playout's
    limit is dropped and logged.
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
        self._estimator = estimator
        self._emit = emit
        self._gap = gap
        self._tasks = Tasks()
        self._pieces: list[tuple[float, float]] = []
        """Of the running utterance: each piece's place in the pushed sound, and when it sounds."""
        self._pushed = 0.0
        self._end = 0.0
        self._response_id = ""
        self._timer: asyncio.TimerHandle | None = None
        self._activity = asyncio.get_running_loop().time()

    @property
    def quiet_since(self) -> float | None:
        """Loop time since when nothing was said; None while something is."""
        return None if self._stage.audible else self._activity

    def push_audio(self, pcm: Pcm16) -> None:
        """More of the avatar's speech, at ``SPEECH_RATE``."""
        try:
            at = self._stage.say(SpeechChunk(pcm))
        except PlayoutFull as error:
            log.warning("pushed speech was dropped", error=str(error))
            return
        if not self._response_id:
            self._response_id = f"resp_{uuid.uuid4().hex[:20]}"
            self._stage.show(FaceState.SPEAKING, at)
        self._pieces.append((self._pushed, at))
        self._pushed += len(pcm) / SPEECH_RATE
        self._end = at + len(pcm) / SPEECH_RATE
        self._mouth(self._estimator.push(pcm))
        self._activity = asyncio.get_running_loop().time()
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(self._gap, self.commit_audio)

    def commit_audio(self) -> None:
        """The utterance is whole: what is queued is said to its end."""
        self._stop_timer()
        if not self._response_id:
            return
        self._mouth(self._estimator.flush())
        self._tasks.spawn(self._tell_end(self._response_id, self._end))
        self._reset()

    async def clear_audio(self) -> None:
        """Be silent at once; what was not heard is dropped."""
        self._stop_timer()
        self._estimator.flush()
        silent_at = self._stage.cut()
        if self._response_id:
            self._stage.show(FaceState.INTERRUPTED, silent_at)
            self._stage.show(FaceState.IDLE, silent_at + self._gap)
            self._emit(AnswerAudioDone(self._response_id))
        self._reset()

    async def close(self) -> None:
        """Silence, and nothing left running."""
        self._stop_timer()
        self._stage.cut()
        await self._tasks.close()

    def _reset(self) -> None:
        self._response_id = ""
        self._pieces.clear()
        self._pushed = 0.0

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _mouth(self, visemes: tuple[TimedViseme, ...]) -> None:
        for viseme in visemes:
            place, at = next((piece for piece in reversed(self._pieces) if piece[0] <= viseme.start), self._pieces[0])
            self._stage.mouth((viseme,), at - place)

    async def _tell_end(self, response_id: str, end: float) -> None:
        await self._stage.heard(end)
        self._activity = asyncio.get_running_loop().time()
        self._emit(AnswerAudioDone(response_id))
        if not self._response_id:
            self._stage.show(FaceState.IDLE)
