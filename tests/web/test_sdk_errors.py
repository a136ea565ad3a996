"""Why a connection fails: each of the eight names, by each cause that can lead to it."""

import asyncio
import time
from typing import Any

import pytest

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.web.fake_server import FakeServer, eventually
from tests.web.somebody import CONNECT, connect, make_scene, steps, told

pytestmark = [pytest.mark.browser, needs_chromium]

TYPED = {"requestedMediaDevices": {"microphone": False}}
BOTH = {"microphone": True, "camera": True}


async def failed(browser: BrowserPage, connected: Any) -> tuple[str, str]:
    """Name and code of what ``connect`` gave; all that belongs to a failure is checked."""
    assert isinstance(connected, list), connected
    name, code, message = connected
    assert len(message.split()) >= 4, "the message says what happened and what to do"
    assert (await steps(browser))[-1] == "Disconnected"
    assert await told(browser, "disconnected") == [], "there was no session to lose"
    assert await browser.page.evaluate("() => scene.isConnected()") is False
    assert await browser.held() == NOTHING
    return name, code


SAID = (
    ("fail", 1008, "invalid_license", "serverConnectionFailed", "invalid_license"),
    ("fail", 1008, "origin_not_allowed", "serverConnectionFailed", "origin_not_allowed"),
    ("fail", 1013, "shutting_down", "serverConnectionFailed", "shutting_down"),
    ("fail", 1008, "unknown_avatar", "noScene", "unknown_avatar"),
    ("fail", 1013, "rate_limited", "noScene", "rate_limited"),
    ("connection_limit_exceeded", 1008, "license_limit", "noScene", "license_limit"),
    ("gpu_full", 1013, "no_slot", "noScene", "no_slot"),
    ("backend_error", 1011, "backend_error", "controlFailed", "backend_error"),
    ("backend_error", 1011, "control_failed", "controlFailed", "control_failed"),
    ("fail", 1011, "media_failed", "mediaStreamFailed", "media_failed"),
    ("close", 1000, "session_timeout", "sessionTimeout", "session_timeout"),
    ("fail", 1008, "no_session_to_resume", "noSessionToResume", "no_session_to_resume"),
    # Servers that name no cause.
    ("fail", 1008, "", "serverConnectionFailed", "bad_request"),
    ("insufficient_balance", 1008, "Insufficient points", "serverConnectionFailed", "no_credit"),
    ("gpu_full", 1000, "", "noScene", "no_slot"),
    ("backend_error", 1000, "", "controlFailed", "backend_error"),
    ("close", 1000, "", "serverConnectionFailed", "normal"),
)
"""Last word, close code and reason of a server; name and code of the error."""

CLOSED = (
    (1013, "noScene", "no_slot"),
    (1011, "controlFailed", "backend_error"),
    (1008, "serverConnectionFailed", "bad_request"),
    (1001, "serverConnectionFailed", "shutting_down"),
    (1000, "serverConnectionFailed", "normal"),
)
"""Close code of a server that says nothing; name and code of the error."""


async def test_what_the_server_says(server: FakeServer) -> None:
    async with chromium_page() as browser:
        for event, close, reason, name, code in SAID:
            server.refusal = (f"conversation.connected.{event}", "Not today.", close, reason)
            await make_scene(browser, server, **TYPED)
            connected = await connect(browser)
            assert await failed(browser, connected) == (name, code), (event, reason)
            assert connected[2].startswith("Not today. ")


async def test_a_last_word_counts_when_no_close_follows(server: FakeServer) -> None:
    server.silent = True
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED)
        connecting = asyncio.create_task(connect(browser))
        await eventually(lambda: len(server.calls) == 1)
        await server.call.send("conversation.connected.gpu_full", {"code": "no_slot"}, message="Full.")
        assert await failed(browser, await connecting) == ("noScene", "no_slot")


async def test_a_server_that_closes_without_a_word(server: FakeServer) -> None:
    server.silent = True
    async with chromium_page() as browser:
        for close, name, code in CLOSED:
            await make_scene(browser, server, **TYPED)
            connecting = asyncio.create_task(connect(browser))
            called = len(server.calls)
            await eventually(lambda called=called: len(server.calls) > called)
            await server.call.close(close)
            assert await failed(browser, await connecting) == (name, code)


async def test_a_session_that_ends_before_it_stands(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["queued"]
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED)
        connecting = asyncio.create_task(connect(browser))
        await browser.page.wait_for_function("() => told.length === 2")
        await server.call.end("gpu_full", "no_slot", 1013, "Nobody left.")
        assert await failed(browser, await connecting) == ("noScene", "no_slot")


