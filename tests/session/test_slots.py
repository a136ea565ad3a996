"""Slots are given first come, first served: none is lost, none given twice, and the queue's places are true."""

import asyncio
import random
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.virtual_time import run_virtual
from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Grant, License
from visavis.session.slots import Slots, Ticket, TicketSpent

FREE = Grant(License("free"))
PAIR = Grant(License("pair", max_sessions=2))


class Queuer:
    """A visitor who remembers the places that were told."""

    def __init__(self, slots: Slots, grant: Grant = FREE) -> None:
        self.told: list[int] = []
        self.ticket = slots.join(grant, self.told.append)


def has_slot(ticket: Ticket) -> bool:
    return ticket.position == 0


def refusal_of(work: Callable[[], object]) -> RefusalKind:
    with pytest.raises(Refusal) as refused:
        work()
    return refused.value.kind


def test_who_returns_waits_before_those_who_never_had_a_slot() -> None:
    slots, heard = Slots(1, queue_size=3), dict[str, list[int]]()

    def hears(name: str) -> Callable[[int], None]:
        return heard.setdefault(name, []).append

    grant = Grant(License("key"))
    talking = slots.join(grant, returning=True)
    assert talking.position == 0
    first, second = slots.join(grant, hears("first")), slots.join(grant, hears("second"))
    back = slots.join(grant, hears("back"), returning=True)
    assert [ticket.position for ticket in (back, first, second)] == [1, 2, 3]
    assert heard == {"first": [2], "second": [3], "back": []}
    with pytest.raises(Refusal):
        slots.join(grant, returning=True)
    talking.release()
    assert [ticket.position for ticket in (back, first, second)] == [0, 1, 2]


def test_a_slot_is_given_back_once() -> None:
    slots = Slots(2)
    ticket = slots.join(FREE)
    slots.join(FREE)
    ticket.release()
    ticket.release()
    assert (slots.taken, slots.waiting) == (1, 0)


def test_without_a_queue_nobody_waits() -> None:
    slots = Slots(1)
    slots.join(FREE)
    assert refusal_of(lambda: slots.join(FREE)) is RefusalKind.NO_SLOT
    assert (slots.taken, slots.waiting) == (1, 0)


def test_a_full_queue_refuses() -> None:
    slots = Slots(1, queue_size=2)
    positions = [slots.join(FREE).position for _ in range(3)]
    assert positions == [0, 1, 2]
    assert refusal_of(lambda: slots.join(FREE)) is RefusalKind.NO_SLOT
    assert (slots.taken, slots.waiting) == (1, 2)


def test_a_leaver_frees_the_place_at_once_and_all_behind_hear_of_it() -> None:
    slots = Slots(1, queue_size=9)
    holder, first, second, third, fourth = (Queuer(slots) for _ in range(5))
    second.ticket.release()
    assert [q.ticket.position for q in (first, third, fourth)] == [1, 2, 3]
    assert [q.told for q in (first, third, fourth)] == [[], [2], [3]]
    holder.ticket.release()
    assert has_slot(first.ticket)
    # A slot is no place in the queue: it is told by wait().
    assert [q.told for q in (holder, first, second, third, fourth)] == [[], [], [], [2, 1], [3, 2]]


async def test_wait_returns_with_the_slot() -> None:
    slots = Slots(1, queue_size=1)
    holder, next_one = slots.join(FREE), slots.join(FREE)
    await asyncio.wait_for(holder.wait(), 1)
    waiting = asyncio.create_task(next_one.wait())
    await asyncio.sleep(0)
    assert not waiting.done()
    holder.release()
    await asyncio.wait_for(waiting, 1)
    assert slots.taken == 1


async def test_who_left_the_queue_never_waits_on() -> None:
    slots = Slots(1, queue_size=1)
    holder, leaver = slots.join(FREE), slots.join(FREE)
    waiting = asyncio.create_task(leaver.wait())
    await asyncio.sleep(0)
    leaver.release()
    holder.release()
    with pytest.raises(TicketSpent):
        await asyncio.wait_for(waiting, 1)
    assert (slots.taken, slots.waiting) == (0, 0)


def test_a_licenses_own_limit_counts_its_queued_too_and_no_other_license() -> None:
    slots = Slots(2, queue_size=5)
    slots.join(FREE)
    talking, queued = slots.join(PAIR), slots.join(PAIR)
    assert (talking.position, queued.position) == (0, 1)
    with pytest.raises(Refusal, match="license allows 2 conversations") as refused:
        slots.join(PAIR)
    assert refused.value.kind is RefusalKind.LICENSE_LIMIT
    slots.join(FREE)
    queued.release()
    assert slots.join(PAIR).position == 2


