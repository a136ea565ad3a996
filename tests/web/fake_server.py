"""A server that is a script: it speaks the unified WebSocket with a real WebRTC peer, and says what a test tells it."""

import asyncio
import base64
import fractions
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import av
import cv2
import numpy as np
import uvicorn
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack
from aiortc.sdp import candidate_from_sdp
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, JSONResponse

from visavis.web.pages import web_router

LICENSE = "sk_test_0123456789"
PIECE_BYTES = 960

AVATARS = [
    {"id": "avatar-ada", "name": "Ada"},
    {"id": "avatar-ben", "name": "maker.Ben"},
]


def picture(size: int = 512) -> np.ndarray:
    """A face of the simplest kind (BGR)."""
    canvas = np.full((size, size, 3), (96, 78, 62), np.uint8)
    middle = size // 2
    cv2.ellipse(canvas, (middle, size), (size // 3, size // 3), 0, 180, 360, (120, 96, 70), -1)
    cv2.ellipse(canvas, (middle, middle), (size // 5, size // 4), 0, 0, 360, (170, 190, 225), -1)
    for side in (-1, 1):
        cv2.circle(canvas, (middle + side * size // 12, middle - size // 24), size // 50, (60, 40, 30), -1)
    cv2.ellipse(canvas, (middle, middle + size // 9), (size // 16, size // 60), 0, 0, 360, (110, 110, 190), -1)
    return canvas


class _Face(VideoStreamTrack):
    """The picture, with a corner that changes, so that every frame is another one."""

    def __init__(self, image: np.ndarray) -> None:
        super().__init__()
        self._image = image
        self._count = 0

    async def recv(self) -> av.VideoFrame:
        pts, time_base = await self.next_timestamp()
        image = self._image.copy()
        self._count += 1
        image[-8:, -8:] = self._count % 255
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = pts, time_base
        return frame


class _Voice(AudioStreamTrack):
    """A soft tone, 48 kHz mono in pieces of 20 ms."""

    def __init__(self) -> None:
        super().__init__()
        self._position = 0
        self._start = time.monotonic()

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._start + self._position / 48_000 - time.monotonic()))
        times = (self._position + np.arange(960)) / 48_000
        samples = (3000 * np.sin(2 * np.pi * 220 * times)).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._position, fractions.Fraction(1, 48_000)
        self._position += 960
        return frame


@dataclass
class FakeCall:
    """One socket: what came in, and the means to say something."""

    socket: WebSocket
    image: np.ndarray
    looks: bool = True
    """Whether a camera is taken."""
    picture: dict[str, Any] | None = None
    """What ``connecting`` says of the picture."""
    messages: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    audio_times: list[float] = field(default_factory=list[float])
    audio: bytearray = field(default_factory=bytearray)
    odd_pieces: int = 0
    ready_at: float | None = None
    """When the client was told that it may send sound."""
    peers: list[RTCPeerConnection] = field(default_factory=list[RTCPeerConnection])
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, kind: str, data: dict[str, Any] | None = None, **top: Any) -> None:
        await self.socket.send_text(json.dumps({"type": kind, "data": data or {}, **top}))

    def received(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    def texts(self) -> list[str]:
        """What came as the user's messages, typed now or remembered."""
        found: list[str] = []
        for message in self.messages:
            if message["type"] == "realtime.input_text":
                assert message["data"]["reply"] == 1
                found.append(message["data"]["content"])
            elif message["type"] == "conversation.item.create" and message["item"]["type"] == "message":
                found.append(message["item"]["content"][0]["text"])
        return found

    async def hear(self, text: str, pause: float = 0.0) -> None:
        """As if the user had said it."""
        await self.send("realtime.input_audio_buffer.speech_started")
        await asyncio.sleep(pause)
        await self.send("realtime.input_audio_buffer.speech_stopped")
        await self.send(
            "realtime.conversation.item.input_audio_transcription.completed", {"content": text, "transcript": text}
        )

    async def say(self, text: str, response: str = "resp_1", *, finish: bool = True) -> None:
        """As if the avatar said it."""
        ids = {"id": response, "response_id": response}
        for word in text.split(" "):
            await self.send(
                "realtime.response.audio_transcript.delta", {"content": f"{word} ", "delta": f"{word} ", **ids}
            )
        if finish:
            await self.send("realtime.response.audio_transcript.done", {"content": text, "transcript": text, **ids})
            await self.send("realtime.response.audio.done", ids)

    async def state(self, state: str, position: int | None = None) -> None:
        """Tell a client that asks for it where its session is."""
        names = ("SearchingForDigitalPerson", "DownloadingAssets", "ConnectingToDigitalPerson", "Connected")
        step = ("queued", "preparing", "connecting", "connected").index(state) + 1
        await self.send(
            "conversation.connected.state",
            {
                "state": state,
                "name": names[step - 1],
                "currentStep": step,
                "totalSteps": 5,
                "percentageLoaded": 25 * step,
                **({} if position is None else {"queuePosition": position}),
                **({"picture": self.picture} if self.picture and state == "connecting" else {}),
            },
        )

    async def end(self, event: str, reason: str, code: int = 1000, text: str = "") -> None:
        """The last word, in the form of those who ask for states."""
        await self.send(f"conversation.connected.{event}", {"message": text, "code": reason}, message=text)
        await self.close(code, reason)

    async def offer(self, *, reachable: bool = True) -> None:
        peer = RTCPeerConnection()
        self.peers.append(peer)
        face, voice = _Face(self.image), _Voice()
        peer.addTransceiver(voice, direction="sendonly")
        peer.addTransceiver(face, direction="sendonly")
        stream = peer.getSenders()[0]._stream_id
        for sender in peer.getSenders():
            sender._stream_id = stream
        await peer.setLocalDescription(await peer.createOffer())
        sdp = peer.localDescription.sdp
        if not reachable:
            sdp = "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith("a=candidate"))
        await self.send("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": sdp}})

    async def take(self, message: dict[str, Any], *, reachable: bool) -> None:
        kind = message["type"]
        if kind == "realtime.input_audio_buffer.append":
            pcm = base64.b64decode(message["data"]["audio"])
            self.audio += pcm
            self.audio_times.append(time.monotonic())
            self.odd_pieces += len(pcm) != PIECE_BYTES
            return
        self.messages.append(message)
        if kind == "webrtc.signaling.answer" and reachable:
            await self.peers[-1].setRemoteDescription(RTCSessionDescription(**message["data"]["sdp"]))
        elif kind == "webrtc.signaling.iceCandidate" and reachable:
            given = message["data"]["candidate"]
            candidate = candidate_from_sdp(given["candidate"].removeprefix("candidate:"))
            candidate.sdpMid, candidate.sdpMLineIndex = given["sdpMid"], given["sdpMLineIndex"]
            await self.peers[-1].addIceCandidate(candidate)
        elif kind == "webrtc.signaling.offer" and reachable:
            await self._accept(message["data"]["sdp"]["sdp"])

    async def _accept(self, sdp: str) -> None:
        peer = self.peers[-1]
        if peer.signalingState == "closed":
            return
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for transceiver in peer.getTransceivers():
            if transceiver.kind == "video":
                transceiver.direction = "sendrecv" if self.looks else "sendonly"
        await peer.setLocalDescription(await peer.createAnswer())
        description = {"type": "answer", "sdp": peer.localDescription.sdp}
        await self.send("webrtc.signaling.answer", {"sdp": description}, sdp=description)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self.socket.close(code, reason)


@dataclass
class FakeServer:
    """Set its attributes before a call; read ``calls`` after."""

    url: str = ""
    avatars: list[dict[str, str]] = field(default_factory=lambda: AVATARS[:1])
    image: np.ndarray = field(default_factory=picture)
    picture: dict[str, Any] | None = None
    """What clients that ask for states are told of the picture."""
    refusal: tuple[str, str, int, str] | None = None
    """Instead of a call: an event's type and text, and the code and reason of the close that follows."""
    reachable: bool = True
    """False: WebRTC finds no way."""
    silent: bool = False
    """True: the socket opens, and nothing more happens."""
    iceless: bool = False
    """True: the success event names no ICE server."""
    pause: float = 0.0
    """Seconds before the success event."""
    looks: bool = True
    """Whether the avatar takes a camera."""
    deaf: bool = False
    """True: offers of the client stay unanswered."""
    states: bool = False
    """True: clients that ask for it are told the states, and a token to come back with."""
    persistent = True
    """Whether sessions are said to be kept for who hangs up."""
    waiting: list[str] = field(default_factory=list[str])
    """Steps at which sessions stay from now on (``queued``, ``preparing``)."""
    sessions: dict[str, list[dict[str, str]]] = field(default_factory=dict[str, list[dict[str, str]]])
    """What was said in the sessions that are kept, by their tokens."""
    calls: list[FakeCall] = field(default_factory=list[FakeCall])
    requests: list[str] = field(default_factory=list[str])
    """Every path and query that was asked for by HTTP."""
    cut: Callable[[], None] = lambda: None
    """Break every connection without a word; new ones are taken."""
    embedding: str = ""
    """HTML of a page of somebody else's, at ``/embedding``."""
    stop: Callable[[], None] = lambda: None
    """Go away at once, without a word on any socket."""

    def page(self, query: str = f"?license={LICENSE}") -> str:
        return f"{self.url}/{query}"

    @property
    def call(self) -> FakeCall:
        """The newest."""
        return self.calls[-1]

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.middleware("http")
        async def note(request: Request, call_next: Callable[[Request], Any]) -> Response:
            self.requests.append(f"{request.url.path}?{request.url.query}")
            return await call_next(request)

        app.include_router(web_router())
        app.get("/api/open/v1/avatar/list")(self._list)
        app.get("/api/open/v1/avatar/detail")(self._detail)
        app.get("/api/open/v1/avatar/getByName")(self._detail)
        app.get("/blank")(self._blank)
        app.get("/pictures/{name}")(self._picture)
        app.get("/embedding")(lambda: HTMLResponse(self.embedding))
        app.websocket("/wss/v2/realtime-chat")(self._talk)
        return app

    async def _list(self, request: Request) -> Response:
        return self._look_up(request, [self._entry(entry) for entry in self.avatars])

    async def _detail(self, request: Request) -> Response:
        asked = set(request.query_params.values())
        found = [self._entry(entry) for entry in self.avatars if asked & set(entry.values())]
        return self._look_up(request, found[0] if found else None)

    def _look_up(self, request: Request, data: object) -> Response:
        if request.headers.get("license") != LICENSE:
            return JSONResponse({"code": 401, "message": "This license is not known.", "data": None}, 401)
        if data is None:
            return JSONResponse({"code": 404, "message": "There is no such avatar.", "data": None}, 404)
        return JSONResponse({"code": 200, "message": "SUCCESS", "data": data})

    def _entry(self, entry: dict[str, str]) -> dict[str, str]:
        # Under a public name, as a server behind a proxy gives it.
        picture = f"https://avatars.example/pictures/{entry['id']}"
        return {**entry, "avatarId": entry["id"], "url": f"{picture}.png", "thumbnailUrl": f"{picture}-small.png"}

    async def _blank(self) -> Response:
        """A page of somebody else's: a place for the avatar, and nothing more."""
        return HTMLResponse("<!doctype html><title>Somebody's page</title><video autoplay playsinline></video>")

    async def _picture(self, name: str) -> Response:
        _, png = cv2.imencode(".png", self.image)
        return Response(png.tobytes(), media_type="image/png")

    async def _talk(self, websocket: WebSocket) -> None:
        await websocket.accept()
        call = FakeCall(websocket, self.image, self.looks, self.picture)
        self.calls.append(call)
        try:
            if self.refusal is not None:
                kind, text, code, reason = self.refusal
                await call.send(kind, {"message": text}, message=text)
                await call.close(code, reason)
                return
            if not self.silent:
                await self._open(call)
            while True:
                message = await websocket.receive_json()
                if self.deaf and message["type"] == "webrtc.signaling.offer":
                    call.messages.append(message)
                else:
                    await call.take(message, reachable=self.reachable)
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            call.closed.set()
            for peer in call.peers:
                await peer.close()

    async def _open(self, call: FakeCall) -> None:
        await asyncio.sleep(self.pause)
        token = call.socket.query_params.get("resume", "")
        if token and token not in self.sessions:
            await call.end("fail", "no_session_to_resume", 1008, "There is nothing to come back to.")
            return
        told = self.states and call.socket.query_params.get("states") == "1"
        number = token.removeprefix("token-") or str(len(self.sessions) + 1)
        data: dict[str, Any] = {"sessionId": f"session-{number}"}
        data["iceServers"] = [] if self.iceless else [{"urls": ["stun:127.0.0.1:9"]}]
        if told:
            self.sessions.setdefault(f"token-{number}", [])
            data |= {"resumeToken": f"token-{number}", "persistent": self.persistent, "resumed": bool(token)}
        await call.send("conversation.connected.success", data)
        for state in ("queued", "preparing") if told else ():
            if state in self.waiting or state == "preparing":
                await call.state(state, 1 if state == "queued" else None)
            if state in self.waiting:
                return
        await self.begin(call, told=told, token=token)

    async def begin(self, call: FakeCall, *, told: bool = True, token: str = "") -> None:
        """From the offer on; also for a session that was held up."""
        await call.offer(reachable=self.reachable)
        if told:
            await call.state("connecting")
        if token:
            await call.send(
                "conversation.connected.resumed", {"items": self.sessions[token], "variables": {"guest": "Ann"}}
            )
        await call.send("realtime.session.created", {"sessionId": "session-1"})
        call.ready_at = time.monotonic()
        await call.send("realtime.session.updated")


async def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds; an AssertionError when it does not within the time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        await asyncio.sleep(0.02)


def _cut(server: uvicorn.Server) -> None:
    for connection in list(server.server_state.connections):
        connection.transport.abort()


def _stop(server: uvicorn.Server) -> None:
    for listener in server.servers:
        listener.close()
    _cut(server)
    server.should_exit = True


@asynccontextmanager
async def fake_server(**settings: Any) -> AsyncIterator[FakeServer]:
    """A running server on a port of the system's choice."""
    fake = FakeServer(**settings)
    listener = socket.create_server(("127.0.0.1", 0))
    fake.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(fake.app(), log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    fake.cut = lambda: _cut(server)
    fake.stop = lambda: _stop(server)
    try:
        await eventually(lambda: server.started)
        yield fake
    finally:
        server.should_exit = True
        await task
        listener.close()
