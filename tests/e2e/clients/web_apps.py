"""The applications for browsers: the WordPress plugin, the HTML sample, the clinic, recruitment, hotel and tutor apps,
and a library that lets the avatar say speech from elsewhere."""

import asyncio
import base64
import json
from typing import Any, ClassVar
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray

from tests.e2e.clients.client import Client, Message, Place

END = {
    "type": "function",
    "name": "end_conversation",
    "description": "Ends the conversation when the visitor says goodbye.",
    "parameters": {"type": "object", "properties": {}, "required": []},
}


class WebApp(Client):
    """What they have in common."""

    samples = 8192

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.ice_servers: list[Any] = []
        self.hung_up = False

    async def send_sound(self, pcm: bytes) -> None:
        """A piece of the microphone's."""
        await self.send("realtime.input_audio_buffer.append", {"audio": base64.b64encode(pcm).decode()})

    async def end(self) -> None:
        """Hang up by itself."""
        self.hung_up = True
        await self.hang_up()


class WordpressPlugin(WebApp):
    """Lists the avatars, calls by id, and hangs up by a tool. Its bubbles need an end of every turn."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place)
        self._name = name
        self._avatar_id = ""
        self.typing = False
        """Whether the "typing" bubble is there."""
        self.bubbles: dict[str, str] = {}
        """What the avatar says, by answer."""
        self.renegotiated = 0

    async def look_up(self) -> None:
        listed = await self.get("list", headers={"license": self.place.license})
        shown = [avatar for avatar in listed if avatar["status"] == "SUCCESS"]
        (chosen,) = [avatar for avatar in shown if avatar["name"] == self._name]
        assert not chosen["videoFile"]
        assert chosen["thumbnailUrl"] or chosen["url"]
        self._avatar_id = chosen.get("avatarId") or chosen["id"]

    def query(self) -> str:
        return f"license={self.place.license}&avatarId={self._avatar_id}"

    async def on_open(self) -> None:
        content = json.dumps({"voice": "alloy", "prompt": "You sell flowers.", "tools": [END]})
        await self.send("realtime.input_config", {"content": content})

    async def on_message(self, kind: str, message: Message) -> None:
        data = message["data"]
        match kind:
            case "conversation.connected.success":
                self.ice_servers = data["iceServers"]
            case "webrtc.signaling.offer":
                await self.answer_offer(data["sdp"], self.ice_servers)
            case "webrtc.signaling.answer":
                await self.peer.take_answer(data["sdp"]["sdp"])
                self.renegotiated += 1
            case "realtime.session.updated":
                self.open_microphone(self.send_sound)
            case "realtime.input_audio_buffer.speech_started":
                self.typing = True
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.typing = False
                self.users.append(data["content"])
            case "realtime.response.audio_transcript.delta":
                self.bubbles[data["id"]] = self.bubbles.get(data["id"], "") + data["content"]
            case "realtime.response.audio_transcript.done":
                self.answers.append(data["content"])
            case "realtime.response.function_call_arguments.done":
                if data["function_name"] in ("end_call", "end_conversation"):
                    await self.end()

    async def negotiate_anew(self) -> None:
        """The browser says that a negotiation is needed."""
        await self.send("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": await self.peer.offer()}})


class HtmlSample(WebApp):
    """Keeps ICE servers only with a new session id, and ``history`` over reloads; its query is not encoded."""

    def __init__(self, place: Place, name: str, *, history: tuple[str, ...] = ()) -> None:
        super().__init__(place)
        self._name = name
        self._history = history
        self._session_id = ""
        self._texts: dict[str, str] = {}

    def query(self) -> str:
        # What a browser makes of an address that is not encoded.
        return f"license={self.place.license}&name={self._name}".replace(" ", "%20")

    async def on_message(self, kind: str, message: Message) -> None:
        data = message["data"]
        match kind:
            case "conversation.connected.success":
                if data["sessionId"] and data["sessionId"] != self._session_id:
                    self._session_id = data["sessionId"]
                    self.ice_servers = data["iceServers"]
            case "webrtc.signaling.offer":
                assert self.ice_servers
                await self.answer_offer(data["sdp"], self.ice_servers)
            case "realtime.session.created":
                await self.add_history(*self._history)
            case "realtime.session.updated":
                self.open_microphone(self.send_sound)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(data.get("transcript") or data["content"])
            case "realtime.response.audio_transcript.delta":
                answer = data.get("response_id") or data["id"]
                self._texts[answer] = self._texts.get(answer, "") + (data.get("delta") or data["content"])
            case "realtime.response.audio_transcript.done":
                text = data.get("transcript") or data["content"]
                # It becomes part of the page as it is.
                assert "<" not in text
                self.answers.append(text)


class ClinicApp(WebApp):
    """Configures on opening, wants the avatar to speak first, refuses tools that it does not know, has a camera."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place)
        self._name = name
        self._texts: dict[str, str] = {}
        self._arguments: dict[str, str] = {}
        self.tool_calls: list[tuple[str, Any]] = []
        self.renegotiated = 0
        self.problem = ""

    def query(self) -> str:
        return urlencode({"license": self.place.license, "name": self._name})

    async def on_open(self) -> None:
        content = json.dumps({"voice": "cedar", "prompt": "You receive patients."})
        await self.send("realtime.input_config", {"content": content})

    async def on_message(self, kind: str, message: Message) -> None:
        data = message["data"]
        match kind:
            case "conversation.connected.success":
                self.ice_servers = data["iceServers"]
            case "conversation.connected.fail" | "conversation.connected.gpu_full":
                self.problem = data["message"]
            case "webrtc.signaling.offer":
                await self.answer_offer(data["sdp"], self.ice_servers)
            case "webrtc.signaling.answer":
                await self.peer.take_answer(data["sdp"]["sdp"])
                self.renegotiated += 1
            case "realtime.session.updated":
                self.open_microphone(self.send_sound)
                await self.send("response.create")
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(data.get("content") or message["transcript"])
            case "realtime.response.audio_transcript.delta":
                answer = data.get("response_id") or data["id"]
                self._texts[answer] = self._texts.get(answer, "") + (data.get("delta") or data["content"])
            case "realtime.response.audio_transcript.done":
                answer = data.get("response_id") or data["id"]
                self.answers.append(data.get("transcript") or self._texts[answer])
            case "realtime.response.function_call_arguments.delta":
                self._arguments[data["call_id"]] = self._arguments.get(data["call_id"], "") + data["delta"]
            case "realtime.response.function_call_arguments.done":
                arguments = data["arguments"]
                if not isinstance(arguments, dict):
                    arguments = json.loads(arguments or self._arguments[data["call_id"]])
                self.tool_calls.append((data.get("name") or data["function_name"], arguments))
                await self.return_result(data["call_id"], json.dumps({"error": "unknown tool"}))

    async def add_tools(self, tools: list[Message]) -> None:
        """Configure in the middle of the call."""
        await self.send("realtime.input_config", {"content": json.dumps({"tools": tools})})

    async def open_camera(self) -> None:
        """Add a camera's track, and negotiate it."""
        await self.send("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": await self.peer.add_camera()}})


