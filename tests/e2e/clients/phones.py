"""The SDKs and samples for phones: iOS, Android, React Native, Flutter."""

import asyncio
import base64
import json
from typing import Any, ClassVar
from urllib.parse import quote, quote_plus, urlsplit

import cv2
import httpx
import numpy as np

from tests.e2e.clients.client import Client, Message, Place


def photograph(width: int = 1920, height: int = 1080) -> str:
    """A camera's picture in full resolution, as a data URL."""
    noise = np.random.default_rng(5).integers(0, 255, (height // 4, width // 4, 3), np.uint8)
    picture = cv2.resize(noise, (width, height))
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


class Phone(Client):
    """What the four have in common: the avatar by name, functions on opening, pictures without a reply."""

    is_page = False
    picture_seconds: ClassVar[float] = 2.0

    def __init__(self, place: Place, name: str, *, functions: list[Message] | None = None) -> None:
        super().__init__(place)
        self.name = name
        self.functions = functions
        self.ice_servers: list[Any] = []
        self.tool_calls: list[Any] = []
        self.camera_allowed = False
        self._camera: asyncio.Task[None] | None = None
        self._sequence = 0

    def query(self) -> str:
        return f"license={quote(self.place.license)}&name={quote(self.name)}"

    async def on_open(self) -> None:
        if self.functions is not None:
            await self.send("realtime.input_function_call", {"content": json.dumps(self.functions)})

    def open_camera(self) -> None:
        """Send a picture every few seconds, as context."""
        assert self.camera_allowed
        self._camera = asyncio.create_task(self._photograph())

    async def __aexit__(self, *error: object) -> None:
        if self._camera:
            self._camera.cancel()
            await asyncio.wait([self._camera])
        await super().__aexit__(*error)

    async def send_sound(self, pcm: bytes) -> None:
        """A piece of the microphone's."""
        await self.send("realtime.input_audio_buffer.append", {"audio": base64.b64encode(pcm).decode()})

    async def _photograph(self) -> None:
        while True:
            await self.send("realtime.input_image", {"content": photograph(), "reply": 0})
            await asyncio.sleep(self.picture_seconds)


class IosSdk(Phone):
    """An offer before the success is dropped; addresses of ICE servers are read as lists only."""

    samples = 512
    picture_seconds = 3.0

    def __init__(self, place: Place, name: str, *, functions: list[Message] | None = None) -> None:
        super().__init__(place, name, functions=functions)
        self._session_id: str | None = None
        self.renegotiated = 0

    async def look_up(self) -> None:
        found = await self.get(f"getByName?name={quote(self.name)}", headers={"license": self.place.license})
        assert urlsplit(found["url"]).netloc
        self.camera_allowed = found["providerName"] == "openai"
        async with httpx.AsyncClient(trust_env=False) as http:
            picture = await http.get(found["url"])
        assert cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR) is not None

    async def on_message(self, kind: str, message: Message) -> None:
        match kind:
            case "conversation.connected.success":
                self._session_id = message["data"]["sessionId"]
                listed = message["data"]["iceServers"]
                self.ice_servers = [server for server in listed if _all_text(server["urls"])]
            case "webrtc.signaling.offer" if self._session_id is not None:
                assert self.ice_servers
                await self.answer_offer(message["data"]["sdp"], self.ice_servers)
            case "webrtc.signaling.answer":
                # Read at the top only.
                await self.peer.take_answer(message["sdp"]["sdp"])
                self.renegotiated += 1
            case "webrtc.signaling.iceCandidate":
                candidate = message["data"]["candidate"]
                assert type(candidate["sdpMLineIndex"]) is int
                assert isinstance(candidate["sdpMid"], str)
            case "realtime.session.updated":
                self.open_microphone(self._send_once_connected)
            case "realtime.conversation.item.input_audio_transcription.completed" if message["data"]["content"]:
                self.users.append(message["data"]["content"])
            case "realtime.response.audio_transcript.done" if message["data"]["content"]:
                self.answers.append(message["data"]["content"])
            case "realtime.response.function_call_arguments.done":
                data = message["data"]
                assert isinstance(data["arguments"], dict)
                self.tool_calls.append((data["name"], data["arguments"]))

    async def negotiate_anew(self) -> None:
        """Its WebRTC library thinks that it should."""
        await self.send("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": await self.peer.offer()}})

    async def _send_once_connected(self, pcm: bytes) -> None:
        if self.peer.connected:
            await self.send_sound(pcm)


