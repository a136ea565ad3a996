"""The two tracks of a session: pipes of packets that are already encoded, paced by the media clock."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

import av
import structlog
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av.packet import Packet

from visavis.media.clock import MediaClock
from visavis.media.congestion import CongestionGuard
from visavis.media.encoder import (
    AUDIO_CLOCK,
    AUDIO_PACKET,
    AUDIO_TIME_BASE,
    VIDEO_CLOCK,
    VIDEO_TIME_BASE,
    OpusEncoder,
    VideoCodec,
    VideoEncoder,
    open_video,
)
from visavis.media.playout import Playout
from visavis.media.ports import VideoSource

logger = structlog.get_logger(__name__)

T = TypeVar("T")

PACKET_SECONDS = 0.02
"""How much sound an audio packet carries."""

PACKET_TICKS = AUDIO_CLOCK // 50

AUDIO_BEHIND = 1.0
"""Seconds that the sound may be behind (the process was held up) before it is cut instead of sent in a burst."""

SETTLED = 25
"""Silent packets in a row after which the encoder has nothing left to say: the last one is sent again and again."""

KEYFRAME_GAP = 0.5
"""Seconds between two keyframes on request: at most two a second."""


class _PooledTrack(MediaStreamTrack):
    """A track whose work is done in the shared pool, at most one job at a time."""

    def __init__(self, clock: MediaClock, executor: Executor) -> None:
        super().__init__()
        self._clock = clock
        self._executor = executor
        self._job: Future[Any] | None = None
        self._sent_until: float | None = None

    def sent_until(self) -> float | None:
        """Media time (seconds) of what the last packet's timestamp stands for; None before the first packet."""
        return self._sent_until

    async def _in_pool(self, work: Callable[..., T], *args: Any) -> T:
        try:
            job = self._executor.submit(work, *args)
        except RuntimeError as error:
            # The pool is shut down: the server is stopping.
            raise MediaStreamError from error
        self._job = job
        return await asyncio.wrap_future(job)

    def _check_live(self) -> None:
        if self.readyState != "live":
            raise MediaStreamError

    async def close(self) -> None:
        """Stop, and wait for a job that still runs. Idempotent."""
        self.stop()
        job, self._job = self._job, None
        if job is not None and not job.done() and not job.cancel():
            await asyncio.wait([asyncio.wrap_future(job)])


def _packet(data: bytes, pts: int, time_base: Any) -> "Packet[Any]":
    packet: Packet[Any] = av.Packet(data)
    packet.pts = pts
    packet.time_base = time_base
    return packet


class AudioTrack(_PooledTrack):
    """The playout as Opus, one packet every 20 ms, silence included: timestamps have no gaps."""

    kind = "audio"

    def __init__(
        self,
        playout: Playout,
        clock: MediaClock,
        executor: Executor,
        *,
        bitrate: int = 32_000,
        expected_loss: int = 20,
    ) -> None:
        super().__init__(clock, executor)
        self._playout = playout
        self._encoder = OpusEncoder(bitrate=bitrate, expected_loss=expected_loss)
        self._index = 0
        self._silent = 0
        self._silence = b""
        self.skipped = 0
        """Packets that were left out because the process had been held up for more than ``AUDIO_BEHIND``."""

    async def recv(self) -> "Packet[Any]":
        """The next packet, when it is due."""
        self._check_live()
        self._clock.start()
        await self._clock.sleep_until(self._index * PACKET_SECONDS)
        behind = self._clock.now() - self._index * PACKET_SECONDS
        if behind > AUDIO_BEHIND:
            missed = int(behind / PACKET_SECONDS)
            logger.warning("audio_cut", seconds=round(missed * PACKET_SECONDS, 2))
            self._playout.pull(missed * AUDIO_PACKET)
            self._index += missed
            self.skipped += missed
        index, self._index = self._index, self._index + 1
        pcm = self._playout.pull(AUDIO_PACKET)
        self._silent = 0 if pcm.any() else self._silent + 1
        if self._silent > SETTLED:
            data = self._silence
        else:
            data = self._silence = await self._in_pool(self._encoder.encode, pcm, index * PACKET_TICKS)
        self._sent_until = index * PACKET_SECONDS - self._encoder.lookahead
        return _packet(data, index * PACKET_TICKS, AUDIO_TIME_BASE)

    async def close(self) -> None:
        """See ``_PooledTrack``; frees the encoder."""
        await super().close()
        self._encoder.close()