class RecruitmentApp(WebApp):
    """Waits for the avatar to speak first, and hangs up the moment that the tool is called."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place)
        self._name = name
        self._texts: dict[str, str] = {}
        self.tool_arguments: Any = None

    def query(self) -> str:
        return urlencode({"license": self.place.license, "name": self._name})

    async def on_open(self) -> None:
        content = json.dumps({"prompt": "You ask applicants about their work.", "tools": [END]})
        await self.send("realtime.input_config", {"content": content})

    async def on_message(self, kind: str, message: Message) -> None:
        payload = message.get("data") or message
        match kind:
            case "conversation.connected.success":
                self.ice_servers = payload.get("iceServers") or payload["ice_servers"]
            case "webrtc.signaling.offer":
                await self.answer_offer(payload["sdp"], self.ice_servers)
            case "realtime.session.updated":
                await self.send("response.create")
                self.open_microphone(self.send_sound)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(payload["content"])
            case "realtime.response.audio_transcript.delta":
                answer = payload.get("id") or payload["response_id"]
                self._texts[answer] = self._texts.get(answer, "") + (payload.get("content") or payload["delta"])
            case "realtime.response.audio_transcript.done":
                self.answers.append(self._texts[payload.get("id") or payload["response_id"]])
            case "realtime.response.function_call_arguments.done":
                if (payload.get("function_name") or payload["name"]) == "end_conversation":
                    arguments = payload["arguments"]
                    self.tool_arguments = json.loads(arguments) if isinstance(arguments, str) else {}
                    await self.end()


class HotelApp(WebApp):
    """The hotel's front desk and the English tutor: configured after ``created``; the visitor may type as well.

    They hang up by a tool, when the goodbye has been said. The tutor plays what comes as sound over the socket, and
    any error ends it.
    """

    samples = 4096
    tools: ClassVar[list[Message]] = [
        END,
        {
            "type": "function",
            "name": "get_weather",
            "description": "Get the current weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    ]

    def __init__(self, place: Place, name: str, *, history: tuple[str, ...] = ()) -> None:
        super().__init__(place)
        self._name = name
        self._history = history
        self._placeholder = False
        self._arguments: dict[str, str] = {}
        self.tool_calls: list[tuple[str, Message]] = []
        self._ending = False

    def query(self) -> str:
        return urlencode({"license": self.place.license, "name": self._name, "model": "gpt-realtime"})

    async def on_message(self, kind: str, message: Message) -> None:
        data = message["data"]
        match kind:
            case "conversation.connected.success":
                self.ice_servers = data["iceServers"]
            case "webrtc.signaling.offer":
                await self.answer_offer(data["sdp"], self.ice_servers)
            case "realtime.session.created":
                await self.configure("You stand at a hotel's front desk.", "marin")
                await self.add_history(*self._history[-3:])
            case "realtime.session.updated":
                self.open_microphone(self.send_sound)
            case "realtime.input_audio_buffer.speech_started":
                self._placeholder = True
            case "realtime.conversation.item.input_audio_transcription.completed":
                if self._placeholder:
                    self._placeholder = False
                    self.users.append(data.get("content") or message["transcript"])
            case "realtime.response.audio_transcript.done":
                self.answers.append(data["content"])
            case "realtime.response.audio.delta" | "realtime.response.error" | "error":
                raise AssertionError(kind)
            case "realtime.response.audio.done" if self._ending:
                # The original waits for some more seconds.
                await self.end()
            case "realtime.response.function_call_arguments.delta":
                self._arguments[data["call_id"]] = self._arguments.get(data["call_id"], "") + data["delta"]
            case "realtime.response.function_call_arguments.done":
                given = data["arguments"]
                text = given if isinstance(given, str) else self._arguments[data["call_id"]]
                self.tool_calls.append((data["name"], json.loads(text)))
                self._ending = data["name"] == END["name"]
                await self.return_result(data["call_id"], '{"sky": "sunny", "temperature": 21}')

    async def configure(self, instructions: str, voice: str) -> None:
        """Set or change everything of the session."""
        session = {
            "instructions": instructions,
            "voice": voice,
            "temperature": 0.9,
            "modalities": ["text", "audio"],
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 600,
            },
            "tools": self.tools,
        }
        await self.send("session.update", session=session)

    async def type(self, text: str) -> None:
        """Say something in writing."""
        await self.add_history(text)
        await self.send("response.create")


class AvatarCore(WebApp):
    """Gives the avatar speech from elsewhere to say, in the unwrapped form."""

    padding: ClassVar[float] = 0.35
    """Seconds of silence behind each utterance, for fear of losing its end."""

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place)
        self._name = name
        self.finished = 0

    def query(self) -> str:
        return urlencode({"license": self.place.license, "name": self._name, "model": "transparency"})

    async def on_message(self, kind: str, message: Message) -> None:
        match kind:
            case "conversation.connected.success":
                self.ice_servers = message["data"]["iceServers"]
            case "webrtc.signaling.offer":
                await self.answer_offer(message["data"]["sdp"], self.ice_servers)
            case "realtime.response.audio.done":
                self.finished += 1

    async def speak(self, pcm: NDArray[np.int16], *, commit: bool) -> None:
        """Have an utterance said, as fast as it can be sent."""
        await self.send("input_audio_buffer.clear")
        whole = np.concatenate((pcm, np.zeros(round(self.padding * 24_000), np.int16))).astype("<i2").tobytes()
        for start in range(0, len(whole), 9600):
            audio = base64.b64encode(whole[start : start + 9600]).decode()
            await self.send("input_audio_buffer.append", audio=audio)
            await asyncio.sleep(0)
        if commit:
            await self.send("input_audio_buffer.commit")
