"""Where a call's messages go out: its present link, the next one while there is none, or nowhere when it is over."""

import asyncio
from collections.abc import Mapping
from typing import Any

from visavis.client.link import Link
from visavis.client.outcome import Outcome


class Outlet:
    """Sends to whatever link the call has; ``connect`` and ``end`` say which that is."""

    def __init__(self) -> None:
        self._link: Link | None = None
        self._changed = asyncio.Event()
        self.over: Outcome | None = None
        """Why the call is over, once it is."""

    @property
    def connected(self) -> bool:
        """Whether there is a link."""
        return self._link is not None

    def connect(self, link: Link | None) -> None:
        """Send to that link from now on; None: there is none now, but there may be one."""
        self._link = link
        self._changed.set()

    def end(self, over: Outcome) -> None:
        """There will be none."""
        self._link = None
        self.over = over
        self._changed.set()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send, as soon as there is a link. Raises ``CallEndedError`` when there will be none."""
        while not await self.try_to_send(message):
            link = self._link
            self._changed.clear()
            if self.over is None and (link is None or link.over.done()):
                await self._changed.wait()

    async def try_to_send(self, message: Mapping[str, Any]) -> bool:
        """Whether there is a link now, and it took the message. Raises ``CallEndedError``."""
        if self.over:
            raise self.over.ended()
        return self._link is not None and await self._link.send(message)
