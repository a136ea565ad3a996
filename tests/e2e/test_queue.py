"""The queue of a real server, while 200 visitors come and go over its 4 slots."""

import asyncio
import random
from collections.abc import AsyncIterator
from datetime import datetime

import psutil
import pytest
import pytest_asyncio

from tests.e2e.caller import SUCCESS, Caller
from tests.e2e.records import Record, all_records, health, in_order, times, until_reads, until_there
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

SLOTS = 4
QUEUE = 40
ARRIVALS = 200
LONG = "600"
"""Seconds that nobody here waits."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    environment = {
        "VISAVIS_SESSION__MAX_SESSIONS": str(SLOTS),
        "VISAVIS_SESSION__QUEUE_SIZE": str(QUEUE),
        "VISAVIS_SESSION__QUEUE_TIMEOUT": LONG,
        "VISAVIS_SESSION__START_TIMEOUT": LONG,
        "VISAVIS_SESSION__MEDIA_TIMEOUT": LONG,
        "VISAVIS_LIMITS__CONNECTS_PER_MINUTE": "0",
    }
    async with ServerProcess(["--log-format", "json"], environment=environment) as process:
        yield process
        assert await process.stop() == 0
    assert not [line for line in process.log if '"level": "error"' in line]


async def arrive(server: ServerProcess) -> Caller:
    """A visitor who has heard whether there is a slot or a place in the queue."""
    caller = Caller(server.url, server.license)
    await caller.call()
    await caller.until(lambda: caller.states)
    return caller


async def stay(caller: Caller, chance: random.Random) -> None:
    """Wait for a slot, or lose patience before; talk for a moment; go, with or without a word."""
    rudely = chance.random() < 0.4
    patience = chance.choice([0, 1, 3, 8]) if chance.random() < 0.3 else None
    if caller.positions and patience is not None:
        await caller.until(lambda: "preparing" in caller.states or caller.positions[-1] <= patience)
    else:
        await caller.until_state("connecting" if chance.random() < 0.5 else "preparing")
        await asyncio.sleep(chance.random() * 0.1)
    await caller.leave(rudely=rudely)


def holders(records: list[Record]) -> list[int]:
    """How many sessions held a slot, each time one was given or freed."""
    changes: list[tuple[datetime, int]] = []
    for record in records:
        entered = times(record)
        if "preparing" in entered:
            changes += [(entered["preparing"], 1), (entered["ended"], -1)]
    now, counts = 0, list[int]()
    for _, change in sorted(changes):
        now += change
        counts.append(now)
    return counts


async def test_the_queue_is_as_long_as_it_says(server: ServerProcess) -> None:
    callers = [await arrive(server) for _ in range(SLOTS + QUEUE)]
    try:
        for caller in callers[:SLOTS]:
            await caller.until_state("connecting")
            assert caller.positions == []
        assert [caller.positions for caller in callers[SLOTS:]] == [[place] for place in range(1, QUEUE + 1)]
        assert await health(server) == (200, {"status": "ok", "sessions": SLOTS, "waiting": QUEUE, "slots": SLOTS})
        one_too_many = Caller(server.url, server.license)
        await one_too_many.call()
        assert await one_too_many.until_over() == (1013, "no_slot")
        assert one_too_many.code == "no_slot"
        assert one_too_many.of(SUCCESS) == []
        # The last of the queue goes: nobody moves, and there is room for one.
        await callers.pop().leave()
        await until_there(server, SLOTS + QUEUE - 1)
        callers.append(await arrive(server))
        assert callers[-1].positions == [QUEUE]
        assert [caller.positions for caller in callers[SLOTS:-1]] == [[place] for place in range(1, QUEUE)]
    finally:
        # From the end on, so that nobody moves up.
        for caller in reversed(callers):
            await caller.leave()
    await until_there(server, 0)


async def test_arrivals_and_leavings_lose_no_slot_and_keep_the_order(server: ServerProcess) -> None:
    chance = random.Random(20)
    process = psutil.Process(server.pid)
    before, memory = await server.read(), process.memory_info().rss
    earlier = int(before.samples["visavis_wire_calls_total{outcome=admitted}"])
    callers: list[Caller] = []
    # Fewer than there is room for, so that nobody is refused: the server hears of a leaving a little later.
    room = asyncio.Semaphore(SLOTS + QUEUE // 2)

    async def visit(caller: Caller) -> None:
        await stay(caller, chance)
        room.release()

    async with asyncio.timeout(200), asyncio.TaskGroup() as visits:
        for _ in range(ARRIVALS):
            await room.acquire()
            callers.append(await arrive(server))
            visits.create_task(visit(callers[-1]))
    ended = "visavis_sessions_ended_total{ending=normal}"
    await until_reads(server, lambda reading: reading.samples[ended] == before.samples[ended] + ARRIVALS)

    # Each visitor's own story: places fall to 1, then there is a slot.
    rising = [caller.positions for caller in callers if sorted(set(caller.positions), reverse=True) != caller.positions]
    assert rising == []
    given = [caller for caller in callers if "preparing" in caller.states]
    assert all(caller.positions[-1:] in ([], [1]) for caller in given)
    assert all(
        caller.states in (["queued", "preparing"], ["preparing"])
        for caller in given
        if "connecting" not in caller.states
    )
    assert len(given) > ARRIVALS / 2
    assert sum(len(caller.positions) > 1 for caller in callers) > ARRIVALS / 2

    # The server's story, by its own clock: first come, first served, and never more than there are slots.
    records = (await all_records(server, earlier + ARRIVALS))[-ARRIVALS:]
    assert [record["id"] for record in records] == [caller.session_id for caller in callers]
    assert all(in_order(record) for record in records)
    served = [record for record in records if "preparing" in times(record)]
    assert {caller.session_id for caller in given} <= {record["id"] for record in served}
    assert sorted(served, key=lambda record: times(record)["preparing"]) == served
    counts = holders(records)
    assert (min(counts), max(counts)) == (0, SLOTS)
    assert {record["ending"] for record in records} == {"normal"}

    # Nothing is left, and all that it tells of itself is so.
    assert await health(server) == (200, {"status": "ok", "sessions": 0, "waiting": 0, "slots": SLOTS})
    tasks = "visavis_tasks"
    after = await until_reads(server, lambda reading: reading.samples[tasks] <= before.samples[tasks])
    for gauge in ("visavis_sessions_active", "visavis_sessions_waiting", "visavis_wire_connections"):
        assert after.samples[gauge] == 0
    refused = "visavis_calls_refused_total{kind=no_slot}"
    assert after.samples[refused] == before.samples[refused]
    assert process.memory_info().rss - memory < 50e6


async def test_every_slot_can_still_be_had(server: ServerProcess) -> None:
    callers = [await arrive(server) for _ in range(SLOTS + 1)]
    for caller in callers[:SLOTS]:
        await caller.until_state("connecting")
    assert callers[SLOTS].positions == [1]
    for caller in callers[:SLOTS]:
        await caller.leave()
    await callers[SLOTS].until_state("connecting")
    await callers[SLOTS].leave()
    await until_there(server, 0)
