"""What a scene tells of its way to a conversation, with the names and numbers that apps were written for."""

import asyncio

import pytest

from tests.browser import NOTHING, chromium_page, needs_chromium
from tests.web.fake_server import LICENSE, FakeServer, eventually
from tests.web.somebody import CONNECT, connect, hears, make_scene, steps, told

pytestmark = [pytest.mark.browser, needs_chromium]

STATES = [
    {"name": "Disconnected", "currentStep": 0, "totalSteps": 5, "percentageLoaded": 0},
    {"name": "SearchingForDigitalPerson", "currentStep": 1, "totalSteps": 5, "percentageLoaded": 25},
    {"name": "DownloadingAssets", "currentStep": 2, "totalSteps": 5, "percentageLoaded": 50},
    {"name": "ConnectingToDigitalPerson", "currentStep": 3, "totalSteps": 5, "percentageLoaded": 75},
    {"name": "Connected", "currentStep": 4, "totalSteps": 5, "percentageLoaded": 100},
]

NOW = "() => scene.connectionState.getConnectionState()"


@pytest.mark.parametrize("states", [True, False])
async def test_all_states_in_order(server: FakeServer, states: bool) -> None:
    server.states = states
    async with chromium_page() as browser:
        await make_scene(browser, server, model="transparency")
        assert await browser.page.evaluate(NOW) == STATES[0]
        assert await browser.page.evaluate("() => [scene.isConnected(), scene.sessionId]") == [False, ""]
        assert await connect(browser) == "session-1"
        assert await told(browser, "state") == STATES[1:]
        assert await browser.page.evaluate(NOW) == STATES[4]
        assert await browser.page.evaluate("() => [scene.isConnected(), scene.sessionId]") == [True, "session-1"]
        await browser.page.evaluate("() => scene.disconnect()")
        assert await told(browser, "state") == [*STATES[1:], STATES[0]]
        assert await told(browser, "disconnected") == [[True, "session-1", "normal", "aborted", "AbortError"]]
        assert await browser.page.evaluate("() => scene.isConnected()") is False
        query = {"license": LICENSE, "name": "Ada", "model": "transparency", "states": "1"}
        assert dict(server.call.socket.query_params) == query
        assert await browser.held() == NOTHING


