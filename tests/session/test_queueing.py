"""Waiting for a slot: places that are told as they change, bounded waits, and visitors who leave the queue."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.session.house import Guest, House, nothing_left
from visavis.session.commands import AddMessage, KeepAlive
from visavis.session.events import Ended, Ending, Offered, Ready, Refusal, RefusalKind, SessionState
from visavis.session.license import License
from visavis.session.rate import AttemptLimits
from visavis.session.timers import Timers
from visavis.session.tokens import TokenRequest

QUEUED, PREPARING, CONNECTING, CONNECTED = (
    SessionState.QUEUED,
    SessionState.PREPARING,
    SessionState.CONNECTING,
    SessionState.CONNECTED,
)


async def test_the_states_of_a_call_that_finds_a_slot(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool)
        guest = Guest(await house.admit()).arrive()
        await guest.until_state(CONNECTED)
        assert guest.states == [(PREPARING, None), (CONNECTING, None), (CONNECTED, None)]
        await guest.leave()
        record = house.archive.records.all[guest.session.id]
        assert [entry.state for entry in record.states] == [
            QUEUED,
            PREPARING,
            CONNECTING,
            CONNECTED,
            SessionState.ENDED,
        ]
        assert record.ending is Ending.NORMAL
        assert record.connect_seconds is not None
        assert record.connect_seconds > 0
        assert record.started_at <= record.states[0].at <= record.states[-1].at


async def test_who_waits_is_told_every_place_and_then_served(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=5)
        talking = Guest(await house.admit()).arrive()
        waiting = [Guest(await house.admit()).arrive() for _ in range(3)]
        await talking.until_state(CONNECTED)
        await asyncio.sleep(0.1)
        assert [guest.states for guest in waiting] == [[(QUEUED, place)] for place in (1, 2, 3)]
        assert house.slots.taken == 1
        assert not any(guest.kinds for guest in waiting)

        await waiting[1].leave()
        await asyncio.sleep(0.05)
        assert waiting[2].states == [(QUEUED, 3), (QUEUED, 2)]

        await talking.leave()
        await waiting[0].until_state(CONNECTED)
        assert waiting[0].states == [(QUEUED, 1), (PREPARING, None), (CONNECTING, None), (CONNECTED, None)]
        assert waiting[2].states == [(QUEUED, 3), (QUEUED, 2), (QUEUED, 1)]
        await waiting[0].leave()
        await waiting[2].until_state(CONNECTED)
        await waiting[2].leave()
        assert house.slots.taken == house.slots.waiting == 0


async def test_a_place_that_changes_before_the_session_is_followed_is_told_once(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=5)
        talking, first, second = [await house.admit() for _ in range(3)]
        await first.leave()
        waiting = Guest(second).arrive()
        await asyncio.sleep(0.05)
        assert waiting.states == [(QUEUED, 1)]
        await talking.leave()
        await waiting.until_state(CONNECTING)
        assert waiting.states[:2] == [(QUEUED, 1), (PREPARING, None)]
        await waiting.leave()


async def test_an_expired_token_is_no_guess(pool: ThreadPoolExecutor) -> None:
    now = [1_000_000.0]
    house = House(pool, attempts=AttemptLimits(0, 1), clock=lambda: now[0])
    token = house.licenses.issue(License("key"), TokenRequest(lifetime=60)).token
    now[0] += 61
    for _ in range(3):
        with pytest.raises(Refusal) as refused:
            await house.admit(license=token, address="192.0.2.1")
        assert refused.value.kind is RefusalKind.INVALID_LICENSE
    for kind in (RefusalKind.INVALID_LICENSE, RefusalKind.RATE_LIMITED):
        with pytest.raises(Refusal) as refused:
            await house.admit(license=token + "x", address="192.0.2.1")
        assert refused.value.kind is kind


async def test_a_full_queue_takes_nobody(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=1)
        first, second = await house.admit(), await house.admit()
        with pytest.raises(Refusal) as refused:
            await house.admit()
        assert refused.value.kind is RefusalKind.NO_SLOT
        await first.leave()
        await second.leave()


async def test_nobody_waits_for_ever(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(queue=0.3), slots=1, queue=5)
        talking = await house.admit()
        waiting = Guest(await house.admit()).arrive()
        assert (await waiting.gone()).ending is Ending.NO_SLOT
        assert house.slots.waiting == 0
        await talking.leave()


async def test_the_whole_start_has_a_limit_that_the_queue_counts_towards(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(start=0.3), slots=1, queue=5)
        talking = await house.admit()
        waiting = Guest(await house.admit()).arrive()
        assert (await waiting.gone()).ending is Ending.SESSION_TIMEOUT
        await talking.leave()


async def test_what_was_sent_while_waiting_is_taken_up_afterwards(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=1)
        talking = await house.admit()
        waiting = Guest(await house.admit()).arrive()
        async with asyncio.timeout(2):
            await waiting.session.handle(AddMessage("I was here before."))
            await waiting.session.handle(KeepAlive())
        await talking.leave()
        await waiting.until(Ready)
        assert [item.text for item in waiting.session.snapshot.items] == ["I was here before."]
        await waiting.leave()


async def test_an_avatar_that_is_not_ready_in_time(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    async with nothing_left():
        house = House(pool, Timers(prepare=0.2))

        async def slow(avatar: object) -> object:
            return await asyncio.Event().wait()

        monkeypatch.setattr(house.kit.catalogue, "load", slow)
        guest = Guest(await house.admit()).arrive()
        assert (await guest.gone()).ending is Ending.SESSION_TIMEOUT
        assert Offered not in guest.kinds
        assert house.slots.taken == 0


async def test_who_hangs_up_during_the_preparing_frees_all(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nothing_left():
        house = House(pool)

        async def slow(avatar: object) -> object:
            return await asyncio.Event().wait()

        monkeypatch.setattr(house.kit.catalogue, "load", slow)
        guest = Guest(await house.admit()).arrive()
        await guest.until_state(PREPARING)
        async with asyncio.timeout(2):
            assert await guest.leave() == Ended(Ending.NORMAL, "The conversation is over.")
        assert house.slots.taken == 0


async def test_a_draining_house_lets_conversations_end_and_sends_the_queue_home(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=5)
        talking = Guest(await house.admit()).arrive()
        waiting = Guest(await house.admit()).arrive()
        await talking.until_state(CONNECTED)
        draining = asyncio.create_task(house.desk.drain(10))
        assert (await waiting.gone()).ending is Ending.NORMAL
        with pytest.raises(Refusal) as refused:
            await house.admit()
        assert refused.value.kind is RefusalKind.SHUTTING_DOWN
        await asyncio.sleep(0.3)
        assert not draining.done()
        assert not talking.session.over
        await talking.leave()
        async with asyncio.timeout(1):
            await draining


async def test_a_draining_house_does_not_wait_for_ever(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool)
        talking = Guest(await house.admit()).arrive()
        await talking.until_state(CONNECTED)
        async with asyncio.timeout(5):
            await house.desk.drain(0.3)
        ended = await talking.gone()
        assert ended.ending is Ending.NORMAL
        assert "shutting down" in ended.message
