"""A server process of one's own: started on a free port, watched through its metrics, stopped for sure."""

import asyncio
import os
import re
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

from visavis.bench.errors import BenchError

LICENSE = "bench_license"
_READY = re.compile(r"visavis is ready: (https?://\S+)")
_START_SECONDS = 90.0
_STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Reading:
    """A server's figures at one instant: each sample's name, with its labels where it has some, and its value."""

    samples: Mapping[str, float]

    @property
    def cpu(self) -> float | None:
        """CPU seconds of the server process so far; None where the platform does not tell (macOS)."""
        return self.samples.get("process_cpu_seconds_total")

    @property
    def memory(self) -> float | None:
        """Resident bytes of the server process; None where the platform does not tell."""
        return self.samples.get("process_resident_memory_bytes")


class ServerProcess:
    """``visavis serve`` as a child process; an async context manager. ``environment`` adds to this process's own."""

    def __init__(
        self, arguments: Sequence[str] = (), *, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self._arguments = arguments
        self._environment = environment or {}
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._reading: list[asyncio.Task[None]] = []
        self._data: TemporaryDirectory[str] | None = None
        self._ready = asyncio.Event()
        self.log: deque[str] = deque(maxlen=5000)
        """What it wrote, both streams; the last 5000 lines."""
        self.url = ""
        """Its address, without a query."""
        self.license = LICENSE

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        # A server to measure or to test keeps nothing, unless it is told where.
        self._data = TemporaryDirectory(prefix="visavis-")
        store = f"sqlite:///{self._data.name}/visavis.db"
        environment = {**os.environ, "VISAVIS_LICENSE": LICENSE, "VISAVIS_STORE__URL": store, **self._environment}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "visavis",
            "serve",
            "--port",
            "0",
            *self._arguments,
            env=environment,
            cwd=self._folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            self._reading.append(asyncio.create_task(self._read(stream)))
        ready = asyncio.create_task(self._ready.wait())
        ended = asyncio.create_task(self._process.wait())
        await asyncio.wait({ready, ended}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        ended.cancel()
        if not self.url:
            await self.stop()
            raise BenchError("the server did not start:\n" + "\n".join(self.log))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def send_signal(self, number: signal.Signals) -> None:
        """Have the system send it a signal. Raises ``ProcessLookupError`` when it has ended."""
        os.kill(self.pid, number)

    async def wait(self, patience: float) -> int:
        """Its exit code; negative: the signal that ended it. Raises ``TimeoutError`` when it does not end in time."""
        assert self._process is not None
        async with asyncio.timeout(patience):
            return await self._process.wait()

    async def stop(self) -> int:
        """End it with its calls, politely, then for sure; its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
                await process.wait()
        await asyncio.gather(*self._reading)
        if self._data:
            self._data.cleanup()
        return process.returncode or 0

    async def read(self) -> Reading:
        """Its metrics now."""
        return await read_metrics(self.url)

    async def _read(self, stream: asyncio.StreamReader) -> None:
        while line := await stream.readline():
            text = line.decode(errors="replace").rstrip()
            self.log.append(text)
            if found := _READY.search(text):
                self.url = found.group(1).split("?")[0].rstrip("/")
                self._ready.set()


async def read_metrics(url: str) -> Reading:
    """A server's ``/metrics``. Raises ``BenchError``."""
    try:
        async with httpx.AsyncClient(timeout=10.0) as client:
            answer = await client.get(f"{url}/metrics")
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise BenchError(f"the server's metrics cannot be read: {type(error).__name__}") from None
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return Reading(samples)
