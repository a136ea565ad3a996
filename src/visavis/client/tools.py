"""Tools: what the avatar may ask the app to do, run by itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from visavis.client.events import ToolCall

logger = structlog.get_logger(__name__)

MOST_AT_ONCE = 32
"""Tools of one call that run at a time; the avatar is told of each further one that it did not run."""

_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that the avatar may ask the app to do.

    ``run`` is awaited with the arguments by keyword. What it returns goes to the avatar's language model: text as it
    is, anything else as JSON; what it raises goes there as an error's text, and into the log.
    """

    name: str
    description: str
    run: Callable[..., Awaitable[Any]]
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NO_PARAMETERS)
    """The arguments as a JSON Schema object."""
    timeout: float = 20.0
    """Seconds after which the model is told that there was no answer; the tool is cancelled then."""

    def definition(self) -> dict[str, Any]:
        """The tool in OpenAI's flat form."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": dict(self.parameters),
        }


class Toolbox:
    """The tools of a call, and those that are running; ``answer`` gets each result, by the id of its call."""

    def __init__(self, tools: Sequence[Tool], answer: Callable[[str, str], Awaitable[None]]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._removed: set[str] = set()
        self._answer = answer
        self._running: set[asyncio.Task[None]] = set()

    def add(self, tool: Tool) -> None:
        """One more; it replaces one of the same name."""
        self._removed.discard(tool.name)
        self._tools[tool.name] = tool

    def remove(self, name: str) -> None:
        """One less. The protocol has no word for it: when the avatar asks for it all the same, it is told."""
        if self._tools.pop(name, None):
            self._removed.add(name)

    def definitions(self) -> list[dict[str, Any]]:
        """All of them, as the server takes them."""
        return [tool.definition() for tool in self._tools.values()]

    def use(self, call: ToolCall) -> None:
        """Run a tool and return its result; nothing happens for one that is not here."""
        tool = self._tools.get(call.name)
        if tool is None and call.name not in self._removed:
            return
        task = asyncio.create_task(self._use(tool, call, refused=len(self._running) >= MOST_AT_ONCE))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Stop those that run."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running)

    async def _use(self, tool: Tool | None, call: ToolCall, *, refused: bool) -> None:
        if tool is None:
            output = _error(f"there is no tool called {call.name} any more")
        elif refused:
            output = _error("too many tools are running")
        else:
            output = await _run(tool, call.arguments)
        try:
            await self._answer(call.call_id, output)
        except Exception as error:
            logger.warning("tool_result_not_returned", tool=call.name, error=str(error))


async def _run(tool: Tool, arguments: Mapping[str, Any] | str) -> str:
    """The result for the model, whatever happens."""
    if isinstance(arguments, str):
        return _error("the arguments are no JSON object")
    try:
        async with asyncio.timeout(tool.timeout):
            result = await tool.run(**arguments)
        return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    except TimeoutError:
        logger.warning("tool_failed", tool=tool.name, error="no answer in time")
        return _error("the tool did not answer in time")
    except Exception as error:
        logger.warning("tool_failed", tool=tool.name, error=f"{type(error).__name__}: {error}")
        return _error(str(error) or type(error).__name__)


def _error(told: str) -> str:
    return json.dumps({"error": told}, ensure_ascii=False)