def test_a_licenses_limit_is_told_before_the_full_queue() -> None:
    slots = Slots(1)
    slots.join(Grant(License("single", max_sessions=1)))
    assert refusal_of(lambda: slots.join(Grant(License("single", max_sessions=1)))) is RefusalKind.LICENSE_LIMIT
    assert refusal_of(lambda: slots.join(FREE)) is RefusalKind.NO_SLOT


def test_a_tokens_own_limit_counts_that_token_alone_within_its_license() -> None:
    slots = Slots(9)
    one, other = (Grant(PAIR.license, token_id=name, max_sessions=1) for name in ("tok_1", "tok_2"))
    ticket = slots.join(one)
    with pytest.raises(Refusal, match="token allows 1 conversation at a time") as refused:
        slots.join(one)
    assert refused.value.kind is RefusalKind.LICENSE_LIMIT
    slots.join(other)
    with pytest.raises(Refusal, match="license allows 2"):
        slots.join(Grant(PAIR.license, token_id="tok_3"))
    ticket.release()
    slots.join(one)


def test_a_holders_slot_is_taken_over() -> None:
    slots = Slots(1, queue_size=1)
    old, queued = slots.join(FREE), slots.join(FREE)
    new = old.take_over(FREE)
    old.release()
    assert (new.position, queued.position, slots.taken) == (0, 1, 1)
    with pytest.raises(TicketSpent):
        old.take_over(FREE)
    new.release()
    assert has_slot(queued)


async def test_a_place_in_the_queue_is_taken_over() -> None:
    slots = Slots(1, queue_size=3)
    holder, old, behind = Queuer(slots), Queuer(slots), Queuer(slots)
    told: list[int] = []
    waiting = asyncio.create_task(old.ticket.wait())
    await asyncio.sleep(0)
    new = behind.ticket.take_over(FREE, told.append)
    newer = old.ticket.take_over(FREE)
    assert (newer.position, new.position, slots.waiting) == (1, 2, 2)
    with pytest.raises(TicketSpent):
        await asyncio.wait_for(waiting, 1)
    holder.ticket.release()
    assert has_slot(newer)
    assert (told, old.told, behind.told) == ([1], [], [])


def test_taking_over_stays_within_the_same_limits() -> None:
    slots = Slots(4)
    single = Grant(License("single", max_sessions=1))
    old = slots.join(single)
    new = old.take_over(single)
    assert refusal_of(lambda: slots.join(single)) is RefusalKind.LICENSE_LIMIT
    # The limit of what it is taken over with counts; a refusal leaves the old ticket as it was.
    token = Grant(FREE.license, token_id="tok", max_sessions=1)
    slots.join(token)
    assert refusal_of(lambda: new.take_over(token)) is RefusalKind.LICENSE_LIMIT
    assert (new.position, slots.taken) == (0, 2)
    new.release()
    assert slots.join(single)


def test_what_is_told_may_make_others_leave_and_come() -> None:
    slots = Slots(1, queue_size=4)
    holder = slots.join(FREE)
    told: dict[str, list[int]] = {"second": [], "third": [], "late": []}
    first = slots.join(FREE)

    def leave_with_the_next(position: int) -> None:
        told["second"].append(position)
        second.release()
        slots.join(FREE, told["late"].append)

    second = slots.join(FREE, leave_with_the_next)
    third = slots.join(FREE, told["third"].append)
    holder.release()
    assert has_slot(first)
    assert third.position == 1
    # Nobody hears of a place that is no longer true, nor of one twice.
    assert told == {"second": [1], "third": [1], "late": []}


def test_one_visitors_trouble_keeps_no_other_from_hearing() -> None:
    slots = Slots(1, queue_size=4)
    holder = slots.join(FREE)
    slots.join(FREE)

    def broken(position: int) -> None:
        raise RuntimeError(position)

    slots.join(FREE, broken)
    behind = Queuer(slots)
    holder.release()
    assert behind.told == [2]


