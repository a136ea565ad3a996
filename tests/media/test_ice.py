import asyncio
import socket
from concurrent.futures import Executor

import pytest
from aioice import stun
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.media.visitor import Call, Visitor, calling, eventually
from visavis.media.ice import IceServer, IceSettings, IceSteering, addresses_to_bind, open_socket, parse_candidate
from visavis.media.peer import MOST_CANDIDATES, PeerError, PeerState


def candidates(sdp: str) -> list[tuple[str, int, str]]:
    """(address, port, type) of the first section's candidates."""
    lines = [line for line in sdp.split("m=")[1].splitlines() if line.startswith("a=candidate")]
    return [(line.split()[4], int(line.split()[5]), line.split()[7]) for line in lines]


async def offered(pool: Executor, **changes: object) -> list[tuple[str, int, str]]:
    call = Call(pool, **changes)
    try:
        return candidates(await call.peer.offer())
    finally:
        await call.close()


@pytest.mark.parametrize("prefix", ["", "candidate:", "a=candidate:"])
def test_reads_candidates_with_and_without_prefix(prefix: str) -> None:
    found = parse_candidate(prefix + "1 1 udp 2113937151 192.0.2.7 50000 typ srflx raddr 10.0.0.1 rport 9 generation 0")
    assert found is not None
    assert (found.ip, found.port, found.type, found.relatedAddress) == ("192.0.2.7", 50000, "srflx", "10.0.0.1")


@pytest.mark.parametrize(
    "line",
    [
        "candidate:1 1 udp 2113937151 9b36eaac-bb2e.local 56350 typ host",
        "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
        "candidate:1 1 TCP 1518280447 192.0.2.7 9 typ host tcptype active",
    ],
)
def test_leaves_out_what_cannot_be_reached(line: str) -> None:
    assert parse_candidate(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "candidate:1 1 udp 1 192.0.2.7 50000 kind host",
        "candidate:1 1 udp high 192.0.2.7 50000 typ host",
        "candidate:1 1 udp 1 192.0.2.777 50000 typ host",
        "candidate:1 1 udp 1 example.org 50000 typ host",
        "candidate:1 1 udp 1 192.0.2.7 70000 typ host",
        "candidate:1 2 udp 1 192.0.2.7 50000 typ host",
    ],
)
def test_says_that_a_candidate_is_bad(line: str) -> None:
    with pytest.raises(ValueError, match="ICE candidate"):
        parse_candidate(line)


def test_wildcards_stand_for_every_address_but_loopback() -> None:
    every = addresses_to_bind(())
    assert every == addresses_to_bind(("0.0.0.0",))
    assert every == ["127.0.0.1"] or "127.0.0.1" not in every
    assert addresses_to_bind(("127.0.0.1", "::1")) == ["127.0.0.1", "::1"]


async def test_only_the_bind_address_is_offered(pool: Executor) -> None:
    ((address, port, kind),) = await offered(pool, bind=("127.0.0.1",))
    assert (address, kind) == ("127.0.0.1", "host")
    assert port > 0


async def test_loopback_keeps_its_address_beside_a_public_one(pool: Executor) -> None:
    ((address, _, _),) = await offered(pool, bind=("127.0.0.1",), public_address="203.0.113.9")
    assert address == "127.0.0.1"


async def test_the_public_address_takes_the_place_of_the_own(pool: Executor) -> None:
    own = addresses_to_bind(())
    if own == ["127.0.0.1"]:
        pytest.skip("this machine has no address but loopback")
    found = await offered(pool, bind=(), public_address="203.0.113.9")
    versions = {address for address, _, _ in found}
    assert "203.0.113.9" in versions
    assert not {address for address in own if ":" not in address} & versions


