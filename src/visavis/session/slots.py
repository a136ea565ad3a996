"""Slots: room for sessions, given first come, first served, and never inferred from load."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Final

import structlog

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Grant

log: Final = structlog.get_logger(__name__)


class TicketSpent(Exception):
    """The ticket was released, or another one has taken its place."""


class Slots:
    """``capacity`` slots and a queue of at most ``queue_size`` visitors who wait for one; the next is refused.

    Every method is synchronous and done before it returns, so that on one event loop nothing comes between. While
    anybody waits, every slot is taken. Who waits counts towards the limits of license and token just as who talks.
    """

    def __init__(self, capacity: int, *, queue_size: int = 0) -> None:
        self.capacity: Final = capacity
        self.queue_size: Final = queue_size
        self._holders: set[Ticket] = set()
        self._queue: dict[Ticket, None] = {}
        self._by_license: Counter[str] = Counter()
        self._by_token: Counter[str] = Counter()

    @property
    def taken(self) -> int:
        """How many slots are in use."""
        return len(self._holders)

    @property
    def waiting(self) -> int:
        """How many visitors are in the queue."""
        return len(self._queue)

    def join(self, grant: Grant, on_move: Callable[[int], None] | None = None, *, returning: bool = False) -> "Ticket":
        """A ticket with a slot, or with the last place of the queue; the first one for who lost a slot (``returning``).

        ``on_move`` hears of every later change of the place in the queue, down to 1; that a slot was given is told by
        ``Ticket.wait``. Raises ``Refusal``: the limit of license or token is reached, or the queue is full.
        """
        self._check(grant)
        if self.taken >= self.capacity and self.waiting >= self.queue_size:
            raise Refusal(RefusalKind.NO_SLOT, "All avatars are busy at the moment. Please try again later.")
        ticket = Ticket(self, grant, on_move)
        self._count(grant, 1)
        if self.taken < self.capacity:
            self._holders.add(ticket)
            ticket.move(0)
        else:
            behind = list(self._queue) if returning else []
            self._queue = {ticket: None, **self._queue} if returning else {**self._queue, ticket: None}
            ticket.move(1 if returning else self.waiting)
            self._shift(behind, 2)
        return ticket

    def leave(self, ticket: "Ticket") -> None:
        """Used by ``Ticket.release``."""
        self._count(ticket.grant, -1)
        self._holders.discard(ticket)
        self._queue.pop(ticket, None)
        while self._queue and self.taken < self.capacity:
            first = next(iter(self._queue))
            del self._queue[first]
            self._holders.add(first)
            first.move(0)
        self._shift(list(self._queue), 1)

    def _shift(self, tickets: "list[Ticket]", first: int) -> None:
        """Give ``tickets`` the places of the queue from ``first`` on."""
        # All have moved before the first hears of it: what is told may make somebody else come or leave.
        for place, ticket in enumerate(tickets, first):
            ticket.move(place)
        for ticket in tickets:
            ticket.tell()

    def replace(self, old: "Ticket", new: "Ticket") -> None:
        """Used by ``Ticket.take_over``. Raises ``Refusal``; nothing has changed then."""
        self._count(old.grant, -1)
        try:
            self._check(new.grant)
        except Refusal:
            self._count(old.grant, 1)
            raise
        self._count(new.grant, 1)
        if old in self._holders:
            self._holders.remove(old)
            self._holders.add(new)
        else:
            self._queue = {new if ticket is old else ticket: None for ticket in self._queue}
        new.move(old.position)

    def _check(self, grant: Grant) -> None:
        license, limit = grant.license, grant.license.max_sessions
        if limit is not None and self._by_license[license.id] >= limit:
            raise Refusal(RefusalKind.LICENSE_LIMIT, f"This license allows {_conversations(limit)} at a time.")
        limit = grant.max_sessions
        if grant.token_id and limit is not None and self._by_token[grant.token_id] >= limit:
            raise Refusal(RefusalKind.LICENSE_LIMIT, f"This client token allows {_conversations(limit)} at a time.")

    def _count(self, grant: Grant, change: int) -> None:
        # Names that count nothing are dropped: tokens come and go for as long as the server runs.
        for counter, name in ((self._by_license, grant.license.id), (self._by_token, grant.token_id)):
            if name:
                counter[name] += change
                if not counter[name]:
                    del counter[name]


class Ticket:
    """A slot, or a place in the queue for one. To be released in the end, whatever became of it."""

    def __init__(self, slots: Slots, grant: Grant, on_move: Callable[[int], None] | None) -> None:
        self.grant: Final = grant
        self._slots: Slots | None = slots
        self._on_move = on_move
        self._place = -1
        self._told = -1
        self._decided = asyncio.Event()

    @property
    def position(self) -> int:
        """0: it has a slot; from 1 on: its place in the queue. Without meaning once it is spent."""
        return self._place

    @property
    def spent(self) -> bool:
        """Whether it was released, or another one has taken its place."""
        return self._slots is None

    async def wait(self) -> None:
        """Return as soon as it has a slot. Raises ``TicketSpent`` when it is, or becomes, spent."""
        await self._decided.wait()
        if self._slots is None:
            raise TicketSpent

    def release(self) -> None:
        """Give the slot to the next, or leave the queue; all behind hear of their new places. Idempotent."""
        slots = self._spend()
        if slots:
            slots.leave(self)

    def take_over(self, grant: Grant, on_move: Callable[[int], None] | None = None) -> "Ticket":
        """A new ticket with this one's slot or place, for the same visitor in another place; this one is then spent.

        It counts towards the limits of ``grant`` instead of this ticket's own. Raises ``Refusal`` when one of them is
        reached (nothing has changed then), and ``TicketSpent``.
        """
        if self._slots is None:
            raise TicketSpent
        ticket = Ticket(self._slots, grant, on_move)
        self._slots.replace(self, ticket)
        self._spend()
        return ticket

    def _spend(self) -> Slots | None:
        slots, self._slots = self._slots, None
        self._decided.set()
        return slots

    def move(self, place: int) -> None:
        """Used by ``Slots``: the ticket has another place; 0: a slot."""
        if self._told < 0:
            # The first place is the caller's to read.
            self._told = place
        self._place = place
        if place == 0:
            self._decided.set()

    def tell(self) -> None:
        """Used by ``Slots``: pass the new place on, if it is still new."""
        if self._on_move is None or self._slots is None or self._place in (0, self._told):
            return
        self._told = self._place
        try:
            self._on_move(self._place)
        except Exception:
            # One visitor's trouble must not keep the others from hearing.
            log.exception("a place in the queue could not be told")


def _conversations(limit: int) -> str:
    return "1 conversation" if limit == 1 else f"{limit} conversations"
