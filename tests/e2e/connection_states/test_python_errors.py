"""Why a connection fails, as an app in Python is told."""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import meanwhile
from tests.e2e.connection_states.calling import App
from tests.e2e.connection_states.causes import PYTHON, Cause, shows
from tests.e2e.connection_states.servers import (
    BROKEN,
    PERSISTENT,
    RESUME_WINDOW,
    ModelService,
    client_token,
    closed_port,
    silent_server,
    somebody,
    try_wrong_licenses,
    until_active,
)
from tests.e2e.network import needs_addresses, through_network
from visavis.bench.server_process import ServerProcess
from visavis.client import Microphone, RetryOptions, Timeouts

pytestmark = pytest.mark.asyncio(loop_scope="package")


@pytest.mark.parametrize(
    ("cause", "options"),
    [
        (causes.WRONG_LICENSE, {"license": "wrong"}),
        (causes.NO_AVATAR_NAMED, {"avatar_id": ""}),
        (causes.UNKNOWN_AVATAR, {"avatar_id": "nobody"}),
        (causes.AVATAR_BROKEN, {"avatar_id": BROKEN}),
    ],
)
@shows(PYTHON, causes.WRONG_LICENSE, causes.NO_AVATAR_NAMED, causes.UNKNOWN_AVATAR, causes.AVATAR_BROKEN)
async def test_what_the_app_asks_for(roomy: ServerProcess, cause: Cause, options: dict[str, Any]) -> None:
    await App(roomy.url, **options).fails(cause)


@shows(PYTHON, causes.WRONG_LICENSE)
async def test_a_client_token_that_is_too_old(roomy: ServerProcess) -> None:
    token = await client_token(roomy, lifetime=1)
    await asyncio.sleep(1.5)
    await App(roomy.url, token=token).fails(causes.WRONG_LICENSE)


@shows(PYTHON, causes.LICENSE_FULL)
async def test_a_token_for_one_at_a_time(roomy: ServerProcess) -> None:
    token = await client_token(roomy, maxSessions=1)
    first = App(roomy.url, token=token)
    await first.call.connect()
    await App(roomy.url, token=token).fails(causes.LICENSE_FULL)
    await first.call.disconnect()
    await until_active(roomy, 0)


@shows(PYTHON, causes.RATE_LIMITED)
async def test_somebody_at_this_address_guesses_licenses(roomy: ServerProcess) -> None:
    await try_wrong_licenses(roomy)
    await App(roomy.url).fails(causes.RATE_LIMITED)
    # A while later this address may try again.
    patient = App(roomy.url, retry=RetryOptions(max_retries=100))
    await patient.call.connect()
    await patient.call.disconnect()
    await until_active(roomy, 0)


@shows(PYTHON, causes.NO_TOKEN)
async def test_an_app_that_gets_no_token(roomy: ServerProcess) -> None:
    async def provide() -> str:
        raise ConnectionError("the app's own server is down")

    error = await App(roomy.url, token_provider=provide).fails(causes.NO_TOKEN)
    assert isinstance(error.__cause__, ConnectionError)


