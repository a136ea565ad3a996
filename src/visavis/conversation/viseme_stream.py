"""Mouth shapes for sound that is queued on the stage: estimated in a thread, and shown when they are known."""

import asyncio
from collections import deque
from dataclasses import dataclass

import structlog

from visavis.conversation.stage import Stage
from visavis.speech.ports import SPEECH_RATE, Pcm16, VisemeEstimator
from visavis.tasks import Tasks
from visavis.viseme import TimedViseme

log = structlog.get_logger(__name__)

_PIECE = SPEECH_RATE // 4
"""Samples that the estimator takes at a time. The shapes of a long stretch follow piece by piece, so the first are
known while the playout still holds the sound back."""
_WAITING = 8192
"""Pieces that may wait. The playout, which takes two minutes of sound, is full before in all but the smallest ones."""


@dataclass(frozen=True, slots=True)
class _Sound:
    """A piece of sound whose first sample is heard at media time ``at``."""

    pcm: Pcm16
    at: float


@dataclass(frozen=True, slots=True)
class _End:
    """The sound before it is whole."""


class VisemeStream:
    """Runs an estimator beside the event loop, on one piece of sound after the other, and lets the stage show the rest.

    Pieces beyond ``_WAITING`` are dropped and logged: they are heard with the mouth at rest. To be used on the event
    loop; the estimator is called from threads, never from two at a time.
    """

    def __init__(self, stage: Stage, estimator: VisemeEstimator) -> None:
        self._stage = stage
        self._estimator = estimator
        self._tasks = Tasks()
        self._worker: asyncio.Task[None] | None = None
        self._waiting: deque[_Sound | _End] = deque()
        self._taken = 0
        """Samples that the estimator was given of the present stretch."""
        self._places: deque[tuple[float, float]] = deque()
        """Where the stretch goes on at another time than straight after what is before: its seconds, and the media
        time at which they are heard. Those that no later shape can ask for are forgotten."""

    def push(self, pcm: Pcm16, at: float) -> None:
        """More sound, at ``SPEECH_RATE``, whose first sample is heard at media time ``at``."""
        for start in range(0, len(pcm), _PIECE):
            if len(self._waiting) >= _WAITING:
                log.warning("sound goes without mouth shapes", seconds=(len(pcm) - start) / SPEECH_RATE)
                return
            self._put(_Sound(pcm[start : start + _PIECE], at + start / SPEECH_RATE))

    def end(self) -> None:
        """What was pushed is whole; what comes next is heard on its own."""
        if not self._waiting or not isinstance(self._waiting[-1], _End):
            self._put(_End())

    def drop(self) -> None:
        """Show nothing more of what was pushed."""
        self._waiting.clear()
        self._places.clear()
        self.end()

    async def close(self) -> None:
        """Stop. What a thread is doing it finishes, a quarter of a second of sound at most, for nobody."""
        self._waiting.clear()
        await self._tasks.close()

    def _put(self, item: _Sound | _End) -> None:
        self._waiting.append(item)
        if self._worker is None or self._worker.done():
            self._worker = self._tasks.spawn(self._work())

    async def _work(self) -> None:
        while self._waiting:
            match self._waiting.popleft():
                case _Sound(pcm, at):
                    self._place(at)
                    self._taken += len(pcm)
                    self._show(await asyncio.to_thread(self._estimator.push, pcm))
                case _End():
                    self._show(await asyncio.to_thread(self._estimator.flush))
                    self._places.clear()
                    self._taken = 0

    def _place(self, at: float) -> None:
        place = self._taken / SPEECH_RATE
        if self._places:
            before, heard = self._places[-1]
            if abs(heard + place - before - at) < 0.5 / SPEECH_RATE:
                return
        self._places.append((place, at))

    def _show(self, visemes: tuple[TimedViseme, ...]) -> None:
        for viseme in visemes:
            while len(self._places) > 1 and self._places[1][0] <= viseme.start:
                self._places.popleft()
            if self._places:  # else it was dropped while the estimator looked at it
                place, at = self._places[0]
                self._stage.mouth((viseme,), at - place)
