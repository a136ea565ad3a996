"""The queue between a session's events and its client's socket."""

import asyncio
from collections import deque
from typing import Final

from visavis.wire.navtalk.farewell import Farewell
from visavis.wire.navtalk.server_messages import AudioDelta, ServerMessage


class OutboxFull(Exception):
    """The client reads too slowly for what it has to be told."""


class Outbox:
    """Messages on their way out, at most ``size``.

    Copies of sound are refused once it is half full. Nothing else is ever left out silently: once there is no room
    for it, whoever takes from the outbox gets ``OutboxFull``, and the connection has to end.
    """

    def __init__(self, size: int) -> None:
        self._size: Final = size
        self._messages: Final[deque[ServerMessage]] = deque()
        self._farewell: Farewell | None = None
        self._filled: Final = asyncio.Event()
        self._overrun = False

    def __len__(self) -> int:
        return len(self._messages)

    def put(self, message: ServerMessage) -> bool:
        """Queue ``message``; whether it was taken."""
        if isinstance(message, AudioDelta) and len(self._messages) >= self._size // 2:
            return False
        self._overrun = self._overrun or len(self._messages) >= self._size
        if self._overrun:
            return False
        self._messages.append(message)
        self._filled.set()
        return True

    def finish(self, farewell: Farewell) -> None:
        """Queue the last messages, whatever room there is; what was put before them still goes first."""
        self._messages.extend(farewell.messages)
        self._farewell = farewell
        self._filled.set()

    async def take(self) -> ServerMessage | None:
        """The next message; None when all are taken and ``farewell`` is known. Raises ``OutboxFull``."""
        if self._overrun:
            raise OutboxFull
        while not self._messages:
            if self._farewell is not None:
                return None
            self._filled.clear()
            await self._filled.wait()
        return self._messages.popleft()

    @property
    def farewell(self) -> Farewell | None:
        """How the socket is to be closed once all is sent."""
        return self._farewell
