"""From a client's socket to its session: limits, decoding, and the order in which commands are handed over."""

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Final

import structlog

from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    Interrupt,
    KeepAlive,
    SetBackground,
)
from visavis.session.ports import Call
from visavis.speech.ports import SPEECH_RATE
from visavis.wire.navtalk.bad_message import BadMessage
from visavis.wire.navtalk.decode import BackgroundDraft, Decoded, Draft, ImageDraft, MessageDraft, decode, finish
from visavis.wire.navtalk.limits import TokenBucket
from visavis.wire.navtalk.metrics import WireMetrics
from visavis.wire.navtalk.settings import NavtalkSettings

_log: Final = structlog.get_logger(__name__)

_THREADED: Final = 64 * 1024
"""Characters above which a message is decoded in a thread."""

_OVERHEAD: Final = 30e-6
"""Seconds of the event loop that the web server itself spends on a message, beside what is measured here."""

_BACKLOG: Final = 256
"""Commands waiting behind a picture."""

_IMMEDIATE: Final = (
    AppendAudio,
    CommitAudio,
    ClearAudio,
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    Interrupt,
    KeepAlive,
)
"""Commands that do not wait for pictures which were sent before them."""


class Inbox:
    """Takes one client's messages and hands their commands to its call, one at a time.

    Sound, signalling, interruptions and signs of life go straight through. The other commands keep their order among
    themselves, in a lane of their own, because unpacking a picture takes time. Dropped, and counted: what exceeds the
    limits of the settings, and what finds the lane full (256 commands).
    """

    def __init__(
        self, call: Call, settings: NavtalkSettings, metrics: WireMetrics, threads: asyncio.Semaphore, passthrough: bool
    ) -> None:
        self._call: Final = call
        self._settings: Final = settings
        self._metrics: Final = metrics
        self._threads: Final = threads
        self._handing: Final = asyncio.Lock()
        self._lane: Final[asyncio.Queue[Command | Draft]] = asyncio.Queue(_BACKLOG)
        self._messages: Final = TokenBucket(settings.messages_per_second, settings.messages_burst)
        self._bytes: Final = TokenBucket(settings.bytes_per_second, 2 * settings.max_message_bytes)
        self._images: Final = TokenBucket(settings.images_per_second, settings.images_burst)
        pace = settings.passthrough_pace if passthrough else settings.audio_pace
        burst = settings.passthrough_burst if passthrough else settings.audio_burst
        self._sound: Final = TokenBucket(pace, burst)
        self._loop_time: Final = TokenBucket(settings.loop_share, 0.25)

    async def take(self, frame: Mapping[str, Any]) -> None:
        """Take an ASGI ``websocket.receive``. Returns late on purpose when the client asks for too much work."""
        spent = _OVERHEAD
        text = self._admitted(frame)
        if text is not None:
            if len(text) > _THREADED:
                async with self._threads:
                    result, seconds = await asyncio.to_thread(_timed_decode, text)
            else:
                result, seconds = _timed_decode(text)
            began = time.thread_time()
            commands = self._counted(result)
            spent += seconds + time.thread_time() - began
            for command in commands:
                await self._sort(command)
        # Also without a debt: the other sessions come first, then this client's next message.
        await asyncio.sleep(self._loop_time.spend(spent))

    async def run_lane(self) -> None:
        """Hand over what waits in the lane, until cancelled."""
        while True:
            waiting = await self._lane.get()
            if isinstance(waiting, Draft):
                async with self._threads:
                    command, flaws = await asyncio.to_thread(finish, waiting)
                for flaw in flaws:
                    self._metrics.bad.labels(flaw.value).inc()
                if command is None:
                    continue
            else:
                command = waiting
            await self._hand_over(command)

    def _admitted(self, frame: Mapping[str, Any]) -> str | None:
        """The text to be decoded, None for a frame that is dropped."""
        text: str | None = frame.get("text")
        size = len(frame.get("bytes") or b"") if text is None else _size(text, self._settings.max_message_bytes)
        self._metrics.received_bytes.inc(size)
        if not self._messages.take(1) or not self._bytes.take(size):
            return self._drop("flood")
        if text is None:
            return self._drop("binary")
        if size > self._settings.max_message_bytes:
            return self._drop("oversized")
        return text

    def _counted(self, result: Decoded | BadMessage) -> tuple[Command | Draft, ...]:
        if isinstance(result, BadMessage):
            self._metrics.bad.labels(result.kind.value).inc()
            _log.debug("bad message", kind=result.kind.value, detail=str(result))
            return ()
        self._metrics.received.labels(result.type).inc()
        for flaw in result.flaws:
            self._metrics.bad.labels(flaw.value).inc()
        return result.commands

    async def _sort(self, command: Command | Draft) -> None:
        if isinstance(command, _IMMEDIATE):
            if isinstance(command, AppendAudio) and not self._sound.take(len(command.pcm) / (2 * SPEECH_RATE)):
                self._drop("audio_flood")
            else:
                await self._hand_over(command)
            return
        if (pictures := _pictures(command)) and not self._images.take(pictures):
            self._drop("image_flood")
            return
        try:
            self._lane.put_nowait(command)
        except asyncio.QueueFull:
            self._drop("backlog")

    async def _hand_over(self, command: Command) -> None:
        async with self._handing:
            try:
                await self._call.handle(command)
            except Exception:
                # One command that cannot be carried out is not the end of the call.
                self._metrics.failures.inc()
                _log.exception("command failed", command=type(command).__name__)

    def _drop(self, cause: str) -> None:
        self._metrics.dropped.labels(cause).inc()


def _pictures(command: Command | Draft) -> int:
    """How many pictures there are to unpack, or to paint anew: another background counts as one, whatever its kind."""
    if isinstance(command, MessageDraft):
        return len(command.sources)
    return isinstance(command, ImageDraft | BackgroundDraft | SetBackground)


def _size(text: str, limit: int) -> int:
    """Bytes of ``text`` on the wire; only its characters are counted where that settles the question."""
    return len(text) if text.isascii() or len(text) > limit else len(text.encode(errors="replace"))


def _timed_decode(text: str) -> tuple[Decoded | BadMessage, float]:
    """What ``decode`` gives or raises, and the processor time that it took, in seconds."""
    began = time.thread_time()
    try:
        result: Decoded | BadMessage = decode(text)
    except BadMessage as bad:
        result = bad
    return result, time.thread_time() - began
