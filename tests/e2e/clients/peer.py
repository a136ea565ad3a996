"""The receiving end of a client: what its WebRTC library takes for granted about the server's offer, checked."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import av
import numpy as np
from aiortc import RTCIceServer, RTCSessionDescription, VideoStreamTrack

from visavis.bench.visitor import LOUD
from visavis.client import AudioFrame, VideoFrame
from visavis.client.media import Receiver


class Peer:
    """A real WebRTC peer on this machine; ``changed`` is called for each frame.

    ``blind``: it reaches none of the server's addresses, and waits to be found by its own candidates.
    """

    def __init__(self, changed: Callable[[], None], *, blind: bool = False) -> None:
        self._changed = changed
        self._blind = blind
        self._receiver = Receiver(self._hear, self._see, loopback=True)
        self._sound: list[tuple[float, float]] = []
        self.pictures = 0
        self.size = (0, 0)
        """Width and height of the last picture."""
        self.offers = 0

    @property
    def connected(self) -> bool:
        """Whether media can flow."""
        return self._receiver.connected.is_set()

    async def answer(self, offer: str, ice_servers: list[Any]) -> tuple[str, list[dict[str, Any]]]:
        """The answer without candidates, and the candidates that follow it, as browsers write them."""
        check_offer(offer)
        self.offers += 1
        # What RTCPeerConnection's constructor would refuse, aiortc's refuses as well.
        servers = [RTCIceServer(urls=server["urls"]) for server in ice_servers]
        whole = await self._receiver.answer(_without_candidates(offer) if self._blind else offer, servers)
        head, *sections = re.split(r"(?=^m=)", whole, flags=re.MULTILINE)
        mid = re.search(r"^a=mid:(\S+)", sections[0], re.MULTILINE)
        fragment = re.search(r"^a=ice-ufrag:(\S+)", sections[0], re.MULTILINE)
        assert mid
        assert fragment
        candidates = [
            {"candidate": line, "sdpMLineIndex": 0, "sdpMid": mid[1], "usernameFragment": fragment[1]}
            for line in re.findall(r"^a=(candidate:.*?)\r?$", sections[0], re.MULTILINE)
        ]
        assert candidates
        return _without_candidates("".join((head, *sections))), candidates

    async def add_camera(self) -> str:
        """Add a camera; the offer that tells of it."""
        self._connection.addTrack(_Camera())
        return await self.offer()

    async def offer(self) -> str:
        """An offer to negotiate anew."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        return self._connection.localDescription.sdp

    async def take_answer(self, sdp: str) -> None:
        """The server's answer to an offer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def heard_after(self, at: float) -> float | None:
        """When sound was first heard after ``at`` (loop time)."""
        return next((received for received, level in self._sound if received >= at and level >= LOUD), None)

    def last_heard(self) -> float | None:
        """When sound was last heard."""
        return next((received for received, level in reversed(self._sound) if level >= LOUD), None)

    async def close(self) -> None:
        """Free everything."""
        await self._receiver.close()

    @property
    def _connection(self) -> Any:
        connection = self._receiver._connection
        assert connection is not None
        return connection

    def _hear(self, frame: AudioFrame) -> None:
        level = float(np.sqrt(np.mean(np.square(frame.pcm, dtype=np.float64))))
        self._sound.append((frame.timing.received, level))
        self._changed()

    def _see(self, frame: VideoFrame) -> None:
        self.pictures += 1
        self.size = (frame.picture.width, frame.picture.height)
        self._changed()


class _Camera(VideoStreamTrack):
    """640 × 360 pixels at 15 frames a second, as documented."""

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(1 / 15)
        pts, time_base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(np.full((360, 640, 3), 90, np.uint8), format="bgr24")
        frame.pts, frame.time_base = pts, time_base
        return frame


def _without_candidates(sdp: str) -> str:
    return re.sub(r"^a=(candidate:|end-of-candidates).*\r?\n", "", sdp, flags=re.MULTILINE)


def check_offer(sdp: str) -> None:
    """Picture and sound in one stream and one bundle, sent only, with all candidates, in clean lines."""
    assert sdp.endswith("\r\n")
    assert "\n" not in sdp.replace("\r\n", "")
    head, *sections = re.split(r"(?=^m=)", sdp, flags=re.MULTILINE)
    assert sorted(section.split()[0] for section in sections) == ["m=audio", "m=video"]
    mids = [re.search(r"^a=mid:(\S+)", section, re.MULTILINE)[1] for section in sections]  # type: ignore[index]
    assert f"a=group:BUNDLE {' '.join(mids)}\r\n" in head
    streams: set[str] = set()
    for section in sections:
        assert "a=sendonly\r\n" in section
        assert "a=rtcp-mux\r\n" in section
        assert "a=setup:actpass\r\n" in section
        streams |= set(re.findall(r"^a=msid:(\S+) \S+", section, re.MULTILINE))
    # Clients that take no candidates later have only these.
    assert "a=candidate:" in sections[0]
    assert len(streams) == 1
    assert streams != {"-"}
    assert "VP8/90000" in sdp
    assert "opus/48000/2" in sdp