async def test_ports_come_from_the_range_and_peers_do_not_disturb_each_other(pool: Executor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first = min(probe.getsockname()[1], 65_000)
    ranged = [Call(pool, bind=("127.0.0.1",), ports=(first, first + 40)) for _ in range(4)]
    free = Call(pool, bind=("127.0.0.1",))
    try:
        offers = await asyncio.gather(*(call.peer.offer() for call in (*ranged, free)))
        ports = [candidates(offer)[0][1] for offer in offers]
        assert all(first <= port <= first + 40 for port in ports[:4])
        assert len(set(ports)) == 5
    finally:
        for call in (*ranged, free):
            await call.close()


async def test_a_full_range_is_said_and_freed_ports_are_used_again(pool: Executor) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    holder, late, again = (Call(pool, bind=("127.0.0.1",), ports=(port, port)) for _ in range(3))
    await holder.peer.offer()
    with pytest.raises(PeerError, match="UDP port"):
        await late.peer.offer()
    await holder.close()
    await late.close()
    assert candidates(await again.peer.offer())[0][1] == port
    await again.close()


async def test_nothing_is_set_outside_the_one_connection(pool: Executor) -> None:
    """A connection that is not ours gathers as aioice does."""
    ours = Call(pool, bind=("127.0.0.1",))
    await ours.peer.offer()
    other = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    other.addTransceiver("audio", direction="recvonly")
    await other.setLocalDescription(await other.createOffer())
    found = {address for address, _, _ in candidates(other.localDescription.sdp)}
    assert "127.0.0.1" not in found
    await other.close()
    await ours.close()


async def test_an_unreachable_stun_server_does_not_hold_the_offer_up(pool: Executor) -> None:
    silent = open_socket("127.0.0.1", None)
    server = IceServer((f"stun:127.0.0.1:{silent.getsockname()[1]}",))
    call = Call(pool, ice_servers=(server,))
    try:
        async with asyncio.timeout(1.0):
            offer = await call.peer.offer()
        assert [kind for _, _, kind in candidates(offer)] == ["host"]
    finally:
        await call.close()
        silent.close()


async def test_a_stun_server_adds_the_address_it_saw(pool: Executor) -> None:
    class Stun(asyncio.DatagramProtocol):
        transport: asyncio.DatagramTransport

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport  # type: ignore[assignment]

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            request = stun.parse_message(data)
            response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
            response.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.77", 4242)
            self.transport.sendto(bytes(response), addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Stun, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    try:
        found = await offered(pool, ice_servers=(IceServer((f"stun:127.0.0.1:{port}",)),))
        assert ("203.0.113.77", 4242, "srflx") in found
    finally:
        transport.close()


async def test_checks_of_the_client_are_told(pool: Executor) -> None:
    """The override of ``check_incoming``: aioice calls it for authenticated checks."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connection.addTransceiver("audio", direction="sendonly")
    told: list[None] = []
    transport = connection.getTransceivers()[0].receiver.transport.transport
    IceSteering(transport, IceSettings(bind=("127.0.0.1",)), lambda: told.append(None))
    visitor = Visitor()
    await connection.setLocalDescription(await connection.createOffer())
    answer = await visitor.take(connection.localDescription.sdp)
    await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
    await eventually(lambda: connection.connectionState == "connected")
    assert told
    await connection.close()
    await visitor.close()


async def test_a_client_that_hides_its_addresses_is_found_by_its_checks(pool: Executor) -> None:
    call = Call(pool)
    try:
        answer = await call.visitor.take(await call.peer.offer())
        hidden = "\r\n".join(line for line in answer.splitlines() if not line.startswith("a=candidate")) + "\r\n"
        assert "a=end-of-candidates" in hidden
        await call.peer.answer(hidden)
        await call.reaches(PeerState.CONNECTED)
    finally:
        await call.close()


async def test_candidates_may_come_one_by_one_before_and_after_the_answer(pool: Executor) -> None:
    call = Call(pool)
    try:
        answer = await call.visitor.take(await call.peer.offer())
        lines = [line for line in answer.splitlines() if line.startswith("a=candidate")]
        bare = "\r\n".join(line for line in answer.splitlines() if "candidate" not in line) + "\r\n"
        await call.peer.add_candidate("candidate:9 1 udp 1 x.local 5 typ host", "0", 0)
        await call.peer.add_candidate(lines[0].removeprefix("a="), "1", 1)
        await call.peer.answer(bare)
        await call.peer.add_candidate("candidate:9 1 udp 1 192.0.2.1 5000 typ host", None, None)
        await call.peer.add_candidate("", "0", 0)
        await call.peer.add_candidate(None)
        await call.reaches(PeerState.CONNECTED)
        with pytest.raises(ValueError, match="ICE candidate"):
            await call.peer.add_candidate("candidate:nonsense", "0", 0)
    finally:
        await call.close()


async def test_a_flood_of_candidates_is_refused(pool: Executor) -> None:
    async with calling(pool) as call:
        for n in range(MOST_CANDIDATES):
            await call.peer.add_candidate(f"candidate:{n} 1 udp 1 192.0.2.{n} 5000 typ host", "0", 0)
        with pytest.raises(ValueError, match="more than"):
            await call.peer.add_candidate("candidate:1 1 udp 1 192.0.2.200 5000 typ host", "0", 0)
