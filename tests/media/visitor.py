"""A real aiortc peer as the visitor's side of a call."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from typing import Any

from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.media.scene import Scene
from visavis.media.clock import MediaClock
from visavis.media.ice import IceSettings, IceSteering
from visavis.media.peer import Peer, PeerSettings, PeerState, VideoCodec
from visavis.media.playout import Playout
from visavis.media.ports import VideoSource

LOOPBACK = ("127.0.0.1",)


def settings(**changes: Any) -> PeerSettings:
    """Settings for a peer on loopback."""
    return PeerSettings(**{"bind": LOOPBACK, **changes})


class Visitor:
    """Receives on 127.0.0.1, like a browser on this machine would."""

    def __init__(self) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.tracks: dict[str, MediaStreamTrack] = {}
        self.connection.on("track", self._on_track)
        self._steered = False

    def _on_track(self, track: MediaStreamTrack) -> None:
        self.tracks.setdefault(track.kind, track)

    async def take(self, offer: str, *, picture: bool = True) -> str:
        """The answer to ``offer``, with candidates inside; without ``picture`` it takes sound alone."""
        await self.connection.setRemoteDescription(RTCSessionDescription(offer, "offer"))
        if not picture:
            self.connection.getTransceivers()[1].direction = "inactive"
        self._steer()
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return self.connection.localDescription.sdp

    async def offer(self) -> str:
        """An offer of the visitor's own, after the first negotiation."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def took(self, answer: str) -> None:
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))

    def receiver(self, kind: str) -> Any:
        return next(r for r in self.connection.getReceivers() if r.track and r.track.kind == kind)

    async def frames(self, kind: str, count: int) -> list[Any]:
        """The next ``count`` decoded frames."""
        return [await asyncio.wait_for(self.tracks[kind].recv(), 10) for _ in range(count)]

    def drain(self) -> list[asyncio.Task[None]]:
        """Consume both tracks until they end."""

        async def pull(track: MediaStreamTrack) -> None:
            with contextlib.suppress(Exception):
                while True:
                    await track.recv()

        return [asyncio.create_task(pull(track)) for track in self.tracks.values()]

    def _steer(self) -> None:
        if not self._steered:
            self._steered = True
            transport = self.connection.getTransceivers()[0].receiver.transport.transport
            IceSteering(transport, IceSettings(bind=LOOPBACK), lambda: None)

    async def close(self) -> None:
        await self.connection.close()


class Call:
    """A peer and everything it was given."""

    def __init__(self, pool: Executor, source: VideoSource | None = None, **changes: Any) -> None:
        callbacks = {name: changes.pop(name) for name in ("on_state", "on_camera") if name in changes}
        self.clock = MediaClock()
        self.playout = Playout(self.clock, limit=600)
        self.source = source or Scene()
        self.peer = Peer(settings(**changes), self.source, self.playout, self.clock, pool, **callbacks)
        self.visitor = Visitor()

    async def connect(self) -> None:
        """Negotiate and wait until media flows."""
        await self.peer.answer(await self.visitor.take(await self.peer.offer()))
        await self.reaches(PeerState.CONNECTED)

    async def reaches(self, state: PeerState, within: float = 15) -> None:
        async with asyncio.timeout(within):
            while self.peer.state is not state:
                await self.peer.changed(self.peer.state)

    async def close(self) -> None:
        await self.peer.close()
        await self.visitor.close()


@contextlib.asynccontextmanager
async def calling(pool: Executor, source: VideoSource | None = None, **changes: Any) -> AsyncIterator[Call]:
    """A connected call."""
    call = Call(pool, source, **changes)
    try:
        await call.connect()
        yield call
    finally:
        await call.close()


VP8_ONLY = (VideoCodec.VP8,)


async def eventually(condition: Callable[[], object], within: float = 10) -> None:
    """Wait until ``condition`` holds."""
    deadline = asyncio.get_running_loop().time() + within
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not come about"
        await asyncio.sleep(0.02)
