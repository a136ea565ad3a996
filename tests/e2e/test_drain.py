"""A real server that is being stopped: what becomes of its calls, and what is written of them."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.e2e.caller import SUCCESS, Caller
from tests.e2e.records import health, until_there
from visavis.bench.server_process import ServerProcess
from visavis.client import Call, ServerConnectionFailedError
from visavis.session.events import Ending, SessionState
from visavis.session.records import SessionRecord
from visavis.store.store import open_store

GRACE = 600.0
"""Seconds that nobody here waits for."""
PATIENCE = 60.0


@asynccontextmanager
async def serving(folder: Path, *, drain_timeout: float = GRACE) -> AsyncIterator[ServerProcess]:
    """A server with two slots."""
    environment = {
        "VISAVIS_STORE__URL": store(folder),
        "VISAVIS_SERVER__DRAIN_TIMEOUT": str(drain_timeout),
        "VISAVIS_SESSION__MAX_SESSIONS": "2",
        "VISAVIS_SESSION__MEDIA_TIMEOUT": "600",
        "VISAVIS_SESSION__START_TIMEOUT": "600",
    }
    async with ServerProcess(["--log-format", "json"], environment=environment) as server:
        yield server
    assert not [line for line in server.log if '"level": "error"' in line or "Traceback" in line]


def store(folder: Path) -> str:
    return f"sqlite:///{folder}/visavis.db"


async def records(folder: Path) -> dict[str, SessionRecord]:
    """What the server, which is gone, has left in the store."""
    async with open_store(store(folder), create=False) as opened:
        return {record.id: record for record in await opened.records.latest()}


async def until_draining(server: ServerProcess) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await health(server))[0] != 503:  # noqa: ASYNC110 (another process's state)
            await asyncio.sleep(0.05)


async def arrive(server: ServerProcess) -> Caller:
    caller = Caller(server.url, server.license)
    await caller.call()
    await caller.until(lambda: caller.states)
    return caller


async def test_a_running_call_goes_on_to_its_own_end_and_nobody_else_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        async with Call(server.url, license=server.license, avatar_id="vera") as call:
            second, waiting = await arrive(server), await arrive(server)
            assert waiting.positions == [1]
            server.send_signal(signal.SIGTERM)
            # Who waits will get no slot, and is told so now.
            assert await waiting.until_over() == (1000, "normal")
            assert waiting.code == "normal"
            await until_draining(server)
            assert await health(server) == (503, {"status": "stopping", "sessions": 2, "waiting": 0, "slots": 2})
            late = Caller(server.url, server.license)
            await late.call()
            assert await late.until_over() == (1013, "shutting_down")
            assert late.code == "shutting_down"
            assert late.of(SUCCESS) == []
            with pytest.raises(ServerConnectionFailedError) as raised:
                await Call(server.url, license=server.license, avatar_id="vera").connect()
            assert raised.value.code == "shutting_down"
            # Even where a slot has become free.
            await second.leave()
            await until_there(server, 1)
            async with Caller(server.url, server.license) as late:
                assert await late.until_over() == (1013, "shutting_down")
            assert await call.ask("How old are you?")
            assert call.connected
        left = time.monotonic()
        assert await server.wait(PATIENCE) == 0
        assert time.monotonic() - left < GRACE / 10
    kept = await records(tmp_path)
    assert set(kept) == {call.session_id, second.session_id, waiting.session_id}
    assert {record.ending for record in kept.values()} == {Ending.NORMAL}
    assert SessionState.CONNECTED in [entry.state for entry in kept[call.session_id].states]
    assert SessionState.PREPARING not in [entry.state for entry in kept[waiting.session_id].states]


async def test_when_their_time_is_over_the_rest_are_told(tmp_path: Path) -> None:
    async with serving(tmp_path, drain_timeout=1.5) as server:
        call = Call(server.url, license=server.license, avatar_id="vera")
        await call.connect()
        other = await arrive(server)
        with call.events() as events:
            began = time.monotonic()
            server.send_signal(signal.SIGTERM)
            await until_draining(server)
            assert other.closed is None
            async with asyncio.timeout(PATIENCE):
                async for _ in events:
                    pass
        assert time.monotonic() - began > 1.4
        assert await other.until_over() == (1000, "normal")
        assert await server.wait(PATIENCE) == 0
        await call.disconnect()
    assert call.disconnection
    assert (call.disconnection.reason, call.disconnection.code) == ("normal", "normal")
    kept = await records(tmp_path)
    assert {record.id: record.ending for record in kept.values()} == {
        call.session_id: Ending.NORMAL,
        other.session_id: Ending.NORMAL,
    }
    assert all(record.message == "The server is shutting down." for record in kept.values())
    assert all(record.states[-1].state is SessionState.ENDED for record in kept.values())


@pytest.mark.parametrize("signals", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT,)])
async def test_a_second_signal_hurries_and_an_interrupt_does_not_wait(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    async with serving(tmp_path) as server:
        talking, waiting = [await arrive(server) for _ in range(3)][::2]
        await talking.until_state("connecting")
        for number in signals[:-1]:
            server.send_signal(number)
            await until_draining(server)
            assert talking.closed is None
        began = time.monotonic()
        server.send_signal(signals[-1])
        assert await talking.until_over() == (1000, "normal")
        assert await waiting.until_over() == (1000, "normal")
        assert await server.wait(PATIENCE) == 0
        assert time.monotonic() - began < GRACE / 10
    kept = await records(tmp_path)
    assert len(kept) == 3
    assert {record.ending for record in kept.values()} == {Ending.NORMAL}