@shows(PYTHON, causes.MICROPHONE_MISSING)
async def test_a_machine_without_a_microphone(roomy: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library's own word for it, whatever devices this machine has."""

    class PortAudioError(Exception):
        pass

    def no_device(*_: object, **__: object) -> None:
        raise PortAudioError("Error querying device -1")

    monkeypatch.setitem(
        sys.modules, "sounddevice", SimpleNamespace(PortAudioError=PortAudioError, InputStream=no_device)
    )
    app = App(roomy.url, audio=Microphone())
    await app.fails(causes.MICROPHONE_MISSING)
    assert app.heard == [], "nobody's place is taken by who has no microphone"


@shows(PYTHON, causes.NO_SOUND_LIBRARY)
async def test_a_machine_without_the_library_for_sound(roomy: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    app = App(roomy.url, audio=Microphone())
    assert "pip install" in str(await app.fails(causes.NO_SOUND_LIBRARY))
    assert app.heard == []


@shows(PYTHON, causes.UNREACHABLE)
async def test_no_server() -> None:
    await App(f"http://127.0.0.1:{closed_port()}").fails(causes.UNREACHABLE)


@pytest.mark.parametrize(
    ("cause", "timeouts"),
    [(causes.SILENT, Timeouts(answer=1.0)), (causes.CONNECT_TOO_LONG, Timeouts(connect=1.0))],
)
@shows(PYTHON, causes.SILENT, causes.CONNECT_TOO_LONG)
async def test_a_server_that_says_nothing(cause: Cause, timeouts: Timeouts) -> None:
    async with silent_server() as server:
        await App(server, timeouts=timeouts).fails(cause)


@shows(PYTHON, causes.ALL_TAKEN)
async def test_no_place_and_no_queue(strict: ServerProcess) -> None:
    holder = somebody(strict)
    await holder.connect()
    await App(strict.url).fails(causes.ALL_TAKEN)
    await holder.disconnect()
    await until_active(strict, 0)


@needs_addresses
@shows(PYTHON, causes.START_TOO_LONG, causes.QUEUE_OVER, causes.QUEUE_IMPATIENT)
async def test_those_who_wait_too_long(queueing: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """One has the only place and gets no picture; one waits as long as the server lets it, and one less."""
    through_network(monkeypatch)
    stuck = App(queueing.url, timeouts=Timeouts(media=None))
    patient, hasty = App(queueing.url), App(queueing.url, timeouts=Timeouts(queue=1.0))
    async with meanwhile(stuck.fails(causes.START_TOO_LONG)) as late:
        await until_active(queueing, 1)
        async with meanwhile(patient.fails(causes.QUEUE_OVER)) as over:
            await until_active(queueing, 2)
            await hasty.fails(causes.QUEUE_IMPATIENT)
            await over
        await late
    assert [state.name for state in stuck.states][-2:] == ["ConnectingToDigitalPerson", "Disconnected"]
    assert patient.states[1].queue_position == 1
    await until_active(queueing, 0)


@needs_addresses
@pytest.mark.parametrize(("cause", "media"), [(causes.MEDIA_BLOCKED, None), (causes.MEDIA_LATE, 1.0)])
@shows(PYTHON, causes.MEDIA_BLOCKED, causes.MEDIA_LATE)
async def test_a_network_that_lets_no_media_through(
    strict: ServerProcess, monkeypatch: pytest.MonkeyPatch, cause: Cause, media: float | None
) -> None:
    # There is none.
    through_network(monkeypatch)
    await App(strict.url, timeouts=Timeouts(media=media)).fails(cause)
    await until_active(strict, 0)


@shows(PYTHON, causes.MODEL_DEAD)
async def test_a_language_model_that_is_not_there(thinking: ServerProcess, model: ModelService) -> None:
    await App(thinking.url).fails(causes.MODEL_DEAD)
    await model.start()
    app = App(thinking.url)
    await app.call.connect()
    await app.call.disconnect()
    await model.kill()
    await until_active(thinking, 0)


@shows(PYTHON, causes.NOTHING_TO_RESUME)
async def test_a_visitor_who_comes_back_too_late(roomy: ServerProcess) -> None:
    first, second = App(roomy.url, license=PERSISTENT), None
    session_id = await first.call.connect()
    await first.call.disconnect()
    second = App(roomy.url, license=PERSISTENT, resume=first.call.resume_token)
    assert await second.call.connect() == session_id, "in time, it is the same session"
    await second.call.disconnect()
    await until_active(roomy, 0)
    await asyncio.sleep(RESUME_WINDOW + 0.5)
    late = App(roomy.url, license=PERSISTENT, resume=second.call.resume_token)
    await late.fails(causes.NOTHING_TO_RESUME)
    assert late.call.resume_token == "", "what is lost is forgotten"
