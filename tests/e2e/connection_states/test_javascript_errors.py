"""Why a connection fails that a browser could make: what the server says, or leaves unsaid."""

import asyncio

import pytest
from playwright.async_api import Browser

from tests.browser import needs_chromium
from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import App, meanwhile, visiting
from tests.e2e.connection_states.causes import JAVASCRIPT, Cause, shows
from tests.e2e.connection_states.servers import (
    BROKEN,
    ELSEWHERE,
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
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.browser, needs_chromium]


async def fails(app: App, server: str, cause: Cause, **options: object) -> None:
    """Connecting to this server fails by this cause."""
    await app.make_scene(server, **options)
    await failing(app, cause)


async def failing(app: App, cause: Cause) -> None:
    """Connecting fails by this cause; where the server tells it, its own last word has the code, too."""
    said = len(app.heard)
    failure = await app.fails()
    cause.check(JAVASCRIPT, failure.name, failure.code)
    if cause.teller is causes.Teller.SERVER:
        assert app.heard[said:][-1]["data"]["code"] == cause.code


@pytest.mark.parametrize(
    ("cause", "options"),
    [
        (causes.WRONG_LICENSE, {"license": "wrong"}),
        (causes.ORIGIN_REFUSED, {"license": ELSEWHERE}),
        (causes.NO_AVATAR_NAMED, {"avatarId": ""}),
        (causes.UNKNOWN_AVATAR, {"avatarId": "nobody"}),
        (causes.AVATAR_BROKEN, {"avatarId": BROKEN}),
    ],
)
@shows(
    JAVASCRIPT,
    causes.WRONG_LICENSE,
    causes.ORIGIN_REFUSED,
    causes.NO_AVATAR_NAMED,
    causes.UNKNOWN_AVATAR,
    causes.AVATAR_BROKEN,
)
async def test_what_the_app_asks_for(
    roomy: ServerProcess, browser: Browser, cause: Cause, options: dict[str, str]
) -> None:
    async with visiting(browser) as visitor:
        await fails(await visitor.open(roomy.url), roomy.url, cause, **options)


@shows(JAVASCRIPT, causes.WRONG_LICENSE)
async def test_a_client_token_that_is_too_old(roomy: ServerProcess, browser: Browser) -> None:
    token = await client_token(roomy, lifetime=1)
    await asyncio.sleep(1.5)
    async with visiting(browser) as visitor:
        await fails(await visitor.open(roomy.url), roomy.url, causes.WRONG_LICENSE, token=token)


@shows(JAVASCRIPT, causes.LICENSE_FULL)
async def test_a_token_for_one_at_a_time(roomy: ServerProcess, browser: Browser) -> None:
    token = await client_token(roomy, maxSessions=1)
    async with visiting(browser) as visitor:
        first, second = [await visitor.open(roomy.url) for _ in range(2)]
        await first.make_scene(roomy.url, token=token)
        await first.connect()
        await fails(second, roomy.url, causes.LICENSE_FULL, token=token)


