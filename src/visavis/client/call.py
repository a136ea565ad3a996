"""A call over the unified WebSocket, from Python."""

import asyncio
import base64
import contextlib
import ipaddress
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

import numpy as np
from aiortc import RTCIceServer
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from visavis.client.errors import CallClosed, CallError, CallRefused, CallUnreachable
from visavis.client.media import AudioFrame, Receiver, VideoFrame

MICROPHONE_RATE = 24_000
"""Hz of the sound that ``Call.send_audio`` takes."""

PATH = "/wss/v2/realtime-chat"
_EVENTS_HELD = 4096
_CLOSE_SECONDS = 5.0
"""How long the other side may take to close the connection, and a call's work to end after it."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something the server told. ``at`` is loop time; ``data`` is never None; ``message`` is the whole message."""

    type: str
    data: Mapping[str, Any]
    at: float
    message: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The words it carries, where it carries any."""
        return str(self.data.get("content", ""))


class Call:
    """One conversation with an avatar; an async context manager.

    ``server`` is the server's web address. ``on_audio`` and ``on_video`` get the avatar's sound and picture, on the
    event loop, and must not block; what they raise ends the call. Entering raises ``CallRefused`` or
    ``CallUnreachable``.
    """

    def __init__(
        self,
        server: str,
        *,
        license: str,
        name: str | None = None,
        avatar_id: str | None = None,
        model: str | None = None,
        history: Sequence[str] = (),
        on_audio: Callable[[AudioFrame], None] | None = None,
        on_video: Callable[[VideoFrame], None] | None = None,
        timeout: float = 15.0,
    ) -> None:
        self._url = _url(server, license=license, name=name, avatar_id=avatar_id, model=model)
        self._history = tuple(history)
        self._timeout = timeout
        self._receiver = Receiver(
            on_audio or _ignore, on_video or _ignore, loopback=_is_loopback(server), on_failure=self._fail
        )
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ice_servers: list[RTCIceServer] = []
        self._events: asyncio.Queue[Event | None] = asyncio.Queue(_EVENTS_HELD)
        self._ready = asyncio.Event()
        self._over: CallClosed | None = None
        self.session_id = ""
        self.warning = ""
        """What the server found odd about the call, such as several avatars of one name."""
        self.dropped_events = 0
        """Events that nobody took; the oldest go first, beyond 4096."""

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(self._timeout):
                await self._connect()
        except BaseException as error:
            await self.close()
            if reason := _unreachable(error):
                raise CallUnreachable(reason) from None
            raise
        return self

    async def _connect(self) -> None:
        self._socket = await connect(self._url, max_size=None, compression=None, close_timeout=_CLOSE_SECONDS)
        first = await self._receive()
        if first.type != "conversation.connected.success":
            raise CallRefused(first.type, _human(first))
        self.session_id = str(first.data.get("sessionId", ""))
        self._ice_servers = [_ice_server(entry) for entry in first.data.get("iceServers") or ()]
        self._put(first)
        self._reader = asyncio.get_running_loop().create_task(self._read())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def over(self) -> CallClosed | None:
        """Why the call ended, once it has."""
        return self._over

    async def wait_ready(self) -> None:
        """Until the server takes the microphone. Raises ``CallClosed`` when it ends the call instead."""
        await self._wait(self._ready, "The server did not get ready in time.")

    async def wait_media(self) -> None:
        """Until picture and sound are connected. Raises ``CallClosed``."""
        await self._wait(self._receiver.connected, "Picture and sound could not be connected in time.")

    async def events(self) -> AsyncIterator[Event]:
        """Everything the server tells, from the first message on, until the call ends. Each event is given out once."""
        while (event := await self._events.get()) is not None:
            yield event
        # The end is for whoever asks next, too.
        self._put(None)

    async def send_audio(self, pcm: NDArray[np.int16]) -> None:
        """Microphone sound: mono int16 at ``MICROPHONE_RATE``, at the pace at which it was recorded."""
        audio = base64.b64encode(pcm.astype("<i2").tobytes()).decode()
        await self.send({"type": "realtime.input_audio_buffer.append", "data": {"audio": audio}})

    async def send_text(self, text: str, *, reply: bool = True) -> None:
        """Say something in writing; ``reply``: have it answered."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self.send({"type": "conversation.item.create", "item": item})
        if reply:
            await self.send({"type": "response.create"})

    async def send_image(self, picture: bytes, *, media_type: str = "image/jpeg", reply: bool = False) -> None:
        """Show a picture; ``reply``: have it spoken about."""
        content = f"data:{media_type};base64,{base64.b64encode(picture).decode()}"
        await self.send({"type": "realtime.input_image", "data": {"content": content, "reply": int(reply)}})

    async def configure(
        self, *, voice: str | None = None, prompt: str | None = None, tools: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Change the avatar for this call; ``tools`` in OpenAI's flat form."""
        given = {"voice": voice, "prompt": prompt, "tools": tools}
        content = json.dumps({key: value for key, value in given.items() if value is not None})
        await self.send({"type": "realtime.input_config", "data": {"content": content}})

    async def send_tool_result(self, call_id: str, output: str, *, reply: bool = True) -> None:
        """Return what a tool gave; ``reply``: have it spoken about."""
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send({"type": "conversation.item.create", "item": item})
        if reply:
            await self.send({"type": "response.create"})

    async def send(self, message: Mapping[str, Any]) -> None:
        """Any message of the protocol. Raises ``CallClosed`` when the call is over."""
        if self._socket is None or self._over:
            raise self._over or CallError("the call has not been made yet")
        with contextlib.suppress(ConnectionClosed):
            await self._socket.send(json.dumps(message))
            return
        raise self._over or CallClosed("closed", "The connection is closed.")

    async def close(self) -> None:
        """Hang up and free everything. Idempotent."""
        if self._socket:
            await self._socket.close()
        if self._reader:
            # It ends by itself once the connection is closed, and frees what it holds.
            await asyncio.wait([self._reader], timeout=_CLOSE_SECONDS)
            if not self._reader.done():
                self._reader.cancel()
                await asyncio.wait([self._reader])
        await self._receiver.close()
        self._finish(CallClosed("closed", "Hung up."))

    async def _wait(self, event: asyncio.Event, late: str) -> None:
        waiting = asyncio.get_running_loop().create_task(event.wait())
        try:
            reader = self._reader
            if reader is None:
                raise CallError("the call has not been made yet")
            await asyncio.wait({waiting, reader}, timeout=self._timeout, return_when=asyncio.FIRST_COMPLETED)
            if not event.is_set():
                raise self._over or CallError(late)
        finally:
            waiting.cancel()

    async def _read(self) -> None:
        last: Event | None = None
        try:
            while True:
                last = await self._receive()
                # A connection that closes meanwhile may still have said why: that comes next.
                with contextlib.suppress(CallClosed):
                    await self._act(last)
                self._put(last)
        except ConnectionClosed as closed:
            reason = _human(last) if last and last.type.startswith("conversation.connected.") else ""
            kind = last.type if reason and last else "closed"
            code = closed.rcvd.code if closed.rcvd else 1006
            self._finish(CallClosed(kind, reason or f"The connection was closed ({code})."))
        except Exception as error:
            self._finish(_failed(error))
        finally:
            await self._receiver.close()
            if self._socket:
                await self._socket.close()

    def _fail(self, error: Exception) -> None:
        """A callback raised: the call is over, and its reader frees it."""
        if self._over is None and self._reader:
            self._finish(_failed(error))
            self._reader.cancel()

    async def _receive(self) -> Event:
        socket = self._socket
        assert socket is not None
        message = _mapping(json.loads(await socket.recv()))
        data = _mapping(message.get("data") or {})
        return Event(str(message.get("type", "")), data, asyncio.get_running_loop().time(), message)

    async def _act(self, event: Event) -> None:
        match event.type:
            case "webrtc.signaling.offer":
                sdp = await self._receiver.answer(str(event.data["sdp"]["sdp"]), self._ice_servers)
                answer = {"sdp": {"type": "answer", "sdp": sdp}}
                await self.send({"type": "webrtc.signaling.answer", "data": answer})
            case "realtime.session.created":
                for text in self._history:
                    await self.send_text(text, reply=False)
            case "realtime.session.updated":
                self._ready.set()
            case "conversation.connected.warning":
                self.warning = _human(event)
            case _:
                pass

    def _put(self, event: Event | None) -> None:
        if event and self._over:
            return
        if self._events.full():
            self._events.get_nowait()
            self.dropped_events += 1
        self._events.put_nowait(event)

    def _finish(self, why: CallClosed) -> None:
        if self._over is None:
            self._over = why
            self._put(None)


def _url(server: str, *, license: str, **options: str | None) -> str:
    parts = urlsplit(server)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
    query = urlencode({"license": license} | {_QUERY[key]: value for key, value in options.items() if value})
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + PATH, query, ""))


