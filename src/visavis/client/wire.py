"""The messages of the protocol (``docs/protocol.md``), as this client writes and reads them."""

import base64
import contextlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

import numpy as np
from aiortc import RTCIceServer
from numpy.typing import NDArray

from visavis.client.errors import DisconnectReason
from visavis.client.events import Expiring, HistoryItem, Message, Resumed, ToolCall, Variable
from visavis.client.picture import Picture


class ProtocolError(ValueError):
    """What was received is none of the protocol's."""


def parse(text: str | bytes, at: float) -> Message:
    """Read a message. Raises ``ProtocolError``."""
    try:
        body = mapping(json.loads(text))
    except ValueError as error:
        raise ProtocolError("no JSON object") from error
    return Message(str(body.get("type", "")), mapping(body.get("data") or {}), at, body)


def mapping(value: Any) -> dict[str, Any]:
    """``value``, which is an object. Raises ``ProtocolError``."""
    if not isinstance(value, dict):
        raise ProtocolError(f"an object was expected, not {type(value).__name__}")
    return cast(dict[str, Any], value)


def entries(value: Any) -> list[dict[str, Any]]:
    """``value``, which is a list of objects, or nothing. Raises ``ProtocolError``."""
    if not isinstance(value or [], list):
        raise ProtocolError(f"a list was expected, not {type(value).__name__}")
    return [mapping(entry) for entry in cast(list[Any], value or [])]


def ice_servers(success: Message) -> list[RTCIceServer]:
    """Those that the server names. Raises ``ProtocolError``."""
    return [_ice_server(entry) for entry in entries(success.data.get("iceServers"))]


def _ice_server(given: Mapping[str, Any]) -> RTCIceServer:
    urls: Any = given.get("urls")
    listed: list[Any] = [urls] if isinstance(urls, str) else cast(list[Any], urls) if isinstance(urls, list) else []
    if not listed or not all(isinstance(url, str) for url in listed):
        raise ProtocolError("an ICE server's urls are text")
    return RTCIceServer(urls=listed, username=given.get("username"), credential=given.get("credential"))


def offer(message: Message) -> str:
    """The SDP of an offer. Raises ``ProtocolError``."""
    return str(mapping(message.data.get("sdp")).get("sdp", ""))


def tool_call(message: Message) -> ToolCall:
    """The tool that the avatar uses."""
    raw: Any = message.body.get("raw_data")
    response = str(cast(dict[str, Any], raw).get("response_id", "")) if isinstance(raw, dict) else ""
    data = message.data
    arguments: Any = data.get("arguments", "")
    if isinstance(arguments, str):
        with contextlib.suppress(ValueError):
            arguments = mapping(json.loads(arguments or "{}"))
    return ToolCall(str(data.get("call_id", "")), str(data.get("name", "")), arguments, response)


def expiring(message: Message) -> Expiring:
    """The end that is near."""
    reason = str(message.data.get("reason", ""))
    known = DisconnectReason(reason) if reason in set(DisconnectReason) else DisconnectReason.SESSION_TIMEOUT
    seconds: Any = message.data.get("seconds")
    left = float(seconds) if isinstance(seconds, int | float) else 0.0
    return Expiring(known, left, message.told, message.data.get("preventable") is not False)


def resumed(message: Message) -> Resumed:
    """The conversation so far. Raises ``ProtocolError``."""
    items = tuple(
        HistoryItem("assistant" if entry.get("role") == "assistant" else "user", str(entry.get("content", "")))
        for entry in entries(message.data.get("items"))
    )
    variables = mapping(message.data.get("variables") or {})
    return Resumed(items, {name: value for name, value in variables.items() if isinstance(value, Variable)})


def picture(message: Message) -> Picture | None:
    """What is about to be sent; None of a server that does not say. Raises ``ProtocolError``."""
    told = mapping(message.data.get("picture") or {})
    width: Any = told.get("width")
    height: Any = told.get("height")
    if not isinstance(width, int) or not isinstance(height, int):
        return None
    return Picture(width, height, told.get("transparent") is True, told.get("backgrounds") is True)


def answer(sdp: str) -> dict[str, Any]:
    """The answer to an offer."""
    return {"type": "webrtc.signaling.answer", "data": {"sdp": {"type": "answer", "sdp": sdp}}}


def audio(pcm: NDArray[np.int16]) -> dict[str, Any]:
    """Microphone sound."""
    encoded = base64.b64encode(pcm.astype("<i2", copy=False).tobytes()).decode()
    return {"type": "realtime.input_audio_buffer.append", "data": {"audio": encoded}}


def said(text: str, role: Literal["user", "assistant"] = "user") -> dict[str, Any]:
    """Something that was said or written."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "conversation.item.create", "item": {"type": "message", "role": role, "content": content}}


def typed(text: str) -> dict[str, Any]:
    """Something that the visitor wrote, to be answered at once: it is as good as spoken."""
    return {"type": "realtime.input_text", "data": {"content": text, "reply": 1}}


def tool_result(call_id: str, output: str) -> dict[str, Any]:
    """What a tool gave."""
    item = {"type": "function_call_output", "call_id": call_id, "output": output}
    return {"type": "conversation.item.create", "item": item}


RESPOND: Mapping[str, Any] = {"type": "response.create"}
CANCEL: Mapping[str, Any] = {"type": "response.cancel"}
CLEAR: Mapping[str, Any] = {"type": "realtime.input_audio_buffer.clear", "data": {}}
KEEP_ALIVE: Mapping[str, Any] = {"type": "realtime.session.keep_alive"}


def image(picture: bytes, media_type: str, reply: bool) -> dict[str, Any]:
    """A picture."""
    content = f"data:{media_type};base64,{base64.b64encode(picture).decode()}"
    return {"type": "realtime.input_image", "data": {"content": content, "reply": int(reply)}}


def configuration(
    *, voice: str | None = None, prompt: str | None = None, tools: Sequence[Mapping[str, Any]] | None = None
) -> dict[str, Any]:
    """A change of the avatar for this session."""
    given = {"voice": voice, "prompt": prompt, "tools": tools}
    content = json.dumps({key: value for key, value in given.items() if value is not None})
    return {"type": "realtime.input_config", "data": {"content": content}}


def more_tools(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Tools beside those that the avatar has."""
    return {"type": "realtime.input_function_call", "data": {"content": json.dumps(tools)}}


def background(given: str | bytes) -> dict[str, Any]:
    """What is to lie behind the avatar; servers tell a picture's kind by its first bytes."""
    if isinstance(given, bytes):
        given = f"data:application/octet-stream;base64,{base64.b64encode(given).decode()}"
    return {"type": "realtime.set_background", "data": {"background": given}}


def emotion(name: str, intensity: float) -> dict[str, Any]:
    """What the avatar's face is to show."""
    return {"type": "realtime.set_emotion", "data": {"emotion": name, "intensity": intensity}}


def variables(values: Mapping[str, Variable | None]) -> dict[str, Any]:
    """Session variables."""
    return {"type": "realtime.session.variables", "data": {"variables": dict(values)}}
