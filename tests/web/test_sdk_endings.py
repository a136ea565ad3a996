"""Why a session that stood is over: the four reasons, and what is left behind."""

import asyncio

import pytest

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.web.fake_server import FakeServer, eventually
from tests.web.somebody import begin, hears, make_scene, steps, told

pytestmark = [pytest.mark.browser, needs_chromium]

ENDINGS = (
    ("close", "session_timeout", 1000, "sessionTimeout", "sessionTimeout"),
    ("close", "conversation_ended", 1000, "conversationEnded", "serverConnectionFailed"),
    ("backend_error", "control_disconnected", 1011, "controlDisconnected", "controlFailed"),
    ("backend_error", "backend_error", 1011, "controlDisconnected", "controlFailed"),
    ("fail", "media_failed", 1011, "normal", "mediaStreamFailed"),
    ("close", "replaced", 1000, "normal", "serverConnectionFailed"),
    ("close", "normal", 1000, "normal", "serverConnectionFailed"),
)
"""Last word, its code and that of the close; the reason, and the error's name in the details."""


async def ended(browser: BrowserPage, session: str) -> tuple[str, str, str]:
    """Reason, code and name of the one ending that was told."""
    mine, told_session, reason, code, name = await hears(browser, "disconnected")
    assert (mine, told_session) == (True, session)
    assert len(await told(browser, "disconnected")) == 1
    assert (await steps(browser))[-2:] == ["Connected", "Disconnected"]
    assert await browser.page.evaluate("() => [scene.isConnected(), scene.sessionId]") == [False, session]
    assert await browser.page.evaluate("() => document.querySelector('video').srcObject") is None
    assert await browser.held() == NOTHING
    return reason, code, name


async def test_what_the_server_says_at_the_end(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        for event, code, close, reason, name in ENDINGS:
            session = await begin(browser, server)
            await server.call.end(event, code, close, "It is over.")
            assert await ended(browser, session) == (reason, code, name)


async def test_the_ends_of_servers_that_name_no_cause(server: FakeServer) -> None:
    async with chromium_page() as browser:
        for event, close, reason, code in (
            ("close", 1000, "normal", "normal"),
            ("close", None, "normal", "normal"),
            (None, 1000, "normal", "normal"),
            ("backend_error", 1011, "controlDisconnected", "backend_error"),
            (None, 1011, "controlDisconnected", "connection_lost"),
            (None, 1006, "controlDisconnected", "connection_lost"),
        ):
            session = await begin(browser, server)
            if event:
                await server.call.send(f"conversation.connected.{event}")
            if close == 1006:
                server.cut()
            elif close:
                await server.call.close(close)
            assert (await ended(browser, session))[:2] == (reason, code), (event, close)


async def test_media_that_does_not_come_back(server: FakeServer) -> None:
    async with chromium_page() as browser:
        session = await begin(browser, server, timeouts={"media": 3000})
        server.deaf = True
        await server.call.peers[0].close()
        assert await ended(browser, session) == ("normal", "media_failed", "mediaStreamFailed")
        assert await told(browser, "media") == [{"flowing": False}]
        assert server.call.received("webrtc.signaling.offer"), "new paths were looked for"


async def test_the_app_may_connect_again_in_the_listener(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        await browser.page.evaluate(
            "() => scene.onDisconnectedEvent.addListener(() => { globalThis.again = scene.connect(); })"
        )
        await server.call.end("close", "session_timeout")
        assert await browser.page.evaluate(
            "async () => { while (!globalThis.again) await new Promise((r) => setTimeout(r, 20)); return again; }"
        )
        assert await browser.page.evaluate("() => scene.isConnected()")
        assert (await browser.held()).sockets == 1


async def test_a_warning_before_the_end_and_what_prevents_it(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        data = {"reason": "sessionTimeout", "seconds": 30, "message": "Are you still there?"}
        await server.call.send("conversation.connected.expiring", data, message="Are you still there?")
        assert await hears(browser, "expiring") == {**data, "preventable": True}
        await browser.page.evaluate("() => scene.keepAlive()")
        await eventually(lambda: len(server.call.received("realtime.session.keep_alive")) == 1)


async def test_a_page_that_is_left_holds_nobody_s_place(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        await browser.page.goto("about:blank")
        await asyncio.wait_for(server.call.closed.wait(), 10)


async def test_nothing_is_left_after_many_sessions(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/blank")
        # Every timer that is set, and whether it is still due.
        await browser.page.evaluate(
            """() => {
              globalThis.due = new Set();
              const { setTimeout: set, clearTimeout: clear, setInterval: every, clearInterval: stop } = globalThis;
              globalThis.setTimeout = (work, ...rest) => {
                const id = set((...args) => { due.delete(id); work(...args); }, ...rest);
                due.add(id);
                return id;
              };
              globalThis.clearTimeout = (id) => { due.delete(id); clear(id); };
              globalThis.setInterval = (...args) => { const id = every(...args); due.add(id); return id; };
              globalThis.clearInterval = (id) => { due.delete(id); stop(id); };
            }"""
        )
        await make_scene(browser, server, requestedMediaDevices={"microphone": True, "camera": True})
        for count in range(3):
            await browser.page.evaluate("() => scene.connect()")
            assert (await browser.held()).tracks == 2
            await browser.page.evaluate("() => scene.disconnect()")
            assert await browser.held() == NOTHING
            assert await browser.page.evaluate("() => due.size") == 0, count
