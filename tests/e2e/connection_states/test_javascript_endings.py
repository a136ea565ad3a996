"""Why a session that stood is over, as an app in the browser is told; and what a server's end is for those who wait."""

import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.browser import needs_chromium
from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import App, meanwhile, visiting
from tests.e2e.connection_states.causes import JAVASCRIPT, Cause, shows
from tests.e2e.connection_states.servers import (
    DRAINING,
    PERSISTENT,
    ModelService,
    client_token,
    serving,
    until_active,
)
from tests.e2e.network import PAGE_THROUGH_NETWORK, needs_addresses, network
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.browser, needs_chromium]


async def ends(app: App, cause: Cause) -> None:
    """The session ends by this cause; where the server tells it, its own last word has the code, too."""
    end = await app.disconnected()
    cause.check(JAVASCRIPT, end.reason, end.code)
    assert end.session_id == app.said("conversation.connected.success")[0]["sessionId"]
    if cause.teller is causes.Teller.SERVER:
        assert app.heard[-1]["data"]["code"] == cause.code


async def fails(app: App, cause: Cause) -> None:
    """Connecting fails by this cause."""
    failure = await app.fails()
    cause.check(JAVASCRIPT, failure.name, failure.code)


@shows(JAVASCRIPT, causes.IDLE)
async def test_a_visitor_who_says_nothing(strict: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(strict.url)
        await app.make_scene(strict.url)
        await app.connect()
        await ends(app, causes.IDLE)
        (warning,) = await app.told("expiring")
        assert warning["reason"] == "sessionTimeout"
        assert 0 < warning["seconds"] <= 4
        assert warning["message"]
    await until_active(strict, 0)


@shows(JAVASCRIPT, causes.LONGEST)
async def test_a_token_for_a_short_time(roomy: ServerProcess, browser: Browser) -> None:
    token = await client_token(roomy, maxDuration=3)
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url, token=token)
        await app.connect()
        await ends(app, causes.LONGEST)
        assert [warning["reason"] for warning in await app.told("expiring")] == ["sessionTimeout"]


@shows(JAVASCRIPT, causes.GOODBYE)
async def test_a_visitor_who_says_goodbye(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url)
        await app.connect()
        await app.page.evaluate("() => scene.sendText('Goodbye')")
        await ends(app, causes.GOODBYE)
        said = await app.page.evaluate("() => scene.history")
        last = said[-1]
        assert last["role"] == "assistant"
        assert "bye" in last["content"].lower(), "the last word was said before the end"
        kinds = [message["type"] for message in app.heard]
        assert kinds.index("realtime.response.audio.done", -6) < kinds.index("conversation.connected.close")


@shows(JAVASCRIPT, causes.MODEL_LOST)
async def test_a_language_model_that_dies(thinking: ServerProcess, model: ModelService, browser: Browser) -> None:
    await model.start()
    async with visiting(browser) as visitor:
        app = await visitor.open(thinking.url)
        await app.make_scene(thinking.url)
        await app.connect()
        await app.page.evaluate("() => scene.sendText('Who are you?')")
        await app.until("() => told.some(([kind, it]) => kind === 'caption' && it.text.includes('parrot'))")
        await model.kill()
        await app.page.evaluate("() => scene.sendText('Are you there?')")
        await ends(app, causes.MODEL_LOST)
    await until_active(thinking, 0)


@shows(JAVASCRIPT, causes.TAKEN_OVER)
async def test_the_same_session_in_two_tabs(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        older, newer = [await visitor.open(roomy.url) for _ in range(2)]
        for tab in (older, newer):
            await tab.make_scene(roomy.url, license=PERSISTENT, sessionPersistence="browser")
        assert await older.connect() == await newer.connect()
        await ends(older, causes.TAKEN_OVER)
        assert await newer.page.evaluate("() => scene.isConnected()")


@shows(JAVASCRIPT, causes.SERVER_KILLED, causes.KILLED_AT_START)
async def test_a_server_that_dies(roomy: ServerProcess, browser: Browser, tmp_path: Path) -> None:
    async with serving(DRAINING, tmp_path) as server, visiting(browser) as visitor:
        inside, waiting = [await visitor.open(roomy.url) for _ in range(2)]
        await inside.make_scene(server.url, timeouts={"reconnect": 3000})
        await inside.connect()
        await waiting.make_scene(server.url)
        async with meanwhile(fails(waiting, causes.KILLED_AT_START)) as failing:
            await waiting.until_queued(1)
            os.kill(server.pid, signal.SIGKILL)
            await failing
        assert await inside.page.evaluate("() => scene.isConnected()"), "it is looked for, for a while"
        await ends(inside, causes.SERVER_KILLED)
        assert await inside.told("media") == [{"flowing": False}], "meanwhile the picture stands still"


@shows(JAVASCRIPT, causes.STOPPED, causes.STOPPED_WHILE_QUEUED, causes.SHUTTING_DOWN)
async def test_a_server_that_is_stopped(roomy: ServerProcess, browser: Browser, tmp_path: Path) -> None:
    async with serving(DRAINING, tmp_path) as server, visiting(browser) as visitor:
        inside, waiting, late = [await visitor.open(roomy.url) for _ in range(3)]
        for app in (inside, waiting, late):
            await app.make_scene(server.url)
        await inside.connect()
        async with meanwhile(fails(waiting, causes.STOPPED_WHILE_QUEUED)) as failing:
            await waiting.until_queued(1)
            os.kill(server.pid, signal.SIGTERM)
            await failing
        await fails(late, causes.SHUTTING_DOWN)
        assert await inside.page.evaluate("() => scene.isConnected()"), "running sessions may go on for a while"
        await ends(inside, causes.STOPPED)


@needs_addresses
@shows(JAVASCRIPT, causes.MEDIA_LOST)
async def test_a_network_that_lets_no_media_through_any_more(
    roomy: ServerProcess, browser: Browser, tmp_path: Path
) -> None:
    async with (
        network(0) as between,
        serving("", tmp_path, between.server_settings) as server,
        visiting(browser) as visitor,
    ):
        app = await visitor.open(roomy.url, before=PAGE_THROUGH_NETWORK)
        await app.make_scene(server.url, timeouts={"media": 2000})
        await app.connect()
        between.cut()
        await ends(app, causes.MEDIA_LOST)
        assert (await app.disconnected()).name == "mediaStreamFailed"
        assert await app.told("media") == [{"flowing": False}]
