"""A session goes on: after a page change, and after a network that was lost."""

import asyncio

import pytest

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.web.fake_server import FakeServer, eventually
from tests.web.somebody import begin, connect, hears, steps, told

pytestmark = [pytest.mark.browser, needs_chromium]

SAID = [{"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Good day."}]

TYPED = {"requestedMediaDevices": {"microphone": False}}

FRAMES = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


@pytest.fixture(autouse=True)
def told_states(server: FakeServer) -> None:
    server.states = True


async def resumed_with(server: FakeServer) -> list[str]:
    return [call.socket.query_params.get("resume", "") for call in server.calls]


class TestPersistence:
    """Across pages."""

    @pytest.mark.parametrize("persistence", ["tab", "browser"])
    async def test_a_page_that_is_left_and_opened_again(self, server: FakeServer, persistence: str) -> None:
        async with chromium_page() as browser:
            first = await begin(browser, server, sessionPersistence=persistence, history=["From long ago."])
            server.sessions["token-1"] = SAID
            await browser.page.goto("about:blank")
            await asyncio.wait_for(server.call.closed.wait(), 10)
            again = await begin(browser, server, sessionPersistence=persistence, history=["From long ago."])
            assert again == first == "session-1"
            assert await resumed_with(server) == ["", "token-1"]
            assert await told(browser, "resumed") == [{"history": SAID, "variables": {"guest": "Ann"}}]
            assert await browser.page.evaluate("() => scene.history") == SAID
            assert server.calls[0].texts() == ["From long ago."]
            assert server.call.texts() == [], "the server remembers by itself"

    @pytest.mark.parametrize("persistent", [True, False])
    async def test_who_hangs_up_comes_back_only_where_the_server_keeps_it(
        self, server: FakeServer, persistent: bool
    ) -> None:
        server.persistent = persistent
        async with chromium_page() as browser:
            await begin(browser, server, sessionPersistence="tab", **TYPED)
            await browser.page.evaluate("() => scene.disconnect()")
            await asyncio.wait_for(server.call.closed.wait(), 10)
            await connect(browser)
            assert await resumed_with(server) == ["", "token-1" if persistent else ""]

    @pytest.mark.parametrize(("persistence", "resumed"), [("tab", ""), ("browser", "token-1")])
    async def test_another_tab(self, server: FakeServer, persistence: str, resumed: str) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, sessionPersistence=persistence, **TYPED)
            other = BrowserPage(await browser.page.context.new_page())
            await begin(other, server, sessionPersistence=persistence, **TYPED)
            assert (await resumed_with(server))[1] == resumed
            if resumed:
                await server.calls[0].end("close", "replaced")
                assert (await hears(browser, "disconnected"))[2:4] == ["normal", "replaced"]
                assert await browser.page.evaluate("() => localStorage.length") == 1, "the other one needs the token"

    async def test_without_it_nothing_is_kept(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            assert await browser.page.evaluate("() => localStorage.length + sessionStorage.length") == 0
            await browser.page.evaluate("() => scene.disconnect()")
            assert await connect(browser) == "session-2"
            assert await resumed_with(server) == ["", ""]

    async def test_each_avatar_has_its_own_session(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            for avatar in ("Ada", "Ben", "Ada"):
                await begin(browser, server, sessionPersistence="tab", name=avatar, **TYPED)
                await browser.page.evaluate("() => scene.disconnect()")
            assert await resumed_with(server) == ["", "", "token-1"]

    async def test_nothing_to_resume_is_an_error_and_forgotten(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, sessionPersistence="tab", **TYPED)
            await browser.page.evaluate("() => scene.disconnect()")
            server.sessions.clear()
            assert (await connect(browser))[:2] == ["noSessionToResume", "no_session_to_resume"]
            assert await browser.held() == NOTHING
            assert await connect(browser) == "session-1"
            assert await resumed_with(server) == ["", "token-1", ""]

    async def test_a_conversation_that_was_ended_is_forgotten(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, sessionPersistence="browser", **TYPED)
            assert await browser.page.evaluate("() => localStorage.length") == 1
            await server.call.end("close", "conversation_ended")
            await hears(browser, "disconnected")
            assert await browser.page.evaluate("() => localStorage.length") == 0

    async def test_a_browser_that_keeps_nothing(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await browser.page.add_init_script(
                """Object.defineProperty(window, "sessionStorage",
                  { get() { throw new DOMException("blocked", "SecurityError"); } });"""
            )
            await begin(browser, server, sessionPersistence="tab", **TYPED)
            await browser.page.evaluate("() => scene.disconnect()")
            assert await connect(browser) == "session-1", "as long as the page is open"


class TestReconnecting:
    """The line is lost without a word."""

    async def test_the_session_goes_on_by_itself(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, variables={"guest": "Bob"})
            server.sessions["token-1"] = SAID
            before = await steps(browser)
            server.cut()
            await hears(browser, "media", 2)
            assert await told(browser, "media") == [{"flowing": False}, {"flowing": True}]
            assert await resumed_with(server) == ["", "token-1"]
            assert await told(browser, "disconnected") == []
            assert await steps(browser) == before, "for the page it is the same session"
            assert await browser.page.evaluate("() => [scene.isConnected(), scene.sessionId]") == [True, "session-1"]
            assert await told(browser, "resumed") == [{"history": SAID, "variables": {"guest": "Ann"}}]
            assert not server.call.received("realtime.session.variables")
            frames = await browser.page.evaluate(FRAMES)
            await browser.page.wait_for_function(f"(frames) => ({FRAMES})() > frames + 10", arg=frames)
            await eventually(lambda: len(server.call.audio_times) > 10)
            held = await browser.held()
            assert (held.peers, held.sockets, held.tracks) == (1, 1, 1)
            await browser.page.evaluate("() => scene.disconnect()")
            assert await browser.held() == NOTHING

    async def test_what_is_typed_meanwhile_is_not_lost(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            server.pause = 1.0
            server.cut()
            await hears(browser, "media")
            assert await browser.page.evaluate("() => scene.sendText('Are you there?')") is True
            await eventually(lambda: server.call.texts() == ["Are you there?"])

    async def test_a_server_that_is_away_for_a_while(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            server.refusal = ("conversation.connected.fail", "", 1013, "shutting_down")
            server.cut()
            await eventually(lambda: len(server.calls) == 3)
            server.refusal = None
            await hears(browser, "media", 2)
            assert await told(browser, "disconnected") == []

    async def test_a_refused_return_is_tried_no_more(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, sessionPersistence="tab", **TYPED)
            server.sessions.clear()
            server.cut()
            assert (await hears(browser, "disconnected"))[2:] == [
                "controlDisconnected",
                "connection_lost",
                "serverConnectionFailed",
            ]
            assert len(server.calls) == 2
            assert await browser.page.evaluate("() => sessionStorage.length") == 0
            assert await browser.held() == NOTHING

    async def test_a_session_that_was_ended_meanwhile(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            server.refusal = ("conversation.connected.close", "", 1000, "session_timeout")
            server.cut()
            assert (await hears(browser, "disconnected"))[2:4] == ["sessionTimeout", "session_timeout"]

    async def test_a_server_that_stays_away(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, timeouts={"reconnect": 2000}, **TYPED)
            server.stop()
            assert (await hears(browser, "disconnected"))[2:4] == ["controlDisconnected", "connection_lost"]
            assert await told(browser, "media") == [{"flowing": False}]
            assert await browser.held() == NOTHING

    async def test_a_server_that_knows_no_return(self, server: FakeServer) -> None:
        server.states = False
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            server.cut()
            assert (await hears(browser, "disconnected"))[2:4] == ["controlDisconnected", "connection_lost"]
            assert len(server.calls) == 1

    async def test_a_network_that_is_back_is_tried_at_once(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, timeouts={"reconnect": 60_000}, **TYPED)
            server.refusal = ("conversation.connected.fail", "", 1013, "shutting_down")
            server.cut()
            # From here on the pauses are of 2 s and more.
            await eventually(lambda: len(server.calls) == 4)
            await asyncio.wait_for(server.call.closed.wait(), 10)
            server.refusal = None
            await browser.page.evaluate(
                "() => { globalThis.since = performance.now(); dispatchEvent(new Event('online')); }"
            )
            await eventually(lambda: len(server.calls) == 5)
            assert await browser.page.evaluate("() => performance.now() - since") < 1500

    async def test_hanging_up_while_the_server_is_away(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            server.stop()
            await hears(browser, "media")
            await browser.page.evaluate("() => scene.disconnect()")
            assert (await hears(browser, "disconnected"))[2:4] == ["normal", "aborted"]
            assert await browser.held() == NOTHING
