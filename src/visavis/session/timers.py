"""The time limits of a session, and who watches them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from visavis.session.events import Ending


@dataclass(frozen=True, slots=True)
class Timers:
    """Limits in seconds; 0: none, where that is allowed."""

    media: float = 20.0
    """For media to come up."""
    media_lost: float = 10.0
    max_duration: float = 3600.0
    idle: float = 300.0


class Watch:
    """Calls ``end`` when a session's time is over.

    ``media`` is set when media has come up; ``quiet_since`` gives the loop time since when nobody has said anything,
    None while somebody does.
    """

    def __init__(
        self,
        timers: Timers,
        media: asyncio.Event,
        quiet_since: Callable[[], float | None],
        end: Callable[[Ending, str], None],
    ) -> None:
        self._timers = timers
        self._media = media
        self._quiet_since = quiet_since
        self._end = end
        self._lost: asyncio.TimerHandle | None = None

    async def run(self) -> None:
        """Watch over all but lost media, until cancelled or a limit is reached."""
        async with asyncio.TaskGroup() as limits:
            limits.create_task(self._media_up())
            limits.create_task(self._duration())
            limits.create_task(self._idleness())

    def media_lost(self) -> None:
        """Media stands still; it has ``media_lost`` seconds to come back."""
        self.media_found()
        self._lost = asyncio.get_running_loop().call_later(
            self._timers.media_lost, self._end, Ending.MEDIA_FAILED, "The connection for picture and sound was lost."
        )

    def media_found(self) -> None:
        """Media is there again, or it does not matter any more."""
        if self._lost:
            self._lost.cancel()
            self._lost = None

    async def _media_up(self) -> None:
        try:
            async with asyncio.timeout(self._timers.media):
                await self._media.wait()
        except TimeoutError:
            self._end(Ending.MEDIA_FAILED, "The connection for picture and sound did not come up.")

    async def _duration(self) -> None:
        if self._timers.max_duration:
            await asyncio.sleep(self._timers.max_duration)
            self._end(Ending.SESSION_TIMEOUT, "The longest allowed time of a conversation has passed.")

    async def _idleness(self) -> None:
        limit, loop = self._timers.idle, asyncio.get_running_loop()
        await self._media.wait()
        while limit:
            since = self._quiet_since()
            remaining = limit if since is None else since + limit - loop.time()
            if remaining <= 0:
                self._end(Ending.SESSION_TIMEOUT, "Nobody has said anything for a while.")
                return
            await asyncio.sleep(remaining)
