"""Figures of the media layer.

    python benchmarks/media.py cpu           CPU per stream with one and eight sessions, each codec, talking and idle
    python benchmarks/media.py bottleneck    Chromium behind 2 Mbit/s, 350 kbit/s from second 12 to 30, then 2 Mbit/s
    python benchmarks/media.py loss          Chromium behind 5 % random loss
    python benchmarks/media.py jitter        Chromium behind 100 ms of jitter (packets overtake each other)
    python benchmarks/media.py churn         memory and open files over 60 calls

CPU is user + system time of the sending process alone; 100 % is one core. The receivers, which do not decode, run in a
process of their own. The pictures are 512x512 at 25 per second, painted by a copy: a renderer comes on top.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from tests.media.browser import chromium, stats, take
from tests.media.relay import Relay
from tests.media.scene import Scene, speech
from tests.media.visitor import Visitor, settings
from visavis.media.clock import MediaClock
from visavis.media.encoder import VideoCodec, available
from visavis.media.peer import Peer, PeerState
from visavis.media.playout import Playout

SETTLE = 5.0
"""Seconds before measuring."""


class Session:
    """A peer that talks without end."""

    def __init__(self, pool: ThreadPoolExecutor, scene: Scene, *, silent: bool = False, **changes: Any) -> None:
        self.clock = MediaClock()
        self.playout = Playout(self.clock, limit=600)
        self.peer = Peer(settings(**changes), scene, self.playout, self.clock, pool)
        if not silent:
            self.playout.append(speech(120))

    async def connected(self) -> None:
        async with asyncio.timeout(20):
            while self.peer.state is not PeerState.CONNECTED:
                await self.peer.changed(self.peer.state)


async def sink() -> None:
    """Answer offers that come as JSON lines on standard input; receive without decoding."""
    import aiortc.rtcrtpreceiver

    def discard(loop: Any, input_q: Any, output_q: Any, decode_error: Any) -> None:
        while input_q.get() is not None:
            pass

    aiortc.rtcrtpreceiver.decoder_worker = discard
    reader = asyncio.StreamReader(limit=1 << 20)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    visitors: list[Visitor] = []
    while line := await reader.readline():
        visitors.append(Visitor())
        print(json.dumps(await visitors[-1].take(json.loads(line))), flush=True)


async def cpu_of(count: int, codec: VideoCodec, seconds: float, *, idle: bool) -> dict[str, float]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "sink",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with ThreadPoolExecutor(2) as pool:
        sessions = [Session(pool, Scene(512, idle=idle), silent=idle, codecs=(codec,)) for _ in range(count)]
        try:
            for session in sessions:
                process.stdin.write(json.dumps(await session.peer.offer()).encode() + b"\n")
                await session.peer.answer(json.loads(await process.stdout.readline()))
                await session.connected()
            await asyncio.sleep(SETTLE)
            sent = [session.peer.stats().frames_sent for session in sessions]
            began, used = time.monotonic(), used_cpu()
            await asyncio.sleep(seconds)
            elapsed, used = time.monotonic() - began, used_cpu() - used
            done = [session.peer.stats() for session in sessions]
            return {
                "core": 100 * used / elapsed / count,
                "fps": statistics.mean(d.frames_sent - s for d, s in zip(done, sent, strict=True)) / elapsed,
                "late": sum(d.frames_late for d in done),
            }
        finally:
            for session in sessions:
                await session.peer.close()
            process.kill()
            await process.wait()


def used_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def cpu(seconds: float) -> None:
    print(f"{'codec':6} {'content':8} {'sessions':>8} {'% core/stream':>14} {'fps':>6} {'late frames':>12}")
    for codec in [codec for codec in VideoCodec if available(codec)]:
        for idle in (False, True):
            for count in (1, 8):
                found = await cpu_of(count, codec, seconds, idle=idle)
                content = "idle" if idle else "talking"
                print(
                    f"{codec:6} {content:8} {count:8} {found['core']:14.1f} {found['fps']:6.1f} {found['late']:12.0f}",
                    flush=True,
                )


async def network(seconds: int, change: Callable[[Relay, int], None], codec: VideoCodec, grain: float) -> None:
    """A call to Chromium through a relay that ``change`` sets each second; one line a second."""
    relay = Relay()
    relay.down.delay = relay.up.delay = 0.02
    with ThreadPoolExecutor(2) as pool:
        session = Session(pool, Scene(512, grain=grain), codecs=(codec,), start_bitrate=800_000)
        async with chromium() as page:
            await session.peer.answer(await take(page, await relay.through(await session.peer.offer())))
            await session.connected()
            print(
                f"{codec}\n{'s':>3} {'fps':>4} {'kbit/s':>7} {'aim':>5} {'concealed':>10} {'frozen':>7} {'dropped':>8}"
            )
            last: dict[str, Any] = {}
            for second in range(seconds):
                change(relay, second)
                await asyncio.sleep(1)
                now = await stats(page)
                if "video" in last and "audio" in last:
                    print(_row(second, last, now, session.peer.stats().bitrate, relay.down.dropped), flush=True)
                last = now
            print(f"frozen {last['video']['totalFreezesDuration']:.2f} s in {last['video']['freezeCount']} freezes")
        await session.peer.close()
    relay.close()


def _row(second: int, last: dict[str, Any], now: dict[str, Any], bitrate: int, dropped: int) -> str:
    def more(kind: str, name: str) -> float:
        return float(now[kind].get(name, 0) - last[kind].get(name, 0))

    concealed = 100 * more("audio", "concealedSamples") / max(1.0, more("audio", "totalSamplesReceived"))
    return (
        f"{second:3} {more('video', 'framesDecoded'):4.0f} {more('video', 'bytesReceived') * 8 / 1000:7.0f} "
        f"{bitrate / 1000:5.0f} {concealed:9.1f}% {now['video']['totalFreezesDuration']:7.2f} {dropped:8}"
    )


def bottleneck(relay: Relay, second: int) -> None:
    relay.down.rate = 350e3 if 12 <= second < 30 else 2e6


def loss(relay: Relay, second: int) -> None:
    relay.down.loss = 0.05 if second >= 3 else 0.0


def jitter(relay: Relay, second: int) -> None:
    relay.down.jitter = 0.1 if second >= 3 else 0.0


async def churn(calls: int) -> None:
    """Open and close calls one after the other, in one process with their receivers."""
    process = psutil.Process()
    with ThreadPoolExecutor(2) as pool:
        for number in range(calls + 1):
            session, visitor = Session(pool, Scene(512)), Visitor()
            await session.peer.answer(await visitor.take(await session.peer.offer()))
            await session.connected()
            await asyncio.sleep(0.3)
            began = time.monotonic()
            await session.peer.close()
            closing = time.monotonic() - began
            await visitor.close()
            del session, visitor
            if number % 10 == 0:
                began = time.monotonic()
                gc.collect()
                collecting = time.monotonic() - began
                print(
                    f"{number:3} calls: {process.memory_info().rss / 1e6:6.1f} MB, {process.num_fds()} files, "
                    f"{process.num_threads()} threads, {len(asyncio.all_tasks())} tasks; "
                    f"close {1000 * closing:.0f} ms, collection {1000 * collecting:.0f} ms",
                    flush=True,
                )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["cpu", "bottleneck", "loss", "jitter", "churn", "sink"])
    parser.add_argument("--seconds", type=float, default=10.0, help="measured per configuration (cpu)")
    parser.add_argument("--codec", choices=list(VideoCodec), default=VideoCodec.H264)
    parser.add_argument("--grain", type=float, default=3.0, help="noise in the picture: it fills any rate (networks)")
    parser.add_argument("--calls", type=int, default=60, help="how many (churn)")
    options = parser.parse_args()
    codec = VideoCodec(options.codec)
    match options.what:
        case "sink":
            await sink()
        case "cpu":
            print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
            await cpu(options.seconds)
        case "bottleneck":
            await network(45, bottleneck, codec, options.grain)
        case "loss":
            await network(25, loss, codec, options.grain)
        case "jitter":
            await network(25, jitter, codec, options.grain)
        case _:
            await churn(options.calls)


if __name__ == "__main__":
    asyncio.run(main())
