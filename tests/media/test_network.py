"""Calls over bad networks: a bottleneck, random loss, jitter. The receiver is aiortc, which reports like browsers do.

``test_browser.py`` has the bottleneck with a browser's own congestion signals and its own count of freezes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Any

import numpy as np

from tests.busy import up_to_three_times
from tests.media.relay import Relay
from tests.media.scene import Scene, speech
from tests.media.visitor import Call
from visavis.media.encoder import VideoCodec
from visavis.media.peer import PeerState

FREEZE = 0.2
"""Seconds between two pictures from which on a viewer sees the picture stand still."""


class Watcher:
    """When pictures and sound came out of the decoder, and which sound."""

    def __init__(self, call: Call) -> None:
        self.shown: list[float] = []
        self.heard: list[float] = []
        self._tasks = [
            asyncio.create_task(self._watch(call.visitor.tracks["video"], self.shown)),
            asyncio.create_task(self._watch(call.visitor.tracks["audio"], self.heard)),
        ]

    async def _watch(self, track: Any, times: list[float]) -> None:
        while True:
            await track.recv()
            times.append(asyncio.get_running_loop().time())

    def frozen(self, start: float, end: float) -> float:
        """Seconds beyond ``FREEZE`` without a new picture."""
        times = [start, *[at for at in self.shown if start <= at <= end], end]
        return sum(gap - FREEZE for gap in np.diff(times) if gap > FREEZE)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)


@contextlib.asynccontextmanager
async def far(pool: Executor, relay: Relay, scene: Scene, **changes: Any) -> AsyncIterator[tuple[Call, Watcher]]:
    call = Call(pool, scene, **changes)
    watcher: Watcher | None = None
    try:
        answer = await call.visitor.take(await relay.through(await call.peer.offer()))
        hidden = [line for line in answer.splitlines() if "candidate" not in line]
        await call.peer.answer("\r\n".join(hidden) + "\r\n")
        await call.reaches(PeerState.CONNECTED)
        call.playout.append(speech(40))
        watcher = Watcher(call)
        await asyncio.sleep(1.5)
        yield call, watcher
    finally:
        if watcher is not None:
            await watcher.close()
        await call.close()
        relay.close()


@up_to_three_times
async def test_a_bottleneck_freezes_the_picture_for_less_than_two_seconds(pool: Executor) -> None:
    relay = Relay()
    relay.down.delay = relay.up.delay = 0.02
    relay.down.rate = 2e6
    scene = Scene(256, grain=5.0)
    async with far(pool, relay, scene, start_bitrate=800_000) as (call, watcher):
        loop = asyncio.get_running_loop()
        start = loop.time()
        await asyncio.sleep(3)
        before = relay.down.bytes
        await asyncio.sleep(1)
        assert (relay.down.bytes - before) * 8 > 500_000, "the drop is to hit a full stream"
        relay.down.rate = 350e3
        dropped = loop.time()
        await asyncio.sleep(10)
        relay.down.rate = 2e6
        await asyncio.sleep(4)
        end = loop.time()
        assert watcher.frozen(start, end) < 2.0
        recent = [at for at in watcher.shown if dropped + 5 < at < dropped + 10]
        assert len(recent) > 50, "the narrow link carries a fluent picture"
        sound = [at for at in watcher.heard if dropped + 3 < at < dropped + 10]
        assert len(sound) > 6.5 * 50, "and all of the sound"
        assert call.peer.state is PeerState.CONNECTED


@up_to_three_times
async def test_random_loss_of_5_percent_keeps_picture_and_sound_going(pool: Executor) -> None:
    relay = Relay(seed=11)
    relay.down.delay = relay.up.delay = 0.03
    async with far(pool, relay, Scene(256, grain=5.0)) as (call, watcher):
        loop = asyncio.get_running_loop()
        start = loop.time()
        relay.down.loss = 0.05
        await asyncio.sleep(8)
        end = loop.time()
        assert relay.down.lost > 20
        assert watcher.frozen(start, end) < 1.5
        assert call.peer.stats().resent > 3
        assert call.peer.stats().bitrate >= 100_000
        # aiortc's receiver leaves lost sound out; a browser fills it in from the copies (test_encoder.py).
        assert len([at for at in watcher.heard if start < at < end]) > 0.7 * 8 * 50


@up_to_three_times
async def test_jitter_of_100_ms_keeps_picture_and_sound_going(pool: Executor) -> None:
    relay = Relay(seed=5)
    relay.down.delay = relay.up.delay = 0.02
    async with far(pool, relay, Scene(256), codecs=(VideoCodec.VP8,)) as (call, watcher):
        loop = asyncio.get_running_loop()
        start = loop.time()
        relay.down.jitter = relay.up.jitter = 0.1
        await asyncio.sleep(8)
        end = loop.time()
        assert watcher.frozen(start, end) < 2.0
        assert len([at for at in watcher.shown if start < at < end]) > 0.6 * 8 * 25
        assert call.peer.stats().resent * 1200 < relay.down.bytes / 2, "packets that are late are not all sent twice"
        assert call.peer.state is PeerState.CONNECTED
