"""Encoders for one session: I420 to H.264 or VP8, PCM to Opus, each as RTP wants them.

Settings were chosen for rendered portraits at 25 fps on one core (``benchmarks/media.py`` measures). None of the
encoders is thread-safe: one call at a time, from any thread.
"""

from enum import StrEnum
from fractions import Fraction
from typing import Any, Protocol

import av
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from numpy.typing import NDArray

from visavis.speech.ports import SPEECH_RATE, Pcm16

VIDEO_CLOCK = 90_000
"""Ticks per second of RTP video timestamps (RFC 6184, RFC 7741)."""

AUDIO_CLOCK = 48_000
"""Ticks per second of RTP Opus timestamps, whatever rate was encoded (RFC 7587)."""

AUDIO_PACKET = SPEECH_RATE // 50
"""Samples in one Opus packet: 20 ms."""

VIDEO_TIME_BASE = Fraction(1, VIDEO_CLOCK)
AUDIO_TIME_BASE = Fraction(1, AUDIO_CLOCK)

KEYFRAME_EVERY = 3000
"""Frames after which a keyframe is made unasked: two minutes at 25 fps."""


class VideoCodec(StrEnum):
    """The video codecs a session may use."""

    H264 = "h264"
    VP8 = "vp8"

    @property
    def mime(self) -> str:
        """Its name in SDP, with the kind: ``video/H264``."""
        return f"video/{self.name}"


class VideoEncoder(Protocol):
    """Turns its picture buffer into packets."""

    @property
    def buffer(self) -> NDArray[np.uint8]:
        """Where the next picture is painted: I420, shape (height * 3 // 2, width). The same array every time."""
        ...

    @property
    def bitrate(self) -> int:
        """Bits per second being aimed at."""
        ...

    def aim(self, bitrate: int) -> None:
        """Aim at ``bitrate`` bits per second from the next picture on; kept between the encoder's limits."""
        ...

    def encode(self, pts: int, keyframe: bool) -> tuple[bytes, bool]:
        """Encode the buffer at ``pts`` (ticks of ``VIDEO_CLOCK``, rising); the bitstream and whether it is a keyframe.

        The bytes may be empty when the encoder chose to drop the picture.
        """
        ...

    def close(self) -> None:
        """Free the codec. Idempotent."""
        ...


def available(codec: VideoCodec) -> bool:
    """Whether this installation can encode ``codec`` (x264 is GPL: a distribution may come without it)."""
    return _LIBRARY[codec] in av.codecs_available


_LIBRARY = {VideoCodec.H264: "libx264", VideoCodec.VP8: "libvpx"}

_X264 = (
    "aq-mode=0:weightp=0:subme=1:me=dia:ref=1:scenecut=0:mbtree=0:rc-lookahead=0:trellis=0:8x8dct=0"
    # A quantizer floor: rendered pictures have no noise worth the bits below it.
    ":qpmin=22"
)


_BT601 = 6
"""SMPTE 170M by ITU-T H.273, tables 2 to 4: how pictures are painted."""
_LIMITED = 1
"""FFmpeg's AVCOL_RANGE_MPEG: luma from 16 to 235."""


def _context(library: str, width: int, height: int, fps: float, bitrate: int) -> Any:
    context: Any = av.CodecContext.create(library, "w")
    context.width, context.height, context.pix_fmt = width, height, "yuv420p"
    # Set explicitly: PyAV otherwise rebases the one frame object that is used again and again.
    context.time_base = VIDEO_TIME_BASE
    context.framerate = Fraction(fps).limit_denominator(1001)
    context.bit_rate = bitrate
    context.gop_size = KEYFRAME_EVERY
    context.thread_count = 1
    # Left unsaid, browsers take pictures of 720 lines and more for BT.709, and skin turns green.
    context.colorspace = context.color_primaries = context.color_trc = _BT601
    context.color_range = _LIMITED
    return context


