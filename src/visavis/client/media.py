"""The receiving side of a call's media: the avatar's picture and sound as numpy frames."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
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

from visavis.media.ice import IceSettings, IceSteering

AUDIO_RATE = 48_000
"""Hz of received sound."""

VIDEO_RATE = 90_000
"""Hz of a picture's RTP timestamps (RFC 6184 §8.2.1)."""

_PREFETCH = 2
"""Packets of sound that are held back to put them in order."""

NTP_TO_UNIX = 2_208_988_800
"""Seconds from 1900 to 1970."""


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
    """A decoded picture. For the times see ``Timing``."""

    picture: av.VideoFrame
    timing: Timing

    def bgr(self) -> NDArray[np.uint8]:
        """Pixels, shape (height, width, 3), blue first, as OpenCV has them."""
        return self.picture.to_ndarray(format="bgr24").astype(np.uint8, copy=False)


class Receiver:
    """Answers the server's offer and hands on what it sends. The callbacks run on the event loop, once a frame."""

    def __init__(
        self,
        on_audio: Callable[[AudioFrame], None],
        on_video: Callable[[VideoFrame], None],
        *,
        loopback: bool = False,
    ) -> None:
        self._on_audio = on_audio
        self._on_video = on_video
        self._loopback = loopback
        self._connection: RTCPeerConnection | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connected = asyncio.Event()

    async def answer(self, sdp: str, ice_servers: list[RTCIceServer]) -> str:
        """The answer to an offer; a later offer replaces the connection."""
        await self.close()
        connection = RTCPeerConnection(
            RTCConfiguration(iceServers=[] if self._loopback else ice_servers, bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
        )
        self._connection = connection
        connection.on("track", self._take)

        def changed() -> None:
            if connection.connectionState == "connected":
                self.connected.set()

        connection.on("connectionstatechange", changed)
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        transport = connection.getTransceivers()[0].receiver.transport.transport
        # A server on this machine may listen on the loopback interface only, which aioice leaves out.
        settings = IceSettings(bind=("127.0.0.1",)) if self._loopback else IceSettings()
        IceSteering(transport, settings, on_alive=lambda: None)
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def close(self) -> None:
        """Free everything. Idempotent."""
        connection, self._connection = self._connection, None
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if connection:
            await connection.close()
        self.connected.clear()

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
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow_audio(self, track: Any, timeline: "_Timeline") -> None:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=AUDIO_RATE)
        try:
            while True:
                frame: av.AudioFrame = await track.recv()
                timing = timeline.place(frame.pts or 0)
                for mono in resampler.resample(frame):
                    self._on_audio(AudioFrame(mono.to_ndarray()[0].astype(np.int16, copy=False), timing))
        except MediaStreamError:
            return

    async def _follow_video(self, track: Any, timeline: "_Timeline") -> None:
        try:
            while True:
                frame: av.VideoFrame = await track.recv()
                self._on_video(VideoFrame(frame, timeline.place(frame.pts or 0)))
        except MediaStreamError:
            return


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
