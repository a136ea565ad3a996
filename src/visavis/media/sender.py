"""The adapter over aiortc's sender: the one place that touches its private names.

aiortc (1.16) stamps sender reports with the moment of the last send, repeats every packet that is asked for, and hands
keyframe requests and bandwidth estimates to an encoder that is not ours. Four methods are replaced on the sender
*object*: ``_send_rtcp``, ``_handle_rtcp_packet``, ``_retransmit`` and ``_send_keyframe``; the history of sent packets
is read and emptied. Each has a test in ``tests/media/test_sender.py``, so that an aiortc that breaks this is noticed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from aiortc import RTCRtpSender, clock
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RTPFB_NACK,
    RTP_HISTORY_SIZE,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unpack_remb_fci,
)

from visavis.media.clock import MediaClock
from visavis.media.congestion import CongestionGuard

HISTORY = "_RTCRtpSender__rtp_history"
"""The packets that can be sent again: a dict by sequence number modulo its size."""

PRIVATE_METHODS = ("_send_rtcp", "_handle_rtcp_packet", "_retransmit", "_send_keyframe")

PRIVATE_NAMES = (*PRIVATE_METHODS, "_ssrc", HISTORY)

PACKET_OVERHEAD = 60
"""Bytes beside the payload: IP, UDP, RTP with extensions, SRTP."""


class SteeredSender:
    """Reports of one sender on the media clock, and what its receiver reports back.

    ``sent_until`` gives the media time (seconds) that the last packet's timestamp stands for, None before the first.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        media_clock: MediaClock,
        sent_until: Callable[[], float | None],
        on_alive: Callable[[], None],
    ) -> None:
        missing = [name for name in PRIVATE_NAMES if not hasattr(sender, name)]
        if missing:
            raise RuntimeError(f"this version of aiortc is not supported: its sender has no {', '.join(missing)}")
        self._sender: Any = sender
        self._clock = media_clock
        self._sent_until = sent_until
        self._on_alive = on_alive
        self._reported: OrderedDict[int, float] = OrderedDict()
        self.rtt: float | None = None
        """Seconds, from the last receiver report that allowed to tell."""
        self.loss = 0.0
        """Share of packets lost (0–1) by the last receiver report."""
        self._send: Callable[[list[Any]], Awaitable[None]] = self._sender._send_rtcp
        self._handle: Callable[[Any], Awaitable[None]] = self._sender._handle_rtcp_packet
        self._sender._send_rtcp = self._send_rtcp
        self._sender._handle_rtcp_packet = self._handle_rtcp

    def release(self) -> None:
        """Give the sender its own methods back: with ours on it, only a garbage collection would free it."""
        own: dict[str, Any] = self._sender.__dict__
        for name in PRIVATE_METHODS:
            own.pop(name, None)

    async def _send_rtcp(self, packets: list[Any]) -> None:
        """Stamp sender reports with the time at which the last packet was *due*: (NTP, RTP) pairs of one clock."""
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                at = self._sent_until()
                if at is None:
                    return
                due = datetime.fromtimestamp(self._clock.wall(at), UTC)
                stamp = clock.datetime_to_ntp(due)
                packet.sender_info.ntp_timestamp = stamp
                # What the receiver quotes as "last SR": the middle 32 bits (RFC 3550 §6.4.1).
                self._reported[(stamp >> 16) & 0xFFFFFFFF] = asyncio.get_running_loop().time()
                while len(self._reported) > 16:
                    self._reported.popitem(last=False)
        await self._send(packets)

    async def _handle_rtcp(self, packet: Any) -> None:
        self._on_alive()
        if isinstance(packet, RtcpRrPacket | RtcpSrPacket):
            for report in packet.reports:
                if report.ssrc == self._sender._ssrc:
                    self._on_report(report)
        await self._handle(packet)

    def _on_report(self, report: Any) -> None:
        self.loss = report.fraction_lost / 256
        sent_at = self._reported.get(report.lsr)
        if sent_at is not None:
            self.rtt = max(0.0, asyncio.get_running_loop().time() - sent_at - report.dlsr / 65536)