class _Picture:
    """The one frame of an encoder, over a numpy buffer that is painted in place."""

    def __init__(self, width: int, height: int) -> None:
        if width <= 0 or height <= 0 or width % 2 or height % 2:
            raise ValueError(f"I420 needs an even width and height, not {width}x{height}")
        self.buffer: NDArray[np.uint8] = np.zeros((height * 3 // 2, width), np.uint8)
        self.buffer[height:] = 128
        self.frame: Any = av.VideoFrame.from_numpy_buffer(self.buffer, format="yuv420p")
        self.frame.time_base = VIDEO_TIME_BASE

    def at(self, pts: int, keyframe: bool) -> Any:
        self.frame.pts = pts
        self.frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return self.frame


class H264Encoder:
    """x264, constrained baseline, one thread, no delay.

    It is opened as constant bitrate at ``ceiling`` and then lowered: libx264 follows ``bit_rate`` at or below the
    opening maximum without a keyframe and without being opened again.
    """

    def __init__(self, width: int, height: int, fps: float, *, bitrate: int, floor: int, ceiling: int) -> None:
        self._picture: _Picture | None = _Picture(width, height)
        self.buffer = self._picture.buffer
        self._floor, self._ceiling = floor, ceiling
        self._context: Any = _context("libx264", width, height, fps, ceiling)
        self._context.profile = "Baseline"
        self._context.options = {
            "preset": "superfast",
            "tune": "zerolatency",
            "maxrate": str(ceiling),
            # Bounds a keyframe: at a lowered rate a large one would hold the link up for seconds.
            "bufsize": str(max(ceiling // 8, 120_000)),
            "forced-idr": "1",
            "x264-params": _X264,
        }
        self._context.open()
        self.bitrate = 0
        self.aim(bitrate)

    def aim(self, bitrate: int) -> None:
        """See ``VideoEncoder``."""
        self.bitrate = min(max(bitrate, self._floor), self._ceiling)

    def encode(self, pts: int, keyframe: bool) -> tuple[bytes, bool]:
        """See ``VideoEncoder``."""
        if self._picture is None:
            raise RuntimeError("the encoder is closed")
        if self._context.bit_rate != self.bitrate:
            self._context.bit_rate = self.bitrate
        return _join(self._context.encode(self._picture.at(pts, keyframe)))

    def close(self) -> None:
        """See ``VideoEncoder``."""
        self._context = None
        self._picture = None


class Vp8Encoder:
    """libvpx VP8, one thread, no delay; no patent or GPL question.

    libvpx's rate cannot be changed through PyAV while it runs. A new codec (and with it a keyframe) replaces the old
    one, so only for a step that is worth it, and not soon after the last.
    """

    FALL = 0.87
    FALL_AFTER = VIDEO_CLOCK // 2
    """Ticks before a change downwards."""
    RISE = 1.4
    RISE_AFTER = 5 * VIDEO_CLOCK
    """Ticks before a change upwards."""

    def __init__(self, width: int, height: int, fps: float, *, bitrate: int, floor: int, ceiling: int) -> None:
        self._picture: _Picture | None = _Picture(width, height)
        self.buffer = self._picture.buffer
        self._size = (width, height, fps)
        self._floor, self._ceiling = floor, ceiling
        self.bitrate = 0
        self.aim(bitrate)
        self._context: Any = self._open(self.bitrate)
        self._opened_at: int | None = None

    def _open(self, bitrate: int) -> Any:
        context = _context("libvpx", *self._size, bitrate)
        # On libvpx's scale of 0–63; the floor does what qpmin does for x264.
        context.qmin, context.qmax = 20, 56
        context.options = {
            "deadline": "realtime",
            "cpu-used": "-8",
            "lag-in-frames": "0",
            # The denoiser costs a third more and blurs pictures that have no noise.
            "noise-sensitivity": "0",
            "static-thresh": "1",
            "minrate": str(bitrate),
            "maxrate": str(bitrate),
            "bufsize": str(bitrate),
            "overshoot-pct": "15",
            "undershoot-pct": "100",
        }
        context.open()
        return context

    def aim(self, bitrate: int) -> None:
        """See ``VideoEncoder``."""
        self.bitrate = min(max(bitrate, self._floor), self._ceiling)

    def encode(self, pts: int, keyframe: bool) -> tuple[bytes, bool]:
        """See ``VideoEncoder``."""
        if self._picture is None:
            raise RuntimeError("the encoder is closed")
        if self._opened_at is None:
            self._opened_at = pts
        step = self.bitrate / self._context.bit_rate
        age = pts - self._opened_at
        if (step < self.FALL and age > self.FALL_AFTER) or (step > self.RISE and age > self.RISE_AFTER):
            self._context = self._open(self.bitrate)
            self._opened_at = pts
        return _join(self._context.encode(self._picture.at(pts, keyframe)))

    def close(self) -> None:
        """See ``VideoEncoder``."""
        self._context = None
        self._picture = None


def _join(packets: list[Any]) -> tuple[bytes, bool]:
    return b"".join(bytes(packet) for packet in packets), any(packet.is_keyframe for packet in packets)


def open_video(
    codec: VideoCodec, width: int, height: int, fps: float, *, bitrate: int, floor: int, ceiling: int
) -> VideoEncoder:
    """An encoder for ``codec``; bitrates in bits per second. Raises ``ValueError`` for odd sizes or a missing codec."""
    if not available(codec):
        raise ValueError(f"this installation of PyAV has no {_LIBRARY[codec]}")
    kind = {VideoCodec.H264: H264Encoder, VideoCodec.VP8: Vp8Encoder}[codec]
    try:
        return kind(width, height, fps, bitrate=bitrate, floor=floor, ceiling=ceiling)
    except FFmpegError as error:
        raise ValueError(f"{_LIBRARY[codec]} refuses {width}x{height} at {fps:g} fps: {error}") from error


class OpusEncoder:
    """libopus: mono sound at ``SPEECH_RATE`` in packets of 20 ms, each carrying a rough copy of the one before.

    The copy (in-band forward error correction, RFC 6716 §2.1.7) lets a receiver fill in a lost packet.
    ``expected_loss`` (percent) decides how many bits it may take.
    """

    def __init__(self, *, bitrate: int = 32_000, expected_loss: int = 20) -> None:
        context: Any = av.CodecContext.create("libopus", "w")
        context.sample_rate = SPEECH_RATE
        context.format, context.layout = "s16", "mono"
        context.bit_rate = bitrate
        context.time_base = AUDIO_TIME_BASE
        context.options = {
            "application": "voip",
            "frame_duration": "20",
            # Above 2 the sound gains little for half as much work again.
            "compression_level": "2",
            "fec": "1",
            "packet_loss": str(expected_loss),
        }
        context.open()
        self._context: Any = context
        self._frame: Any = av.AudioFrame(format="s16", layout="mono", samples=AUDIO_PACKET)
        self._frame.sample_rate = SPEECH_RATE
        self._frame.time_base = AUDIO_TIME_BASE
        self.lookahead = 0.0065
        """Seconds by which the decoded sound comes behind what was encoded (libopus: 2.5 ms + 4 ms at 24 kHz)."""

    def encode(self, pcm: Pcm16, pts: int) -> bytes:
        """Encode ``AUDIO_PACKET`` samples at ``pts`` (ticks of ``AUDIO_CLOCK``)."""
        if self._context is None:
            raise RuntimeError("the encoder is closed")
        self._frame.planes[0].update(pcm.tobytes())
        self._frame.pts = pts
        return b"".join(bytes(packet) for packet in self._context.encode(self._frame))

    def close(self) -> None:
        """Free the codec. Idempotent."""
        self._context = None
        self._frame = None
