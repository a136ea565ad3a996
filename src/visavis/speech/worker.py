"""Worker processes: for libraries that hold the interpreter's lock, that may crash, or whose licence keeps them apart.

``WorkerProcess`` starts ``python -m MODULE OPTIONS`` and exchanges frames with it over its standard input and output
(workers/frame.py describes the format, workers/serving.py is the other half)::

    worker = WorkerProcess("visavis.speech.workers.echo", {"loud": True})
    await worker.start()
    reply = await worker.call("say", {"text": "hello"})         # one reply
    async with await worker.open("listen") as exchange:         # many replies, and more input as it goes on
        exchange.send(payload=sound)
        async for reply in exchange: ...
    await worker.close()

An exchange that is left early is cancelled in the worker. A worker that crashed is started again by the next request,
or by ``start``.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog

from visavis.speech.ports import SpeechError
from visavis.speech.workers.frame import MAX_HEADER, Frame, FrameError, parse_header, with_payload

MAX_BACKLOG = 8 << 20
"""Bytes written but not yet read by the worker at most; a request or input beyond it fails."""

MAX_UNREAD = 32 << 20
"""Bytes of replies that an exchange holds for its reader at most; one that falls further behind fails."""

CANCEL_GRACE = 10.0
"""Seconds in which a worker must show life after a cancellation; a silent one is stuck and is killed."""

_log = structlog.stdlib.get_logger(__name__)


class WorkerError(SpeechError):
    """A worker could not start, crashed, fell behind, or answered with an error."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of a worker: JSON data and raw bytes."""

    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    payload: bytes = b""


