"""The five states, as an app in the browser is told them."""

import asyncio

import pytest
from playwright.async_api import Browser

from tests.browser import needs_chromium
from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import meanwhile, visiting
from tests.e2e.connection_states.causes import JAVASCRIPT, shows
from tests.e2e.connection_states.servers import somebody, until_active
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.browser, needs_chromium]

NOW = "() => scene.connectionState.getConnectionState()"


@shows(
    JAVASCRIPT,
    causes.DISCONNECTED,
    causes.SEARCHING,
    causes.PREPARING,
    causes.CONNECTING,
    causes.CONNECTED,
    causes.HUNG_UP,
)
async def test_from_nothing_to_a_conversation_and_back(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser, microphone=True) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url, requiredMediaDevices={"microphone": True})
        before = await app.page.evaluate(NOW)
        session_id = await app.connect()
        await app.until("() => document.querySelector('video').videoWidth > 0")
        states = await app.states()
        wire = [data["state"] for data in app.said("conversation.connected.state")]
        assert [(state["name"], state["currentStep"], state["percentageLoaded"]) for state in [before, *states]] == [
            ("Disconnected", 0, 0),
            ("SearchingForDigitalPerson", 1, 25),
            ("DownloadingAssets", 2, 50),
            ("ConnectingToDigitalPerson", 3, 75),
            ("Connected", 4, 100),
        ]
        assert all(state["totalSteps"] == 5 for state in [before, *states])
        assert wire == ["preparing", "connecting", "connected"]
        codes = ["", "", *wire]
        shown = (causes.DISCONNECTED, causes.SEARCHING, causes.PREPARING, causes.CONNECTING, causes.CONNECTED)
        for cause, state, code in zip(shown, [before, *states], codes, strict=True):
            cause.check(JAVASCRIPT, state["name"], code)

        await app.page.evaluate("() => scene.disconnect()")
        end = await app.disconnected()
        assert end.session_id == session_id
        causes.HUNG_UP.check(JAVASCRIPT, end.reason, end.code)


@shows(JAVASCRIPT, causes.QUEUED)
async def test_the_place_in_the_queue_falls(queueing: ServerProcess, browser: Browser) -> None:
    holder, waiter = somebody(queueing), somebody(queueing)
    await holder.connect()
    async with meanwhile(waiter.connect()) as waiting, visiting(browser) as visitor:
        await until_active(queueing, 2)
        app = await visitor.open(queueing.url)
        await app.make_scene(queueing.url)
        async with meanwhile(app.connect()) as connecting:
            await app.until_queued(2)
            await waiter.disconnect()
            await asyncio.wait({waiting})
            await app.until_queued(1)
            await holder.disconnect()
            assert await connecting == app.said("conversation.connected.success")[0]["sessionId"]
        states = await app.states()
        assert [(state["name"], state.get("queuePosition")) for state in states] == [
            ("SearchingForDigitalPerson", None),
            ("SearchingForDigitalPerson", 2),
            ("SearchingForDigitalPerson", 1),
            ("DownloadingAssets", None),
            ("ConnectingToDigitalPerson", None),
            ("Connected", None),
        ]
        first = app.said("conversation.connected.state")[0]
        assert first["queuePosition"] == 2
        causes.QUEUED.check(JAVASCRIPT, states[1]["name"], first["state"])
    await until_active(queueing, 0)
