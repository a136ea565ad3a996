"""The receiving side of a call's media: the avatar's picture and sound as numpy frames."""

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import structlog
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCIceServer,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.jitterbuffer import JitterBuffer
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtcpSrPacket
from numpy.typing import NDArray

from visavis.client.picture import together
from visavis.media.ice import IceSettings, IceSteering, addresses_to_bind

logger = structlog.get_logger(__name__)

AUDIO_RATE = 48_000
"""Hz of received sound."""

VIDEO_RATE = 90_000
"""Hz of a picture's RTP timestamps (RFC 6184 §8.2.1)."""

_PREFETCH = 2
"""Packets of sound that are held back to put them in order."""

NTP_TO_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""

_CANDIDATE = re.compile(r"^a=candidate:\S+ \d+ \S+ \d+ (\S+) ", re.MULTILINE)
"""An offered address (RFC 8839 §5.1)."""


@dataclass(frozen=True, slots=True)
class Timing:
    """When a frame belongs, in seconds."""

    received: float
    """Loop time at which it was decoded."""
    due: float
    """Loop time at which it would have come without jitter: frames of both kinds are in step by it."""
    sent: float | None
    """The server's wall-clock time of the frame by the sender reports (RFC 3550 §6.4.1); None before the first."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """20 ms of sound: mono int16 at ``AUDIO_RATE``. For the times see ``Timing``."""

    pcm: NDArray[np.int16]
    timing: Timing


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """A decoded picture. For the times see ``Timing``.

    ``picture`` is the frame as it came: a ``transparent`` one has twice the width, the opacity beside the colours.
    """

    picture: av.VideoFrame
    timing: Timing
    transparent: bool = False

    def bgr(self) -> NDArray[np.uint8]:
        """Pixels, shape (height, width, 3), blue first, as OpenCV has them; of a transparent one, in front of black."""
        return self._pixels("bgr24")[:, : self._width]

    def rgb(self) -> NDArray[np.uint8]:
        """Pixels, shape (height, width, 3), red first; of a transparent one, in front of black."""
        return self._pixels("rgb24")[:, : self._width]

    def bgra(self) -> NDArray[np.uint8]:
        """Pixels, shape (height, width, 4), blue first, the opacity last; colours are not premultiplied."""
        return self._with_opacity("bgr24")

    def rgba(self) -> NDArray[np.uint8]:
        """Pixels, shape (height, width, 4), red first, the opacity last; colours are not premultiplied."""
        return self._with_opacity("rgb24")

    @property
    def _width(self) -> int:
        return self.picture.width // 2 if self.transparent else self.picture.width

    def _pixels(self, order: str) -> NDArray[np.uint8]:
        return self.picture.to_ndarray(format=order).astype(np.uint8, copy=False)

    def _with_opacity(self, order: str) -> NDArray[np.uint8]:
        pixels = self._pixels(order)
        if self.transparent:
            return together(pixels)
        return np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])


class Receiver:
    """Answers the server's offer and hands on what it sends. The callbacks run on the event loop, once a frame.

    ``loopback``: the server was reached at a loopback address of this machine. ``on_failure`` is told what a callback
    raised, or what else ended a track: nothing more comes of it then, and its frames pile up until ``close``.
    """

    def __init__(
        self,
        on_audio: Callable[[AudioFrame], None],
        on_video: Callable[[VideoFrame], None],
        *,
        loopback: bool = False,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._on_audio = on_audio
        self._on_video = on_video
        self._loopback = loopback
        self._on_failure = on_failure
        self._connection: RTCPeerConnection | None = None
        self._steering: IceSteering | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._freeing: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()
        self.transparent = False
        """Whether the frames that come are transparent ones."""

    async def answer(self, sdp: str, ice_servers: list[RTCIceServer]) -> str:
        """The answer to an offer; a later offer replaces the connection."""
        await self.close()
        addresses, outside = addresses_towards(sdp, loopback=self._loopback)
        connection = RTCPeerConnection(
            RTCConfiguration(iceServers=ice_servers if outside else [], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection = connection
        connection.on("track", self._take)

        def changed() -> None:
            if connection is self._connection and connection.connectionState == "connected":
                self.connected.set()

        connection.on("connectionstatechange", changed)
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        transport = connection.getTransceivers()[0].receiver.transport.transport
        self._steering = IceSteering(transport, IceSettings(bind=addresses), on_alive=lambda: None)
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def close(self) -> None:
        """Free everything. Idempotent; when the caller is cancelled, it still goes on to its end."""
        if self._connection:
            self._freeing = asyncio.create_task(self._free(self._connection, self._steering, tuple(self._tasks)))
            self._connection = self._steering = None
            self.connected.clear()
        if self._freeing:
            await asyncio.shield(self._freeing)

    async def _free(
        self, connection: RTCPeerConnection, steering: IceSteering | None, tasks: tuple[asyncio.Task[None], ...]
    ) -> None:
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await connection.close()
        if steering:
            steering.release()

    def _take(self, track: Any) -> None:
        connection = self._connection
        if connection is None:
            return
        receiver: Any = next(r for r in connection.getReceivers() if r.track is track)
        if track.kind == "audio":
            # aiortc holds sound back by four packets (80 ms) and has no setting for it; browsers hold 20 to 40 ms.
            receiver._RTCRtpReceiver__jitter_buffer = JitterBuffer(capacity=16, prefetch=_PREFETCH)
            work = self._follow_audio(track, _Timeline(receiver, AUDIO_RATE))
        else:
            work = self._follow_video(track, _Timeline(receiver, VIDEO_RATE))
        task = asyncio.get_running_loop().create_task(self._watch(track.kind, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch(self, kind: str, work: Awaitable[None]) -> None:
        try:
            await work
        except MediaStreamError:
            return
        except Exception as error:
            logger.error("call_track_failed", kind=kind, error=f"{type(error).__name__}: {error}")
            if self._on_failure:
                self._on_failure(error)

    async def _follow_audio(self, track: Any, timeline: "_Timeline") -> None:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=AUDIO_RATE)
        while True:
            frame: av.AudioFrame = await track.recv()
            timing = timeline.place(frame.pts or 0)
            for mono in resampler.resample(frame):
                self._on_audio(AudioFrame(mono.to_ndarray()[0].astype(np.int16, copy=False), timing))

    async def _follow_video(self, track: Any, timeline: "_Timeline") -> None:
        while True:
            frame: av.VideoFrame = await track.recv()
            self._on_video(VideoFrame(frame, timeline.place(frame.pts or 0), self.transparent))


def addresses_towards(offer: str, *, loopback: bool) -> tuple[tuple[str, ...], bool]:
    """The local addresses to receive on for an offer, and whether it can come from outside this machine.

    A server at a loopback address may listen there only, which ICE leaves out otherwise; or it is reached through a
    forwarded port (a container's, an SSH tunnel's) and its media come from elsewhere. What it offers tells the two
    apart: loopback addresses alone are the former, and everything else, also no address yet, may be the latter.
    """
    offered = [_ip(address) for address in _CANDIDATE.findall(offer)]
    inside = [address for address in offered if address and address.is_loopback]
    outside = not loopback or not offered or len(inside) < len(offered)
    addresses = list(addresses_to_bind(())) if outside else []
    if loopback:
        versions = {address.version for address in inside} or {4}
        addresses += ["127.0.0.1"] * (4 in versions) + ["::1"] * (6 in versions)
    return tuple(dict.fromkeys(addresses)), outside


def _ip(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name, such as mDNS's."""
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


