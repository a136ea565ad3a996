"""The user's side of the turn: from microphone sound to the words of a finished utterance.

Times here are counted in samples of sound, not on a clock, so that a client that sends in bursts is heard like any
other. The one exception is a microphone that falls silent by sending nothing: a timer then ends the turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

import numpy as np
import soxr
import structlog

from visavis.speech.ports import (
    LISTEN_RATE,
    SPEECH_RATE,
    VAD_FRAME,
    Pcm16,
    RecognitionContext,
    RecognitionStream,
    Recognizer,
    SpeechError,
    Transcript,
    TurnDetector,
    VoiceActivityDetector,
)

log = structlog.get_logger(__name__)

FRAME_SECONDS = VAD_FRAME / LISTEN_RATE
_ASK_AFTER = 0.192
"""Seconds of silence after which the turn detector is asked, once per silence: early, where it judges best."""
_PAUSE = 0.2
"""Seconds of silence in mid-turn that are a pause: longer than a stop consonant, shorter than a turn's end."""
_CONTEXT_SECONDS = 8.0
"""How much of the turn the turn detector is given."""
_ECHO_SECONDS = 0.3
"""Sound that the echo guard judges by."""
_STARVED_SECONDS = 0.8
"""A microphone that sends nothing for so long in mid-turn has gone silent."""


@dataclass(frozen=True, slots=True)
class ListeningSettings:
    """When sound counts as a turn of the user. Seconds and probabilities (0–1)."""

    threshold: float = 0.5
    release: float = 0.35
    start: float = 0.064
    pre_roll: float = 0.3
    longest: float = 30.0
    """A turn is ended when it lasts longer."""
    default_silence: float = 0.48
    """Ends a turn while the turn detector has not answered yet."""
    barge_in: float = 0.128
    """Speech needed to start a turn while the avatar is heard."""
    barge_in_threshold: float = 0.7


class EchoJudge(Protocol):
    """Knows what the avatar played lately."""

    def audible(self) -> bool:
        """Whether the avatar is heard now."""
        ...

    def is_echo(self, heard: Pcm16) -> bool:
        """Whether ``heard`` (at ``LISTEN_RATE``, ending now) is only the avatar's own voice coming back."""
        ...


class ListeningEvents(Protocol):
    """Whom the listener tells."""

    def on_speech_started(self) -> None:
        """A turn began."""
        ...

    def on_voice(self, speaking: bool) -> None:
        """In a turn: the visitor speaks, or has made a pause. The turn's end is one."""
        ...

    def on_speech_stopped(self, silence: float) -> None:
        """The turn ended, ``silence`` seconds after its last speech; its words follow."""
        ...

    async def on_transcript(self, transcript: Transcript, error: SpeechError | None) -> None:
        """The turn's words; empty, with ``error`` set, when the recognizer failed."""
        ...


class _State(Enum):
    QUIET = auto()
    SPEAKING = auto()


