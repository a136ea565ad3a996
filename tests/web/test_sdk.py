"""The JavaScript client by itself, as a page of somebody else's would use it."""

import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.web.fake_server import LICENSE, FakeServer, eventually

pytestmark = [pytest.mark.browser, needs_chromium]

CALL = """async ([license, options]) => {
  const { Call } = await import("/sdk/visavis.js");
  const tools = [
    { name: "add", description: "Adds", parameters: { type: "object", properties: {} }, run: ({ a, b }) => a + b },
    { name: "look", description: "Looks", run: async () => "out of the window" },
    { name: "break", description: "Breaks", run: () => { throw new Error("it broke"); } },
  ];
  const video = document.querySelector("video");
  const server = new URL("/", location);
  const call = new Call({ server, license, name: "Ada", video, microphone: false, tools, ...options });
  globalThis.call = call;
  globalThis.told = [];
  for (const type of ["state", "activity", "tool", "ended"]) {
    call.addEventListener(type, ({ detail }) => told.push([type, detail?.reason ?? detail]));
  }
  return call.connect().catch((error) => [error.name, error.code, error.message]);
}"""


async def connect(browser: BrowserPage, server: FakeServer, **options: object) -> object:
    await browser.page.goto(server.page())
    return await browser.page.evaluate(CALL, [LICENSE, options])


async def test_connecting_gives_the_session_and_tells_the_states_in_order(server: FakeServer) -> None:
    async with chromium_page() as browser:
        assert await connect(browser, server, model="transparency") == "session-1"
        await browser.page.evaluate("() => call.hangUp()")
        told = await browser.page.evaluate("() => told.filter(([type]) => type !== 'activity')")
        assert told == [
            ["state", "searching"],
            ["state", "connecting"],
            ["state", "connected"],
            ["state", "ended"],
            ["ended", "hung-up"],
        ]
        assert dict(server.call.socket.query_params) == {"license": LICENSE, "name": "Ada", "model": "transparency"}
        assert await browser.held() == NOTHING


async def test_a_refusal_is_an_error_with_name_and_code(server: FakeServer) -> None:
    server.refusal = ("conversation.connected.gpu_full", "All slots are taken.", 1013, "no_slot")
    async with chromium_page() as browser:
        assert await connect(browser, server) == ["noScene", "busy", "All slots are taken."]


async def test_a_call_connects_once(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await connect(browser, server)
        again = await browser.page.evaluate("() => call.connect().catch((error) => error.message)")
        assert again == "a Call connects once"


@pytest.mark.parametrize(
    ("call", "output"),
    [
        ({"name": "add", "function_name": "add", "arguments": {"a": 2, "b": 3}}, "5"),
        ({"name": "add", "arguments": '{"a": 2, "b": 3}'}, "5"),
        ({"function_name": "look", "arguments": {}}, "out of the window"),
        ({"name": "break", "arguments": "{"}, '{"error":"it broke"}'),
        ({"name": "fly", "arguments": {}}, '{"error":"this page has no tool called fly"}'),
    ],
)
async def test_a_tool_is_run_and_its_result_goes_back(server: FakeServer, call: dict[str, object], output: str) -> None:
    async with chromium_page() as browser:
        await connect(browser, server)
        announced = server.call.received("realtime.input_function_call")
        assert '"name":"add"' in announced[0]["data"]["content"]
        await server.call.send("realtime.response.function_call_arguments.done", {"call_id": "call_7", **call})
        await eventually(lambda: len(server.call.received("response.create")) == 1)
        items = [message["item"] for message in server.call.received("conversation.item.create")]
        assert items == [{"type": "function_call_output", "call_id": "call_7", "output": output}]


async def test_sound_that_the_network_cannot_take_is_dropped_and_counted(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await connect(browser, server, microphone=True)
        await eventually(lambda: len(server.call.audio_times) > 5)
        await browser.page.evaluate(
            "() => Object.defineProperty(held.sockets.at(-1), 'bufferedAmount', { value: 1e6, configurable: true })"
        )
        await browser.page.wait_for_function("() => call.droppedPieces > 10")
        pieces = len(server.call.audio_times)
        await browser.page.wait_for_timeout(300)
        assert len(server.call.audio_times) <= pieces + 2
        await browser.page.evaluate("() => delete held.sockets.at(-1).bufferedAmount")
        await eventually(lambda: len(server.call.audio_times) > pieces + 20)


async def test_avatars_are_listed_with_pictures_from_this_server(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page())
        await expect(browser.page.locator("#welcome")).to_be_visible()
        avatars = await browser.page.evaluate(
            """async (license) => {
              const { listAvatars } = await import("/sdk/visavis.js");
              return listAvatars(new URL("/", location), license);
            }""",
            LICENSE,
        )
        assert avatars == [
            {
                "id": "avatar-ada",
                "name": "Ada",
                "picture": f"{server.url}/pictures/avatar-ada.png",
                "thumbnail": f"{server.url}/pictures/avatar-ada-small.png",
            }
        ]


async def test_a_microphone_asked_for_twice_is_opened_once(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await connect(browser, server)
        await browser.page.evaluate("() => Promise.all([call.openMicrophone(), call.openMicrophone()])")
        assert (await browser.held()).tracks == 1
        await browser.page.evaluate("() => call.hangUp()")
        assert await browser.held() == NOTHING


async def test_hanging_up_while_the_microphone_is_asked_for(server: FakeServer) -> None:
    async with chromium_page() as browser:
        ending = connect(browser, server, microphone=True)
        await browser.page.add_init_script(
            """const capture = navigator.mediaDevices.getUserMedia;
            navigator.mediaDevices.getUserMedia = async (constraints) => {
              await new Promise((resolve) => { globalThis.allow = resolve; });
              return capture(constraints);
            };
            globalThis.hangUpSoon = setInterval(() => {
              if (globalThis.allow) {
                clearInterval(hangUpSoon);
                call.hangUp();
                allow();
              }
            }, 20);"""
        )
        assert await ending == ["AbortError", 20, "The call was ended."]
        await browser.page.wait_for_function("() => held.tracks.length === 1")
        assert await browser.held() == NOTHING
        assert server.calls == []
