"""Why a session that stood is over, as an app in Python is told; and what a server's end is for those who wait."""

import signal
from pathlib import Path

import pytest

from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import meanwhile
from tests.e2e.connection_states.calling import App
from tests.e2e.connection_states.causes import PYTHON, shows
from tests.e2e.connection_states.servers import (
    DRAINING,
    PERSISTENT,
    ModelService,
    client_token,
    serving,
    until_active,
)
from tests.e2e.network import needs_addresses, network, through_network
from visavis.bench.server_process import ServerProcess
from visavis.client import DisconnectReason, Expiring, Reconnecting, Reconnection, Timeouts

pytestmark = pytest.mark.asyncio(loop_scope="package")


def warnings(app: App) -> list[Expiring]:
    return [event for event in app.events if isinstance(event, Expiring)]


@shows(PYTHON, causes.IDLE)
async def test_a_visitor_who_says_nothing(strict: ServerProcess) -> None:
    app = App(strict.url)
    await app.call.connect()
    await app.ends(causes.IDLE)
    (warning,) = warnings(app)
    assert warning.reason is DisconnectReason.SESSION_TIMEOUT
    assert 0 < warning.seconds <= 4
    assert warning.message
    await until_active(strict, 0)


@shows(PYTHON, causes.LONGEST)
async def test_a_token_for_a_short_time(roomy: ServerProcess) -> None:
    app = App(roomy.url, token=await client_token(roomy, maxDuration=3))
    await app.call.connect()
    await app.ends(causes.LONGEST)
    assert [warning.reason for warning in warnings(app)] == ["sessionTimeout"]


@shows(PYTHON, causes.GOODBYE)
async def test_a_visitor_who_says_goodbye(roomy: ServerProcess) -> None:
    app = App(roomy.url)
    await app.call.connect()
    await app.call.send_text("Goodbye")
    await app.ends(causes.GOODBYE)
    last = app.call.history[-1]
    assert last.role == "assistant"
    assert "bye" in last.text.lower(), "the last word was said before the end"
    assert "realtime.response.audio.done" in [message.type for message in app.heard][-6:-1]


@shows(PYTHON, causes.MODEL_LOST)
async def test_a_language_model_that_dies(thinking: ServerProcess, model: ModelService) -> None:
    await model.start()
    app = App(thinking.url)
    await app.call.connect()
    assert "parrot" in await app.call.ask("Who are you?")
    await model.kill()
    await app.call.send_text("Are you there?")
    await app.ends(causes.MODEL_LOST)
    await until_active(thinking, 0)


@shows(PYTHON, causes.TAKEN_OVER)
async def test_the_same_session_in_two_places(roomy: ServerProcess) -> None:
    older = App(roomy.url, license=PERSISTENT)
    await older.call.connect()
    newer = App(roomy.url, license=PERSISTENT, resume=older.call.resume_token)
    assert await newer.call.connect() == older.call.session_id
    await older.ends(causes.TAKEN_OVER)
    assert newer.call.connected
    await newer.call.disconnect()
    await until_active(roomy, 0)


@needs_addresses
@shows(PYTHON, causes.MEDIA_LOST, causes.SERVER_KILLED, causes.KILLED_AT_START)
async def test_a_network_and_a_server_that_die(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is looked for in both cases, and not found."""
    through_network(monkeypatch)
    once = {"reconnection": Reconnection(attempts=1), "timeouts": Timeouts(media=2.0, stall=1.0)}
    async with network(0) as between, serving(DRAINING, tmp_path, between.server_settings) as server:
        cut_off = App(server.url, **once)
        await cut_off.call.connect()
        between.cut()
        assert (await cut_off.ends(causes.MEDIA_LOST)).error == "mediaStreamFailed"
        between.mend()
        await until_active(server, 0)

        inside, waiting = App(server.url, **once), App(server.url)
        await inside.call.connect()
        async with meanwhile(waiting.fails(causes.KILLED_AT_START)) as failing:
            await waiting.until_queued(1)
            server.send_signal(signal.SIGKILL)
            await failing
        await inside.ends(causes.SERVER_KILLED)
    for app in (cut_off, inside):
        assert [event.attempt for event in app.events if isinstance(event, Reconnecting)] == [1]


@shows(PYTHON, causes.STOPPED, causes.STOPPED_WHILE_QUEUED, causes.SHUTTING_DOWN)
async def test_a_server_that_is_stopped(tmp_path: Path) -> None:
    async with serving(DRAINING, tmp_path) as server:
        inside, waiting, late = [App(server.url) for _ in range(3)]
        await inside.call.connect()
        async with meanwhile(waiting.fails(causes.STOPPED_WHILE_QUEUED)) as failing:
            await waiting.until_queued(1)
            server.send_signal(signal.SIGTERM)
            await failing
        await late.fails(causes.SHUTTING_DOWN)
        assert inside.call.connected, "running sessions may go on for a while"
        await inside.ends(causes.STOPPED)
