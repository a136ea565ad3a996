"""A network between visitors and a server, both on this machine, which can be cut.

The WebSocket goes through a forwarded TCP port. For media, each UDP port of the server has its counterpart at the
address ``OUTSIDE``. Visitors have to send there, and to keep their own addresses from the server (``through_network``,
``PAGE_THROUGH_NETWORK``), or media would find its way around.
"""

import asyncio
import contextlib
import re
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiortc import RTCIceServer

from visavis.client.media import Receiver

OUTSIDE = "127.0.0.2"
_INSIDE = "127.0.0.1"
_MEDIA_PORTS = 12

needs_addresses = pytest.mark.skipif(sys.platform == "darwin", reason=f"{OUTSIDE} is no address of macOS")

_OFFERED = re.compile(rf"^(a=candidate:\S+ 1 udp \d+ ){_INSIDE} ", re.IGNORECASE | re.MULTILINE)
_OWN = re.compile(r"a=(candidate:[^\r\n]*|end-of-candidates)\r\n")

PAGE_THROUGH_NETWORK = rf"""
const take = RTCPeerConnection.prototype.setRemoteDescription;
RTCPeerConnection.prototype.setRemoteDescription = function ({{ type, sdp }}) {{
  return take.call(this, {{ type, sdp: sdp.replace(/^(a=candidate:\S+ 1 udp \d+ ){_INSIDE} /gim, "$1{OUTSIDE} ") }});
}};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {{
  const message = JSON.parse(text);
  if (message.type === "webrtc.signaling.iceCandidate") return;
  const sdp = message.data?.sdp;
  if (sdp?.sdp) sdp.sdp = sdp.sdp.replace(/a=(candidate:[^\r\n]*|end-of-candidates)\r\n/g, "");
  send.call(this, JSON.stringify(message));
}};
"""
"""What sends a page's media through the network, as a script that runs before its own."""


def through_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the Python client send its media through the network."""
    answer = Receiver.answer

    async def rerouted(self: Receiver, sdp: str, servers: list[RTCIceServer]) -> str:
        return _OWN.sub("", await answer(self, _OFFERED.sub(rf"\g<1>{OUTSIDE} ", sdp), servers))

    monkeypatch.setattr(Receiver, "answer", rerouted)


class Network:
    """``cut``: nothing passes, and nobody is told; what was on its way by TCP arrives after ``mend``.

    ``change``: all that stands is gone for good, as when a device goes from one network to another: connections are
    never heard of again, and media comes from another address.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._first = _free_ports()
        self._open = asyncio.Event()
        self._open.set()
        self._era = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._doors: list[_Door] = []
        self._listener: asyncio.Server | None = None
        self.url = ""
        """Where visitors find the server."""

    @property
    def server_settings(self) -> Mapping[str, str]:
        """The environment of a server behind this network."""
        return {
            "VISAVIS_ICE__BIND_ADDRESSES": _INSIDE,
            "VISAVIS_ICE__PORT_MIN": str(self._first),
            "VISAVIS_ICE__PORT_MAX": str(self._first + _MEDIA_PORTS - 1),
        }

    @property
    def passable(self) -> bool:
        return self._open.is_set()

    @property
    def era(self) -> int:
        """How often it has changed."""
        return self._era

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        self._open.set()

    def change(self) -> None:
        self._era += 1
        for door in self._doors:
            door.forget()

    async def start(self) -> None:
        self._listener = await asyncio.start_server(self._forward, _INSIDE, 0)
        self.url = f"http://{_INSIDE}:{self._listener.sockets[0].getsockname()[1]}"
        for port in range(self._first, self._first + _MEDIA_PORTS):
            door = _Door(self, port)
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda door=door: door, local_addr=(OUTSIDE, port)
            )
            self._doors.append(door)

    async def close(self) -> None:
        if self._listener:
            self._listener.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for door in self._doors:
            door.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        era, ends = self._era, [writer]
        try:
            await self._open.wait()
            answers, away = await asyncio.open_connection(_INSIDE, self._port)
            ends.append(away)
            ways = [asyncio.ensure_future(self._carry(*way, era)) for way in ((reader, away), (answers, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            # No server is there: the visitor finds that out by the end of the connection.
            pass
        except asyncio.CancelledError:
            # The network is closed; nobody waits for this task.
            pass
        finally:
            self._tasks.discard(task)
            for end in ends:
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, era: int) -> None:
        """One way, until its end, which is carried too; of an earlier era's network neither side ever hears again."""
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._passable(era)
                writer.write(data)
                await writer.drain()
        await self._passable(era)

    async def _passable(self, era: int) -> None:
        await self._open.wait()
        if era != self._era:
            await asyncio.Event().wait()


class _Door(asyncio.DatagramProtocol):
    """One media port as the outside sees it."""

    def __init__(self, network: Network, port: int) -> None:
        self._network = network
        self._port = port
        self._transport: asyncio.DatagramTransport | None = None
        self._inner: dict[tuple[str, int], _Inner] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._network.passable:
            return
        inner = self._inner.get(addr[:2])
        if inner is None:
            inner = self._inner[addr[:2]] = _Inner(self, addr[:2], self._port)
        inner.send(data)

    def answer(self, data: bytes, visitor: tuple[str, int]) -> None:
        if self._network.passable and self._transport:
            self._transport.sendto(data, visitor)

    def forget(self) -> None:
        """Let those who come again come from elsewhere."""
        for inner in self._inner.values():
            inner.close()
        self._inner.clear()

    def close(self) -> None:
        self.forget()
        if self._transport:
            self._transport.close()


class _Inner:
    """The address from which the server sees one visitor's media come."""

    def __init__(self, door: _Door, visitor: tuple[str, int], port: int) -> None:
        self._door = door
        self._visitor = visitor
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((_INSIDE, 0))
        self._server = (_INSIDE, port)
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(data, self._server)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            self._door.answer(self._socket.recv(65_536), self._visitor)


@asynccontextmanager
async def network(port: int) -> AsyncIterator[Network]:
    """A network in front of the server at a port."""
    between = Network(port)
    await between.start()
    try:
        yield between
    finally:
        await between.close()


def _free_ports() -> int:
    """The first of so many ports, one after another, that are free on both sides."""
    while True:
        with contextlib.ExitStack() as tried, contextlib.suppress(OSError):
            probe = tried.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            probe.bind((_INSIDE, 0))
            first = probe.getsockname()[1] + 1
            if first + _MEDIA_PORTS > 65_535:
                continue
            for host in (_INSIDE, OUTSIDE):
                for port in range(first, first + _MEDIA_PORTS):
                    tried.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((host, port))
            return first
