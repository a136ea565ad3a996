"""A real web server around a scripted reception: what the wire's tests call."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
import websockets
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from visavis.session.commands import Command
from visavis.session.events import Created, Ended, Ending, Offered, Ready, SessionEvent
from visavis.session.license import License, Licenses
from visavis.session.ports import CallRequest, IceServer, Notice
from visavis.wire.navtalk.endpoint import PATH, navtalk_router
from visavis.wire.navtalk.settings import NavtalkSettings, uvicorn_options

LICENSE = "sk_test_4f9d2c7b81"


class ScriptedCall:
    """A call whose session the test plays."""

    def __init__(
        self,
        ice_servers: tuple[IceServer, ...],
        notice: Notice | None,
        resume_key: str | None = None,
        resumed: bool = False,
    ) -> None:
        self.id = "session-1"
        self.resume_key = resume_key
        self.resumed = resumed
        self.persistent = False
        self.ice_servers = ice_servers
        self.notice = notice
        self.commands: list[Command] = []
        self.arrived = asyncio.Condition()
        self.told: asyncio.Queue[SessionEvent | Exception] = asyncio.Queue()
        self.left = asyncio.Event()
        self.leaves = 0
        self.lost: bool | None = None
        self.broken: Exception | None = None

    async def events(self) -> AsyncIterator[SessionEvent]:
        while True:
            event = await self.told.get()
            if isinstance(event, Exception):
                raise event
            yield event
            if isinstance(event, Ended):
                return

    async def handle(self, command: Command) -> None:
        if self.broken is not None:
            raise self.broken
        async with self.arrived:
            self.commands.append(command)
            self.arrived.notify_all()

    async def leave(self, ending: Ending = Ending.NORMAL, *, lost: bool = False) -> None:
        self.leaves += 1
        self.lost = lost
        self.left.set()

    def tell(self, *events: SessionEvent) -> None:
        for event in events:
            self.told.put_nowait(event)

    def fail(self, error: Exception) -> None:
        """Break the session."""
        self.told.put_nowait(error)

    def open(self) -> None:
        """What every session tells first."""
        self.tell(Offered("v=0\r\n"), Created(self.id), Ready())

    async def wait_for(self, count: int) -> list[Command]:
        """The commands, once there are ``count``."""
        async with asyncio.timeout(10), self.arrived:
            await self.arrived.wait_for(lambda: len(self.commands) >= count)
            return list(self.commands)


class ScriptedReception:
    """Admits everyone with the license, or refuses as told."""

    def __init__(self) -> None:
        self.requests: list[CallRequest] = []
        self.calls: list[ScriptedCall] = []
        self.refusal: Exception | None = None
        self.notice: Notice | None = None
        self.ice_servers: tuple[IceServer, ...] = (
            IceServer(("stun:stun.example.org:3478",)),
            IceServer(("turn:turn.example.org:3478",), "user", "word"),
        )
        self.resume_key: str | None = None
        self.resumed = False
        self.queue = False
        """Whether calls open only when the test says so."""
        self.calls_made: type[ScriptedCall] = ScriptedCall
        self.delay = 0.0

    async def admit(self, request: CallRequest) -> ScriptedCall:
        self.requests.append(request)
        await asyncio.sleep(self.delay)
        if self.refusal is not None:
            raise self.refusal
        call = self.calls_made(self.ice_servers, self.notice, self.resume_key, self.resumed)
        if not self.queue:
            call.open()
        self.calls.append(call)
        return call


PROMPT = "You know the secret of the house."


@dataclass(frozen=True)
class Character:
    voice: str = "sage"
    greeting: str = "Good day."
    model: str = ""
    provider_name: str = "openai"
    prompt: str = PROMPT
    """Must never leave the server."""


@dataclass(frozen=True)
class Entry:
    """An avatar of the directory."""

    id: str
    name: str
    poster: Path | None = None
    thumbnail: Path | None = None
    updated: int = 0
    persona: Character = Character()


@dataclass
class Directory:
    entries: list[Entry] = field(default_factory=list)

    def get(self, id: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.id == id), None)

    def find(self, name: str) -> list[Entry]:
        found = [entry for entry in self.entries if entry.name == name]
        return sorted(found, key=lambda entry: entry.updated, reverse=True)

    def all(self) -> list[Entry]:
        return self.entries


class House:
    """A running server."""

    def __init__(
        self,
        reception: ScriptedReception,
        directory: Directory,
        registry: CollectorRegistry,
        server: uvicorn.Server,
        port: int,
    ) -> None:
        self.reception = reception
        self.directory = directory
        self.registry = registry
        self.server = server
        self.port = port
        self.http = f"http://127.0.0.1:{port}"

    def url(self, query: str = f"license={LICENSE}&name=mira", path: str = PATH) -> str:
        return f"ws://127.0.0.1:{self.port}{path}?{query}"

    def call(self, query: str = f"license={LICENSE}&name=mira", path: str = PATH, **options: Any):
        return websockets.connect(self.url(query, path), max_size=None, **options)

    def open_sockets(self) -> int:
        """Connections that the web server holds."""
        return len(self.server.server_state.connections)

    def count(self, name: str, **labels: str) -> float:
        """The value of a metric; 0 for one that was never touched."""
        return self.registry.get_sample_value(f"visavis_wire_{name}", labels) or 0.0


class _Server(uvicorn.Server):
    """Says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()


@contextlib.asynccontextmanager
async def open_house(
    settings: NavtalkSettings | None = None, entries: tuple[Entry, ...] = (), **uvicorn_settings: Any
) -> AsyncIterator[House]:
    """Serve on a free port of the loopback."""
    settings = settings or NavtalkSettings()
    reception, directory, registry = ScriptedReception(), Directory(list(entries)), CollectorRegistry()
    app = FastAPI()
    app.include_router(navtalk_router(reception, settings, directory, Licenses([License(LICENSE)]), registry))
    options = {**uvicorn_options(settings), "log_config": None, "lifespan": "off", **uvicorn_settings}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = _Server(uvicorn.Config(app, timeout_graceful_shutdown=5, **options))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            async with asyncio.timeout(10):
                await server.listens.wait()
            yield House(reception, directory, registry, server, listener.getsockname()[1])
        finally:
            server.should_exit = True
            await running


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what nothing tells of: a metric, a socket that is gone."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def heard(client: websockets.ClientConnection) -> dict[str, Any]:
    """The next message."""
    async with asyncio.timeout(10):
        text = await client.recv()
    assert isinstance(text, str)
    return json.loads(text)


async def heard_until_closed(client: websockets.ClientConnection) -> tuple[list[dict[str, Any]], int, str]:
    """All messages up to the close, its code and its reason."""
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for text in client:
                messages.append(json.loads(text))
    assert client.close_code is not None
    return messages, client.close_code, client.close_reason or ""


async def opened(client: websockets.ClientConnection) -> None:
    """Hear what every call begins with."""
    for expected in (
        "conversation.connected.success",
        "webrtc.signaling.offer",
        "realtime.session.created",
        "realtime.session.updated",
    ):
        assert (await heard(client))["type"] == expected


async def say(client: websockets.ClientConnection, kind: str, data: Any = None, **fields: Any) -> None:
    """Send a message."""
    message: dict[str, Any] = {"type": kind, **fields}
    if data is not None:
        message["data"] = data
    await client.send(json.dumps(message))
