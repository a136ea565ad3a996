"""What every client does: look the avatar up, open the unified socket, answer the offer, keep a microphone open.

The clients beside this module read only the fields that their originals read, and raise where those fail. What they
raise ends them, and comes out of ``Client.until``.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import httpx
import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.e2e.clients.peer import Peer
from visavis.client import MICROPHONE_RATE

LOOK_UPS = "/api/open/v1/avatar"
SOCKET = "/wss/v2/realtime-chat"

Message = dict[str, Any]
Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where clients are pointed: the server's address and key, and the origin of the pages that may call it."""

    url: str
    license: str
    origin: str


class Microphone:
    """An open microphone: sends silence, and what is said, in pieces of ``samples`` at their own pace."""

    def __init__(self, send: Send, samples: int, rate: int = MICROPHONE_RATE) -> None:
        self._send = send
        self._samples = samples
        self._rate = rate
        self._waiting = np.zeros(0, np.int16)
        self._said = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def say(self, pcm: NDArray[np.int16]) -> float:
        """Returns the loop time when the last piece was sent. Raises what sending raises."""
        self._said.clear()
        self._waiting = np.concatenate((self._waiting, pcm))
        said = asyncio.create_task(self._said.wait())
        await asyncio.wait({said, self._task}, return_when=asyncio.FIRST_COMPLETED)
        said.cancel()
        if self._task.done():
            self._task.result()
        return asyncio.get_running_loop().time()

    async def close(self) -> None:
        """Switch it off. Raises what sending raised, unless that was the end of the call."""
        self._task.cancel()
        await asyncio.wait([self._task])
        error = None if self._task.cancelled() else self._task.exception()
        if error and not isinstance(error, ConnectionClosed):
            raise error

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due += self._samples / self._rate
            await asyncio.sleep(max(0.0, due - loop.time()))
            piece, self._waiting = np.split(self._waiting, [self._samples])
            silence = np.zeros(self._samples - len(piece), np.int16)
            await self._send(np.concatenate((piece, silence)).astype("<i2").tobytes())
            if not len(self._waiting):
                self._said.set()


