"""Which of the machine's addresses media are received on, and that they arrive there."""

import contextlib
from collections.abc import AsyncIterator

import pytest
from aioice.ice import get_host_addresses
from aiortc import RTCIceServer, RTCPeerConnection, RTCSessionDescription

from tests.client.stage import Grey, Tone, nothing_left, until
from visavis.client.media import AudioFrame, Receiver, VideoFrame, addresses_towards
from visavis.media.ice import IceSettings, IceSteering, addresses_to_bind

OWN = tuple(addresses_to_bind(()))


def offer(*addresses: str) -> str:
    lines = [f"a=candidate:1 1 udp 2130706431 {address} 5000 typ host" for address in addresses]
    return "\r\n".join(["v=0", "m=audio 9 UDP/TLS/RTP/SAVPF 96", *lines, ""])


@pytest.mark.parametrize(
    ("addresses", "loopback", "expected"),
    [
        # A server of this machine that listens on the loopback only.
        (["127.0.0.1"], True, (("127.0.0.1",), False)),
        (["::1"], True, (("::1",), False)),
        (["127.0.0.1", "::1"], True, (("127.0.0.1", "::1"), False)),
        # A port that is forwarded to a container, or through a tunnel.
        (["172.17.0.2"], True, ((*dict.fromkeys((*OWN, "127.0.0.1")),), True)),
        (["172.17.0.2", "127.0.0.1"], True, ((*dict.fromkeys((*OWN, "127.0.0.1")),), True)),
        (["7f0c.local"], True, ((*dict.fromkeys((*OWN, "127.0.0.1")),), True)),
        ([], True, ((*dict.fromkeys((*OWN, "127.0.0.1")),), True)),
        # A server elsewhere cannot have the loopback used.
        (["203.0.113.5"], False, (OWN, True)),
        (["127.0.0.1"], False, (OWN, True)),
    ],
)
def test_addresses_for_an_offer(addresses: list[str], loopback: bool, expected: tuple[tuple[str, ...], bool]) -> None:
    assert addresses_towards(offer(*addresses), loopback=loopback) == expected


@contextlib.asynccontextmanager
async def connected(bind: tuple[str, ...], *, loopback: bool) -> AsyncIterator[tuple[Receiver, list[str]]]:
    """A receiver of a peer that is bound to ``bind``; the addresses that it offered."""
    peer = RTCPeerConnection()
    heard: list[AudioFrame] = []
    seen: list[VideoFrame] = []
    receiver = Receiver(heard.append, seen.append, loopback=loopback)
    try:
        for track in (Tone(), Grey()):
            peer.addTrack(track)
        # The transport that both tracks share is there only once it is described.
        for transceiver in peer.getTransceivers():
            IceSteering(transceiver.sender.transport.transport, IceSettings(bind=bind), on_alive=lambda: None)
        await peer.setLocalDescription(await peer.createOffer())
        answer = await receiver.answer(peer.localDescription.sdp, [RTCIceServer(urls="turn:127.0.0.1:1")])
        await peer.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(receiver.connected.is_set)
        await until(lambda: bool(heard and seen))
        yield receiver, [line.split()[4] for line in answer.splitlines() if line.startswith("a=candidate")]
    finally:
        await receiver.close()
        await peer.close()


async def test_a_server_on_the_loopback_is_reached_there() -> None:
    async with nothing_left(), connected(("127.0.0.1",), loopback=True) as (_, addresses):
        assert set(addresses) == {"127.0.0.1"}


@pytest.mark.skipif(not get_host_addresses(True, False), reason="the machine has no address but the loopback one")
async def test_a_server_behind_a_forwarded_port_is_reached_at_its_own_address() -> None:
    own = get_host_addresses(True, False)[0]
    async with nothing_left(), connected((own,), loopback=True) as (_, addresses):
        assert {own, "127.0.0.1"} <= set(addresses)


async def test_closing_gives_the_connection_its_own_methods_back() -> None:
    async with connected(("127.0.0.1",), loopback=True) as (receiver, _):
        assert receiver._steering is not None
        ice = receiver._steering._connection
        assert "check_incoming" in vars(ice)
        await receiver.close()
        assert "check_incoming" not in vars(ice)
        assert not receiver.connected.is_set()
        await receiver.close()
