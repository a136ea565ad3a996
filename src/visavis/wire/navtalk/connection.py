"""One client's WebSocket, from its acceptance to its close."""

import asyncio
from typing import Final

import structlog
from starlette.types import Message
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from visavis.session.events import Ended, Ending, Refusal, RefusalKind
from visavis.session.ports import Call, CallRequest, Reception
from visavis.wire.navtalk.encode import Encoder, success, warning
from visavis.wire.navtalk.farewell import POLICY, Farewell, farewell
from visavis.wire.navtalk.inbox import Inbox
from visavis.wire.navtalk.metrics import WireMetrics
from visavis.wire.navtalk.outbox import Outbox, OutboxFull
from visavis.wire.navtalk.server_messages import ConnectedSuccess, ServerMessage
from visavis.wire.navtalk.settings import NavtalkSettings

_log: Final = structlog.get_logger(__name__)

TRANSPARENCY: Final = "transparency"
"""The model whose calls only say the sound that is pushed."""

_SLOW_READER: Final = "slow_reader"
_LEFT: Final = "left"
_LOST: Final = "lost"

_HUNG_UP: Final = (1000, 1005)
"""Close codes of a client that leaves for good: normal, none given (RFC 6455 §7.4.1)."""

_GOING_AWAY: Final = 1001
"""That of a page which is left or loaded anew, and may come back."""

_LAST_READ: Final = 1.0
"""Seconds in which reading finds out how the client left, after writing has found that it did."""

_TROUBLE: Final = "Something went wrong on the server. Please call again."


