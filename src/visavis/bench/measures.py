"""The measurements of docs/performance.md, each against a server that runs."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visavis.bench.errors import BenchError
from visavis.bench.server_process import Reading, read_metrics
from visavis.bench.visitor import LOUD, Visitor
from visavis.client import MICROPHONE_RATE, MediaStreamFailedError

QUESTIONS = (
    "What can you do?",
    "Who are you?",
    "How are you today?",
    "Are you a real person?",
    "How old are you?",
    "Where are you from?",
)
STORY = "Please tell me everything about yourself."
INTERRUPTION = "Wait a moment, I have a question."
_SILENCE = np.zeros(MICROPHONE_RATE * 2, np.int16)
_QUIET_SECONDS = 0.3
"""From so long without sound on, the avatar is silent: its pauses within a sentence are shorter."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server that is measured, and the avatar that is called."""

    url: str
    license: str
    avatar_id: str

    def visitor(self, model: str | None = None) -> Visitor:
        """A new visitor of it."""
        return Visitor(self.url, self.license, avatar_id=self.avatar_id, model=model)


@dataclass(frozen=True, slots=True)
class Times:
    """What was measured, in seconds, of ``tries``; the others came to nothing."""

    seconds: tuple[float, ...]
    tries: int


@dataclass(frozen=True, slots=True)
class Load:
    """What ``sessions`` sessions cost: CPU of the server process in per cent of a core."""

    sessions: int
    cpu: float | None
    rate: float
    """Pictures that a visitor received in a second, on average."""


async def connect_times(target: Target, calls: int) -> Times:
    """Seconds from opening the WebSocket to the first decoded picture; nothing for a call without one."""
    times: list[float] = []
    for _ in range(calls):
        with contextlib.suppress(MediaStreamFailedError):
            async with target.visitor() as visitor:
                if visitor.first_picture is not None:
                    times.append(visitor.first_picture - visitor.opened)
    return Times(tuple(times), calls)


async def answer_times(target: Target, questions: Sequence[NDArray[np.int16]]) -> Times:
    """Seconds from the last sample of a spoken question to the first sound of the answer, at the visitor.

    Nothing for a question that got no answer within eight.
    """
    times: list[float] = []
    async with target.visitor() as visitor:
        await visitor.quiet(1.5)
        for question in questions:
            ended = await visitor.say(question)
            silence = asyncio.create_task(visitor.say(_SILENCE))
            await visitor.until(lambda since=ended: visitor.heard_since(since) is not None, 8.0)
            heard = visitor.heard_since(ended)
            await silence
            if heard is not None:
                times.append(heard - ended)
            await visitor.quiet(1.0)
    return Times(tuple(times), len(questions))