@shows(JAVASCRIPT, causes.RATE_LIMITED)
async def test_somebody_at_this_address_guesses_licenses(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await try_wrong_licenses(roomy)
        await fails(app, roomy.url, causes.RATE_LIMITED)
        # A while later this address may try again.
        await app.connect(retryOptions={"maxRetries": 100, "delayMs": 1000})


@shows(JAVASCRIPT, causes.NO_TOKEN)
async def test_an_app_that_gets_no_token(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        name, code = await app.page.evaluate(
            """async (server) => {
              const { Scene } = await import(`${server}/sdk/visavis.js`);
              const tokenProvider = async () => (await fetch(new URL("/no/such/thing", server))).json();
              const scene = new Scene({ server, tokenProvider, avatarId: "vera", audioOnly: true,
                requestedMediaDevices: { microphone: false } });
              const error = await scene.connect().catch((error) => error);
              return [error.name, error.code];
            }""",
            roomy.url,
        )
        causes.NO_TOKEN.check(JAVASCRIPT, name, code)


@shows(JAVASCRIPT, causes.UNREACHABLE)
async def test_no_server(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await fails(app, f"http://127.0.0.1:{closed_port()}", causes.UNREACHABLE)


@pytest.mark.parametrize(("cause", "wait"), [(causes.SILENT, "answer"), (causes.CONNECT_TOO_LONG, "connect")])
@shows(JAVASCRIPT, causes.SILENT, causes.CONNECT_TOO_LONG)
async def test_a_server_that_says_nothing(roomy: ServerProcess, browser: Browser, cause: Cause, wait: str) -> None:
    async with visiting(browser) as visitor, silent_server() as server:
        await fails(await visitor.open(roomy.url), server, cause, timeouts={wait: 1000})


@shows(JAVASCRIPT, causes.ALL_TAKEN)
async def test_no_place_and_no_queue(strict: ServerProcess, browser: Browser) -> None:
    holder = somebody(strict)
    await holder.connect()
    async with visiting(browser) as visitor:
        await fails(await visitor.open(strict.url), strict.url, causes.ALL_TAKEN)
    await holder.disconnect()
    await until_active(strict, 0)


@shows(JAVASCRIPT, causes.START_TOO_LONG, causes.QUEUE_OVER, causes.QUEUE_IMPATIENT)
async def test_those_who_wait_too_long(queueing: ServerProcess, browser: Browser, walled_browser: Browser) -> None:
    """One has the only place and gets no picture; one waits as long as the server lets it, and one less."""
    async with visiting(walled_browser) as walled, visiting(browser) as visitor:
        stuck = await walled.open(queueing.url)
        patient, hasty = [await visitor.open(queueing.url) for _ in range(2)]
        await stuck.make_scene(queueing.url, timeouts={"media": 0})
        await patient.make_scene(queueing.url)
        await hasty.make_scene(queueing.url, timeouts={"queue": 1000})
        async with meanwhile(failing(stuck, causes.START_TOO_LONG)) as late:
            await until_active(queueing, 1)
            async with meanwhile(failing(patient, causes.QUEUE_OVER)) as over:
                await until_active(queueing, 2)
                await failing(hasty, causes.QUEUE_IMPATIENT)
                await over
            await late
        assert [state["name"] for state in await stuck.states()][-2:] == ["ConnectingToDigitalPerson", "Disconnected"]
        assert (await patient.states())[1]["queuePosition"] == 1
    await until_active(queueing, 0)


@pytest.mark.parametrize(
    ("cause", "timeouts"), [(causes.MEDIA_BLOCKED, {"media": 0}), (causes.MEDIA_LATE, {"media": 1000})]
)
@shows(JAVASCRIPT, causes.MEDIA_BLOCKED, causes.MEDIA_LATE)
async def test_a_network_that_lets_no_media_through(
    strict: ServerProcess, walled_browser: Browser, cause: Cause, timeouts: dict[str, int]
) -> None:
    async with visiting(walled_browser) as visitor:
        await fails(await visitor.open(strict.url), strict.url, cause, timeouts=timeouts)
    await until_active(strict, 0)


@shows(JAVASCRIPT, causes.MODEL_DEAD)
async def test_a_language_model_that_is_not_there(
    thinking: ServerProcess, model: ModelService, browser: Browser
) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(thinking.url)
        await fails(app, thinking.url, causes.MODEL_DEAD)
        await model.start()
        await app.connect()
    await model.kill()


@shows(JAVASCRIPT, causes.NOTHING_TO_RESUME)
async def test_a_visitor_who_comes_back_too_late(roomy: ServerProcess, browser: Browser) -> None:
    kept = "() => Object.keys(sessionStorage).length"
    options = {"license": PERSISTENT, "sessionPersistence": "tab"}
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url, **options)
        first = await app.connect()
        await app.page.reload()
        await app.make_scene(roomy.url, **options)
        assert await app.connect() == first, "in time, it is the same session"
        await app.page.reload()
        await until_active(roomy, 0)
        assert await app.page.evaluate(kept) == 1
        await asyncio.sleep(RESUME_WINDOW + 0.5)
        await fails(app, roomy.url, causes.NOTHING_TO_RESUME, **options)
        assert await app.page.evaluate(kept) == 0, "what is lost is forgotten"
        assert await app.connect() != first
