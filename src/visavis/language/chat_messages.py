"""The request of the chat completions protocol, made from a ChatRequest."""

import base64
from collections.abc import Sequence
from typing import Any, Final

from visavis.language.ports import ChatMessage, ChatRequest, Image, Tool

NO_RESULT_YET: Final = "No result has come yet."
UNSEEN_PICTURE: Final = "[The user showed a picture that you cannot see. Say so if it matters.]"


def request_body(model: str, request: ChatRequest, *, images: bool, tools: bool) -> dict[str, Any]:
    """The JSON body of a streamed request.

    ``images``, ``tools``: whether the model takes pictures, and tools. Without tools, calls and results in the history
    are told as words.
    """
    body: dict[str, Any] = {"model": model, "stream": True}
    body["messages"] = _messages(request.messages, images=images, tools=tools)
    if tools and request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    return body


def _tool(tool: Tool) -> dict[str, Any]:
    parameters = {"type": "object", **tool.parameters}
    if not isinstance(parameters.get("properties"), dict):
        parameters["properties"] = {}
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": parameters},
    }


def _messages(history: Sequence[ChatMessage], *, images: bool, tools: bool) -> list[dict[str, Any]]:
    """The history in the protocol's order.

    Servers refuse a call that is not directly followed by its result and a result without its call. A result that came
    later, after other messages, is therefore told as a note where it came, and its call gets a placeholder.
    """
    out: list[dict[str, Any]] = []
    answered: set[int] = set()
    names = {call.call_id: call.name for message in history for call in message.tool_calls}
    for at, message in enumerate(history):
        if message.role == "tool":
            if at not in answered:
                name = names.get(message.call_id)
                of = f" of {name}" if name else ""
                _append(out, {"role": "user", "content": f"[The result{of} has come: {message.text}]"})
        elif message.role == "assistant" and message.tool_calls and tools:
            calls = [
                {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
            out.append({"role": "assistant", "content": message.text or None, "tool_calls": calls})
            results: dict[str, str] = {}
            after = at + 1
            while after < len(history) and history[after].role == "tool":
                if any(call.call_id == history[after].call_id for call in message.tool_calls):
                    results.setdefault(history[after].call_id, history[after].text)
                    answered.add(after)
                after += 1
            out += [
                {
                    "role": "tool",
                    "tool_call_id": call.call_id,
                    "content": results.get(call.call_id, NO_RESULT_YET),
                }
                for call in message.tool_calls
            ]
        elif message.text or message.images:
            _append(out, {"role": message.role, "content": _content(message, images=images)})
    return out


def _append(out: list[dict[str, Any]], message: dict[str, Any]) -> None:
    """Add ``message``; joined to the one before where both are plain words of one side.

    The chat templates of several open models insist on sides that take turns.
    """
    last = out[-1] if out else None
    if (
        last is not None
        and last["role"] == message["role"]
        and isinstance(last["content"], str)
        and isinstance(message["content"], str)
        and "tool_calls" not in last
        and "tool_call_id" not in last
    ):
        last["content"] += "\n" + message["content"]
    else:
        out.append(message)


def _content(message: ChatMessage, *, images: bool) -> str | list[dict[str, Any]]:
    if not message.images:
        return message.text
    if not images:
        return f"{message.text}\n{UNSEEN_PICTURE}".strip()
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    return parts + [{"type": "image_url", "image_url": {"url": _data_url(image)}} for image in message.images]


def _data_url(image: Image) -> str:
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode('ascii')}"
