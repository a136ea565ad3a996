"""ICE beyond what aiortc offers: bind addresses, a port range, a public address, restart.

aiortc makes one ``aioice.Connection`` per bundle and has no settings for these. Everything here is set on that one
object, never on a module, so that peers with different settings live side by side in a process. The names used are
private to aioice or may change: ``tests/media/test_ice.py`` notices.
"""

import asyncio
import copy
import ipaddress
import random
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import aioice.ice
import structlog
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.utils import random_string
from aiortc import RTCIceCandidate, RTCIceServer, RTCIceTransport
from aiortc.sdp import candidate_from_sdp

logger = structlog.get_logger(__name__)

RECEIVE_BUFFER = 212_992
"""Bytes asked of the kernel per socket: its usual maximum without privileges."""


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that this server itself gathers from. aiortc uses the first of each kind."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None

    def for_aiortc(self) -> RTCIceServer:
        """The same as aiortc's type."""
        return RTCIceServer(urls=list(self.urls), username=self.username, credential=self.credential)


@dataclass(frozen=True, slots=True)
class IceSettings:
    """Where a peer can be reached."""

    bind: tuple[str, ...] = ()
    """Addresses to receive media on; empty: every address of the machine but loopback (loopback if there is no other).
    """
    public_address: str | None = None
    """The address by which the outside reaches the bound ones of the same IP version, ports unchanged (1:1 NAT)."""
    ports: tuple[int, int] | None = None
    """First and last UDP port to receive on; None: whatever the system gives."""
    gathering: float = 0.6
    """Seconds that STUN and TURN servers have for their answers; candidates that come later are not offered."""


class IceError(Exception):
    """No socket could be opened for media."""


def parse_candidate(line: str) -> RTCIceCandidate | None:
    """The candidate of an ``a=candidate`` value (RFC 8839 §5.1); None for one that cannot be used here.

    Takes the value with or without ``a=`` and ``candidate:``. Not usable: TCP, and ``.local`` names (mDNS), which only
    resolve within the client's own network; such a client is found by its own checks instead. Raises ``ValueError``.
    """
    value = line.strip().removeprefix("a=").removeprefix("candidate:")
    bits = value.split()
    if len(bits) < 8 or bits[6] != "typ":
        raise ValueError(
            "an ICE candidate needs eight fields: foundation component transport priority address port typ"
        )
    try:
        candidate = candidate_from_sdp(value)
        if candidate.ip.endswith(".local") or candidate.protocol.lower() != "udp":
            return None
        ipaddress.ip_address(candidate.ip)
    except (ValueError, AssertionError) as error:
        raise ValueError(f"not an ICE candidate: {error}") from error
    if candidate.component != 1 or not 0 < candidate.port < 65536:
        raise ValueError("an ICE candidate here has component 1 and a port from 1 to 65535")
    return candidate


def addresses_to_bind(bind: Iterable[str]) -> list[str]:
    """``bind`` as addresses of this machine; wildcards and emptiness stand for all but loopback."""
    chosen = [address for address in bind if not ipaddress.ip_address(address).is_unspecified]
    return chosen or aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]


def open_socket(address: str, ports: tuple[int, int] | None) -> socket.socket:
    """A bound, non-blocking UDP socket; within ``ports`` a random free one. Raises ``OSError`` when none is free."""
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    first, last = ports or (0, 0)
    count = last - first + 1
    offset = random.randrange(count)
    error = OSError(f"no UDP port in {first}-{last} on {address}")
    for number in range(count):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            sock.setblocking(False)
            sock.bind((address, first + (offset + number) % count))
        except OSError as failure:
            error = failure
            sock.close()
        else:
            return sock
    raise error