async def test_the_server_is_gone(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        server.stop()
        # Also the microphone's part on the audio thread comes from there.
        assert await failed(browser, await connect(browser)) == ("serverConnectionFailed", "unreachable")
        await make_scene(browser, server, **TYPED)
        assert await failed(browser, await connect(browser)) == ("serverConnectionFailed", "unreachable")


async def test_the_server_goes_while_it_prepares(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["preparing"]
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED)
        connecting = asyncio.create_task(connect(browser))
        await browser.page.wait_for_function("() => told.length === 2")
        server.stop()
        assert await failed(browser, await connecting) == ("serverConnectionFailed", "connection_lost")


@pytest.mark.parametrize(
    ("wait", "settings", "name", "code"),
    [
        ("answer", {"silent": True}, "serverConnectionFailed", "no_answer"),
        ("queue", {"states": True, "waiting": ["queued"]}, "noScene", "queue_timeout"),
        ("preparing", {"states": True, "waiting": ["preparing"]}, "serverConnectionFailed", "no_answer"),
        ("media", {"states": True, "reachable": False}, "mediaStreamFailed", "media_timeout"),
        ("media", {"reachable": False}, "mediaStreamFailed", "media_timeout"),
        ("connect", {"states": True, "waiting": ["queued"]}, "sessionTimeout", "connect_timeout"),
        ("connect", {"silent": True}, "sessionTimeout", "connect_timeout"),
    ],
)
async def test_each_wait_has_a_limit(
    server: FakeServer, wait: str, settings: dict[str, Any], name: str, code: str
) -> None:
    for key, value in settings.items():
        setattr(server, key, value)
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED, timeouts={wait: 700})
        began = time.monotonic()
        connected = await connect(browser)
        assert time.monotonic() - began > 0.65
        assert await failed(browser, connected) == (name, code)


async def test_a_changing_place_in_the_queue_does_not_prolong_the_wait(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["queued"]
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED, timeouts={"queue": 1000})
        connecting = asyncio.create_task(connect(browser))
        await browser.page.wait_for_function("() => told.length === 2")
        position = 100
        while not connecting.done():
            position -= 1
            assert position > 0, "it waits for ever"
            await server.call.state("queued", position)
            await asyncio.sleep(0.3)
        assert await failed(browser, await connecting) == ("noScene", "queue_timeout")


