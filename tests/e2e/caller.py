"""A client of the WebSocket alone: it takes no picture and sound, and so costs a test little."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import urlencode

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from visavis.client.address import PATH

STATE = "conversation.connected.state"
SUCCESS = "conversation.connected.success"


class Caller:
    """One call that asks for states, followed until its end; an async context manager, which hangs up."""

    def __init__(self, server: str, license: str, *, origin: str | None = None, **query: str) -> None:
        asked = {"license": license, "avatarId": "vera", "states": "1"} | query
        self._url = server.replace("http", "ws", 1) + f"{PATH}?{urlencode(asked)}"
        self._origin = origin
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.messages: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        """Code and reason of the server's close; 1006 where the connection broke."""

    async def __aenter__(self) -> Self:
        await self.call()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.leave()

    async def call(self) -> None:
        self._socket = await connect(self._url, compression=None, origin=self._origin, open_timeout=60)
        self._reading = asyncio.create_task(self._read(self._socket))

    async def leave(self, *, rudely: bool = False) -> None:
        """Hang up; or, ``rudely``, vanish. Idempotent."""
        assert self._socket
        assert self._reading
        if rudely:
            self._socket.transport.abort()
        else:
            await self._socket.close()
        await self._reading

    async def say(self, message: dict[str, Any]) -> None:
        assert self._socket
        await self._socket.send(json.dumps(message))

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The data of all messages of a type."""
        return [message["data"] for message in self.messages if message["type"] == kind]

    @property
    def session_id(self) -> str:
        return self.of(SUCCESS)[0]["sessionId"]

    @property
    def token(self) -> str:
        """What to come back with."""
        return self.of(SUCCESS)[0]["resumeToken"]

    @property
    def states(self) -> list[str]:
        """The states that it was told, each once."""
        return list(dict.fromkeys(data["state"] for data in self.of(STATE)))

    @property
    def positions(self) -> list[int]:
        """Its places in the queue."""
        return [data["queuePosition"] for data in self.of(STATE) if data["state"] == "queued"]

    @property
    def code(self) -> str:
        """Why it is over, by the last message."""
        return self.messages[-1]["data"]["code"]

    async def until(self, condition: Callable[[], object], patience: float = 60.0) -> None:
        """Wait until ``condition`` holds, looking at each message, and at the end."""
        async with asyncio.timeout(patience):
            while not condition():
                assert self.closed is None, (self.closed, self.messages[-2:])
                self._changed.clear()
                await self._changed.wait()

    async def until_state(self, state: str, patience: float = 60.0) -> None:
        await self.until(lambda: state in self.states, patience)

    async def until_over(self, patience: float = 60.0) -> tuple[int, str]:
        """The close code and reason."""
        await self.until(lambda: self.closed, patience)
        assert self.closed
        return self.closed

    async def _read(self, socket: ClientConnection) -> None:
        try:
            while True:
                self.messages.append(json.loads(await socket.recv()))
                self._changed.set()
        except ConnectionClosed as closed:
            self.closed = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        finally:
            self._changed.set()
