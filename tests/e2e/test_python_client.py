"""The Python client against real servers: one that is killed and started again, a queue, two places for one session."""

import asyncio
import contextlib
import os
import random
import signal
import socket
from pathlib import Path

import pytest

from tests.client.stage import until
from visavis.bench.server_process import ServerProcess
from visavis.client import Call, ConnectionState, Reconnecting, Resumed

pytestmark = pytest.mark.asyncio


def free_port() -> int:
    """A port that stays free between two servers: none that the system gives to whoever asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def test_a_server_that_is_killed_and_started_again_goes_on_with_the_conversation(tmp_path: Path) -> None:
    # The second server is to be found where the first one was.
    arguments = ["--port", str(free_port()), "--set", f"store.url=sqlite:///{tmp_path}/store.db"]
    variables = {"city": "Paris"}
    told: list[object] = []
    async with ServerProcess(arguments) as first:
        call = Call(first.url, license=first.license, avatar_id="vera", variables=variables, on_event=told.append)
        session = await call.connect()
        await call.idle()
        assert "Ada" in await call.ask("My name is Ada.")
        said = call.history
        # What was said is written within an instant.
        await asyncio.sleep(1.0)
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: not call.connected)
    async with ServerProcess(arguments):
        assert "Ada" in await call.ask("What is my name?", patience=90)
        assert call.session_id == session
        assert call.history[: len(said)] == said
        assert call.variables == variables
        assert [event for event in told if isinstance(event, Resumed)] == [Resumed(said, variables)]
        assert [event for event in told if isinstance(event, Reconnecting)]
        await call.disconnect()


async def test_waiting_in_the_queue_and_going_on_in_another_place() -> None:
    async with ServerProcess(["--max-sessions", "1"]) as server:
        one = Call(server.url, license=server.license, avatar_id="vera")
        await one.connect()
        places: list[int | None] = []

        def note(state: ConnectionState) -> None:
            if state.name == "SearchingForDigitalPerson":
                places.append(state.queue_position)

        waiting = Call(server.url, license=server.license, avatar_id="vera", on_state=note)
        connecting = asyncio.create_task(waiting.connect())
        await until(lambda: places == [None, 1])
        # The session's place is its own, wherever it is.
        async with Call(server.url, license=server.license, avatar_id="vera", resume=one.resume_token) as newer:
            assert newer.resumed
            assert newer.session_id == one.session_id
            await until(lambda: one.disconnection is not None)
            assert one.disconnection is not None
            assert one.disconnection.code == "replaced"
            assert not connecting.done()
        await connecting
        assert waiting.session_id != newer.session_id
        await waiting.disconnect()