async def test_the_token_cannot_be_had(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        for provider, cause in (
            ("async () => { throw new Error('no such user'); }", "no such user"),
            ("() => { throw new Error('at once'); }", "at once"),
            ("() => new Promise(() => undefined)", None),
            ("() => ''", None),
        ):
            found = await browser.page.evaluate(
                f"""async () => {{
                  const {{ Scene, VisavisError }} = await import("/sdk/visavis.js");
                  const scene = new Scene({{ server: "/", audioOnly: true, timeouts: {{ token: 300 }},
                    requestedMediaDevices: {{ microphone: false }}, tokenProvider: {provider} }});
                  const error = await scene.connect().catch((error) => error);
                  return [error instanceof VisavisError, error.name, error.code, error.cause?.message ?? null];
                }}"""
            )
            assert found == [True, "serverConnectionFailed", "token_failed", cause]
    assert server.calls == []


class TestDevices:
    """Permission and its likes."""

    @pytest.mark.parametrize(("microphone", "code"), [("deny", "permission_denied"), ("none", "no_device")])
    async def test_a_required_microphone(self, server: FakeServer, microphone: str, code: str) -> None:
        async with chromium_page(microphone=microphone) as browser:
            await make_scene(browser, server, requiredMediaDevices={"microphone": True})
            assert await failed(browser, await connect(browser)) == ("noUserMedia", code)
            assert server.calls == [], "nobody's place is taken by a visitor who refuses"

    @pytest.mark.parametrize(("microphone", "code"), [("deny", "permission_denied"), ("none", "no_device")])
    async def test_without_one_that_is_only_requested(self, server: FakeServer, microphone: str, code: str) -> None:
        async with chromium_page(microphone=microphone) as browser:
            await make_scene(browser, server)
            assert await connect(browser) == "session-1"
            assert await told(browser, "microphonelost") == [code]
            assert await browser.page.evaluate("() => scene.microphoneOn") is False

    async def test_a_microphone_that_another_program_has(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await make_scene(browser, server, requiredMediaDevices={"microphone": True})
            await browser.page.evaluate(
                """() => {
                  const refuse = async () => { throw new DOMException("", "NotReadableError"); };
                  navigator.mediaDevices.getUserMedia = refuse;
                }"""
            )
            assert await failed(browser, await connect(browser)) == ("noUserMedia", "device_busy")

    async def test_a_required_camera_that_is_missing_beside_a_microphone(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await make_scene(browser, server, requestedMediaDevices=BOTH, requiredMediaDevices={"camera": True})
            await browser.page.evaluate(
                """() => {
                  const capture = navigator.mediaDevices.getUserMedia;
                  navigator.mediaDevices.getUserMedia = async (constraints) => {
                    if (constraints.video) throw new DOMException("", "NotFoundError");
                    return capture(constraints);
                  };
                }"""
            )
            connected = await connect(browser)
            assert connected[2].startswith("There is no camera.")
            assert await failed(browser, connected) == ("noUserMedia", "no_device")
            await make_scene(browser, server, requestedMediaDevices=BOTH, requiredMediaDevices={"microphone": True})
            assert await connect(browser) == "session-1"
            assert await browser.page.evaluate("() => [scene.microphoneOn, scene.cameraOn]") == [True, False]

    async def test_a_visitor_who_does_not_answer_the_question(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            options = {"requiredMediaDevices": {"microphone": True}, "timeouts": {"devices": 300}}
            await make_scene(browser, server, **options)
            await browser.page.evaluate(
                "() => { navigator.mediaDevices.getUserMedia = () => new Promise(() => undefined); }"
            )
            assert await failed(browser, await connect(browser)) == ("noUserMedia", "device_timeout")


class TestNotSupported:
    """Browsers that cannot do it, and pages that may not."""

    async def fails(self, browser: BrowserPage, server: FakeServer, code: str) -> None:
        await make_scene(browser, server)
        assert await failed(browser, await connect(browser)) == ("notSupported", code)
        assert server.calls == []

    @pytest.mark.parametrize(
        "missing", ["RTCPeerConnection", "navigator.mediaDevices", "MediaDevices.prototype", "AudioWorkletNode"]
    )
    async def test_a_browser_that_lacks_something(self, server: FakeServer, missing: str) -> None:
        async with chromium_page() as browser:
            await browser.page.add_init_script(
                "Object.defineProperty(Navigator.prototype, 'mediaDevices', { value: undefined });"
                if missing == "navigator.mediaDevices"
                else "Object.defineProperty(navigator, 'mediaDevices', { value: {} });"
                if missing == "MediaDevices.prototype"
                else f"delete globalThis.{missing};"
            )
            await self.fails(browser, server, "not_supported")

    async def test_an_address_that_browsers_do_not_trust(self, server: FakeServer) -> None:
        async with chromium_page(flags=["--host-resolver-rules=MAP insecure.example 127.0.0.1"]) as browser:
            server.url = server.url.replace("127.0.0.1", "insecure.example")
            await self.fails(browser, server, "insecure_context")
            await make_scene(browser, server, **TYPED)
            assert await connect(browser) == "session-1", "without devices there is nothing to be trusted with"


class TestRetries:
    """``noScene`` is tried again, as the app wishes."""

    async def test_until_there_is_a_place(self, server: FakeServer) -> None:
        server.refusal = ("conversation.connected.gpu_full", "Full.", 1013, "no_slot")
        async with chromium_page() as browser:
            await make_scene(browser, server)
            options = {"retryOptions": {"maxRetries": 20, "delayMs": 200}}
            connecting = asyncio.create_task(browser.page.evaluate(CONNECT, options))
            await eventually(lambda: len(server.calls) == 3)
            assert (await browser.held()).tracks == 1, "the microphone is asked for once"
            server.refusal = None
            assert await connecting == "session-1"
            assert (await steps(browser)).count("SearchingForDigitalPerson") == 1
            assert "Disconnected" not in await steps(browser)

    async def test_so_often_and_no_more(self, server: FakeServer) -> None:
        server.refusal = ("conversation.connected.gpu_full", "Full.", 1013, "no_slot")
        async with chromium_page() as browser:
            await make_scene(browser, server)
            connected = await connect(browser, retryOptions={"maxRetries": 2, "delayMs": 50})
            assert await failed(browser, connected) == ("noScene", "no_slot")
            assert len(server.calls) == 3
            await browser.page.wait_for_timeout(300)
            assert len(server.calls) == 3

    async def test_not_where_waiting_mends_nothing(self, server: FakeServer) -> None:
        server.refusal = ("conversation.connected.fail", "", 1008, "unknown_avatar")
        async with chromium_page() as browser:
            await make_scene(browser, server)
            assert (await connect(browser, retryOptions={"maxRetries": 5, "delayMs": 50}))[1] == "unknown_avatar"
            assert len(server.calls) == 1

    async def test_disconnecting_between_two_tries(self, server: FakeServer) -> None:
        server.refusal = ("conversation.connected.gpu_full", "Full.", 1013, "no_slot")
        async with chromium_page() as browser:
            await make_scene(browser, server)
            options = {"retryOptions": {"maxRetries": 5, "delayMs": 60_000}}
            connecting = asyncio.create_task(browser.page.evaluate(CONNECT, options))
            await eventually(lambda: len(server.calls) == 1 and server.call.closed.is_set())
            await browser.page.evaluate("() => scene.disconnect()")
            assert await failed(browser, await connecting) == ("AbortError", "aborted")