def test_two_hundred_arrivals_and_leavings_over_four_slots() -> None:
    """Visitors come and leave at random, some while they wait: order kept, no slot lost, none given twice."""
    chance = random.Random(3)
    slots = Slots(4, queue_size=200)
    holding: set[int] = set()
    served: list[int] = []
    gave_up: set[int] = set()
    peak = 0

    async def visit(number: int, patience: float, stay: float) -> None:
        nonlocal peak
        places: list[int] = []
        ticket = slots.join(FREE, places.append)
        places.insert(0, ticket.position)
        try:
            try:
                async with asyncio.timeout(patience):
                    await ticket.wait()
            except TimeoutError:
                gave_up.add(number)
                return
            served.append(number)
            holding.add(number)
            peak = max(peak, len(holding))
            assert len(holding) <= 4
            await asyncio.sleep(stay)
            assert has_slot(ticket)
        finally:
            holding.discard(number)
            ticket.release()
            # Each place was told once, and each was nearer than the one before.
            assert places == sorted(set(places), reverse=True)

    async def churn() -> None:
        visits: list[asyncio.Task[None]] = []
        for number in range(200):
            patience = chance.uniform(0.5, 5) if chance.random() < 0.3 else 1e6
            visits.append(asyncio.create_task(visit(number, patience, chance.uniform(0.1, 3))))
            await asyncio.sleep(chance.expovariate(1 / 0.3))
            # A slot that is free while somebody waits would be lost.
            assert slots.taken == 4 or slots.waiting == 0
            assert len(holding) <= slots.taken <= 4
        await asyncio.gather(*visits)

    run_virtual(churn())
    assert served == sorted(served)
    assert len(served) + len(gave_up) == 200
    assert gave_up
    assert (peak, slots.taken, slots.waiting) == (4, 0, 0)


LIMITED = tuple(License(f"license {limit}", max_sessions=limit) for limit in (1, 3, None))


class QueueModel(RuleBasedStateMachine):
    """Slots against two plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.holders: list[Queuer] = []
        self.queue: list[Queuer] = []
        self.heard: dict[Queuer, list[int]] = {}

    @initialize(capacity=st.integers(1, 3), queue_size=st.integers(0, 4))
    def open(self, capacity: int, queue_size: int) -> None:
        self.slots = Slots(capacity, queue_size=queue_size)

    def present(self) -> list[Queuer]:
        return [*self.holders, *self.queue]

    def over_limit(self, grant: Grant, without: Queuer | None = None) -> bool:
        others = [queuer.ticket.grant for queuer in self.present() if queuer is not without]
        license, token = grant.license.max_sessions, grant.max_sessions
        return (license is not None and sum(other.license is grant.license for other in others) >= license) or (
            token is not None and sum(other.token_id == grant.token_id for other in others) >= token
        )

    grants = st.builds(
        lambda license, token, limit: Grant(license, token_id=token, max_sessions=limit if token else None),
        st.sampled_from(LIMITED),
        st.sampled_from(["", "tok_a", "tok_b"]),
        st.sampled_from([1, 2, None]),
    )

    @rule(grant=grants)
    def arrive(self, grant: Grant) -> None:
        room = len(self.holders) < self.slots.capacity
        if self.over_limit(grant):
            assert refusal_of(lambda: self.slots.join(grant)) is RefusalKind.LICENSE_LIMIT
        elif not room and len(self.queue) >= self.slots.queue_size:
            assert refusal_of(lambda: self.slots.join(grant)) is RefusalKind.NO_SLOT
        else:
            queuer = Queuer(self.slots, grant)
            (self.holders if room else self.queue).append(queuer)
            self.heard[queuer] = []

    @precondition(lambda self: self.present())
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        leaver = data.draw(st.sampled_from(self.present()))
        leaver.ticket.release()
        if leaver in self.holders:
            self.holders.remove(leaver)
            if self.queue:
                self.holders.append(self.queue.pop(0))
            moved = self.queue
        else:
            at = self.queue.index(leaver)
            del self.queue[at]
            moved = self.queue[at:]
        for queuer in moved:
            self.heard[queuer].append(self.queue.index(queuer) + 1)

    @precondition(lambda self: self.present())
    @rule(data=st.data(), grant=grants)
    def take_over(self, data: st.DataObject, grant: Grant) -> None:
        queuer = data.draw(st.sampled_from(self.present()))
        old = queuer.ticket
        if self.over_limit(grant, without=queuer):
            assert refusal_of(lambda: old.take_over(grant)) is RefusalKind.LICENSE_LIMIT
        else:
            queuer.ticket = old.take_over(grant, queuer.told.append)
            old.release()

    @invariant()
    def places_are_true(self) -> None:
        assert [queuer.ticket.position for queuer in self.holders] == [0] * len(self.holders)
        assert [queuer.ticket.position for queuer in self.queue] == list(range(1, len(self.queue) + 1))
        for queuer in self.present():
            assert queuer.told == self.heard[queuer]

    @invariant()
    def figures_are_true(self) -> None:
        if hasattr(self, "slots"):
            assert (self.slots.taken, self.slots.waiting) == (len(self.holders), len(self.queue))
            assert not self.queue or len(self.holders) == self.slots.capacity

    def teardown(self) -> None:
        for queuer in self.present():
            queuer.ticket.release()
        if hasattr(self, "slots"):
            assert (self.slots.taken, self.slots.waiting) == (0, 0)


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
