"""One connection of a call, from dialling to its end: a WebSocket, and the WebRTC connection negotiated on it."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from aiortc import RTCIceServer
from aiortc.exceptions import OperationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from visavis.client import wire
from visavis.client.errors import ServerConnectionFailedError
from visavis.client.events import Message
from visavis.client.media import AudioFrame, Receiver, VideoFrame
from visavis.client.options import Timeouts
from visavis.client.outcome import HUNG_UP, Outcome, app_failed, is_farewell, verdict
from visavis.client.picture import Picture
from visavis.client.states import STEPS, ConnectionState, ConnectionStateType, connection_state

logger = structlog.get_logger(__name__)

NORMAL: Final = 1000
GOING_AWAY: Final = 1001
"""Close codes (RFC 6455 §7.4.1): of a client that hangs up, and of one that may come back."""

_CLOSE_SECONDS: Final = 5.0
"""How long the server may take to answer a close."""
_FAREWELL_SECONDS: Final = 1.5
"""How long the close may take after the server's last word."""
_PING_SECONDS: Final = 5.0
_PONG_SECONDS: Final = 12.0
"""A server that answers no ping for so long is lost."""
_MOST_BYTES: Final = 1 << 26
"""The largest message that is taken from a server."""

_QUIET: Final = logging.getLogger("visavis.client.websocket")
"""The WebSocket library's own words, of which those of level DEBUG have the license in them."""
_QUIET.setLevel(logging.INFO)

_SERVER_STATES: Final[Mapping[str, ConnectionStateType]] = {
    "queued": ConnectionStateType.SEARCHING,
    "preparing": ConnectionStateType.DOWNLOADING_ASSETS,
    "connecting": ConnectionStateType.CONNECTING,
}
"""``connected`` is left to what is really received."""


@dataclass(frozen=True, slots=True)
class Ears:
    """Who is told of what a link receives: on the event loop, and what they raise ends the link."""

    message: Callable[["Link", Message], Awaitable[None]]
    state: Callable[[ConnectionState], None]
    audio: Callable[[AudioFrame], None]
    video: Callable[[VideoFrame], None]


