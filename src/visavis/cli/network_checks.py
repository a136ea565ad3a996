"""Checks of the way media takes: the server's own candidates, UDP ports, STUN and TURN servers."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from aioice import stun, turn
from aiortc.rtcicetransport import parse_stun_turn_uri
from numpy.typing import NDArray

from visavis.cli.findings import Finding, bad, ok, warn
from visavis.config import IceServerSettings, Settings
from visavis.config_values import is_loopback
from visavis.media.clock import MediaClock
from visavis.media.peer import Peer, PeerError
from visavis.media.playout import Playout
from visavis.server import peer_settings

PATIENCE = 3.0
"""Seconds that a STUN or TURN server has to answer."""


class _Grey:
    """A picture for an offer that nobody answers."""

    width = height = 64

    def pose(self, at: float) -> None:
        """Always the same."""

    def paint(self, pose: Any, frame: NDArray[np.uint8]) -> None:
        frame[:] = 128


async def candidates(settings: Settings) -> AsyncIterator[Finding]:
    """A peer makes its offer, with candidates on the addresses that the settings ask for."""
    clock = MediaClock()
    with ThreadPoolExecutor(1) as executor:
        peer = Peer(peer_settings(settings), _Grey(), Playout(clock), clock, executor)
        try:
            offer = await peer.offer()
        except PeerError as error:
            yield bad(
                "media address", str(error), "set ice.bind_addresses to addresses of this machine, or free UDP ports"
            )
            return
        finally:
            await peer.close()
    # The sections of the offer are bundled and repeat the same candidates: "foundation component udp priority address
    # port typ kind" (RFC 8839).
    fields = [line.split() for line in offer.splitlines() if line.startswith("a=candidate:")]
    found = {candidate[4]: candidate[7] for candidate in fields}
    yield ok("media address", ", ".join(f"{address} ({kind})" for address, kind in found.items()))
    if not others_call(settings):
        return
    if all(is_loopback(address) for address in found):
        yield bad(
            "media from outside",
            "only a loopback address is announced",
            "set ice.bind_addresses (or ice.public_address) to the address that visitors reach",
        )
    elif all(ipaddress.ip_address(address).is_private for address in found):
        yield warn(
            "media from outside",
            "only private addresses are announced",
            "for visitors beyond this network set ice.public_address, or a TURN server in ice.servers",
        )


def others_call(settings: Settings) -> bool:
    """Whether visitors come from other machines, directly or by a proxy."""
    return not is_loopback(settings.server.host) or settings.server.public_url is not None


def udp_ports(settings: Settings) -> list[Finding]:
    """The UDP port range has room for every slot."""
    ice = settings.ice
    if not ice.port_min:
        return [ok("UDP ports", "chosen by the system")]
    count, slots = ice.port_max - ice.port_min + 1, settings.session.max_sessions
    shown = f"{ice.port_min}–{ice.port_max}: {count} for {slots} calls"
    if count < slots:
        return [warn("UDP ports", shown, "widen ice.port_min … ice.port_max: a call takes one port on each address")]
    return [ok("UDP ports", shown)]


async def ice_servers(settings: Settings) -> AsyncIterator[Finding]:
    """Each STUN and TURN server answers; a TURN server also accepts the credentials."""
    if not others_call(settings):
        yield ok("STUN and TURN", "not needed: only this machine can call")
        return
    for server in settings.ice.servers:
        for url in server.urls:
            yield await _ask(url, server)


async def _ask(url: str, server: IceServerSettings) -> Finding:
    parsed = parse_stun_turn_uri(url)
    scheme, host, port = str(parsed["scheme"]), str(parsed["host"]).strip("[]"), int(parsed["port"])
    try:
        async with asyncio.timeout(PATIENCE):
            if scheme == "stun":
                return ok(url, f"answers; it sees this machine as {await _reflexive_address(host, port)}")
            if scheme.startswith("turn"):
                return ok(url, f"answers; it relays by {await _relayed_address(parsed, server)}")
            return warn(url, "is not asked: STUN over TLS is for clients only", "ask it by a client")
    except TimeoutError:
        seen = f"no answer within {PATIENCE:g} s"
    except (OSError, stun.TransactionError) as error:
        seen = str(error) or type(error).__name__
    if scheme.startswith("turn"):
        return bad(url, seen, "check the TURN server's address, credentials and firewall: see docs/deployment.md")
    return warn(
        url, seen, "calls work without it where clients reach this server directly; else name another STUN server"
    )


class _Asking(asyncio.DatagramProtocol):
    """Waits for the answer to one STUN request."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


async def _reflexive_address(host: str, port: int) -> str:
    """This machine's address as a STUN server sees it (RFC 8489, Binding). Raises ``OSError``."""
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(_Asking, remote_addr=(host, port))
    try:
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        while not protocol.answer.done():
            transport.sendto(bytes(request))
            await asyncio.wait([protocol.answer], timeout=0.5)
        try:
            return str(stun.parse_message(protocol.answer.result()).attributes["XOR-MAPPED-ADDRESS"][0])
        except (ValueError, KeyError):
            raise OSError("the answer is not STUN") from None
    finally:
        transport.close()


async def _relayed_address(parsed: dict[str, Any], server: IceServerSettings) -> str:
    """The address that a TURN server relays by. Raises ``OSError`` and ``stun.TransactionError``."""
    credential = server.credential.get_secret_value() if server.credential is not None else None
    transport, _ = await turn.create_turn_endpoint(
        asyncio.DatagramProtocol,
        server_addr=(str(parsed["host"]).strip("[]"), int(parsed["port"])),
        username=server.username,
        password=credential,
        ssl=parsed["scheme"] == "turns",
        transport=str(parsed["transport"]),
    )
    try:
        return str(transport.get_extra_info("sockname")[0])
    finally:
        transport.close()
