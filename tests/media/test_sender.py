"""One test for each private name of aiortc that is replaced: with a new aiortc, these tell what no longer holds."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import pytest
from aiortc import clock
from aiortc.rtp import RTCP_PSFB_APP, RtcpPsfbPacket, RtcpSrPacket, pack_remb_fci

from tests.media.scene import Scene
from tests.media.visitor import VP8_ONLY, Call, calling, eventually
from visavis.media.clock import MediaClock
from visavis.media.sender import SteeredSender


def reports(call: Call, kind: str) -> list[RtcpSrPacket]:
    """Sender reports as they reach the visitor from now on."""
    receiver = call.visitor.receiver(kind)
    handle: Callable[[Any], Any] = receiver._handle_rtcp_packet
    seen: list[RtcpSrPacket] = []

    async def watch(packet: Any) -> None:
        if isinstance(packet, RtcpSrPacket):
            seen.append(packet)
        await handle(packet)

    receiver._handle_rtcp_packet = watch
    return seen


def first_timestamp(call: Call, kind: str) -> list[int]:
    """The RTP timestamp of the first packet that arrives from now on."""
    receiver = call.visitor.receiver(kind)
    handle = receiver._handle_rtp_packet
    seen: list[int] = []

    async def watch(packet: Any, arrival_time_ms: int) -> None:
        seen.append(packet.timestamp)
        await handle(packet, arrival_time_ms=arrival_time_ms)

    receiver._handle_rtp_packet = watch
    return seen


async def feedback(call: Call, kind: str, **fields: Any) -> None:
    receiver = call.visitor.receiver(kind)
    await receiver._send_rtcp(RtcpPsfbPacket(ssrc=receiver._RTCRtpReceiver__rtcp_ssrc, **fields))


async def test_an_aiortc_without_them_is_refused() -> None:
    class Other:
        pass

    with pytest.raises(RuntimeError, match="_retransmit"):
        SteeredSender(Other(), MediaClock(), lambda: None, lambda: None)  # type: ignore[arg-type]


async def test_send_rtcp_sender_reports_put_both_tracks_on_one_clock(pool: Executor) -> None:
    """NTP and RTP time of each report, taken back to media time, agree on one origin to well under a millisecond."""
    call = Call(pool, codecs=VP8_ONLY)
    try:
        answer = await call.visitor.take(await call.peer.offer())
        stamps = {kind: first_timestamp(call, kind) for kind in ("audio", "video")}
        seen = {kind: reports(call, kind) for kind in ("audio", "video")}
        await call.peer.answer(answer)
        draining = call.visitor.drain()
        await eventually(lambda: all(len(found) >= 2 for found in seen.values()))
        origins: dict[str, list[float]] = {}
        for kind, rate in (("audio", 48_000), ("video", 90_000)):
            for report in seen[kind]:
                wall = clock.datetime_from_ntp(report.sender_info.ntp_timestamp).timestamp()
                elapsed = ((report.sender_info.rtp_timestamp - stamps[kind][0]) & 0xFFFFFFFF) / rate
                origins.setdefault(kind, []).append(wall - elapsed)
        expected = call.clock.wall(0.0)
        assert origins["video"] == pytest.approx([expected] * len(origins["video"]), abs=5e-4)
        # The first Opus packet stands for sound that begins 6.5 ms before its timestamp: the codec's delay.
        assert origins["audio"] == pytest.approx([expected - 0.0065] * len(origins["audio"]), abs=5e-4)
        for task in draining:
            task.cancel()
    finally:
        await call.close()


async def test_handle_rtcp_packet_the_round_trip_time_is_known(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        call.visitor.drain()
        await eventually(lambda: call.peer.stats().rtt is not None, within=8)
        rtt = call.peer.stats().rtt
        assert rtt is not None
        assert 0 <= rtt < 0.3


async def test_send_keyframe_a_picture_loss_brings_a_keyframe(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY) as call:
        await call.visitor.frames("video", 20)
        assert call.peer.stats().keyframes == 1
        receiver = call.visitor.receiver("video")
        for _ in range(5):
            await receiver._send_rtcp_pli(call.peer._senders[1].sender._ssrc)
        await eventually(lambda: call.peer.stats().keyframes == 2)
        await call.visitor.frames("video", 8)
        assert call.peer.stats().keyframes == 2, "five requests at once are one"


async def test_retransmit_is_bounded(pool: Executor) -> None:
    async with calling(pool, Scene(256, grain=8.0), codecs=VP8_ONLY) as call:
        receiver = call.visitor.receiver("video")
        sequence: list[int] = []
        handle = receiver._handle_rtp_packet

        async def watch(packet: Any, arrival_time_ms: int) -> None:
            sequence.append(packet.sequence_number)
            await handle(packet, arrival_time_ms=arrival_time_ms)

        receiver._handle_rtp_packet = watch
        call.visitor.drain()
        await eventually(lambda: len(sequence) > 60)
        lost = sequence[-40:]
        for _ in range(20):
            await receiver._send_rtcp_nack(call.peer._senders[1].sender._ssrc, lost)
            await asyncio.sleep(0.01)
        await eventually(lambda: call.peer.stats().nacks >= 700)
        stats = call.peer.stats()
        assert 1 <= stats.resent <= 40, "of 800 requests, only what the budget allows"


async def test_after_a_keyframe_older_packets_come_without_payload(pool: Executor) -> None:
    """The history: what a keyframe made useless only closes the gap, also for receivers that do not ask twice."""
    async with calling(pool, Scene(256, grain=8.0), codecs=VP8_ONLY) as call:
        receiver = call.visitor.receiver("video")
        arrived: list[tuple[int, int]] = []
        handle = receiver._handle_rtp_packet

        async def watch(packet: Any, arrival_time_ms: int) -> None:
            arrived.append((packet.sequence_number, len(packet.payload)))
            await handle(packet, arrival_time_ms=arrival_time_ms)

        receiver._handle_rtp_packet = watch
        call.visitor.drain()
        await eventually(lambda: len(arrived) > 80)
        ssrc = call.peer._senders[1].sender._ssrc
        lost = [sequence for sequence, _ in arrived[-60:]]
        await receiver._send_rtcp_nack(ssrc, lost)
        await eventually(lambda: call.peer.stats().nacks == 60)
        resent, seen = call.peer.stats().resent, len(arrived)
        assert resent < 60
        await receiver._send_rtcp_pli(ssrc)
        # An RTX packet is the original's sequence number (two bytes) and its payload (RFC 4588 §4).
        await eventually(lambda: [size for _, size in arrived[seen:]].count(2) >= 60)


async def test_handle_rtcp_packet_remb_moves_the_bitrate(pool: Executor) -> None:
    async with calling(pool, codecs=VP8_ONLY, start_bitrate=250_000, max_bitrate=900_000) as call:
        await call.visitor.frames("video", 3)
        ssrc = call.peer._senders[1].sender._ssrc
        await feedback(call, "video", fmt=RTCP_PSFB_APP, media_ssrc=0, fci=pack_remb_fci(600_000, [ssrc]))
        await eventually(lambda: call.peer.stats().bitrate > 500_000)
        await feedback(call, "video", fmt=RTCP_PSFB_APP, media_ssrc=ssrc, fci=b"AFB0rubbish!")
        await call.visitor.frames("video", 3)