class VideoTrack(_PooledTrack):
    """The video source as H.264 or VP8 at a fixed rate.

    A picture is posed on the event loop and painted and encoded in one job of the pool, a little before it is due. A
    picture that cannot be ready in time is skipped, never queued; so is one that the congestion guard has no room for.
    """

    kind = "video"

    def __init__(
        self,
        source: VideoSource,
        clock: MediaClock,
        executor: Executor,
        guard: CongestionGuard,
        *,
        fps: float,
        floor: int,
        ceiling: int,
    ) -> None:
        super().__init__(clock, executor)
        self._source: VideoSource | None = source
        self._guard = guard
        self._fps = fps
        self._floor, self._ceiling = floor, ceiling
        # Enough for painting and encoding under load, less than a picture's time and than the playout's lead.
        self._ahead = min(0.8 / fps, 0.04)
        self._codec: VideoCodec | None = None
        self._encoder: VideoEncoder | None = None
        self._index = 0
        self._failures = 0
        self._keyframe_wanted = True
        self._keyframe_at = -KEYFRAME_GAP
        self.before_keyframe: Callable[[], Awaitable[None]] | None = None
        """Called when a keyframe is about to leave."""
        self.sent = 0
        """Pictures that left."""
        self.late = 0
        """Pictures that were left out because they could not be ready in time."""
        self.held = 0
        """Pictures that were left out because the rate had no room for them."""
        self.failed = 0
        """Pictures that could not be made."""
        self.keyframes = 0
        """Keyframes that left."""

    @property
    def codec(self) -> VideoCodec | None:
        """What is sent; None before the negotiation."""
        return self._codec

    @codec.setter
    def codec(self, codec: VideoCodec) -> None:
        if self._encoder is not None and codec is not self._codec:
            raise RuntimeError("the codec cannot change while pictures are sent")
        self._codec = codec

    @property
    def bitrate(self) -> int:
        """Bits per second that the encoder aims at."""
        return self._encoder.bitrate if self._encoder is not None else self._guard.target

    def request_keyframe(self) -> None:
        """Make the next picture a keyframe, or the first one that ``KEYFRAME_GAP`` allows."""
        self._keyframe_wanted = True

    def aim(self, bitrate: int) -> None:
        """Aim at ``bitrate`` bits per second from the next picture on."""
        if self._encoder is not None:
            self._encoder.aim(bitrate)

    async def recv(self) -> "Packet[Any]":
        """The next packet, when it is due."""
        self._clock.start()
        while True:
            self._check_live()
            index = await self._next_index()
            at = index / self._fps
            now = asyncio.get_running_loop().time()
            if self._guard.needs_keyframe(now):
                self._keyframe_wanted = True
            if not self._guard.admits_picture(now):
                self.held += 1
                continue
            source = self._source
            if source is None:
                raise MediaStreamError
            pts = round(index * VIDEO_CLOCK / self._fps)
            keyframe = self._keyframe_wanted and at - self._keyframe_at >= KEYFRAME_GAP
            try:
                data, is_keyframe = await self._in_pool(self._make, source, source.pose(at), pts, keyframe)
            except (MediaStreamError, asyncio.CancelledError):
                raise
            except Exception as error:
                self._fail(error)
                continue
            self._failures = 0
            if not data:
                self.held += 1
                continue
            await self._clock.sleep_until(at)
            if is_keyframe:
                self._keyframe_at = at
                self._keyframe_wanted = False
                self.keyframes += 1
                if self.before_keyframe is not None:
                    await self.before_keyframe()
            self.sent += 1
            self._sent_until = at
            self._guard.on_sent(len(data), asyncio.get_running_loop().time())
            return _packet(data, pts, VIDEO_TIME_BASE)

    async def _next_index(self) -> int:
        """Wait for the next picture's turn; skip those whose time is past."""
        await self._clock.sleep_until(self._index / self._fps - self._ahead)
        due = int(self._clock.now() * self._fps)
        if due > self._index:
            self.late += due - self._index
            self._index = due
        index, self._index = self._index, self._index + 1
        return index

    def _make(self, source: VideoSource, pose: Any, pts: int, keyframe: bool) -> tuple[bytes, bool]:
        """Paint and encode, in the pool."""
        if self._encoder is None:
            if self._codec is None:
                raise RuntimeError("no codec was negotiated")
            self._encoder = open_video(
                self._codec,
                source.width,
                source.height,
                self._fps,
                bitrate=self._guard.target,
                floor=self._floor,
                ceiling=self._ceiling,
            )
        source.paint(pose, self._encoder.buffer)
        return self._encoder.encode(pts, keyframe)

    def _fail(self, error: Exception) -> None:
        """A picture could not be made: leave it out, and give up when a second of them failed in a row."""
        self._failures += 1
        self.failed += 1
        if self._failures == 1:
            logger.error("picture_failed", exc_info=error)
        if self._failures > self._fps:
            logger.error("video_ended", failures=self._failures)
            self.stop()

    async def close(self) -> None:
        """See ``_PooledTrack``; frees the encoder."""
        await super().close()
        self.before_keyframe = None
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None
        # aiortc's objects keep the track until they are collected; the source's large buffers need not wait for that.
        self._source = None
