"""A language model for tests: it speaks OpenAI's chat completions, counts what it is told, and remembers nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.language.conftest import ChatServer, Exchange

TOOL = "look_up"
"""The tool that it uses when the user says "look up", where it has it."""


class Brain:
    """Answers a user's n-th message with a smile ("That was number n."), and a tool's result with "It says" and it."""

    def __init__(self) -> None:
        self.server = ChatServer()
        self.server.answer(self._reply)
        self.asked: list[list[dict[str, Any]]] = []
        """The messages of each request."""

    @property
    def settings(self) -> dict[str, str]:
        """The environment of a server that thinks with it."""
        return {
            "VISAVIS_CHAT__PROVIDER": "openai",
            "VISAVIS_CHAT__MODEL": "brain",
            "VISAVIS_CHAT__BASE_URL": self.server.url,
        }

    @property
    def told(self) -> list[tuple[str, str]]:
        """Roles and texts of the last request, without the prompt; a tool's use is its name."""
        said = [message for message in self.asked[-1] if message["role"] != "system"]
        return [(message["role"], message.get("content") or _used(message)) for message in said]

    async def _reply(self, exchange: Exchange) -> None:
        if exchange.method == "GET":
            await exchange.whole(200, {"data": [{"id": "brain"}]})
            return
        messages = exchange.body["messages"]
        self.asked.append(messages)
        last = messages[-1]
        await exchange.head()
        if last["role"] == "tool":
            await exchange.delta(content=f"It says {last['content']}")
        elif "look up" in str(last["content"]).lower() and any(
            tool["function"]["name"] == TOOL for tool in exchange.body.get("tools", [])
        ):
            call = {"index": 0, "id": f"call_{len(messages)}", "type": "function"}
            await exchange.delta(tool_calls=[call | {"function": {"name": TOOL, "arguments": "{}"}}])
        else:
            await exchange.delta(content=f"[happy] That was number {sum(one['role'] == 'user' for one in messages)}.")
        await exchange.delta(finish="stop")
        await exchange.end()


def _used(message: dict[str, Any]) -> str:
    return " ".join(call["function"]["name"] for call in message.get("tool_calls", []))


@asynccontextmanager
async def thinking() -> AsyncIterator[Brain]:
    """A brain that answers until the end of the block."""
    brain = Brain()
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(brain.server.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    listener = await asyncio.start_server(accept, "127.0.0.1", 0)
    brain.server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield brain
    finally:
        listener.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
