"""Playout: what the avatar says, laid out on the media clock."""

import asyncio
from collections import deque
from dataclasses import dataclass

import numpy as np

from visavis.media.clock import MediaClock
from visavis.speech.ports import SPEECH_RATE, Pcm16

LEAD = 0.06
"""Seconds: enough for a face that needs no sound to move its lips first."""

FADE = SPEECH_RATE * 5 // 1000
"""Samples over which cut sound fades out: 5 ms, enough that the cut does not click."""

UNDERRUN_WINDOW = 0.3
"""Seconds: a pause shorter than this between two stretches of sound was not meant."""


class PlayoutFull(Exception):
    """More sound was appended than the playout may hold."""


@dataclass(slots=True)
class _Stretch:
    """Sound that begins at sample ``start`` of the media clock."""

    start: int
    pcm: Pcm16

    @property
    def end(self) -> int:
        return self.start + len(self.pcm)


class Playout:
    """The avatar's sound in the order it will be heard: mono int16 at ``SPEECH_RATE``, silence where there is none.

    Media time and samples are one thing: sample ``n`` is due at ``n / SPEECH_RATE`` seconds of the clock. The audio
    track pulls without gaps; what was pulled has left and cannot be taken back. Holds at most ``limit`` seconds and
    drops nothing by itself: feed it with ``room``. To be used on the event loop.

    ``lead``: seconds between an append to a silent playout and its first sample, so that the picture (which is made a
    little ahead) and the packet that is being sent can still take part in it.
    """

    def __init__(self, clock: MediaClock, *, lead: float = LEAD, limit: float = 120.0) -> None:
        self._clock = clock
        self._lead = lead
        self._limit = round(limit * SPEECH_RATE)
        self._queue: deque[_Stretch] = deque()
        self._position = 0
        self._end = 0
        self._dry_since: int | None = None
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._rooms: list[tuple[int, asyncio.Future[None]]] = []
        self._closed = False
        self.underruns = 0
        """How often sound ran dry for less than ``UNDERRUN_WINDOW`` before more of it came."""

    @property
    def position(self) -> float:
        """Media time (seconds) up to which sound was pulled."""
        return self._position / SPEECH_RATE

    @property
    def end(self) -> float:
        """Media time (seconds) after the last sample that is or was queued."""
        return self._end / SPEECH_RATE

    @property
    def queued(self) -> float:
        """Seconds from what was pulled last to ``end``."""
        return max(0, self._end - self._position) / SPEECH_RATE

    def append(self, pcm: Pcm16) -> float:
        """Queue sound; the media time (seconds) at which its first sample will sound.

        That is ``end`` while sound is queued, else now plus the lead. Sound appended before the clock starts waits and
        starts with it. Raises ``ValueError`` for anything but one-dimensional int16, ``PlayoutFull`` over the limit.
        """
        if pcm.dtype != np.int16 or pcm.ndim != 1:
            raise ValueError(f"playout takes one-dimensional int16 sound, not {pcm.dtype} of {pcm.ndim} dimensions")
        start = self._end
        if self._end <= self._position:
            start = max(self._position, round((self._clock.now() + self._lead) * SPEECH_RATE))
        if start + len(pcm) - self._position > self._limit:
            raise PlayoutFull(f"the playout holds at most {self._limit / SPEECH_RATE:.0f} s of sound")
        if len(pcm) and not self._closed:
            if self._dry_since is not None and self._position - self._dry_since < UNDERRUN_WINDOW * SPEECH_RATE:
                self.underruns += 1
            self._dry_since = None
            self._queue.append(_Stretch(start, pcm.copy()))
            self._end = start + len(pcm)
        return start / SPEECH_RATE

    def clear(self) -> float:
        """Drop what was not pulled, fading out over its first milliseconds; the media time where silence begins."""
        tail = self._peek(FADE)
        self._queue.clear()
        self._dry_since = None
        self._end = self._position
        if tail.any():
            faded = (tail * np.linspace(1.0, 0.0, len(tail), endpoint=False)).astype(np.int16)
            self._queue.append(_Stretch(self._position, faded))
            self._end = self._position + len(faded)
        self._wake(self._rooms, self._closed)
        return self.end

    def pull(self, count: int) -> Pcm16:
        """Take the next ``count`` samples; silence where nothing is queued."""
        out = self._peek(count)
        self._position += count
        while self._queue and self._queue[0].end <= self._position:
            stretch = self._queue.popleft()
            if not self._queue:
                self._dry_since = stretch.end
        self._wake(self._waiters, self._closed)
        self._wake(self._rooms, self._closed)
        return out

    async def wait_until(self, at: float) -> None:
        """Return once media time ``at`` (seconds) was pulled, or the playout was closed."""
        await self._wait(self._waiters, round(at * SPEECH_RATE))

    async def room(self, seconds: float) -> None:
        """Return once less than ``seconds`` of sound are queued, or the playout was closed."""
        await self._wait(self._rooms, round(seconds * SPEECH_RATE))

    def close(self) -> None:
        """Drop everything and release whoever waits. Idempotent; later appends are ignored."""
        self._closed = True
        self._queue.clear()
        self._end = min(self._end, self._position)
        self._wake(self._waiters, everyone=True)
        self._wake(self._rooms, everyone=True)

    def _peek(self, count: int) -> Pcm16:
        """The next ``count`` samples without pulling them."""
        out = np.zeros(count, np.int16)
        for stretch in self._queue:
            if stretch.start >= self._position + count:
                break
            first, last = max(stretch.start, self._position), min(stretch.end, self._position + count)
            out[first - self._position : last - self._position] = stretch.pcm[
                first - stretch.start : last - stretch.start
            ]
        return out

    def _reached(self, waiting: list[tuple[int, asyncio.Future[None]]], mark: int) -> bool:
        return self._position >= mark if waiting is self._waiters else self._end - self._position < mark

    async def _wait(self, waiting: list[tuple[int, asyncio.Future[None]]], mark: int) -> None:
        if self._closed or self._reached(waiting, mark):
            return
        entry = (mark, asyncio.get_running_loop().create_future())
        waiting.append(entry)
        try:
            await entry[1]
        finally:
            if entry in waiting:
                waiting.remove(entry)

    def _wake(self, waiting: list[tuple[int, asyncio.Future[None]]], everyone: bool) -> None:
        for mark, future in waiting:
            if (everyone or self._reached(waiting, mark)) and not future.done():
                future.set_result(None)
