import asyncio
import time

import pytest

from tests.virtual_time import run_virtual
from visavis.media.clock import MediaClock


def test_stands_at_zero_until_started_and_then_runs() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        await asyncio.sleep(5)
        assert not clock.started
        assert clock.now() == 0.0
        clock.start()
        assert clock.started
        await asyncio.sleep(2.5)
        assert clock.now() == pytest.approx(2.5)
        clock.start()
        assert clock.now() == pytest.approx(2.5), "a second start moves nothing"

    run_virtual(scenario())


def test_sleepers_wait_for_the_start_and_then_for_their_time() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        woken: list[float] = []

        async def sleeper() -> None:
            await clock.sleep_until(1.5)
            woken.append(clock.now())
            await clock.sleep_until(1.0)
            woken.append(clock.now())

        task = asyncio.create_task(sleeper())
        await asyncio.sleep(10)
        assert not woken
        clock.start()
        await task
        assert woken == pytest.approx([1.5, 1.5])

    run_virtual(scenario())


def test_wall_time_is_that_of_the_start_plus_media_time() -> None:
    async def scenario() -> None:
        clock = MediaClock()
        with pytest.raises(RuntimeError):
            clock.wall(0.0)
        before = time.time()
        clock.start()
        assert before <= clock.wall(0.0) <= time.time()
        assert clock.wall(3.0) - clock.wall(1.0) == pytest.approx(2.0)

    run_virtual(scenario())