class Connection:
    """Carries one call over one WebSocket.

    Three tasks: one reads, one hands over what waits for pictures, one follows the session's events; and the
    connection itself is the only one that writes. Whatever ends first ends all: the client's leaving (also while its
    session waits in the queue), the session's end, a client that reads too slowly. The call is left in every case, and
    told whether the client hung up or was lost.

    ``states``: the client is also told what clients written for NavTalk do not know (``progress``).
    """

    def __init__(
        self,
        socket: WebSocket,
        reception: Reception,
        settings: NavtalkSettings,
        metrics: WireMetrics,
        threads: asyncio.Semaphore,
        *,
        states: bool = False,
    ) -> None:
        self._socket: Final = socket
        self._reception: Final = reception
        self._settings: Final = settings
        self._metrics: Final = metrics
        self._threads: Final = threads
        self._states: Final = states
        self._outbox: Final = Outbox(settings.outbox_size)
        self._cause: str | None = None
        self._lost = True

    async def run(self, request: CallRequest) -> None:
        """Serve the client; returns when the socket is closed and the call left."""
        await self._socket.accept()
        with self._metrics.connections.track_inprogress():
            try:
                call = await self._admit(request)
            except Refusal as refusal:
                await self._tell_refusal(refusal)
                return
            self._metrics.calls.labels("admitted").inc()
            with structlog.contextvars.bound_contextvars(session=call.id):
                await self._serve(call, request.model == TRANSPARENCY)

    async def refuse(self, refusal: Refusal) -> None:
        """Turn the client away for what it asks for; returns when the socket is closed."""
        await self._socket.accept()
        with self._metrics.connections.track_inprogress():
            await self._tell_refusal(refusal)

    async def _tell_refusal(self, refusal: Refusal) -> None:
        self._metrics.calls.labels(refusal.kind.value).inc()
        address = self._socket.client.host if self._socket.client else ""
        _log.debug("call refused", kind=refusal.kind.value, address=address)
        await self._say_farewell(farewell(refusal, states=self._states))

    async def _admit(self, request: CallRequest) -> Call:
        """The call. Raises ``Refusal``, also for what the reception did not foresee."""
        allowed = self._settings.allowed_origins
        if request.origin is not None and "*" not in allowed and request.origin not in allowed:
            raise Refusal(RefusalKind.ORIGIN_NOT_ALLOWED, "This page may not call here: its origin is not allowed.")
        try:
            async with asyncio.timeout(self._settings.admit_timeout):
                return await self._reception.admit(request)
        except TimeoutError:
            raise Refusal(RefusalKind.BACKEND_ERROR, "The connection took too long. Please call again.") from None
        except Refusal:
            raise
        except Exception:
            self._metrics.failures.inc()
            _log.exception("admission failed")
            raise Refusal(RefusalKind.BACKEND_ERROR, _TROUBLE) from None

    async def _serve(self, call: Call, passthrough: bool) -> None:
        inbox = Inbox(call, self._settings, self._metrics, self._threads, passthrough)
        reading = asyncio.create_task(self._read(inbox), name="wire-read")
        writing = asyncio.create_task(self._write(), name="wire-write")
        following = asyncio.create_task(self._follow(call), name="wire-follow")
        tasks = [reading, writing, asyncio.create_task(inbox.run_lane(), name="wire-lane")]
        try:
            await asyncio.wait({reading, writing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            cause = self._cause or _LOST
            await self._stop(tasks)
            # Before its events are given up, which would be an end too, but one that says nothing.
            await self._leave(call)
            await self._stop([following])
            self._metrics.closed.labels(cause).inc()
            _log.info("connection over", cause=cause)

    async def _stop(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                _log.error("connection failed", exc_info=result)

    async def _read(self, inbox: Inbox) -> None:
        """Take the client's messages until it is gone."""
        while (frame := await self._socket.receive())["type"] != "websocket.disconnect":
            await inbox.take(frame)
        code = frame.get("code")
        self._lost = code not in _HUNG_UP
        self._cause = self._cause or (_LOST if self._lost and code != _GOING_AWAY else _LEFT)

    async def _follow(self, call: Call) -> None:
        """Queue what every call begins with and what the session tells; an end without a word is told as a failure."""
        encoder = Encoder(self._settings.tool_arguments, self._settings.audio_delta, self._states)
        try:
            self._outbox.put(self._success(call))
            if call.notice is not None:
                self._outbox.put(warning(call.notice))
            async for event in call.events():
                if isinstance(event, Ended):
                    self._finish(event)
                    continue
                for message in encoder.encode(event):
                    if not self._outbox.put(message):
                        self._metrics.dropped.labels("slow_reader").inc()
        except Exception:
            self._metrics.failures.inc()
            _log.exception("session failed")
        if self._outbox.farewell is None:
            self._finish(Ended(Ending.BACKEND_ERROR, _TROUBLE))

    def _success(self, call: Call) -> ConnectedSuccess:
        if not self._states:
            return success(call.id, call.ice_servers)
        return success(
            call.id,
            call.ice_servers,
            resume_token=call.resume_key,
            persistent=call.persistent if call.resume_key else None,
            resumed=call.resumed,
        )

    def _finish(self, ended: Ended) -> None:
        self._cause = ended.ending.value
        self._outbox.finish(farewell(ended, states=self._states))

    async def _write(self) -> None:
        """Send what is queued, until all is said and the socket closed, or the client cannot be told."""
        try:
            while (message := await self._outbox.take()) is not None:
                await self._send(message)
            if self._outbox.farewell is not None:
                await self._close(self._outbox.farewell)
        except (OutboxFull, TimeoutError):
            self._cause = _SLOW_READER
            self._metrics.dropped.labels(_SLOW_READER).inc(len(self._outbox))
            await self._close(Farewell((), POLICY, _SLOW_READER))
        except WebSocketDisconnect:
            await asyncio.sleep(_LAST_READ)

    async def _send(self, message: ServerMessage) -> None:
        text = message.json_text()
        async with asyncio.timeout(self._settings.send_timeout):
            await self._to_server({"type": "websocket.send", "text": text})
        self._metrics.sent.labels(message.type).inc()
        self._metrics.sent_bytes.inc(len(text))

    async def _to_server(self, message: Message) -> None:
        """Hand ``message`` to the web server. Raises ``WebSocketDisconnect`` when the connection is over."""
        try:
            await self._socket.send(message)
        except RuntimeError as error:
            # uvicorn's word for a connection that it has closed itself: no pong, too large a message.
            raise WebSocketDisconnect(1006) from error

    async def _say_farewell(self, last: Farewell) -> None:
        try:
            for message in last.messages:
                await self._send(message)
        except (TimeoutError, WebSocketDisconnect):
            _log.debug("farewell not heard")
        else:
            await self._close(last)

    async def _close(self, last: Farewell) -> None:
        """Send the close frame; the web server waits for the client's own for a bounded time."""
        if self._socket.client_state is WebSocketState.DISCONNECTED:
            return
        try:
            async with asyncio.timeout(self._settings.close_timeout):
                await self._to_server({"type": "websocket.close", "code": last.code, "reason": last.reason})
        except (TimeoutError, WebSocketDisconnect):
            _log.debug("close not heard", code=last.code)

    async def _leave(self, call: Call) -> None:
        try:
            async with asyncio.timeout(self._settings.leave_timeout):
                await call.leave(lost=self._lost)
        except Exception:
            self._metrics.failures.inc()
            _log.exception("session could not be left")