_QUERY = {"name": "name", "avatar_id": "avatarId", "model": "model"}


def _human(event: Event) -> str:
    return str(event.message.get("message") or event.data.get("message") or event.type)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"an object was expected, not {type(value).__name__}")
    return cast(dict[str, Any], value)


def _ice_server(entry: Any) -> RTCIceServer:
    given = _mapping(entry)
    urls: Any = given["urls"]
    listed: list[Any] = [urls] if isinstance(urls, str) else list(urls)
    if not all(isinstance(url, str) for url in listed):
        raise ValueError("an ICE server's urls are text")
    return RTCIceServer(urls=listed, username=given.get("username"), credential=given.get("credential"))


def _unreachable(error: BaseException) -> str | None:
    """In words, why there is no call; None for an error that says so itself, or is none of the server's."""
    match error:
        case TimeoutError():
            return "The server does not answer."
        case ConnectionClosed():
            return "The server closed the connection without a word."
        case OSError() | WebSocketException():
            return f"The server cannot be reached: {type(error).__name__}"
        case ValueError() | KeyError() | TypeError():
            return "What answers there does not speak this protocol."
        case _:
            return None


def _failed(error: Exception) -> CallClosed:
    closed = CallClosed("failed", f"The call failed: {type(error).__name__}: {error}")
    closed.__cause__ = error
    return closed


def _is_loopback(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _ignore(frame: AudioFrame | VideoFrame) -> None:
    del frame


async def pace(pcm: NDArray[np.int16], seconds: float = 0.02) -> AsyncIterator[NDArray[np.int16]]:
    """Give out recorded sound (``MICROPHONE_RATE``) in pieces of ``seconds``, as a microphone would."""
    loop = asyncio.get_running_loop()
    count, start = round(seconds * MICROPHONE_RATE), loop.time()
    for index in range(0, len(pcm), count):
        due = start + (index + count) / MICROPHONE_RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield pcm[index : index + count]