class Client:
    """One call by one program; an async context manager. Subclasses are the programs."""

    samples: ClassVar[int] = 1200
    """Of one piece of the microphone's."""
    is_page: ClassVar[bool] = True
    """Whether a browser runs it, which tells the page's origin."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.peer = Peer(self.changed)
        self.received: list[Message] = []
        self.users: list[str] = []
        """What the program shows as said by the visitor."""
        self.answers: list[str] = []
        """What the program shows as said by the avatar."""
        self.microphones: list[Microphone] = []
        self.closed: ConnectionClosed | None = None
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    # What the programs differ in.

    async def look_up(self) -> None:
        """Ask for the avatar before the call, as the program does."""

    def query(self) -> str:
        """The socket's query, encoded as the program does."""
        raise NotImplementedError

    async def on_open(self) -> None:
        """The socket is open."""

    async def on_message(self, kind: str, message: Message) -> None:
        """A message came."""
        raise NotImplementedError

    # What they share.

    async def __aenter__(self) -> Self:
        await self.look_up()
        address = f"{self.place.url.replace('http', 'ws', 1)}{SOCKET}?{self.query()}"
        # Browsers and the phones' libraries send no more than this.
        self._socket = await connect(address, origin=self.place.origin if self.is_page else None, max_size=None)
        assert self._socket.subprotocol is None
        await self.on_open()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._socket:
            await self._socket.close()
        if self._reading:
            await asyncio.wait([self._reading])
        for microphone in self.microphones:
            await microphone.close()
        await self.peer.close()
        if self._reading:
            self._reading.result()

    async def get(self, path: str, *, headers: dict[str, str] | None = None) -> Any:
        """The ``data`` of a look-up. A page's browser lets it read the answer only where CORS allows that."""
        given = {**(headers or {}), **({"origin": self.place.origin} if self.is_page else {})}
        async with httpx.AsyncClient(base_url=self.place.url, trust_env=False) as http:
            if self.is_page and headers:
                await self._preflight(http, path, headers)
            answer = await http.get(f"{LOOK_UPS}/{path}", headers=given)
        if self.is_page:
            assert answer.headers["access-control-allow-origin"] in ("*", self.place.origin)
        assert answer.json()["code"] == 200
        return answer.json()["data"]

    async def _preflight(self, http: httpx.AsyncClient, path: str, headers: dict[str, str]) -> None:
        asked = {"origin": self.place.origin, "access-control-request-method": "GET"}
        names = ",".join(sorted(headers))
        answer = await http.options(f"{LOOK_UPS}/{path}", headers={**asked, "access-control-request-headers": names})
        assert answer.is_success
        assert answer.headers["access-control-allow-origin"] in ("*", self.place.origin)
        allowed = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
        assert set(headers) <= allowed

    async def send(self, kind: str, data: Message | None = None, **top: Any) -> None:
        """Send ``{type, data?, **top}``."""
        assert self._socket is not None
        await self._socket.send(json.dumps({"type": kind, **({} if data is None else {"data": data}), **top}))

    async def answer_offer(self, description: Message, ice_servers: list[Any]) -> None:
        """Answer at once, without candidates; these follow one by one."""
        assert description["type"] == "offer"
        sdp, candidates = await self.peer.answer(description["sdp"], ice_servers)
        await self.send("webrtc.signaling.answer", {"sdp": {"type": "answer", "sdp": sdp}})
        for candidate in candidates:
            await self.send("webrtc.signaling.iceCandidate", {"candidate": candidate})

    async def add_history(self, *texts: str) -> None:
        """Earlier texts of the visitor's, an item each."""
        for text in texts:
            content = [{"type": "input_text", "text": text}]
            await self.send("conversation.item.create", item={"type": "message", "role": "user", "content": content})

    async def return_result(self, call_id: str, output: str) -> None:
        """A tool's result, and the wish to hear about it."""
        item = {"type": "function_call_output", "call_id": call_id, "output": output}
        await self.send("conversation.item.create", item=item)
        await self.send("response.create")

    def open_microphone(self, send: Send, rate: int = MICROPHONE_RATE) -> None:
        """Begin to send sound."""
        self.microphones.append(Microphone(send, self.samples, rate))

    async def say(self, pcm: NDArray[np.int16]) -> float:
        """Speak into the only microphone; the loop time when that was sent."""
        (microphone,) = self.microphones
        return await microphone.say(pcm)

    async def hang_up(self) -> None:
        """Close without a code, as pages do (1005)."""
        assert self._socket is not None
        async with self._socket.send_context():
            self._socket.protocol.send_close()

    def kinds(self) -> list[str]:
        """The types of what was received."""
        return [message["type"] for message in self.received]

    async def until(self, condition: Callable[[], Any], seconds: float = 25.0) -> None:
        """Wait; raises what ended the program, and fails when time is up or the call is over."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    if self._reading and self._reading.done():
                        self._reading.result()
                        raise AssertionError(f"the call was closed: {self.closed}")
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not in {seconds} s; {self.users=} {self.answers=} {self.kinds()[-12:]}") from None

    async def hears(self, after: float = 0.0) -> float:
        """Wait until the avatar is heard after ``after`` (loop time); when that was."""
        await self.until(lambda: self.peer.heard_after(after) is not None)
        heard = self.peer.heard_after(after)
        assert heard is not None
        return heard

    async def hears_out(self) -> None:
        """Wait until the avatar was heard, and has been silent for a while."""
        await self.hears()
        loop = asyncio.get_running_loop()
        await self.until(lambda: loop.time() - (self.peer.last_heard() or 0.0) > 0.8)

    async def until_closed(self, seconds: float = 25.0) -> None:
        """Wait for the end of the call, whoever ends it."""
        assert self._reading is not None
        await asyncio.wait_for(asyncio.shield(self._reading), seconds)

    def changed(self) -> None:
        """Something came that ``until`` may wait for."""
        self._news.set()

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            while True:
                text = await self._socket.recv()
                assert isinstance(text, str)
                message = json.loads(text)
                self.received.append(message)
                await self.on_message(message["type"], message)
                self._news.set()
        except ConnectionClosed as closed:
            self.closed = closed
        finally:
            self._news.set()
