import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from tests.virtual_time import run_virtual
from visavis.media.clock import MediaClock
from visavis.media.playout import FADE, Playout, PlayoutFull
from visavis.speech.ports import SPEECH_RATE, Pcm16

PACKET = SPEECH_RATE // 50


def tone(seconds: float, level: int = 1000) -> Pcm16:
    return np.full(round(seconds * SPEECH_RATE), level, np.int16)


def run(scenario: Callable[[Playout, MediaClock], Awaitable[None]], **options: float) -> None:
    async def start() -> None:
        clock = MediaClock()
        await scenario(Playout(clock, **options), clock)

    run_virtual(start())


async def pull_until(playout: Playout, clock: MediaClock, at: float) -> Pcm16:
    """Pull packets when they are due, like the audio track."""
    pulled: list[Pcm16] = []
    while playout.position < at - 1e-9:
        await clock.sleep_until(playout.position)
        pulled.append(playout.pull(PACKET))
    return np.concatenate(pulled) if pulled else np.zeros(0, np.int16)


def test_silence_where_nothing_is_queued() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        out = await pull_until(playout, clock, 0.1)
        assert out.dtype == np.int16
        assert len(out) == 0.1 * SPEECH_RATE
        assert not out.any()
        assert playout.underruns == 0

    run(scenario)


def test_sound_begins_at_the_time_that_was_told_and_loses_nothing() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        await pull_until(playout, clock, 1.0)
        await clock.sleep_until(1.0)
        ramp = np.arange(1, 5001, dtype=np.int16)
        at = playout.append(ramp)
        assert at == pytest.approx(1.06)
        assert playout.end == pytest.approx(at + 5000 / SPEECH_RATE)
        out = await pull_until(playout, clock, 2.0)
        begin = round((at - 1.0) * SPEECH_RATE)
        assert not out[:begin].any()
        assert np.array_equal(out[begin : begin + 5000], ramp)
        assert not out[begin + 5000 :].any()

    run(scenario, lead=0.06)


def test_appended_sound_follows_the_queued_without_a_gap() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        first = playout.append(tone(0.5, 100))
        second = playout.append(tone(0.5, 200))
        assert second == pytest.approx(first + 0.5)
        out = await pull_until(playout, clock, 1.2)
        heard = out[out != 0]
        assert len(heard) == SPEECH_RATE
        assert np.array_equal(np.flatnonzero(np.diff(heard)), [SPEECH_RATE // 2 - 1])

    run(scenario)


def test_sound_never_begins_before_what_was_already_pulled() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        playout.pull(SPEECH_RATE)
        assert playout.append(tone(0.1)) == pytest.approx(1.0)

    run(scenario)


def test_sound_from_before_the_start_begins_with_the_clock() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        at = playout.append(tone(0.2))
        await asyncio.sleep(60)
        assert playout.append(tone(0.2)) == pytest.approx(at + 0.2)
        clock.start()
        out = await pull_until(playout, clock, 1.0)
        assert np.flatnonzero(out)[0] == round(at * SPEECH_RATE)
        assert np.count_nonzero(out) == round(0.4 * SPEECH_RATE)

    run(scenario)


def test_clear_fades_out_and_tells_where_silence_begins() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        playout.append(tone(2.0))
        await pull_until(playout, clock, 0.5)
        silent = playout.clear()
        assert silent == pytest.approx(0.5 + FADE / SPEECH_RATE)
        assert playout.end == pytest.approx(silent)
        out = await pull_until(playout, clock, 1.0)
        assert np.count_nonzero(out[FADE:]) == 0
        fade = out[:FADE].astype(int)
        assert fade[0] == 1000
        assert (np.diff(fade) <= 0).all()
        assert fade[-1] < 1000 * 2 / FADE
        assert playout.append(tone(0.1)) > 1.0, "sound can follow"
        assert playout.underruns == 0, "what was cut was meant to end"

    run(scenario)


def test_clear_of_silence_is_now() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        await pull_until(playout, clock, 0.5)
        assert playout.clear() == pytest.approx(0.5)
        playout.append(tone(1.0))
        assert playout.clear() == pytest.approx(0.5), "what had not begun is not heard at all"
        assert not (await pull_until(playout, clock, 2.0)).any()

    run(scenario)


def test_wait_until_returns_when_that_time_was_pulled() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        reached: list[float] = []

        async def wait(at: float) -> None:
            await playout.wait_until(at)
            reached.append(at)

        waits = [asyncio.create_task(wait(at)) for at in (0.31, 0.1)]
        clock.start()
        await pull_until(playout, clock, 0.2)
        await asyncio.sleep(0)
        assert reached == [0.1]
        await pull_until(playout, clock, 0.32)
        await asyncio.gather(*waits)
        assert reached == [0.1, 0.31]
        await playout.wait_until(0.2)

    run(scenario)


def test_room_holds_back_until_little_enough_is_queued() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        await playout.room(0.5)
        playout.append(tone(2.0))
        waiting = asyncio.create_task(playout.room(0.5))
        await pull_until(playout, clock, 1.5)
        await asyncio.sleep(0)
        assert not waiting.done()
        await pull_until(playout, clock, 1.6)
        await waiting
        assert playout.queued < 0.5
        playout.append(tone(2.0))
        again = asyncio.create_task(playout.room(0.5))
        await asyncio.sleep(0)
        playout.clear()
        await again

    run(scenario)


def test_close_releases_everyone_and_ignores_what_comes_after() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        playout.append(tone(2.0))
        waits = [asyncio.create_task(playout.wait_until(9.0)), asyncio.create_task(playout.room(0.5))]
        await asyncio.sleep(0)
        playout.close()
        await asyncio.gather(*waits)
        await playout.wait_until(99.0)
        playout.append(tone(1.0))
        clock.start()
        assert not playout.pull(SPEECH_RATE).any()

    run(scenario)


def test_cancelled_waits_leave_nothing() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        waiting = asyncio.create_task(playout.wait_until(0.5))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await pull_until(playout, clock, 1.0)
        assert waiting.cancelled()

    run(scenario)


def test_a_short_gap_counts_as_an_underrun_and_a_pause_does_not() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        playout.append(tone(0.2))
        await pull_until(playout, clock, 0.4)
        playout.append(tone(0.2))
        assert playout.underruns == 1
        await pull_until(playout, clock, 2.0)
        playout.append(tone(0.2))
        assert playout.underruns == 1

    run(scenario)


def test_refuses_more_than_its_limit_and_other_kinds_of_sound() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        playout.append(tone(0.9))
        with pytest.raises(PlayoutFull):
            playout.append(tone(0.2))
        with pytest.raises(ValueError, match="int16"):
            playout.append(np.zeros(10, np.float32))  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="one-dimensional"):
            playout.append(np.zeros((10, 2), np.int16))

    run(scenario, limit=1.0)


def test_the_caller_may_reuse_its_buffer() -> None:
    async def scenario(playout: Playout, clock: MediaClock) -> None:
        clock.start()
        sound = tone(0.1)
        playout.append(sound)
        sound[:] = -5
        assert playout.pull(SPEECH_RATE).max() == 1000

    run(scenario)