class Listener:
    """Listens to one microphone. ``push`` on the event loop; ``close`` frees everything."""

    def __init__(
        self,
        vad: VoiceActivityDetector,
        turns: TurnDetector,
        recognizer: Recognizer,
        context: RecognitionContext,
        events: ListeningEvents,
        echo: EchoJudge,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        settings: ListeningSettings | None = None,
    ) -> None:
        self._vad = vad
        self._turns = turns
        self._recognizer = recognizer
        self._context = context
        self._events = events
        self._echo = echo
        self._spawn = spawn
        self._settings = settings or ListeningSettings()
        self._resampler = _resampler()
        self._rest = np.zeros(0, np.int16)
        self._state = _State.QUIET
        kept = self._settings.pre_roll + max(self._settings.start, self._settings.barge_in) + _ECHO_SECONDS
        self._recent: deque[Pcm16] = deque(maxlen=round(kept / FRAME_SECONDS) + 1)
        self._run = 0.0
        self._stream: RecognitionStream | None = None
        self._turn: deque[Pcm16] = deque(maxlen=round(_CONTEXT_SECONDS / FRAME_SECONDS))
        self._length = 0.0
        self._silence = 0.0
        self._voiced = False
        self._needed = self._settings.default_silence
        self._asking: asyncio.Task[None] | None = None
        self._starved: asyncio.TimerHandle | None = None
        self._order = asyncio.Lock()
        self._finishing = 0
        self._closed = False

    @property
    def busy(self) -> bool:
        """Whether the user is in the middle of a turn, or a turn's words are still to come."""
        return self._state is _State.SPEAKING or self._finishing > 0

    def push(self, pcm: Pcm16) -> None:
        """Take microphone sound at ``SPEECH_RATE``."""
        if self._closed or not len(pcm):
            return
        heard = np.concatenate((self._rest, self._resampler.resample_chunk(pcm)))
        whole = len(heard) // VAD_FRAME * VAD_FRAME
        for start in range(0, whole, VAD_FRAME):
            self._frame(heard[start : start + VAD_FRAME])
        self._rest = heard[whole:]
        if self._state is _State.SPEAKING:
            self._watch()

    def commit(self) -> None:
        """The client says that the turn is over."""
        if self._state is _State.SPEAKING:
            self._end()

    async def clear(self) -> None:
        """Throw the running turn away; its end is told, with no words."""
        self._rest = np.zeros(0, np.int16)
        if self._state is _State.SPEAKING:
            stream, self._stream = self._stream, None
            self._end()
            if stream:
                await stream.cancel()
        self._vad.reset()

    async def close(self) -> None:
        """Stop listening; a running turn is dropped."""
        self._closed = True
        self._unwatch()
        if self._asking:
            self._asking.cancel()
            self._asking = None
        stream, self._stream = self._stream, None
        if stream:
            await stream.cancel()

    def _frame(self, frame: Pcm16) -> None:
        probability = self._vad.probability(frame)
        self._recent.append(frame)
        if self._state is _State.QUIET:
            self._quiet(probability)
        else:
            self._speaking(frame, probability)

    def _quiet(self, probability: float) -> None:
        audible = self._echo.audible()
        threshold = self._settings.barge_in_threshold if audible else self._settings.threshold
        if probability < threshold:
            # One weak frame does not undo an onset; it sets it back.
            self._run = max(0.0, self._run - 2 * FRAME_SECONDS)
            return
        self._run += FRAME_SECONDS
        if self._run + 1e-9 < (self._settings.barge_in if audible else self._settings.start):
            return
        if self._echo.is_echo(np.concatenate(self._recent)):
            self._run = 0.0
            return
        self._begin()

    def _begin(self) -> None:
        self._state = _State.SPEAKING
        self._silence = 0.0
        self._needed = self._settings.default_silence
        self._stream = self._recognizer.open(self._context)
        pre_roll = list(self._recent)[-round((self._settings.pre_roll + self._run) / FRAME_SECONDS) :]
        self._run = 0.0
        self._length = len(pre_roll) * FRAME_SECONDS
        self._turn.clear()
        for frame in pre_roll:
            self._turn.append(frame)
            self._stream.push(frame)
        self._events.on_speech_started()
        self._voice(True)

    def _voice(self, speaking: bool) -> None:
        if speaking is not self._voiced:
            self._voiced = speaking
            self._events.on_voice(speaking)

    def _speaking(self, frame: Pcm16, probability: float) -> None:
        self._turn.append(frame)
        if self._stream:
            self._stream.push(frame)
        self._length += FRAME_SECONDS
        if probability >= self._settings.release:
            self._voice(True)
            self._silence = 0.0
            self._needed = self._settings.default_silence
            if self._asking:
                self._asking.cancel()
                self._asking = None
        else:
            self._silence += FRAME_SECONDS
            if self._silence >= _PAUSE:
                self._voice(False)
            if self._asking is None and self._silence >= _ASK_AFTER:
                self._asking = self._spawn(self._ask())
        if self._silence >= self._needed or self._length >= self._settings.longest:
            self._end()

    async def _ask(self) -> None:
        stream = self._stream
        try:
            text = await stream.partial() if stream else ""
            needed = await self._turns.silence(np.concatenate(self._turn), text)
        except SpeechError as error:
            log.warning("turn detection failed", error=str(error))
            return
        if self._state is not _State.SPEAKING or stream is not self._stream:
            return
        self._needed = needed
        if self._silence >= needed:
            self._end()

    def _end(self) -> None:
        self._state = _State.QUIET
        self._unwatch()
        if self._asking and self._asking is not asyncio.current_task():
            self._asking.cancel()
        self._asking = None
        self._run = 0.0
        stream, self._stream = self._stream, None
        self._voice(False)
        self._events.on_speech_stopped(self._silence)
        self._finishing += 1
        self._spawn(self._finish(stream))

    async def _finish(self, stream: RecognitionStream | None) -> None:
        transcript, failure = Transcript(""), None
        # The lock is fair: turns are told in the order in which they were spoken.
        async with self._order:
            if stream:
                try:
                    transcript = await stream.finish()
                except SpeechError as error:
                    log.warning("recognition failed", error=str(error))
                    failure = error
                except Exception as error:
                    # A fault in a provider must not leave a turn without its end.
                    log.exception("the recognizer's provider failed")
                    failure = SpeechError(type(error).__name__)
                finally:
                    await stream.cancel()
            self._finishing -= 1
            await self._events.on_transcript(transcript, failure)

    def _watch(self) -> None:
        self._unwatch()
        self._starved = asyncio.get_running_loop().call_later(_STARVED_SECONDS, self._starve)

    def _unwatch(self) -> None:
        if self._starved:
            self._starved.cancel()
            self._starved = None

    def _starve(self) -> None:
        self._starved = None
        if self._state is _State.SPEAKING:
            self._silence += _STARVED_SECONDS
            self._end()


def _resampler() -> soxr.ResampleStream:
    # LQ holds back 6 ms only, and is clean enough for detectors.
    return soxr.ResampleStream(SPEECH_RATE, LISTEN_RATE, 1, dtype="int16", quality="LQ")