class AndroidSdk(Phone):
    """``history``: what was said in earlier calls; it travels as one item, in Kotlin's notation of a list of maps."""

    samples = 960

    def __init__(
        self, place: Place, name: str, *, functions: list[Message] | None = None, history: tuple[str, ...] = ()
    ) -> None:
        super().__init__(place, name, functions=functions)
        self._history = history

    async def look_up(self) -> None:
        query = f"license={quote_plus(self.place.license)}&name={quote_plus(self.name)}"
        found = await self.get(f"getByName?{query}", headers={"license": self.place.license})
        assert isinstance(found["thumbnailUrl"], str)
        assert isinstance(found["providerName"], str)
        self.camera_allowed = found["providerName"] == "openai"

    def query(self) -> str:
        # URLEncoder: a space is a plus.
        return f"license={quote_plus(self.place.license)}&name={quote_plus(self.name)}"

    async def on_message(self, kind: str, message: Message) -> None:
        match kind:
            case "conversation.connected.success":
                for server in message["data"]["iceServers"]:
                    # getJSONArray: anything else fails the whole socket.
                    assert isinstance(server["urls"], list)
                    self.ice_servers.append(server)
            case "webrtc.signaling.offer":
                await self.answer_offer(message["data"]["sdp"], self.ice_servers)
            case "realtime.session.created" if self._history:
                listed = ", ".join(f"{{type=input_text, text={text}}}" for text in self._history)
                item = {"type": "message", "role": "user", "content": f"[{listed}]"}
                await self.send("conversation.item.create", item=item)
            case "realtime.session.updated":
                self.open_microphone(self._send_numbered)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(_string(message["data"]["content"]))
            case "realtime.response.audio_transcript.done":
                self.answers.append(_string(message["data"]["content"]))
            case "realtime.response.function_call_arguments.done":
                self.tool_calls.append(_string(message["data"]["function_name"]))

    async def _send_numbered(self, pcm: bytes) -> None:
        self._sequence += 1
        data = {"audio": base64.b64encode(pcm).decode(), "sequenceNumber": self._sequence}
        await self.send("realtime.input_audio_buffer.append", data)


class ReactNativeSample(Phone):
    """Records at 16 kHz and calls it 24 kHz: what it says arrives half as fast again."""

    samples = 1600
    picture_seconds = 1.0

    def __init__(self, place: Place, name: str) -> None:
        super().__init__(place, name)
        self.toast = ""

    async def look_up(self) -> None:
        found = await self.get(f"getByName?name={quote(self.name)}", headers={"license": self.place.license})
        assert found["url"]
        self.camera_allowed = found["providerName"] == "openai"

    async def on_message(self, kind: str, message: Message) -> None:
        match kind:
            case "conversation.connected.success":
                self.ice_servers = message["data"]["iceServers"]
            case "conversation.connected.fail":
                self.toast = _string(message["message"])
            case "webrtc.signaling.offer":
                await self.answer_offer(message["data"]["sdp"], self.ice_servers)
            case "realtime.session.updated":
                self.open_microphone(self.send_sound, 16_000)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(message["data"]["content"])
            case "realtime.response.audio_transcript.done":
                self.answers.append(message["data"]["content"])


class FlutterSample(Phone):
    """Casts everything; one wrong type throws. Offers its functions to ``openai`` only."""

    def __init__(
        self, place: Place, name: str, *, functions: list[Message] | None = None, history: tuple[str, ...] = ()
    ) -> None:
        super().__init__(place, name, functions=functions)
        self._history = history

    async def look_up(self) -> None:
        found = await self.get(f"getByName?name={quote(self.name)}", headers={"license": self.place.license})
        _string(found["thumbnailUrl"])
        if _string(found["providerName"]) != "openai":
            self.functions = None

    async def on_message(self, kind: str, message: Message) -> None:
        data = message["data"]
        assert isinstance(data, dict), kind
        match kind:
            case "conversation.connected.success":
                _string(data["sessionId"])
                assert isinstance(data["iceServers"], list)
                self.ice_servers = data["iceServers"]
            case "webrtc.signaling.offer":
                assert self.ice_servers
                await self.answer_offer(data["sdp"], self.ice_servers)
            case "realtime.session.created":
                await self.add_history(*self._history)
            case "realtime.session.updated":
                self.open_microphone(self.send_sound)
            case "realtime.conversation.item.input_audio_transcription.completed":
                self.users.append(_string(data["content"]))
            case "realtime.response.audio_transcript.done":
                self.answers.append(_string(data["content"]))
            case "realtime.response.function_call_arguments.done":
                self.tool_calls.append(_string(data["function_name"]))


def _string(value: Any) -> str:
    assert isinstance(value, str)
    return value


def _all_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(url, str) for url in value)
