"""The sound of one utterance while it is being recognized, with a bound, and the stream of providers that need all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np
import structlog

from visavis.speech.ports import LISTEN_RATE, Pcm16, SpeechError, Transcript

MAX_SECONDS: Final = 30.0
"""An utterance is cut here; what is said after it is not recognized."""

_log = structlog.stdlib.get_logger(__name__)


class UtteranceBuffer:
    """Sound at 16 kHz, ``MAX_SECONDS`` at most; what goes beyond is dropped, and logged once."""

    def __init__(self) -> None:
        self._pieces: list[Pcm16] = []
        self._room = round(MAX_SECONDS * LISTEN_RATE)
        self._full = False

    def append(self, pcm: Pcm16) -> Pcm16:
        """Add sound; the part of it that had room."""
        taken = pcm[: self._room].copy()
        if len(taken) < len(pcm) and not self._full:
            self._full = True
            _log.warning("utterance cut", seconds=MAX_SECONDS)
        if len(taken):
            self._pieces.append(taken)
            self._room -= len(taken)
        return taken

    def sound(self) -> Pcm16:
        """All that was kept."""
        return np.concatenate(self._pieces) if self._pieces else np.zeros(0, np.int16)


class WholeUtteranceStream:
    """A ``RecognitionStream`` of a provider that takes the utterance in one piece: no words before its end.

    ``recognize``: gives the words of sound at 16 kHz; cancelled by ``cancel``.
    """

    def __init__(self, recognize: Callable[[Pcm16], Awaitable[Transcript]]) -> None:
        self._recognize = recognize
        self._buffer = UtteranceBuffer()
        self._task: asyncio.Future[Transcript] | None = None
        self._cancelled = False

    def push(self, pcm: Pcm16) -> None:
        """Keep sound for the end."""
        if not self._cancelled and self._task is None:
            self._buffer.append(pcm)

    async def partial(self) -> str:
        """Nothing: there are no words before the end."""
        return ""

    async def finish(self) -> Transcript:
        """The words. Raises ``SpeechError``, also after ``cancel``."""
        if self._cancelled:
            raise SpeechError("the utterance was cancelled")
        if self._task is None:
            sound = self._buffer.sound()
            if not len(sound):
                return Transcript("")
            self._task = asyncio.ensure_future(self._recognize(sound))
        try:
            return await self._task
        except asyncio.CancelledError:
            if self._cancelled:
                raise SpeechError("the utterance was cancelled") from None
            raise

    async def cancel(self) -> None:
        """Throw the utterance away, also while ``finish`` waits. Idempotent."""
        self._cancelled = True
        self._buffer = UtteranceBuffer()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
