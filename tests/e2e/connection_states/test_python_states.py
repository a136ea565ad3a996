"""The five states, as an app in Python is told them."""

import asyncio

import pytest

from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import meanwhile
from tests.e2e.connection_states.calling import App
from tests.e2e.connection_states.causes import PYTHON, shows
from tests.e2e.connection_states.servers import somebody, until_active
from visavis.bench.server_process import ServerProcess

pytestmark = pytest.mark.asyncio(loop_scope="package")

STATE = "conversation.connected.state"


@shows(
    PYTHON,
    causes.DISCONNECTED,
    causes.SEARCHING,
    causes.PREPARING,
    causes.CONNECTING,
    causes.CONNECTED,
    causes.HUNG_UP,
)
async def test_from_nothing_to_a_conversation_and_back(roomy: ServerProcess) -> None:
    app = App(roomy.url)
    before = app.call.state
    await app.call.connect()
    await app.until(lambda: len(app.said(STATE)) == 3)
    states = [before, *app.states]
    wire = [message.data["state"] for message in app.said(STATE)]
    assert [(state.name, state.current_step, state.percentage_loaded) for state in states] == [
        ("Disconnected", 0, 0),
        ("SearchingForDigitalPerson", 1, 25),
        ("DownloadingAssets", 2, 50),
        ("ConnectingToDigitalPerson", 3, 75),
        ("Connected", 4, 100),
    ]
    assert all(state.total_steps == 5 and state.queue_position is None for state in states)
    assert wire == ["preparing", "connecting", "connected"]
    shown = (causes.DISCONNECTED, causes.SEARCHING, causes.PREPARING, causes.CONNECTING, causes.CONNECTED)
    for cause, state, code in zip(shown, states, ["", "", *wire], strict=True):
        cause.check(PYTHON, state.name, code)
    await app.call.disconnect()
    await app.ends(causes.HUNG_UP)
    await until_active(roomy, 0)


@shows(PYTHON, causes.QUEUED)
async def test_the_place_in_the_queue_falls(queueing: ServerProcess) -> None:
    holder, waiter, app = somebody(queueing), somebody(queueing), App(queueing.url)
    await holder.connect()
    async with meanwhile(waiter.connect()) as waiting:
        await until_active(queueing, 2)
        async with meanwhile(app.call.connect()) as connecting:
            await app.until_queued(2)
            await waiter.disconnect()
            await asyncio.wait({waiting})
            await app.until_queued(1)
            await holder.disconnect()
            assert await connecting == app.call.session_id
    assert [(state.name, state.queue_position) for state in app.states] == [
        ("SearchingForDigitalPerson", None),
        ("SearchingForDigitalPerson", 2),
        ("SearchingForDigitalPerson", 1),
        ("DownloadingAssets", None),
        ("ConnectingToDigitalPerson", None),
        ("Connected", None),
    ]
    first = app.said(STATE)[0].data
    assert first["queuePosition"] == 2
    causes.QUEUED.check(PYTHON, app.states[1].name, first["state"])
    await app.call.disconnect()
    await until_active(queueing, 0)
