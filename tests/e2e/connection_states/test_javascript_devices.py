"""Why a connection fails in the visitor's own browser, before any server is asked."""

import pytest
from playwright.async_api import Browser

from tests.browser import needs_chromium
from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import visiting
from tests.e2e.connection_states.causes import JAVASCRIPT, Cause, shows
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="package"), pytest.mark.browser, needs_chromium]

WANTED = {"requestedMediaDevices": {"microphone": True}}
REQUIRED = {"requiredMediaDevices": {"microphone": True}}


@shows(JAVASCRIPT, causes.MICROPHONE_REFUSED)
async def test_a_visitor_who_refuses(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url, **REQUIRED)
        failure = await app.fails()
        causes.MICROPHONE_REFUSED.check(JAVASCRIPT, failure.name, failure.code)
        assert app.heard == [], "nobody's place is taken by a visitor who refuses"
        # The visitor may change the mind, or the app may do without.
        await app.make_scene(roomy.url, **WANTED)
        await app.connect()
        assert await app.told("microphonelost") == ["permission_denied"]


@shows(JAVASCRIPT, causes.MICROPHONE_MISSING)
async def test_a_machine_without_a_microphone(roomy: ServerProcess, walled_browser: Browser) -> None:
    async with visiting(walled_browser, microphone=True) as visitor:
        app = await visitor.open(roomy.url)
        await app.make_scene(roomy.url, **REQUIRED)
        failure = await app.fails()
        causes.MICROPHONE_MISSING.check(JAVASCRIPT, failure.name, failure.code)


@pytest.mark.parametrize(
    ("cause", "lacks"),
    [
        (causes.NO_GET_USER_MEDIA, "delete MediaDevices.prototype.getUserMedia;"),
        (causes.NO_WEBRTC, "delete globalThis.RTCPeerConnection;"),
    ],
)
@shows(JAVASCRIPT, causes.NO_GET_USER_MEDIA, causes.NO_WEBRTC)
async def test_a_browser_that_lacks_something(roomy: ServerProcess, browser: Browser, cause: Cause, lacks: str) -> None:
    async with visiting(browser, microphone=True) as visitor:
        app = await visitor.open(roomy.url, before=lacks)
        await app.make_scene(roomy.url, **WANTED)
        failure = await app.fails()
        cause.check(JAVASCRIPT, failure.name, failure.code)


@shows(JAVASCRIPT, causes.INSECURE)
async def test_a_page_that_comes_by_http_from_another_machine(roomy: ServerProcess, browser: Browser) -> None:
    async with visiting(browser, insecure=True) as visitor:
        app = await visitor.open(roomy.url)
        assert await app.page.evaluate("() => [isSecureContext, typeof navigator.mediaDevices]") == [False, "undefined"]
        await app.make_scene(roomy.url, **WANTED)
        failure = await app.fails()
        causes.INSECURE.check(JAVASCRIPT, failure.name, failure.code)
        # Who asks for no device needs no such trust.
        await app.make_scene(roomy.url)
        await app.connect()
