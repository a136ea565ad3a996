"""The peer against headless Chromium: its own decoders, jitter buffers, congestion signals and count of freezes."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.media.browser import chromium, stats, take
from tests.media.relay import Relay
from tests.media.scene import Scene, speech
from tests.media.visitor import Call
from visavis.media.encoder import VideoCodec, available
from visavis.media.peer import PeerState

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not Path("/usr/bin/chromium").exists(), reason="no Chromium"),
]


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with chromium() as opened:
        yield opened


async def shows(page: Page, frames: int) -> dict[str, Any]:
    await page.wait_for_function("count => shown >= count", arg=frames, timeout=20_000)
    return await stats(page)


@pytest.mark.parametrize("codec", [codec for codec in VideoCodec if available(codec)])
async def test_a_browser_shows_the_picture_and_plays_the_sound(pool: Executor, page: Page, codec: VideoCodec) -> None:
    """With the server on 127.0.0.1 only, and none of the browser's candidates told to it."""
    call = Call(pool, Scene(256), codecs=(codec,))
    try:
        await call.peer.answer(await take(page, await call.peer.offer()))
        call.playout.append(speech(5))
        found = await shows(page, 40)
        assert found["streams"] == 1
        assert found["video"]["frameWidth"] == 256
        await asyncio.sleep(1)
        found = await stats(page)
        assert found["audio"]["totalAudioEnergy"] > 0.001
        assert call.peer.stats().codec is codec
    finally:
        await call.close()


async def test_an_ice_restart_is_answered_and_media_goes_on(pool: Executor, page: Page) -> None:
    call = Call(pool, Scene(128))
    try:
        offer = await call.peer.offer()
        await call.peer.answer(await take(page, offer))
        await shows(page, 20)
        again: str = await page.evaluate(
            "async () => { pc.restartIce(); await pc.setLocalDescription(); return pc.localDescription.sdp }"
        )
        answer = await call.peer.accept_offer(again)
        users = {line for line in answer.splitlines() if line.startswith("a=ice-ufrag")}
        assert len(users) == 1
        assert not users & set(offer.splitlines()), "a restart is answered with new credentials"
        await page.evaluate("sdp => pc.setRemoteDescription({type: 'answer', sdp})", answer)
        await asyncio.sleep(3)
        before = (await stats(page))["shown"]
        found = await shows(page, before + 25)
        assert found["state"] == "connected"
        assert call.peer.state is PeerState.CONNECTED
    finally:
        await call.close()


async def test_a_closed_page_is_noticed(pool: Executor, page: Page) -> None:
    call = Call(pool, Scene(128), lost_after=4.0)
    try:
        await call.peer.answer(await take(page, await call.peer.offer()))
        await shows(page, 5)
        await page.close()
        async with asyncio.timeout(8):
            while call.peer.state is PeerState.CONNECTED:
                await call.peer.changed(PeerState.CONNECTED)
    finally:
        await call.close()


async def test_a_bottleneck_freezes_the_picture_for_less_than_two_seconds(pool: Executor, page: Page) -> None:
    relay = Relay()
    relay.down.delay = relay.up.delay = 0.02
    relay.down.rate = 2e6
    call = Call(pool, Scene(256, grain=5.0), start_bitrate=800_000)
    try:
        await call.peer.answer(await take(page, await relay.through(await call.peer.offer())))
        call.playout.append(speech(60))
        await shows(page, 75)
        before = relay.down.bytes
        await asyncio.sleep(1)
        assert (relay.down.bytes - before) * 8 > 500_000, "the drop is to hit a full stream"
        relay.down.rate = 350e3
        await asyncio.sleep(4)
        narrow = await stats(page)
        await asyncio.sleep(6)
        settled = await stats(page)
        relay.down.rate = 2e6
        await asyncio.sleep(4)
        found = await stats(page)
        assert found["video"]["totalFreezesDuration"] < 2.0
        assert settled["video"]["framesDecoded"] - narrow["video"]["framesDecoded"] > 6 * 15
        concealed = settled["audio"]["concealedSamples"] - narrow["audio"]["concealedSamples"]
        assert concealed < 0.05 * 6 * 48_000, "the sound is whole on the narrow link"
    finally:
        await call.close()
        relay.close()


async def test_at_5_percent_loss_most_of_the_lost_sound_comes_back(pool: Executor, page: Page) -> None:
    relay = Relay(seed=3)
    relay.down.delay = relay.up.delay = 0.02
    call = Call(pool, Scene(128))
    try:
        await call.peer.answer(await take(page, await relay.through(await call.peer.offer())))
        call.playout.append(speech(40))
        await shows(page, 25)
        start = await stats(page)
        relay.down.loss = 0.05
        await asyncio.sleep(12)
        found = await stats(page)
        lost = found["audio"]["packetsLost"] - start["audio"]["packetsLost"]
        concealed = found["audio"]["concealedSamples"] - start["audio"]["concealedSamples"]
        assert lost > 10
        assert concealed < 0.8 * lost * 960, "error correction filled in what would have been made up"
        assert found["video"]["totalFreezesDuration"] - start["video"]["totalFreezesDuration"] < 1.5
    finally:
        await call.close()
        relay.close()
