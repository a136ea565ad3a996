"""The visitor's camera: frames that arrive are decoded, most are dropped, a few are handed on."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
import structlog
from aiortc import RTCRtpReceiver
from aiortc.mediastreams import MediaStreamError
from numpy.typing import NDArray

logger = structlog.get_logger(__name__)

DECODER_BACKLOG = 30
"""Encoded pictures that may wait for the decoder; beyond it packets are dropped and a keyframe is asked for."""


@dataclass(frozen=True, slots=True)
class CameraFrame:
    """A picture from the visitor: I420 planes, shape (height * 3 // 2, width), even width and height."""

    width: int
    height: int
    picture: NDArray[np.uint8]


class CameraSink:
    """Takes everything an incoming video track delivers and calls ``on_frame`` at most every ``interval`` seconds."""

    def __init__(
        self,
        receiver: RTCRtpReceiver,
        executor: Executor,
        on_frame: Callable[[CameraFrame], None],
        *,
        interval: float,
    ) -> None:
        self._track: Any = receiver.track
        self._executor = executor
        self._on_frame = on_frame
        self._interval = interval
        self.received = 0
        """Pictures that were decoded."""
        _bound_backlog(receiver)
        self._task = asyncio.create_task(self._drain(), name="camera")

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            try:
                frame: Any = await self._track.recv()
            except MediaStreamError:
                return
            self.received += 1
            if loop.time() < due or not isinstance(frame, av.VideoFrame):
                continue
            due = loop.time() + self._interval
            try:
                self._on_frame(await loop.run_in_executor(self._executor, _i420, frame))
            except Exception as error:
                logger.error("camera_frame_failed", exc_info=error)

    async def close(self) -> None:
        """Stop. Idempotent."""
        self._task.cancel()
        await asyncio.wait([self._task])


def _i420(frame: av.VideoFrame) -> CameraFrame:
    width, height = frame.width & ~1, frame.height & ~1
    picture: Any = frame.reformat(width, height, "yuv420p").to_ndarray()
    return CameraFrame(width, height, picture)


def _bound_backlog(receiver: RTCRtpReceiver) -> None:
    """aiortc (1.16) queues pictures for its decoder thread without limit: drop packets while too many wait."""
    private: Any = receiver
    waiting = private._RTCRtpReceiver__decoder_queue
    handle: Callable[..., Awaitable[None]] = private._handle_rtp_packet

    async def handle_unless_behind(packet: Any, arrival_time_ms: int) -> None:
        if waiting.qsize() < DECODER_BACKLOG:
            await handle(packet, arrival_time_ms=arrival_time_ms)

    private._handle_rtp_packet = handle_unless_behind
