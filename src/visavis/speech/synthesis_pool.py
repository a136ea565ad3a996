"""Worker processes that synthesize, shared by all sessions (their replies: workers/utterance.py)."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import numpy as np

from visavis.speech.ports import SpeechChunk, SpeechError, WordMark
from visavis.speech.segmentation import LONGEST, Stretch, stretches
from visavis.speech.worker import Reply, WorkerProcess
from visavis.viseme import TimedViseme, Viseme

SILENT_WORKER: Final = 30.0
"""Seconds without a reply after which a worker is given up."""


class SynthesisPool:
    """``size`` processes running ``module``; each text goes to the least busy one.

    A text is handed over stretch by stretch as its sound is taken, so a session holds one stretch (20 s of sound) at
    most, and a long text does not keep others waiting. At most ``waiting`` texts are open at a time; one more is
    refused with ``SpeechError``, none is dropped.
    """

    def __init__(
        self, module: str, options: Mapping[str, Any] | None = None, *, size: int = 1, waiting: int = 64
    ) -> None:
        if size < 1:
            raise ValueError("a pool needs a worker")
        self._workers = [WorkerProcess(module, options) for _ in range(size)]
        self._busy = [0] * size
        self._waiting = waiting

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that are up."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    async def start(self) -> None:
        """Start every worker. Raises ``SpeechError``."""
        await asyncio.gather(*(worker.start() for worker in self._workers))

    async def close(self) -> None:
        """End every worker. Idempotent."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def call(self, operation: str, data: Mapping[str, Any] | None = None) -> Reply:
        """One request with one reply. Raises ``SpeechError``."""
        async with self._least_busy() as worker:
            return await worker.call(operation, data)

    async def speak(
        self, text: str, data: Mapping[str, Any], *, wanted: int = LONGEST
    ) -> AsyncGenerator[SpeechChunk, None]:
        """The sound of ``text``; ``data`` goes with every request, ``wanted`` is for ``stretches``.

        Raises ``SpeechError``.
        """
        for stretch in stretches(text, wanted):
            async with (
                self._least_busy() as worker,
                await worker.open("speak", {**data, "text": stretch.text}) as reading,
            ):
                while (reply := await _next(reading.receive())) is not None:
                    yield _chunk(reply, stretch)

    @asynccontextmanager
    async def _least_busy(self) -> AsyncGenerator[WorkerProcess, None]:
        if sum(self._busy) >= self._waiting:
            raise SpeechError(f"{self._waiting} texts are already waiting to be spoken")
        index = self._busy.index(min(self._busy))
        self._busy[index] += 1
        try:
            yield self._workers[index]
        finally:
            self._busy[index] -= 1


async def _next(receiving: Any) -> Reply | None:
    try:
        async with asyncio.timeout(SILENT_WORKER):
            return await receiving
    except TimeoutError:
        raise SpeechError(f"the synthesizer said nothing for {SILENT_WORKER:.0f} s") from None


def _chunk(reply: Reply, stretch: Stretch) -> SpeechChunk:
    visemes: list[tuple[str, float, float]] | None = reply.data["visemes"]
    return SpeechChunk(
        pcm=np.frombuffer(reply.payload, "<i2").astype(np.int16, copy=False),
        visemes=None if visemes is None else tuple(TimedViseme(Viseme(name), a, b) for name, a, b in visemes),
        words=tuple(WordMark(offset + stretch.offset, at, stress) for offset, at, stress in reply.data["words"]),
    )