async def barge_in_times(
    target: Target, interruption: NDArray[np.int16], story: NDArray[np.int16], tries: int
) -> Times:
    """Seconds from the first sample of speech over the avatar to the last sound of it, at the visitor.

    The avatar speaks in its own words: a long answer is asked for, and talked into. Nothing for a time when there was
    no answer to talk into, and for one when it did not fall silent.
    """
    found: list[float] = []
    for _ in range(tries):
        async with target.visitor() as visitor:
            await visitor.quiet(1.5)
            ended = await visitor.say(story)
            silence = asyncio.create_task(visitor.say(_SILENCE[: MICROPHONE_RATE // 2]))
            await visitor.until(lambda since=ended: visitor.heard_since(since) is not None, 8.0)
            await silence
            await visitor.say(_SILENCE[: MICROPHONE_RATE // 2])
            start = asyncio.get_running_loop().time()
            end = await visitor.say(interruption)
            if (seconds := time_to_silence(visitor.sound, start, end)) is not None:
                found.append(seconds)
    return Times(tuple(found), tries)


def time_to_silence(sound: Iterable[tuple[float, float]], start: float, end: float) -> float | None:
    """Seconds from ``start`` to the last sound before ``end``, where it was heard before and stayed silent after it.

    ``sound``: of each piece, when it was received and its RMS, in order. None when there was no sound around ``start``,
    or still some in the last 0.3 s before ``end``.
    """
    heard = [at for at, level in sound if level >= LOUD and at <= end]
    before = [at for at in heard if at < start]
    if not before or start - before[-1] > _QUIET_SECONDS or end - heard[-1] < _QUIET_SECONDS:
        return None
    return max(0.0, heard[-1] - start)


@asynccontextmanager
async def crowd(target: Target, count: int, *, speaking: NDArray[np.int16] | None) -> AsyncGenerator[list[Visitor]]:
    """``count`` visitors: whose avatars speak without a pause, or who keep an open, silent microphone."""
    async with AsyncExitStack() as stack:
        visitors = [
            await stack.enter_async_context(target.visitor("transparency" if speaking is not None else None))
            for _ in range(count)
        ]
        if speaking is None:
            for visitor in visitors:
                await visitor.quiet(1.5)
        acts = [
            asyncio.create_task(_speak(visitor, speaking) if speaking is not None else visitor.stay_silent())
            for visitor in visitors
        ]
        try:
            yield visitors
        finally:
            for act in acts:
                act.cancel()
            for act in acts:
                with contextlib.suppress(asyncio.CancelledError):
                    await act


async def load(target: Target, count: int, seconds: float, *, speaking: NDArray[np.int16] | None) -> Load:
    """What a crowd costs, over ``seconds`` after two of settling."""
    async with crowd(target, count, speaking=speaking) as visitors:
        await asyncio.sleep(2.0)
        before, pictures = await _read(target), sum(visitor.pictures for visitor in visitors)
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(seconds)
        after, elapsed = await _read(target), loop.time() - start
        rate = (sum(visitor.pictures for visitor in visitors) - pictures) / elapsed / count
    cpu = None
    if before.cpu is not None and after.cpu is not None:
        cpu = 100 * (after.cpu - before.cpu) / elapsed
    return Load(count, cpu, rate)


async def memory_each(target: Target, count: int) -> float | None:
    """Resident bytes of the server process for each session after the first, with ``count`` of them.

    To be measured on a server that has just started: what allocators keep of earlier calls would hide it.
    """
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(target.visitor())
        await asyncio.sleep(3.0)
        first = (await _read(target)).memory
        for _ in range(count - 1):
            await stack.enter_async_context(target.visitor())
        await asyncio.sleep(3.0)
        last = (await _read(target)).memory
    if first is None or last is None or count < 2:
        return None
    return (last - first) / (count - 1)


@dataclass(frozen=True, slots=True)
class Skew:
    """How far a picture arrives after the sound of the same instant, in seconds; negative: before."""

    values: NDArray[np.float64]
    drift: float
    """Its change over the measurement, scaled to an hour."""


async def skew(target: Target, seconds: float, *, speaking: NDArray[np.int16]) -> Skew:
    """Compares each picture's time on the way with the sound's around it, by the sender reports of both."""
    async with crowd(target, 1, speaking=speaking) as (visitor,):
        await asyncio.sleep(seconds)
    pictures, sounds = np.array(visitor.video_times), np.array(visitor.audio_times)
    if len(pictures) < 50 or len(sounds) < 50:
        raise BenchError("too few frames with sender reports to measure the skew by")
    delay = np.interp(pictures[:, 0], sounds[:, 0], sounds[:, 0] - sounds[:, 1])
    values = pictures[:, 0] - pictures[:, 1] - delay
    times = pictures[:, 0] - pictures[:, 0].mean()
    slope = float((times * values).sum() / np.square(times).sum())
    return Skew(values, slope * 3600)


async def _speak(visitor: Visitor, pcm: NDArray[np.int16]) -> None:
    while True:
        await visitor.say(pcm)


async def _read(target: Target) -> Reading:
    return await read_metrics(target.url)