class Link:
    """A connection. ``open`` makes it, ``over`` tells why it ended, ``close`` frees it.

    It is open when the server takes the microphone and the first picture was decoded (the first sound, of a server
    that offers no picture).
    """

    def __init__(self, url: str, *, loopback: bool, timeouts: Timeouts, ears: Ears) -> None:
        self._url = url
        self._timeouts = timeouts
        self._ears = ears
        self._receiver = Receiver(self._hear, self._see, loopback=loopback, on_failure=self._app_failed)
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._freeing: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._awaited: Outcome | None = None
        """What it is to end with."""
        self._pulse: asyncio.TimerHandle | None = None
        self._ice_servers: list[RTCIceServer] = []
        self._state = connection_state(ConnectionStateType.DISCONNECTED)
        self._pictured = False
        """Whether the server offers a picture."""
        self._frames = 0
        self._flowing = False
        self._ready = False
        self._open = asyncio.Event()
        self.over: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        """Why it ended."""
        self.resumed = False
        """Whether the server went on with an earlier session."""
        self.picture: Picture | None = None
        """What it sends, as far as it says."""

    async def open(self) -> None:
        """Connect. Raises a ``CallError``, or what one of the ears raised; ``close`` it in every case."""
        self._enter(ConnectionStateType.SEARCHING)
        try:
            async with asyncio.timeout(self._timeouts.answer):
                self._socket = await self._dial()
        except TimeoutError:
            raise ServerConnectionFailedError("The server does not answer.", "no_answer") from None
        self._limit(self._timeouts.answer, Outcome("no_answer", "The server does not answer."))
        self._reader = asyncio.create_task(self._read(self._socket))
        opening = asyncio.create_task(self._open.wait())
        try:
            await asyncio.wait({opening, self.over}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            opening.cancel()
        if self.over.done():
            raise self.over.result().error()

    async def send(self, message: Mapping[str, Any]) -> bool:
        """Whether the message could be given to a connection that is up."""
        if self._socket is None or self.over.done():
            return False
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed:
            return False
        return True

    async def close(self, code: int | None = NORMAL) -> None:
        """Free everything; None: without a word, so that the server takes the connection for lost.

        Idempotent; when the caller is cancelled, it still goes on to its end.
        """
        if self._freeing is None:
            self._end(HUNG_UP)
            self._freeing = asyncio.create_task(self._free(code))
        await asyncio.shield(self._freeing)

    async def _free(self, code: int | None) -> None:
        if self._socket:
            if code is None:
                self._socket.transport.abort()
                await self._socket.wait_closed()
            else:
                await self._socket.close(code)
        if self._reader:
            self._reader.cancel()
            await asyncio.wait([self._reader])
        await self._receiver.close()

    async def _dial(self) -> ClientConnection:
        try:
            return await connect(
                self._url,
                max_size=_MOST_BYTES,
                compression=None,
                open_timeout=None,
                close_timeout=_CLOSE_SECONDS,
                ping_interval=_PING_SECONDS,
                ping_timeout=_PONG_SECONDS,
                logger=_QUIET,
            )
        except TimeoutError:
            raise
        except (OSError, WebSocketException, ValueError) as error:
            # Their texts may have the address in them, and so the license.
            told = f"The server cannot be reached: {type(error).__name__}"
            raise ServerConnectionFailedError(told, "unreachable") from None

    async def _read(self, socket: ClientConnection) -> None:
        farewell: Message | None = None
        try:
            while not self.over.done():
                message = wire.parse(await socket.recv(), asyncio.get_running_loop().time())
                if farewell is None and is_farewell(message):
                    farewell = message
                    self._limit(_FAREWELL_SECONDS, verdict(message, None))
                await self._act(message)
                await self._ears.message(self, message)
        except ConnectionClosed as closed:
            self._end(verdict(farewell, closed.rcvd))
        except wire.ProtocolError:
            self._end(Outcome("bad_protocol", "What answers there does not speak this protocol."))
        except Exception as error:
            self._app_failed(error)

    async def _act(self, message: Message) -> None:
        match message.type:
            case "conversation.connected.success":
                self._ice_servers = wire.ice_servers(message)
                self.resumed = bool(message.data.get("resumed"))
                self._wait_for_preparation()
            case "conversation.connected.state":
                self._look_at(wire.picture(message))
                self._heed(message)
            case "webrtc.signaling.offer":
                await self._answer(wire.offer(message))
            case "realtime.session.updated":
                self._ready = True
                self._check()
            case _:
                pass

    def _look_at(self, picture: Picture | None) -> None:
        if picture:
            self.picture = picture
            self._receiver.transparent = picture.transparent

    def _heed(self, message: Message) -> None:
        """The server's own word on how far it is."""
        name = _SERVER_STATES.get(str(message.data.get("state", "")))
        if name is None:
            return
        position = message.data.get("queuePosition")
        self._enter(name, position if isinstance(position, int) and name is ConnectionStateType.SEARCHING else None)
        match name:
            case ConnectionStateType.SEARCHING:
                self._limit(self._timeouts.queue, Outcome("queue_timeout", "No place became free in time."))
            case ConnectionStateType.DOWNLOADING_ASSETS:
                self._wait_for_preparation()
            case _:
                self._wait_for_media()

    async def _answer(self, sdp: str) -> None:
        """Answer an offer; a later one than the first begins anew."""
        self._enter(ConnectionStateType.CONNECTING)
        self._wait_for_media()
        self._pictured = "\nm=video" in sdp
        try:
            answer = await self._receiver.answer(sdp, self._ice_servers)
        except OperationError as error:
            self._end(Outcome("not_supported", f"The server offers no media that can be received here: {error}"))
        except Exception as error:
            # Whatever the WebRTC library makes of an offer that it cannot take.
            logger.warning("offer_not_taken", error=f"{type(error).__name__}: {error}")
            self._end(Outcome("media_failed", f"The offered media cannot be connected: {error}"))
        else:
            await self.send(wire.answer(answer))

    def _enter(self, name: ConnectionStateType, position: int | None = None) -> None:
        """Go on to a state; never back."""
        state = connection_state(name, position)
        if self.over.done() or state == self._state or STEPS.index(name) < STEPS.index(self._state.name):
            return
        self._state = state
        self._ears.state(state)

    def _wait_for_preparation(self) -> None:
        self._limit(self._timeouts.prepare, Outcome("no_answer", "The avatar was not prepared in time."))

    def _wait_for_media(self) -> None:
        if not self._open.is_set():
            late = Outcome("media_timeout", "Picture and sound could not be connected in time.")
            self._limit(self._timeouts.media, late)

    def _limit(self, seconds: float | None, late: Outcome) -> None:
        """Give up when so many seconds have passed in this step; further words of the same step change nothing."""
        if self.over.done() or self._awaited == late:
            return
        self._unlimit()
        self._awaited = late
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._end, late)

    def _unlimit(self) -> None:
        self._awaited = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _hear(self, frame: AudioFrame) -> None:
        self._ears.audio(frame)
        self._frames += 1
        if not self._pictured:
            self._flow()

    def _see(self, frame: VideoFrame) -> None:
        self._ears.video(frame)
        self._frames += 1
        self._flow()

    def _flow(self) -> None:
        if not self._flowing:
            self._flowing = True
            self._check()

    def _check(self) -> None:
        if self._ready and self._flowing and not self._open.is_set() and not self.over.done():
            self._unlimit()
            self._enter(ConnectionStateType.CONNECTED)
            self._open.set()
            self._watch(self._frames - 1, 0)

    def _watch(self, frames: int, silent: int) -> None:
        """Look every second whether frames still come; an event loop that was busy for long counts once."""
        stall = self._timeouts.stall
        if stall is None or self.over.done():
            return
        silent = silent + 1 if frames == self._frames else 0
        if silent > stall:
            self._end(Outcome("media_failed", f"No picture and sound came for {stall:g} s.", lost=True))
            return
        self._pulse = asyncio.get_running_loop().call_later(1.0, self._watch, self._frames, silent)

    def _app_failed(self, error: Exception) -> None:
        self._end(app_failed(error))

    def _end(self, outcome: Outcome) -> None:
        if self.over.done():
            return
        self._unlimit()
        if self._pulse:
            self._pulse.cancel()
        self.over.set_result(outcome)
