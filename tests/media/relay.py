"""A bad network between two peers: a UDP relay with a bottleneck, random loss, delay and jitter.

It stands where the sender's candidate was: put the sender's offer through ``Relay.through`` and keep the receiver's own
candidates from the sender, which then finds the receiver by its checks.
"""

import asyncio
import random
import re
from dataclasses import dataclass, field
from typing import cast

_CANDIDATE = re.compile(r"(a=candidate:\S+ 1 udp \d+ )(\S+) (\d+)( typ host)")

OVERHEAD = 28
"""Bytes of IP and UDP headers per packet."""


@dataclass
class Link:
    """One direction. ``rate`` in bits per second (None: unlimited), times in seconds, ``loss`` 0–1.

    ``queue`` seconds of data fit before the bottleneck; what comes then is dropped. Jitter is an extra delay, drawn
    evenly from 0 to ``jitter`` for each packet alone, so packets overtake each other.
    """

    rate: float | None = None
    queue: float = 0.3
    loss: float = 0.0
    delay: float = 0.0
    jitter: float = 0.0
    passed: int = field(default=0, init=False)
    bytes: int = field(default=0, init=False)
    lost: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    """Packets that found the queue full."""
    _free_at: float = field(default=0.0, init=False)

    def wait(self, size: int, now: float, chance: random.Random) -> float | None:
        """Seconds until a packet of ``size`` bytes arrives; None when it does not."""
        if chance.random() < self.loss:
            self.lost += 1
            return None
        out_at = now
        if self.rate is not None:
            if self._free_at - now > self.queue:
                self.dropped += 1
                return None
            self._free_at = max(self._free_at, now) + (size + OVERHEAD) * 8 / self.rate
            out_at = self._free_at
        self.passed += 1
        self.bytes += size
        return out_at - now + self.delay + chance.random() * self.jitter


class _Socket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.peer: tuple[str, int] | None = None
        self.link = Link()
        self.chance = random.Random(0)
        self.other: _Socket | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.peer = addr[:2]
        loop = asyncio.get_running_loop()
        wait = self.link.wait(len(data), loop.time(), self.chance)
        if wait is not None:
            loop.call_later(wait, self._forward, data)

    def _forward(self, data: bytes) -> None:
        other = self.other
        if other is not None and other.peer is not None and other.transport and not other.transport.is_closing():
            other.transport.sendto(data, other.peer)


class Relay:
    """Between one sender (whose host candidate it takes the place of) and one receiver, both on 127.0.0.1."""

    def __init__(self, *, seed: int = 1) -> None:
        self.down = Link()
        """From the sender to the receiver."""
        self.up = Link()
        """From the receiver to the sender."""
        self._chance = random.Random(seed)
        self._transports: list[asyncio.BaseTransport] = []

    async def through(self, sdp: str) -> str:
        """``sdp`` with its one host candidate moved to the relay."""
        found = {(host, int(port)) for _, host, port, _ in _CANDIDATE.findall(sdp)}
        assert len(found) == 1, f"one host candidate is expected, not {found}"
        sender = found.pop()
        near, far = await self._open(), await self._open()
        near.other, far.other = far, near
        near.link, far.link = self.down, self.up
        near.chance = far.chance = self._chance
        near.peer = sender
        assert far.transport is not None
        port = far.transport.get_extra_info("sockname")[1]
        return _CANDIDATE.sub(rf"\g<1>127.0.0.1 {port}\g<4>", sdp)

    async def _open(self) -> _Socket:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            _Socket, local_addr=("127.0.0.1", 0)
        )
        self._transports.append(transport)
        return protocol

    def close(self) -> None:
        for transport in self._transports:
            transport.close()