class SteeredVideoSender(SteeredSender):
    """The video sender, with the guard between the receiver's wishes and the encoder.

    ``on_rate`` is told the bitrate to aim at, ``on_keyframe`` that the receiver needs a keyframe.
    """

    def __init__(
        self,
        sender: RTCRtpSender,
        media_clock: MediaClock,
        sent_until: Callable[[], float | None],
        on_alive: Callable[[], None],
        *,
        guard: CongestionGuard,
        on_rate: Callable[[int], None],
        on_keyframe: Callable[[], None],
    ) -> None:
        super().__init__(sender, media_clock, sent_until, on_alive)
        self._guard = guard
        self._on_rate = on_rate
        self._on_keyframe = on_keyframe
        self.nacks = 0
        """Packets that were reported lost, repeated reports included."""
        self.resent = 0
        """Packets that were sent again."""
        self._resend: Callable[[int], Awaitable[None]] = self._sender._retransmit
        self._history: dict[int, Any] = getattr(sender, HISTORY)
        self._sender._retransmit = self._retransmit
        self._sender._send_keyframe = on_keyframe

    async def _handle_rtcp(self, packet: Any) -> None:
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._on_alive()
            self._on_remb(packet)
            return
        if isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self.nacks += len(packet.lost)
            self._guard.on_nacks(packet.lost, asyncio.get_running_loop().time())
        await super()._handle_rtcp(packet)

    def _on_remb(self, packet: RtcpPsfbPacket) -> None:
        try:
            bitrate, _ = unpack_remb_fci(packet.fci)
        except ValueError:
            # Application feedback of another kind than REMB.
            return
        self._guard.on_remb(bitrate, asyncio.get_running_loop().time())
        self._on_rate(self._guard.target)

    def _on_report(self, report: Any) -> None:
        super()._on_report(report)
        self._guard.on_report(self.loss, self.rtt, asyncio.get_running_loop().time())
        self._on_rate(self._guard.target)

    async def _retransmit(self, sequence_number: int) -> None:
        packet = self._sent(sequence_number)
        if packet is None:
            return
        now = asyncio.get_running_loop().time()
        size = len(packet.payload) + PACKET_OVERHEAD
        if not packet.payload:
            self._join_before(packet)
        if self._guard.on_nack(sequence_number, size, now):
            self.resent += 1
            self._guard.on_sent(size, now)
            await self._resend(sequence_number)

    async def before_keyframe(self) -> None:
        """Let the receiver forget what a keyframe makes useless.

        From now on older packets are only sent again without their payload, as padding: that closes the gap in the
        sequence for some 60 bytes. For those that were reported lost it is done at once, since not every receiver asks
        twice, and some wait for a missing packet before they look at the keyframe behind it.
        """
        for packet in self._history.values():
            packet.payload = b""
        now = asyncio.get_running_loop().time()
        for sequence_number in self._guard.on_keyframe(now):
            packet = self._sent(sequence_number)
            if packet is not None:
                self._join_before(packet)
                self._guard.on_sent(PACKET_OVERHEAD, now)
                await self._resend(sequence_number)

    def _sent(self, sequence_number: int) -> Any:
        """The packet of that number, if it can still be sent again."""
        packet = self._history.get(sequence_number % RTP_HISTORY_SIZE)
        return packet if packet is not None and packet.sequence_number == sequence_number else None

    def _join_before(self, packet: Any) -> None:
        """Make padding a part of the picture before it.

        A picture of padding alone is an empty one, and that is the end of the stream to libavcodec's decoders.
        """
        before = self._sent((packet.sequence_number - 1) & 0xFFFF)
        if before is not None:
            packet.timestamp = before.timestamp