async def test_the_place_in_the_queue_is_told_as_it_changes(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["queued"]
    async with chromium_page() as browser:
        await make_scene(browser, server)
        connecting = asyncio.create_task(connect(browser))
        await hears(browser, "state", 2)
        for position in (3, 2, 2, 1):
            await server.call.state("queued", position)
        await server.call.state("preparing")
        await server.begin(server.call)
        assert await connecting == "session-1"
        searching = [data for data in await told(browser, "state") if data["name"] == "SearchingForDigitalPerson"]
        assert searching == [STATES[1]] + [STATES[1] | {"queuePosition": position} for position in (1, 3, 2, 1)]
        assert await told(browser, "state") == searching + STATES[2:]


async def test_each_step_is_told_when_it_happens(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["preparing"]
    async with chromium_page() as browser:
        await make_scene(browser, server)
        connecting = asyncio.create_task(connect(browser))
        await browser.page.wait_for_function("() => scene.connectionState.getConnectionState().currentStep === 2")
        poster = f"{server.url}/pictures/avatar-ada.png"
        await browser.page.wait_for_function(
            "(poster) => document.querySelector('video').poster === poster", arg=poster
        )
        await browser.page.wait_for_timeout(200)
        assert await steps(browser) == ["SearchingForDigitalPerson", "DownloadingAssets"]
        server.reachable = False
        await server.begin(server.call)
        await browser.page.wait_for_function("() => scene.connectionState.getConnectionState().currentStep === 3")
        await browser.page.wait_for_timeout(200)
        assert not connecting.done()
        assert (await steps(browser))[-1] == "ConnectingToDigitalPerson"
        await browser.page.evaluate("() => scene.disconnect()")
        assert (await connecting)[:2] == ["AbortError", "aborted"]
        assert (await steps(browser))[-1] == "Disconnected"
        assert await told(browser, "disconnected") == []
        assert await browser.held() == NOTHING


async def test_a_server_that_leaves_steps_out(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["queued"]
    async with chromium_page() as browser:
        await make_scene(browser, server)
        connecting = asyncio.create_task(connect(browser))
        await hears(browser, "state", 2)
        await server.begin(server.call, told=False)
        assert await connecting == "session-1"
        assert (await told(browser, "state"))[2:] == STATES[2:]


async def test_the_page_s_own_poster_stays(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        await browser.page.evaluate("() => { document.querySelector('video').poster = '/own.png'; }")
        await connect(browser)
        assert await browser.page.evaluate("() => document.querySelector('video').poster") == f"{server.url}/own.png"
        assert not [request for request in server.requests if "getByName" in request]


async def test_connecting_twice_is_connecting_once(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        both = await browser.page.evaluate("() => Promise.all([scene.connect(), scene.connect()])")
        assert [*both, await connect(browser)] == ["session-1"] * 3
        assert len(server.calls) == 1


async def test_a_scene_connects_again_after_its_end(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        await connect(browser)
        await browser.page.evaluate("() => scene.disconnect()")
        assert await connect(browser) == "session-1"
        assert len(await told(browser, "state")) == 9
        assert await browser.page.evaluate("() => scene.isConnected()")


async def test_by_the_session_of_a_scene(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        found = await browser.page.evaluate(
            """async () => {
              const session = scene.session();
              const id = await session.connect();
              const connected = [id, session.sessionId, scene.isConnected()];
              session.disconnect();
              return [...connected, scene.isConnected()];
            }"""
        )
        assert found == ["session-1", "session-1", True, False]


async def test_no_listener_hinders_another_and_removed_ones_hear_nothing(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        await browser.page.evaluate(
            """() => {
              const event = scene.connectionState.onConnectionStateUpdated;
              event.addListener(() => { throw new Error("a fault of the page"); });
              globalThis.late = [];
              const removed = () => late.push("removed");
              event.addListener(removed);
              event.removeListener(removed);
              event.addListener(({ name }) => late.push(name));
            }"""
        )
        await connect(browser)
        assert await browser.page.evaluate("() => late") == [state["name"] for state in STATES[1:]]
        assert len([text for text in browser.complaints if "a fault of the page" in text]) == 4


async def test_disconnecting_from_the_first_state(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        await browser.page.evaluate(
            "() => scene.connectionState.onConnectionStateUpdated.addListener(() => scene.disconnect())"
        )
        assert (await connect(browser))[0] == "AbortError"
        assert server.calls == []
        assert await browser.held() == NOTHING


async def test_disconnecting_while_the_devices_are_asked_for(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.add_init_script(
            """const capture = navigator.mediaDevices.getUserMedia;
            navigator.mediaDevices.getUserMedia = async (constraints) => {
              await new Promise((resolve) => { globalThis.allow = resolve; });
              return capture(constraints);
            };"""
        )
        await make_scene(browser, server)
        connecting = asyncio.create_task(browser.page.evaluate(CONNECT, {}))
        await browser.page.wait_for_function("() => globalThis.allow")
        await browser.page.evaluate("() => { scene.disconnect(); allow(); }")
        assert (await connecting)[:2] == ["AbortError", "aborted"]
        await browser.page.wait_for_function("() => held.tracks.length === 1")
        assert await browser.held() == NOTHING
        assert server.calls == []


async def test_the_token_provider_is_asked_at_each_connect(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        found = await browser.page.evaluate(
            """async ([options]) => {
              const { Scene } = await import("/sdk/visavis.js");
              let count = 0;
              const scene = new Scene({ ...options, server: location.origin, audioOnly: true,
                tokenProvider: async () => `token-${(count += 1)}` });
              await scene.connect();
              scene.disconnect();
              await scene.connect();
              scene.disconnect();
            }""",
            [{"name": "Ada"}],
        )
        assert found is None
        assert [call.socket.query_params["license"] for call in server.calls] == ["token-1", "token-2"]
        await eventually(lambda: all(call.closed.is_set() for call in server.calls))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("{ license: 'x', server: '/' }", "videoElement"),
        ("{ audioOnly: true, server: '/' }", "tokenProvider"),
        ("{ audioOnly: true, license: 'x', server: 'ftp://a.example' }", "http"),
        ("{ audioOnly: true, license: 'x', server: '/', sessionPersistence: 'for ever' }", "sessionPersistence"),
        ("{ audioOnly: true, license: 'x', server: '/', tools: [{ name: 'a' }] }", "run"),
    ],
)
async def test_options_that_cannot_work(server: FakeServer, options: str, complaint: str) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        found = await browser.page.evaluate(
            f"""async () => {{
              const {{ Scene }} = await import("/sdk/visavis.js");
              try {{ new Scene({options}); }} catch (error) {{ return [error.name, error.message]; }}
            }}"""
        )
        assert found[0] == "TypeError"
        assert complaint in found[1]