class _Timeline:
    """Places one track's frames in time. aiortc counts their timestamps from the first one it received."""

    def __init__(self, receiver: Any, rate: int) -> None:
        self._mapper = receiver._RTCRtpReceiver__timestamp_mapper
        self._rate = rate
        self._earliest: float | None = None
        self._report: tuple[int, float] | None = None
        handle = receiver._handle_rtcp_packet

        async def handle_and_note(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket):
                wall = packet.sender_info.ntp_timestamp / (1 << 32) - NTP_TO_UNIX
                self._report = (packet.sender_info.rtp_timestamp, wall)
            await handle(packet)

        # aiortc has no public way to see sender reports.
        receiver._handle_rtcp_packet = handle_and_note

    def place(self, timestamp: int) -> Timing:
        received = asyncio.get_running_loop().time()
        seconds = timestamp / self._rate
        ahead = received - seconds
        self._earliest = ahead if self._earliest is None else min(self._earliest, ahead)
        sent = None
        if self._report:
            reported, wall = self._report
            # The difference of two 32-bit timestamps, with its sign.
            steps = (self._mapper._origin + timestamp - reported + (1 << 31)) % (1 << 32) - (1 << 31)
            sent = wall + steps / self._rate
        return Timing(received, seconds + self._earliest, sent)
