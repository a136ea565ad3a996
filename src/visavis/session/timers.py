"""The time limits of a session, and who watches them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from visavis.session.events import Ending, Expiring

_NEAR = 0.001
"""Seconds by which a timer may be early."""


@dataclass(frozen=True, slots=True)
class Timers:
    """Limits in seconds; 0: none, where that is allowed."""

    queue: float = 60.0
    """For a slot."""
    prepare: float = 30.0
    """For the avatar's face and parts."""
    start: float = 120.0
    """For all that comes before connected media, the queue too."""
    media: float = 20.0
    """For media to come up, once the client has the offer."""
    media_lost: float = 10.0
    max_duration: float = 3600.0
    """From connected media on; 0: none."""
    idle: float = 300.0
    """0: none."""
    idle_warning: float = 30.0
    """How long before the end by ``idle`` or ``max_duration`` the visitor is told; 0: never.

    At most half of the limit: a visitor of a minute is not warned at its beginning.
    """


class Watch:
    """Calls ``end`` when a session's time is over, and ``warn`` a while before, where more than the start is over.

    To be made and run from admission on; what waits for a slot and for the avatar's parts is bounded by whoever waits
    (``Timers.queue``, ``Timers.prepare``). ``media`` is set when media has come up; ``quiet_since`` gives the loop time
    since when nobody has said anything, None while somebody does. ``max_duration`` is a limit of the visitor's own,
    None for none; the shorter one counts, less ``spent``: the seconds of those connections whose slot this one has now.
    """

    def __init__(
        self,
        timers: Timers,
        media: asyncio.Event,
        *,
        quiet_since: Callable[[], float | None],
        end: Callable[[Ending, str], None],
        warn: Callable[[Expiring], None],
        max_duration: float | None = None,
        spent: float = 0.0,
    ) -> None:
        self._timers = timers
        self._media = media
        self._quiet_since = quiet_since
        self._end = end
        self._warn = warn
        limits = [limit for limit in (timers.max_duration or None, max_duration) if limit is not None]
        self._max_duration = min(limits, default=None)
        self._spent = spent
        self._connected_at: float | None = None
        self._alive = asyncio.get_running_loop().time()
        self._coming: asyncio.TimerHandle | None = None
        self._lost: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Watch over the start, the duration and idleness, until cancelled or a limit is reached."""
        if not await self._started():
            return
        self._connected_at = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as limits:
            limits.create_task(self._duration())
            limits.create_task(self._idleness())

    @property
    def connected_for(self) -> float:
        """Seconds since media was connected first, with those that were spent before."""
        at = self._connected_at
        return self._spent + (asyncio.get_running_loop().time() - at if at is not None else 0.0)

    def offered(self) -> None:
        """The client has the offer: media has ``Timers.media`` seconds to come up."""
        self._cancel(self._coming)
        self._coming = asyncio.get_running_loop().call_later(self._timers.media, self._not_come)

    def media_lost(self) -> None:
        """Media stands still; it has ``media_lost`` seconds to come back."""
        self._cancel(self._lost)
        self._lost = asyncio.get_running_loop().call_later(
            self._timers.media_lost, self._end, Ending.MEDIA_FAILED, "The connection for picture and sound was lost."
        )

    def media_found(self) -> None:
        """Media is there again."""
        self._cancel(self._lost)

    def keep_alive(self) -> None:
        """The visitor is there, if silent: the idle time begins anew."""
        self._alive = asyncio.get_running_loop().time()

    def close(self) -> None:
        """Media does not matter any more. Idempotent; ``run`` is the owner's to cancel."""
        self._cancel(self._coming)
        self._cancel(self._lost)

    async def _started(self) -> bool:
        try:
            async with asyncio.timeout(self._timers.start or None):
                await self._media.wait()
        except TimeoutError:
            self._end(Ending.SESSION_TIMEOUT, "The conversation could not be started in time.")
            return False
        self._cancel(self._coming)
        return True

    async def _duration(self) -> None:
        if self._max_duration is None:
            return
        limit = max(0.0, self._max_duration - self._spent)
        lead = self._lead(limit)
        await asyncio.sleep(limit - lead)
        if lead:
            message = "The longest allowed time of a conversation is nearly over."
            self._warn(Expiring(Ending.SESSION_TIMEOUT, lead, message, preventable=False))
            await asyncio.sleep(lead)
        self._end(Ending.SESSION_TIMEOUT, "The longest allowed time of a conversation has passed.")

    async def _idleness(self) -> None:
        limit, loop = self._timers.idle, asyncio.get_running_loop()
        lead, warned = self._lead(limit), -1.0
        # Nobody can say anything before media is there.
        self._alive = max(self._alive, loop.time())
        while limit:
            quiet = self._quiet_since()
            since = loop.time() if quiet is None else max(quiet, self._alive)
            left = since + limit - loop.time()
            if left <= _NEAR:
                self._end(Ending.SESSION_TIMEOUT, "Nobody has said anything for a while.")
                return
            if lead and left <= lead + _NEAR and warned != since:
                warned = since
                message = "Nobody has said anything for a while. The conversation ends soon."
                self._warn(Expiring(Ending.SESSION_TIMEOUT, left, message))
            await asyncio.sleep(left if warned == since else left - lead)

    def _lead(self, limit: float) -> float:
        return min(self._timers.idle_warning, limit / 2)

    def _not_come(self) -> None:
        if not self._media.is_set():
            self._end(Ending.MEDIA_FAILED, "The connection for picture and sound did not come up.")

    def _cancel(self, timer: asyncio.TimerHandle | None) -> None:
        if timer:
            timer.cancel()
