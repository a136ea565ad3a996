"""uvicorn's WebSocket protocol, with two bounds that it lacks, and a word for a connection that was lost."""

import asyncio
from asyncio.transports import BaseTransport
from typing import Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

READ_SIZE: Final = 4096
"""Bytes read at a time."""

LINGER: Final = 15.0
"""Seconds after which a connection that the application has left is cut off."""


class BoundedWebSocket(WebSocketsSansIOProtocol):
    """Keeps one client from holding up the event loop or a socket.

    uvicorn parses all that one read gave before anything else may run: 256 KiB of empty frames are 140 ms of work,
    in which every session stands still. Here a read gives 4 KiB, 3 ms of work. (TLS connections and other event loops
    have no such setting; TLS belongs to a proxy in front.) And a client that reads nothing would keep a closed
    connection's unsent bytes, and with them the socket, for as long as it likes; here it is cut off.

    uvicorn also tells a connection that broke as it tells a close without a code (1005); here it is 1006 (RFC 6455
    §7.1.5).
    """

    _linger: asyncio.TimerHandle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Bound the reads of ``transport``."""
        if hasattr(transport, "max_size"):  # asyncio's selector transport on a plain socket
            setattr(transport, "max_size", READ_SIZE)  # noqa: B010
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing lingers any more."""
        if self._linger is not None:
            self._linger.cancel()
        self._linger = None
        # Behind the client's close, if there was one, and before what uvicorn says: the first one counts.
        self.queue.put_nowait({"type": "websocket.disconnect", "code": 1006})
        super().connection_lost(exc)

    async def run_asgi(self) -> None:
        """Run the application, then bound what is left of the connection."""
        await super().run_asgi()
        if not self.disconnected:
            self._linger = self.loop.call_later(LINGER, self.transport.abort)
