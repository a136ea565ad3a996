"""``visavis doctor``: each fault is found, named, and met with advice."""

import asyncio
import socket
from collections.abc import Iterator

import pytest
from aioice import stun

from visavis.cli import network_checks, system_checks
from visavis.cli.findings import Finding, Level
from visavis.config import Settings
from visavis.config_values import cores


def settings(**sections: object) -> Settings:
    return Settings.model_validate(sections)


async def gathered(findings) -> list[Finding]:
    return [finding async for finding in findings]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


def test_broken_setting_ends_the_report_at_once(visavis) -> None:
    done = visavis("doctor", "--set", "media.fsp=30")
    assert done.returncode == 2
    assert "fail" in done.stdout
    assert "media.fsp is no setting; did you mean media.fps? (from --set)" in done.stdout
    assert "Traceback" not in done.stderr


def test_report_names_a_fault_and_exits_with_1(visavis, taken_port: int) -> None:
    done = visavis("doctor", "--set", f"server.port={taken_port}")
    assert done.returncode == 1, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert any(line.startswith("fail  TCP port") and str(taken_port) in line for line in lines)
    assert any(line.startswith("ok    H264") for line in lines)
    assert any(line.startswith("ok    media address") and "127.0.0.1" in line for line in lines)


class TestSystem:
    def test_versions_here_are_those_asked_for(self) -> None:
        assert {finding.level for finding in system_checks.python()} == {Level.OK}

    def test_a_library_of_a_wrong_version_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        real = system_checks.metadata.version
        monkeypatch.setattr(system_checks.metadata, "version", lambda name: "9.9" if name == "aiortc" else real(name))
        (finding,) = [finding for finding in system_checks.python() if finding.subject == "libraries"]
        assert finding.level is Level.FAIL
        assert "aiortc 9.9, needed" in finding.seen

    @pytest.mark.parametrize(
        ("server", "licenses", "levels"),
        [
            ({}, [], [Level.OK]),
            ({"host": "0.0.0.0"}, [], [Level.FAIL, Level.WARN]),
            ({"host": "0.0.0.0"}, [{"key": "k"}], [Level.OK, Level.WARN]),
            ({"host": "0.0.0.0", "public_url": "http://x.example"}, [{"key": "k"}], [Level.OK, Level.WARN]),
            ({"host": "0.0.0.0", "public_url": "https://x.example"}, [{"key": "k"}], [Level.OK]),
        ],
    )
    def test_license_and_https(self, server: dict, licenses: list, levels: list[Level]) -> None:
        found = list(system_checks.licenses(settings(server=server, licenses=licenses)))
        assert [finding.level for finding in found] == levels
        assert all(finding.advice for finding in found if finding.level is not Level.OK)

    def test_port(self, taken_port: int) -> None:
        (finding,) = system_checks.tcp_port(settings(server={"port": taken_port}))
        assert finding.level is Level.FAIL
        (finding,) = system_checks.tcp_port(settings(server={"port": 0}))
        assert finding.level is Level.OK
        (finding,) = system_checks.tcp_port(settings(server={"host": "host.invalid"}))
        assert finding.level is Level.FAIL

    def test_slots(self) -> None:
        (finding,) = system_checks.load(settings(session={"max_sessions": 11 * cores()}))
        assert finding.level is Level.WARN
        (finding,) = system_checks.load(settings())
        assert finding.level is Level.OK

    def test_codecs_encode(self) -> None:
        found = {finding.subject: finding for finding in system_checks.codecs(settings())}
        assert set(found) == {"H264", "VP8", "Opus"}
        assert {finding.level for finding in found.values()} == {Level.OK}

    def test_a_missing_codec_is_a_fault(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise ValueError("this installation of PyAV has no libx264")

        monkeypatch.setattr(system_checks, "open_video", refuse)
        found = {finding.subject: finding for finding in system_checks.codecs(settings())}
        assert found["H264"].level is Level.FAIL
        assert "libx264" in found["H264"].seen
        assert found["Opus"].level is Level.OK


class TestNetwork:
    async def test_addresses_that_are_not_of_this_machine(self) -> None:
        found = await gathered(network_checks.candidates(settings(ice={"bind_addresses": ["203.0.113.7"]})))
        assert [finding.level for finding in found] == [Level.FAIL]

    async def test_public_address_is_announced(self) -> None:
        with_license = {"server": {"host": "0.0.0.0"}, "licenses": [{"key": "k"}]}
        found = await gathered(
            network_checks.candidates(settings(ice={"public_address": "203.0.113.7"}, **with_license))
        )
        assert found[0].level is Level.OK
        assert "203.0.113.7" in found[0].seen

    def test_udp_range(self) -> None:
        slots = {"max_sessions": 10}
        (finding,) = network_checks.udp_ports(settings(session=slots, ice={"port_min": 5000, "port_max": 5008}))
        assert finding.level is Level.WARN
        (finding,) = network_checks.udp_ports(settings(session=slots, ice={"port_min": 5000, "port_max": 5009}))
        assert finding.level is Level.OK

    async def test_stun_server_that_answers(self) -> None:
        class Answering(asyncio.DatagramProtocol):
            def connection_made(self, transport) -> None:
                self.transport = transport

            def datagram_received(self, data: bytes, addr) -> None:
                request = stun.parse_message(data)
                answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction_id=request.transaction_id)
                answer.attributes["XOR-MAPPED-ADDRESS"] = ("203.0.113.9", addr[1])
                self.transport.sendto(bytes(answer), addr)

        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Answering, local_addr=("127.0.0.1", 0))
        try:
            port = transport.get_extra_info("sockname")[1]
            servers = [{"urls": [f"stun:127.0.0.1:{port}"]}]
            found = await gathered(
                network_checks.ice_servers(settings(server={"host": "0.0.0.0"}, ice={"servers": servers}))
            )
        finally:
            transport.close()
        assert [(finding.level, "203.0.113.9" in finding.seen) for finding in found] == [(Level.OK, True)]

    async def test_servers_that_do_not_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(network_checks, "PATIENCE", 0.3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            port = silent.getsockname()[1]
            servers = [
                {"urls": [f"stun:127.0.0.1:{port}"]},
                {"urls": [f"turn:127.0.0.1:{port}"], "username": "u", "credential": "hunter2"},
            ]
            found = await gathered(
                network_checks.ice_servers(settings(server={"host": "0.0.0.0"}, ice={"servers": servers}))
            )
        assert [finding.level for finding in found] == [Level.WARN, Level.FAIL]
        assert "hunter2" not in str(found)

    async def test_a_loopback_server_asks_nobody(self) -> None:
        (finding,) = await gathered(network_checks.ice_servers(settings()))
        assert finding.level is Level.OK
