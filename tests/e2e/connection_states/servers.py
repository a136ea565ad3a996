"""Real servers, each with settings that let some causes come about soon, and what stands around them."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from visavis.bench.server_process import ServerProcess
from visavis.client import Call, Reconnection

LICENSE = "e2e_license"
AVATAR = "vera"
BROKEN = "broken"
"""An avatar of the roomy server whose face cannot be read."""
ELSEWHERE = "elsewhere_license"
"""A license that only pages of another origin may use."""
PERSISTENT = "persistent_license"
"""A license whose visitors come back to their sessions for ``RESUME_WINDOW`` seconds."""
RESUME_WINDOW = 4.0

_LICENSES = f"""
[[licenses]]
key = "{LICENSE}"
[[licenses]]
key = "{ELSEWHERE}"
allowed_origins = ["https://elsewhere.example"]
[[licenses]]
key = "{PERSISTENT}"
persistence = true
"""
ROOMY = f"""
[session]
max_sessions = 6
resume_window = {RESUME_WINDOW}
"""
"""Room for everybody."""
QUEUEING = """
[session]
max_sessions = 1
queue_timeout = 10
start_timeout = 14
media_timeout = 60
"""
"""One place and a queue. Browsers give up by themselves when media found no way for 15 s."""
STRICT = """
[session]
max_sessions = 1
queue_size = 0
idle_timeout = 8
idle_warning = 4
media_timeout = 6
"""
"""One place and no queue; who is quiet, or has no picture, is soon out."""
DRAINING = """
[server]
drain_timeout = 3
[session]
max_sessions = 1
"""
"""One place and a queue; sessions have little time left when it is stopped."""


@asynccontextmanager
async def serving(
    settings: str, folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[ServerProcess]:
    """A server with these settings, and those of ``environment``; its files go to an empty folder."""
    file = folder / "visavis.toml"
    file.write_text(f"{settings}\n{_LICENSES}")
    arguments = ["--config", str(file), "--avatars", str(folder), "--log-format", "json"]
    async with ServerProcess(arguments, environment={"VISAVIS_LICENSE": "", **(environment or {})}) as server:
        server.license = LICENSE
        yield server


def add_broken_avatar(folder: Path) -> None:
    """An avatar whose face is a file that is none."""
    (folder / BROKEN).mkdir()
    (folder / BROKEN / "avatar.toml").write_text('name = "Broken"\npackage = "face.zip"\n')
    (folder / BROKEN / "face.zip").write_bytes(b"no zip at all")


def somebody(server: ServerProcess) -> Call:
    """A visitor who takes a place, or waits for one."""
    return Call(server.url, license=LICENSE, avatar_id=AVATAR, reconnection=Reconnection(attempts=0))


async def client_token(server: ServerProcess, **bounds: float | str) -> str:
    """A token with these bounds (``maxSessions`` …)."""
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{server.url}/v1/client-tokens", json=bounds, headers={"license": LICENSE})
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]


async def try_wrong_licenses(server: ServerProcess) -> None:
    """As somebody does who guesses: until the server listens no more."""
    async with httpx.AsyncClient(timeout=30) as client:
        for number in range(100):
            address = f"{server.url}/api/open/v1/avatar/list"
            answer = await client.get(address, headers={"license": f"guess-{number}"})
            if answer.status_code == 429:
                return
            assert answer.status_code == 401
    raise AssertionError("the server lets anybody guess for ever")


async def active(server: ServerProcess) -> int:
    """How many sessions run or wait."""
    samples = (await server.read()).samples
    return int(samples["visavis_sessions_active"] + samples["visavis_sessions_waiting"])


async def until_active(server: ServerProcess, count: int, patience: float = 60.0) -> None:
    """Wait until so many sessions run or wait."""
    async with asyncio.timeout(patience):
        while await active(server) != count:  # noqa: ASYNC110 (another process's state)
            await asyncio.sleep(0.05)


def closed_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """The address of a server that takes connections, reads, and says nothing."""
    tasks: set[asyncio.Task[None]] = set()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        tasks.add(task)
        try:
            while await reader.read(4096):
                pass
        finally:
            writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class ModelService:
    """A language model that speaks OpenAI's chat completions, started and killed at will on one port."""

    def __init__(self) -> None:
        self.port = closed_port()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def settings(self) -> str:
        """Of a server that thinks with it."""
        return (
            "[session]\nmax_sessions = 2\ncontrol_timeout = 3\n"
            f'[chat]\nprovider = "openai"\nmodel = "parrot"\nbase_url = "http://127.0.0.1:{self.port}/v1"\n'
        )

    async def start(self) -> None:
        """Answer from now on."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def kill(self) -> None:
        """Be gone, with all connections."""
        server, self._server = self._server, None
        if server:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                await reader.readexactly(int(fields.get("content-length", "0")))
                if head.startswith("get "):
                    kind, body = "application/json", json.dumps({"data": [{"id": "parrot"}]})
                else:
                    kind, body = "text/event-stream", _SPOKEN
                writer.write(
                    f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            # The other side has hung up.
            return
        finally:
            self._tasks.discard(task)
            writer.close()


_SPOKEN = (
    "".join(
        f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': finish}]})}\n\n"
        for delta, finish in (({"role": "assistant", "content": "I am a parrot."}, None), ({}, "stop"))
    )
    + "data: [DONE]\n\n"
)