class IceSteering:
    """Holds one peer's ICE connection to its settings."""

    def __init__(self, transport: RTCIceTransport, settings: IceSettings, on_alive: Callable[[], None]) -> None:
        """``on_alive`` is called for every authenticated check of the client (browsers send one every few seconds)."""
        self._settings = settings
        self._connection: Any = transport.iceGatherer._connection  # pyright: ignore[reportPrivateUsage]
        self._relayed: Callable[..., Awaitable[list[Any]]] = self._connection.get_component_candidates
        self._connection.get_component_candidates = self._candidates
        check_incoming = self._connection.check_incoming

        def check_and_tell(*args: Any) -> None:
            on_alive()
            check_incoming(*args)

        self._connection.check_incoming = check_and_tell

        query_consent = self._connection.query_consent

        async def query_consent_while_open() -> None:
            # aioice (0.13) starts this even when it was closed while it connected, and then nothing ends it.
            if not self._connection._closing:
                await query_consent()

        self._connection.query_consent = query_consent_while_open

    async def _candidates(self, component: int, addresses: list[str]) -> list[Any]:
        """Stands in for ``Connection.get_component_candidates``: own sockets, then STUN and TURN side by side."""
        protocols = await self._host_protocols(component)
        async with asyncio.TaskGroup() as gathering:
            reflexive = gathering.create_task(self._reflexive(protocols))
            # With no host address the original only asks the TURN server.
            relayed = gathering.create_task(self._relay(component))
        return [self._advertised(p.local_candidate) for p in protocols] + reflexive.result() + relayed.result()

    async def _relay(self, component: int) -> list[Any]:
        return await self._relayed(component=component, addresses=[], timeout=self._settings.gathering)

    async def _host_protocols(self, component: int) -> list[Any]:
        loop = asyncio.get_running_loop()
        protocols: list[Any] = []
        for address in addresses_to_bind(self._settings.bind):
            try:
                sock = open_socket(address, self._settings.ports)
            except OSError as error:
                logger.warning("media_address_unusable", address=address, error=str(error))
                continue
            _, protocol = await loop.create_datagram_endpoint(
                lambda: aioice.ice.StunProtocol(self._connection), sock=sock
            )
            host, port = sock.getsockname()[:2]
            protocol.local_candidate = aioice.Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=component,
                transport="udp",
                priority=candidate_priority(component, "host"),
                host=host,
                port=port,
                type="host",
            )
            protocols.append(protocol)
            # From here on the connection closes it.
            self._connection._protocols.append(protocol)
        if not protocols:
            raise IceError("media cannot be received: none of the bind addresses and UDP ports is usable")
        return protocols

    def _advertised(self, candidate: Any) -> Any:
        """``candidate`` as the client is told it: with the public address, where one is set."""
        public = self._settings.public_address
        address = ipaddress.ip_address(candidate.host)
        if public is None or address.is_loopback or address.version != ipaddress.ip_address(public).version:
            return candidate
        advertised = copy.copy(candidate)
        advertised.host = public
        return advertised

    async def _reflexive(self, protocols: list[Any]) -> list[Any]:
        server: tuple[str, int] | None = self._connection.stun_server
        if server is None:
            return []
        asked = [
            asyncio.create_task(aioice.ice.server_reflexive_candidate(protocol, server))
            for protocol in protocols
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4
        ]
        if not asked:
            return []
        done, late = await asyncio.wait(asked, timeout=self._settings.gathering)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
        answered = [task for task in done if task.exception() is None]
        if not answered:
            logger.warning("stun_unreachable", server=f"{server[0]}:{server[1]}")
        return [task.result()[0] for task in answered]

    def release(self) -> None:
        """Give the connection its own methods back: with ours on it, only a garbage collection would free it."""
        own: dict[str, Any] = self._connection.__dict__
        for name in ("get_component_candidates", "check_incoming", "query_consent"):
            own.pop(name, None)
        # Its pairs know the sockets' protocols, and those the connection.
        self._connection._check_list.clear()
        self._connection._early_checks.clear()

    @property
    def remote_username(self) -> str | None:
        """The client's ICE user fragment in use; None before its answer."""
        return self._connection.remote_username

    def restart(self, username: str, password: str) -> None:
        """Take over the client's new credentials and make new ones of our own (RFC 8445 §9).

        The old path carries media until the client's checks nominate a new one: who restarts is in control.
        """
        connection = self._connection
        connection._local_username = random_string(4)
        connection._local_password = random_string(22)
        connection.remote_username, connection.remote_password = username, password
        connection._nominating.clear()
        connection.switch_role(ice_controlling=False)
