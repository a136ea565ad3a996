"""The JavaScript SDK: a web component."""

import base64
import json
from typing import Any
from urllib.parse import quote

from tests.e2e.clients.client import Client, Message, Place

_PIECE = 4096
"""Base64 characters of a message; four of them are three bytes, so that each piece decodes by itself."""


class JavascriptSdk(Client):
    """Silent until the answer unless it has functions. ``memory``: what it keeps between two calls on one page."""

    samples = 8192

    def __init__(self, place: Place, avatar_id: str, *, functions: list[Message] | None = None) -> None:
        super().__init__(place)
        self._avatar_id = avatar_id
        self._functions = functions
        self._ice_servers: list[Any] = []
        self.memory: list[str] = []
        self.tool_calls: list[Message] = []
        """Details of the events that the page got."""

    async def look_up(self) -> None:
        found = await self.get(f"detail?license={quote(self.place.license)}&avatarId={quote(self._avatar_id)}")
        # Without these it never opens a socket.
        assert found["thumbnailUrl"]
        assert found["providerName"]

    def query(self) -> str:
        return f"license={quote(self.place.license)}&avatarId={quote(self._avatar_id)}"

    async def on_open(self) -> None:
        if self._functions is None:
            return
        definitions = [
            {
                "type": "function",
                "name": function["function_call_name"],
                "description": function["function_call_description"],
                "parameters": {
                    "type": "object",
                    # What it writes for a function without parameters.
                    "properties": function["function_call_parameters"].get("properties", []),
                    "required": function["function_call_parameters"].get("required", []),
                },
            }
            for function in self._functions
        ]
        await self.send("realtime.input_function_call", {"content": json.dumps(definitions)})

    async def on_message(self, kind: str, message: Message) -> None:
        match kind:
            case "conversation.connected.success":
                self._ice_servers = message["data"]["iceServers"]
            case "realtime.session.created":
                await self.add_history(*self.memory)
            case "realtime.session.updated":
                # Each one opens a microphone.
                self.open_microphone(self._send_sound)
            case "webrtc.signaling.offer":
                await self.answer_offer(message["data"]["sdp"], self._ice_servers)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(message["data"]["content"])
                self.memory.append(message["data"]["content"])
            case "realtime.response.audio_transcript.done":
                self.answers.append(message["data"]["content"])
            case "realtime.response.function_call_arguments.done":
                assert isinstance(message["raw_data"]["name"], str)
                self.tool_calls.append(message)

    async def _send_sound(self, pcm: bytes) -> None:
        encoded = base64.b64encode(pcm).decode()
        for start in range(0, len(encoded), _PIECE):
            await self.send("realtime.input_audio_buffer.append", {"audio": encoded[start : start + _PIECE]})
