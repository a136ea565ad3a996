"""A few worker processes that recognize, each occupied by one utterance at a time."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator

import structlog

from visavis.speech.ports import SpeechError
from visavis.speech.worker import WorkerProcess

MAX_WAITING = 64
"""Utterances that wait for a worker at most; further ones fail."""

_log = structlog.stdlib.get_logger(__name__)


class RecognitionPool:
    """Up to ``size`` processes of ``module``: the first by ``start``, the others one by one, when all are busy."""

    def __init__(self, module: str, *, size: int) -> None:
        self._module = module
        self._size = size
        self._workers: list[WorkerProcess] = []
        self._idle: list[WorkerProcess] = []
        self._waiting: deque[asyncio.Future[WorkerProcess]] = deque()
        self._preparing: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes that are up."""
        return tuple(worker.pid for worker in self._workers if worker.pid is not None)

    async def start(self) -> None:
        """Start the first worker. Raises ``SpeechError``."""
        if not self._workers:
            worker = WorkerProcess(self._module)
            self._workers.append(worker)
            try:
                await worker.start()
            except BaseException:
                self._workers.remove(worker)
                await worker.close()
                raise
            self._give(worker)

    async def close(self) -> None:
        """End the workers; who waits for one gets a ``SpeechError``. Idempotent."""
        self._closed = True
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.gather(self._preparing, return_exceptions=True)
        self._fail_waiting(SpeechError("the recognizer was closed"))
        workers, self._workers, self._idle = self._workers, [], []
        await asyncio.gather(*(worker.close() for worker in workers))

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncGenerator[WorkerProcess, None]:
        """A worker for oneself, in the order of asking. Raises ``SpeechError``."""
        worker = await self._take()
        try:
            yield worker
        finally:
            self._give(worker)

    async def _take(self) -> WorkerProcess:
        if self._closed:
            raise SpeechError("the recognizer was closed")
        if self._idle:
            return self._idle.pop()
        if len(self._waiting) >= MAX_WAITING:
            raise SpeechError("too many people speak at once")
        future: asyncio.Future[WorkerProcess] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._prepare()
        try:
            return await future
        except asyncio.CancelledError:
            # It may have been given a worker in the same moment.
            if future.done() and not future.cancelled() and future.exception() is None:
                self._give(future.result())
            raise

    def _give(self, worker: WorkerProcess) -> None:
        """A worker is free: to who waits longest, unless it crashed; then it is started again first."""
        if not worker.running:
            self._prepare()
            return
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(worker)
                return
        self._idle.append(worker)

    def _prepare(self) -> None:
        """See to it, in the background, that a crashed worker comes back or a further one comes."""
        if not self._closed and (self._preparing is None or self._preparing.done()):
            self._preparing = asyncio.create_task(self._prepare_workers(), name="recognition-pool")

    async def _prepare_workers(self) -> None:
        while (worker := self._next()) is not None:
            try:
                await worker.start()
            except SpeechError as error:
                _log.error("recognition worker cannot start", reason=str(error))
                if worker in self._workers:
                    self._workers.remove(worker)
                await worker.close()
                if not self._workers:
                    self._fail_waiting(error)
                return
            if worker not in self._workers:
                self._workers.append(worker)
            self._give(worker)

    def _next(self) -> WorkerProcess | None:
        """The worker to start: a crashed one, or a new one while somebody waits and there is room for it."""
        for worker in self._workers:
            if not worker.running:
                return worker
        waiting = any(not future.done() for future in self._waiting)
        return WorkerProcess(self._module) if waiting and len(self._workers) < self._size else None

    def _fail_waiting(self, error: SpeechError) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_exception(error)
        self._waiting.clear()
