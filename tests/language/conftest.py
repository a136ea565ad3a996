"""A server that speaks the chat completions protocol, well or badly, as each test says."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest


@dataclass
class Exchange:
    """One request, and the writing end of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    connection: int

    async def head(self, status: int = 200, **headers: str) -> None:
        fields = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
        self.writer.write(f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode())
        await self.writer.drain()

    async def raw(self, data: bytes) -> None:
        """One HTTP chunk."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def data(self, payload: object) -> None:
        """One event."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        await self.raw(f"data: {text}\n\n".encode())

    async def delta(self, finish: str | None = None, **delta: Any) -> None:
        await self.data({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})

    async def end(self, done: bool = True) -> None:
        if done:
            await self.data("[DONE]")
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def whole(self, status: int, payload: object, **headers: str) -> None:
        """An answer that is one document."""
        data = payload.encode() if isinstance(payload, str) else json.dumps(payload).encode()
        fields = {"Content_Type": "application/json", "Transfer_Encoding": "", "Content_Length": str(len(data))}
        await self.head(status, **(fields | headers))
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> bool:
        """Whether the client closes the connection."""
        return await asyncio.wait_for(self.reader.read(1), 5) == b""


Reply = Callable[[Exchange], Awaitable[None]]


@dataclass
class ChatServer:
    """Answers each request by the next of ``replies`` (the last one stays)."""

    url: str = ""
    replies: deque[Reply] = field(default_factory=deque[Reply])
    requests: list[Exchange] = field(default_factory=list[Exchange])
    errors: list[BaseException] = field(default_factory=list[BaseException])
    connections: int = 0

    def answer(self, *replies: Reply) -> None:
        self.replies = deque(replies)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                method, path, _ = head[0].split(" ")
                headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
                content = await reader.readexactly(int(headers.get("content-length", "0")))
                body = json.loads(content) if content else None
                exchange = Exchange(method, path, headers, body, reader, writer, connection)
                self.requests.append(exchange)
                reply = self.replies.popleft() if len(self.replies) > 1 else self.replies[0]
                await reply(exchange)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except BaseException as error:
            self.errors.append(error)
            raise
        finally:
            writer.close()


@pytest.fixture
async def chat_server() -> AsyncIterator[ChatServer]:
    server = ChatServer()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    yield server
    listener.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not [error for error in server.errors if not isinstance(error, asyncio.CancelledError)]
