"""A scripted server for the client: the protocol's first words, then whatever a test has it do."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import av
import numpy as np
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamTrack, VideoStreamTrack
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

Script = Callable[["Line"], Awaitable[None]]


class Line:
    """The server's end of one call."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket

    async def say(self, kind: str, data: Any = None, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, "data": data, **fields}))

    @property
    def query(self) -> dict[str, str]:
        """What the client asked for in the address."""
        assert self.socket.request
        return dict(parse_qsl(urlsplit(self.socket.request.path).query))

    async def accept(self, ice_servers: Any = (), **more: Any) -> None:
        await self.say("conversation.connected.success", {"sessionId": "one", "iceServers": ice_servers, **more})

    async def state(self, state: str, **more: Any) -> None:
        await self.say("conversation.connected.state", {"state": state, **more})

    async def begin(self) -> None:
        """The session takes history, then the microphone."""
        await self.say("realtime.session.created", {"sessionId": "one"})
        await self.say("realtime.session.updated")

    async def end(self, kind: str, code: str = "", message: str = "So it is.", close: int = 1000) -> None:
        """The last word, and the close."""
        await self.say(kind, {"message": message} | ({"code": code} if code else {}), message=message)
        await self.socket.close(close)

    async def until_heard(self, kind: str) -> dict[str, Any]:
        """The client's next message of that type."""
        while (message := await self.heard())["type"] != kind:
            pass
        return message

    async def heard(self) -> dict[str, Any]:
        return self.read(await self.socket.recv())

    @staticmethod
    def read(text: str | bytes) -> dict[str, Any]:
        """One of the client's messages."""
        return json.loads(text)

    async def until_left(self) -> None:
        async for _ in self.socket:
            pass


class Place:
    """Where the scripted server is, and who is connected to it."""

    def __init__(self) -> None:
        self.url = ""
        self.open = 0
        self.calls = 0


@contextlib.asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Place]:
    """Run ``script`` for each connection, on a free port of the loopback."""
    place = Place()

    async def handle(socket: ServerConnection) -> None:
        place.open += 1
        place.calls += 1
        try:
            await script(Line(socket))
        except ConnectionClosed:
            pass
        finally:
            place.open -= 1

    async with serve(handle, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        place.url = f"http://127.0.0.1:{port}"
        yield place


class Tone(AudioStreamTrack):
    """A loud sound, 20 ms at a time."""

    async def recv(self) -> av.AudioFrame:
        silence = await super().recv()
        samples = (8000 * np.sin(np.arange(silence.samples) / 4)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = silence.sample_rate, silence.pts, silence.time_base
        return frame


class Grey(VideoStreamTrack):
    """A grey picture, thirty times a second."""

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((96, 64, 3), 128, np.uint8), format="bgr24")
        frame.pts, frame.time_base = pts, Fraction(base)
        return frame


@contextlib.asynccontextmanager
async def media(line: Line, *tracks: MediaStreamTrack) -> AsyncIterator[RTCPeerConnection]:
    """Offer ``tracks``, and take the answer."""
    peer = RTCPeerConnection()
    try:
        for track in tracks:
            peer.addTrack(track)
        await peer.setLocalDescription(await peer.createOffer())
        await line.say("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": peer.localDescription.sdp}})
        message = await line.until_heard("webrtc.signaling.answer")
        await peer.setRemoteDescription(RTCSessionDescription(message["data"]["sdp"]["sdp"], "answer"))
        yield peer
    finally:
        for transceiver in peer.getTransceivers():
            # aioice (0.13) begins to ask for consent even when it was closed while it connected, and then never ends.
            transceiver.sender.transport.transport._connection.query_consent = _nobody_asks
        await peer.close()


async def _nobody_asks() -> None:
    pass


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for what nothing tells of."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """What runs afterwards ran before."""
    before = asyncio.all_tasks()
    yield
    await until(lambda: not {task for task in asyncio.all_tasks() - before if not task.done()}, 5.0)