class Exchange:
    """One request with its replies. Use as ``async with``, so that leaving it early cancels it in the worker."""

    def __init__(self, worker: "WorkerProcess", id: int) -> None:
        self.id = id
        self._worker = worker
        self._replies: deque[Reply] = deque()
        self._unread = 0
        self._over = False
        self._error: WorkerError | None = None
        self._changed = asyncio.Event()

    def send(self, operation: str = "", data: Mapping[str, Any] | None = None, payload: bytes = b"") -> None:
        """Give the worker more input. Never blocks. Raises ``WorkerError`` when the worker is gone or far behind."""
        if self._over:
            raise self._error or WorkerError("the exchange with the worker is over")
        self._worker.write(Frame(self.id, "input", operation, data=data or {}, payload=payload))

    async def receive(self) -> Reply | None:
        """The next reply; None after the last one. Raises ``WorkerError``."""
        while not self._replies:
            if self._error is not None:
                raise self._error
            if self._over:
                return None
            self._changed.clear()
            await self._changed.wait()
        reply = self._replies.popleft()
        self._unread -= len(reply.payload)
        return reply

    async def __aiter__(self) -> AsyncIterator[Reply]:
        while (reply := await self.receive()) is not None:
            yield reply

    def cancel(self) -> None:
        """Tell the worker to stop; unread replies are dropped. Idempotent, also after the last reply."""
        self._replies.clear()
        if not self._over:
            self.conclude(None)
            self._worker.abandon(self.id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def deliver(self, reply: Reply) -> None:
        """Called by the worker's reader: one more reply."""
        if self._over:
            return
        self._unread += len(reply.payload)
        if self._unread > MAX_UNREAD:
            self.conclude(WorkerError("the worker's replies were not read fast enough"))
            self._worker.abandon(self.id)
            return
        self._replies.append(reply)
        self._changed.set()

    def conclude(self, error: WorkerError | None) -> None:
        """Called by the worker's reader: no more replies."""
        if not self._over:
            self._over = True
            self._error = error
            self._changed.set()


class WorkerProcess:
    """A child process that answers requests, one at a time.

    ``module``: the program (a module that calls ``serving.serve``); ``options``: what its ``load`` gets (JSON; shown
    in the process list, so no secrets); ``environment``: additions to the child's environment. BLAS and OpenMP get one
    thread in the child: their idle threads spin. ``start_timeout``: seconds until the child must be ready.
    ``restarts``: how many crashes are followed by a new start within ``restart_window`` seconds; one more, and
    requests fail until the window has passed.
    """

    def __init__(
        self,
        module: str,
        options: Mapping[str, Any] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        start_timeout: float = 30.0,
        restarts: int = 3,
        restart_window: float = 60.0,
    ) -> None:
        self._module = module
        self._name = module.rpartition(".")[2]
        self._options = dict(options or {})
        self._environment = dict(environment or {})
        self._start_timeout = start_timeout
        self._restarts = restarts
        self._restart_window = restart_window
        self._crashes: deque[float] = deque()
        self._starting = asyncio.Lock()
        self._child: asyncio.subprocess.Process | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._ready: asyncio.Future[None] | None = None
        self._exchanges: dict[int, Exchange] = {}
        self._next_id = 1
        self._last_heard = 0.0
        self._watchdogs: dict[int, asyncio.TimerHandle] = {}
        self._closed = False

    @property
    def running(self) -> bool:
        """Whether the child is up and ready for requests."""
        ready = self._ready
        return ready is not None and ready.done() and not ready.cancelled() and ready.exception() is None

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start the child and wait until it is ready; nothing when it is already. Raises ``WorkerError``."""
        async with self._starting:
            if self._closed:
                raise WorkerError(f"the {self._name} worker was closed")
            if self.running:
                return
            self._check_crashes()
            await self._spawn()

    async def open(self, operation: str, data: Mapping[str, Any] | None = None, payload: bytes = b"") -> Exchange:
        """Begin an exchange, starting the child when there is none. Raises ``WorkerError``."""
        if not self.running:
            await self.start()
        exchange = Exchange(self, self._next_id)
        self._next_id += 1
        self.write(Frame(exchange.id, "request", operation, data=data or {}, payload=payload))
        self._exchanges[exchange.id] = exchange
        return exchange

    async def call(
        self,
        operation: str,
        data: Mapping[str, Any] | None = None,
        payload: bytes = b"",
        *,
        within: float | None = 30.0,
    ) -> Reply:
        """One request, one reply. Raises ``WorkerError``, also when it takes longer than ``within`` seconds."""
        try:
            async with asyncio.timeout(within), await self.open(operation, data, payload) as exchange:
                reply = await exchange.receive()
        except TimeoutError:
            raise WorkerError(f"the {self._name} worker did not answer {operation!r} within {within} s") from None
        if reply is None:
            raise WorkerError(f"the {self._name} worker gave no answer to {operation!r}")
        return reply

    async def close(self) -> None:
        """Kill the child and free everything; open exchanges fail. Idempotent."""
        self._closed = True
        async with self._starting:
            await self._reap()

    def write(self, frame: Frame) -> None:
        """Put a frame on its way (for ``Exchange``). Raises ``WorkerError``."""
        if self._child is None or self._child.stdin is None or not self.running:
            raise WorkerError(f"the {self._name} worker is not running")
        transport = self._child.stdin.transport
        if transport.get_write_buffer_size() + len(frame.payload) > MAX_BACKLOG:
            raise WorkerError(f"the {self._name} worker is too far behind")
        try:
            self._child.stdin.write(frame.encode())
        except FrameError as error:
            raise WorkerError(str(error)) from error

    def abandon(self, id: int) -> None:
        """Cancel exchange ``id`` in the child (for ``Exchange``)."""
        self._exchanges.pop(id, None)
        # A child that died meanwhile has forgotten the exchange anyway.
        with contextlib.suppress(WorkerError):
            self.write(Frame(id, "cancel"))
            self._watch(id, CANCEL_GRACE)

    def _watch(self, id: int, delay: float) -> None:
        def look() -> None:
            silent = time.monotonic() - self._last_heard
            if silent < CANCEL_GRACE:
                self._watch(id, CANCEL_GRACE - silent)
            elif self._child is not None:
                _log.warning("worker stuck, killing it", worker=self._name)
                self._child.kill()

        self._watchdogs[id] = asyncio.get_running_loop().call_later(delay, look)

    def _check_crashes(self) -> None:
        now = time.monotonic()
        while self._crashes and now - self._crashes[0] > self._restart_window:
            self._crashes.popleft()
        if len(self._crashes) > self._restarts:
            raise WorkerError(
                f"the {self._name} worker crashed {len(self._crashes)} times in {self._restart_window:.0f} s"
            )

    async def _spawn(self) -> None:
        await self._reap()
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
            "VECLIB_MAXIMUM_THREADS": "1",
        }
        ready = self._ready = asyncio.get_running_loop().create_future()
        # A future that nobody awaits any more (time-out) must not complain about its exception.
        ready.add_done_callback(lambda future: future.cancelled() or future.exception())
        try:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                self._module,
                json.dumps(self._options),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=environment | self._environment,
                limit=MAX_HEADER,
                # Control-C at a terminal is for the parent alone; the child ends when its pipe closes.
                start_new_session=True,
            )
        except OSError as error:
            raise WorkerError(f"the {self._name} worker could not be started: {error.strerror}") from error
        self._last_heard = time.monotonic()
        self._readers = [
            asyncio.create_task(self._read(self._child), name=f"{self._name}-worker-replies"),
            asyncio.create_task(self._read_log(self._child), name=f"{self._name}-worker-log"),
        ]
        try:
            async with asyncio.timeout(self._start_timeout):
                await asyncio.shield(ready)
        except TimeoutError:
            await self._reap()
            self._crashes.append(time.monotonic())
            raise WorkerError(f"the {self._name} worker was not ready within {self._start_timeout} s") from None
        except BaseException:
            await self._reap()
            raise

    async def _reap(self) -> None:
        """Kill the child, wait for its end, and free what belonged to it."""
        child, self._child = self._child, None
        readers, self._readers = self._readers, []
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        if readers:
            # They end by themselves with the pipes, unless somebody else inherited those.
            await asyncio.wait(readers, timeout=1.0)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        self._ready = None
        self._conclude_all(WorkerError(f"the {self._name} worker was closed"))

    def _conclude_all(self, error: WorkerError) -> None:
        for watchdog in self._watchdogs.values():
            watchdog.cancel()
        self._watchdogs.clear()
        for exchange in self._exchanges.values():
            exchange.conclude(error)
        self._exchanges.clear()

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        """Hand the child's frames to their exchanges until it ends, then tell everybody."""
        assert child.stdout is not None
        try:
            while line := await child.stdout.readline():
                frame, size = parse_header(line)
                payload = await child.stdout.readexactly(size) if size else b""
                self._last_heard = time.monotonic()
                self._take(with_payload(frame, payload))
            reason = "ended"
        except asyncio.IncompleteReadError:
            reason = "ended in the middle of a message"
        except (FrameError, ValueError) as error:
            reason = f"sent nonsense ({error})"
            with contextlib.suppress(ProcessLookupError):
                child.kill()
        code = await child.wait()
        if self._child is not child:
            return  # killed on purpose
        self._child = None
        error = WorkerError(f"the {self._name} worker {reason} (exit status {code})")
        ready, self._ready = self._ready, None
        if ready is not None and not ready.done():
            ready.set_exception(error)
        self._crashes.append(time.monotonic())
        self._conclude_all(error)
        _log.warning("worker ended", worker=self._name, reason=reason, status=code)

    def _take(self, frame: Frame) -> None:
        if frame.kind == "reply":
            if (exchange := self._exchanges.get(frame.id)) is not None:
                exchange.deliver(Reply(frame.data, frame.payload))
        elif frame.kind in ("end", "error"):
            if (watchdog := self._watchdogs.pop(frame.id, None)) is not None:
                watchdog.cancel()
            if (exchange := self._exchanges.pop(frame.id, None)) is not None:
                failed = frame.kind == "error"
                exchange.conclude(WorkerError(f"{self._name} worker: {frame.message}") if failed else None)
        elif self._ready is not None and not self._ready.done():
            if frame.kind == "ready":
                self._ready.set_result(None)
            else:
                self._ready.set_exception(WorkerError(f"{self._name} worker: {frame.message}"))

    async def _read_log(self, child: asyncio.subprocess.Process) -> None:
        """Log what the child writes to standard error, line by line (lines over 4 KiB in pieces)."""
        assert child.stderr is not None
        rest = b""
        while piece := await child.stderr.read(4096):
            *lines, rest = (rest + piece).split(b"\n")
            if len(rest) > 4096:
                lines.append(rest)
                rest = b""
            for line in lines:
                _log.info("worker output", worker=self._name, line=line.decode(errors="replace").rstrip())
