"""``<visavis-avatar>`` in a page of somebody else's."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, BrowserPage, Held, chromium_page, needs_chromium
from tests.web.fake_server import AVATARS, LICENSE, FakeServer, eventually
from tests.web.steps import PATIENCE_MS
from tests.web.views import call, embedding, expect_view, open_embedding

pytestmark = [pytest.mark.browser, needs_chromium]

LISTEN = """globalThis.told = [];
for (const type of ["view", "chosen", "state", "connected", "disconnected", "error", "caption", "activity", "tool",
    "expiring", "resumed", "notice"]) {
  addEventListener(`visavis-${type}`, ({ target, detail }) => told.push([type, target.localName, detail]));
}"""

ELEMENT = "document.querySelector('visavis-avatar')"


async def told(browser: BrowserPage, kind: str) -> list[Any]:
    """Details of the element's events of that kind, as the page's window heard them."""
    return await browser.page.evaluate(
        "(kind) => told.filter(([type, name]) => type === kind && name === 'visavis-avatar').map((entry) => entry[2])",
        kind,
    )


async def test_one_tag_is_a_working_avatar(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await expect(page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        await expect(page.locator("#poster")).to_be_visible()
        await expect(page.get_by_text("AI avatar", exact=True)).to_be_visible()
        assert server.calls == []
        await call(browser, server)
        before = await browser.frames_shown()
        await server.call.say("Good day.", "resp_1")
        await expect(page.locator("#lines .avatar .words")).to_have_text("Good day.")
        await page.get_by_label("Write to the avatar").fill("Good day to you.")
        await page.keyboard.press("Enter")
        await eventually(lambda: server.call.texts() == ["Good day to you."])
        await eventually(lambda: len(server.call.audio_times) > 5)
        assert await browser.frames_shown() > before
        await page.get_by_role("button", name="Hang up").click()
        await expect(page.get_by_role("button", name="Call again")).to_be_visible()
        assert await browser.held() == NOTHING
        assert browser.complaints == []


async def test_its_events_reach_the_page(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        page = browser.page
        await page.add_init_script(LISTEN)
        await open_embedding(browser, server)
        await expect(page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        assert [(face["id"], face["shortName"]) for face in await told(browser, "chosen")] == [("avatar-ada", "Ada")]
        await call(browser, server)
        await server.call.say("Hello.", "resp_1")
        await server.call.send(
            "conversation.connected.expiring", {"reason": "sessionTimeout", "seconds": 9, "message": "soon"}
        )
        await expect(page.locator("#expiring")).to_be_visible()
        await server.call.end("close", "conversation_ended")
        await expect(page.get_by_role("heading", name="The call has ended")).to_be_visible()
        states = [(state["name"], state["percentageLoaded"]) for state in await told(browser, "state")]
        assert states == [
            ("SearchingForDigitalPerson", 25),
            ("DownloadingAssets", 50),
            ("ConnectingToDigitalPerson", 75),
            ("Connected", 100),
            ("Disconnected", 0),
        ]
        assert await told(browser, "connected") == [{"sessionId": "session-1"}]
        assert [caption["text"] for caption in await told(browser, "caption")][-1] == "Hello."
        assert "speaking" in await told(browser, "activity")
        assert (await told(browser, "expiring"))[0]["seconds"] == 9
        ending = (await told(browser, "disconnected"))[0]
        assert (ending["sessionId"], ending["reason"]) == ("session-1", "conversationEnded")
        assert await told(browser, "view") == ["connecting", "call", "welcome"]
        assert await told(browser, "error") == []


async def test_a_refusal_is_told_in_words_and_by_an_event(server: FakeServer) -> None:
    server.refusal = ("conversation.connected.gpu_full", "", 1013, "no_slot")
    async with chromium_page() as browser:
        await browser.page.add_init_script(
            "globalThis.told = [];"
            "addEventListener('visavis-error', ({ detail }) => told.push(detail.name, detail.code));"
        )
        await open_embedding(browser, server)
        await browser.page.locator("#call").click()
        await expect(browser.page.get_by_role("alert")).to_contain_text("All places are taken")
        await expect(browser.page.locator("#message-title")).to_be_focused()
        assert await browser.page.evaluate("() => told") == ["noScene", "no_slot"]
        server.refusal = None
        await browser.page.get_by_role("button", name="Try again").click()
        await expect_view(browser, "call")


async def test_the_queue_is_told_with_its_places(server: FakeServer) -> None:
    server.states = True
    server.waiting = ["queued"]
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await page.locator("#call").click()
        await eventually(lambda: len(server.calls) == 1)
        bar = page.get_by_role("progressbar", name="Connection progress")
        for position, text in (
            (3, "You are number 3 in line"),
            (2, "You are number 2 in line"),
            (1, "You are next in line"),
        ):
            await server.call.state("queued", position)
            await expect(page.locator("#steps li").first).to_have_text(text)
            await expect(bar).to_have_attribute("aria-valuetext", f"{text}, 25 %")
        await expect(page.locator("#connecting-hint")).to_contain_text("Everyone is in a call now")
        await server.call.state("preparing")
        await expect(bar).to_have_attribute("aria-valuetext", "Downloading assets, 50 %")
        await expect(page.locator("#connecting-hint")).to_be_hidden()
        await server.begin(server.call)
        await expect_view(browser, "call")


async def test_the_warning_before_the_end_has_a_button_that_keeps_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await call(browser, server)
        warning = {"reason": "sessionTimeout", "seconds": 30, "message": "soon"}
        await server.call.send("conversation.connected.expiring", warning)
        await expect(page.get_by_role("group", name="Are you still there?")).to_be_visible()
        await expect(page.locator("#announcer")).to_have_text("Are you still there? The call ends in 30 seconds.")
        await expect(page.locator("#expiring-text")).to_have_text("The call ends in 28 seconds.")
        await page.get_by_role("button", name="I am still here").click()
        await eventually(lambda: len(server.call.received("realtime.session.keep_alive")) == 1)
        await expect(page.locator("#expiring")).to_be_hidden()
        await expect(page.locator("#mute")).to_be_focused()
        await server.call.send("conversation.connected.expiring", warning)
        await expect(page.locator("#expiring")).to_be_visible()
        await server.call.send("realtime.input_audio_buffer.speech_started")
        await expect(page.locator("#expiring")).to_be_hidden()


async def test_an_end_that_nothing_prevents_is_told_without_a_button(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await call(browser, server)
        await server.call.send(
            "conversation.connected.expiring",
            {"reason": "sessionTimeout", "seconds": 60, "preventable": False, "message": "soon"},
        )
        await expect(page.get_by_role("group", name="The time is nearly up")).to_be_visible()
        await expect(page.get_by_role("button", name="I am still here")).to_be_hidden()
        await server.call.send("realtime.input_audio_buffer.speech_started")
        await expect(page.locator("#activity")).to_have_text("Hearing you")
        await expect(page.locator("#expiring")).to_be_visible()
        await page.get_by_role("button", name="Hang up").click()
        await expect_view(browser, "welcome")
        await call(browser, server)
        await expect(page.locator("#expiring")).to_be_hidden()


async def test_a_session_is_taken_up_again_after_the_page_was_left(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server, "persistence")
        await call(browser, server)
        server.sessions["token-1"] += [
            {"role": "assistant", "content": "Good day."},
            {"role": "user", "content": "I am Ann."},
        ]
        await page.reload()
        await call(browser, server)
        assert server.call.socket.query_params["resume"] == "token-1"
        await expect(page.locator("#lines .line")).to_have_text([re.compile("Good day."), re.compile("I am Ann.")])
        await expect(page.locator("#lines .divider")).to_have_text("The conversation goes on")
        assert server.call.texts() == []


async def test_a_session_that_is_no_longer_kept_gives_way_to_a_new_one(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await open_embedding(browser, server, "persistence")
        await call(browser, server)
        server.sessions.clear()
        await browser.page.reload()
        await call(browser, server)
        assert [one.socket.query_params.get("resume") for one in server.calls] == [None, "token-1", None]


async def test_a_lost_connection_is_told_until_it_is_back(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await call(browser, server)
        await server.call.say("Good day.", "resp_1")
        await expect(page.locator("#lines .words")).to_have_text("Good day.")
        server.sessions["token-1"].append({"role": "assistant", "content": "Good day."})
        server.waiting = ["preparing"]
        server.cut()
        await expect(page.get_by_text("The connection is weak. Waiting for it to come back…")).to_be_visible(
            timeout=PATIENCE_MS
        )
        await expect_view(browser, "call")
        await eventually(lambda: len(server.calls) == 2)
        await server.begin(server.call, token="token-1")
        await expect(page.locator("#trouble")).to_be_hidden(timeout=PATIENCE_MS)
        await expect(page.locator("#lines .words")).to_have_text("Good day.")
        await expect(page.locator("#lines .divider")).to_have_count(0)


async def test_a_conversation_that_goes_on_in_another_window(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await open_embedding(browser, server, "persistence")
        await call(browser, server)
        await server.call.end("close", "replaced")
        await expect(browser.page.get_by_role("alert")).to_contain_text("Continued in another window")
        await browser.page.get_by_role("button", name="Call again").click()
        await expect_view(browser, "call")


async def test_taking_it_out_of_the_page_ends_the_call_and_frees_everything(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await call(browser, server)
        assert await browser.held() == Held(1, 1, 1, 1)
        await browser.page.evaluate(f"() => {{ globalThis.kept = {ELEMENT}; kept.remove(); }}")
        await asyncio.wait_for(server.call.closed.wait(), 20)
        assert await browser.held() == NOTHING
        assert await browser.page.evaluate("() => kept.scene") is None
        await browser.page.evaluate("() => document.querySelector('#place').append(kept)")
        await expect(browser.page.get_by_role("button", name="Call again")).to_be_visible()
        await call(browser, server)
        assert len(server.calls) == 2


@pytest.mark.parametrize("way", ["append", "moveBefore"])
async def test_moving_it_in_the_page_leaves_the_call_alone(server: FakeServer, way: str) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await call(browser, server)
        await browser.page.evaluate(f"(way) => document.querySelector('main')[way]({ELEMENT}, null)", way)
        before = await browser.frames_shown()
        pieces = len(server.call.audio_times)
        await eventually(lambda: len(server.call.audio_times) > pieces + 30)
        assert await browser.frames_shown() > before
        assert await browser.page.evaluate("() => theVideo().paused") is False
        assert len(server.calls) == 1
        assert await browser.held() == Held(1, 1, 1, 1)
        await expect_view(browser, "call")


async def test_beginning_by_itself_takes_no_focus(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.add_init_script(
            "addEventListener('DOMContentLoaded', () => document.querySelector('#after').focus(), { once: true })"
        )
        server.embedding = embedding("auto-connect microphone='off' muted captions='off'")
        await browser.page.goto(f"{server.url}/embedding")
        await expect_view(browser, "call")
        await expect(browser.page.locator("#after")).to_be_focused()
        assert await browser.page.evaluate("() => [theVideo().muted, held.tracks.length]") == [True, 0]
        await server.call.say("Good day.", "resp_1")
        await expect(browser.page.locator("#announcer")).to_have_text("Ada: Good day.")
        await expect(browser.page.locator("#lines")).to_be_hidden()
        await browser.page.evaluate(f"() => {ELEMENT}.removeAttribute('muted')")
        assert await browser.page.evaluate("() => theVideo().muted") is False


async def test_a_function_or_an_address_gives_the_token(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await page.route("**/my-token", lambda route: route.fulfill(json={"token": LICENSE}))
        await open_embedding(browser, server, "token-provider='/my-token'")
        await page.evaluate(f"() => {ELEMENT}.removeAttribute('license')")
        await expect(page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        await call(browser, server)
        assert server.call.socket.query_params["license"] == LICENSE
        await page.locator("#hang-up").click()
        await page.evaluate(
            f"""(license) => {{
              const element = {ELEMENT};
              globalThis.asked = 0;
              element.tokenProvider = async () => {{ asked += 1; return license; }};
            }}""",
            LICENSE,
        )
        await call(browser, server)
        assert await page.evaluate("() => asked") == 1


async def test_a_token_that_cannot_be_had(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await page.route("**/my-token", lambda route: route.fulfill(status=500))
        await open_embedding(browser, server, "token-provider='/my-token'")
        await page.locator("#call").click()
        await expect(page.get_by_role("alert")).to_contain_text("This page could not get its permission to call")
        assert server.calls == []


async def test_its_methods_and_properties(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)
        await page.evaluate(
            f"""() => {{
              const element = {ELEMENT};
              element.words = {{ call: "Start", welcome: "Meet {{name}}" }};
              element.variables = {{ guest: "Ann" }};
              element.history = ["I like tea."];
              element.tools = [{{ name: "add", description: "Adds", run: ({{ a, b }}) => a + b }}];
            }}"""
        )
        await expect(page.get_by_role("heading", name="Meet Ada")).to_be_visible()
        await expect(page.get_by_role("button", name="Start")).to_be_visible()
        ids = await page.evaluate(
            f"""async () => {{
              const element = {ELEMENT};
              return Promise.all([element.connect({{ microphone: false }}), element.connect()]);
            }}"""
        )
        assert ids == ["session-1", "session-1"]
        assert len(server.calls) == 1
        assert await page.evaluate(f"() => [{ELEMENT}.view, {ELEMENT}.avatar.id]") == ["call", "avatar-ada"]
        assert await page.evaluate(f"() => {ELEMENT}.sendText('Hello')") is True
        await eventually(lambda: server.call.texts() == ["I like tea.", "Hello"])
        assert '"name":"add"' in server.call.received("realtime.input_function_call")[0]["data"]["content"]
        await server.call.send(
            "realtime.response.function_call_arguments.done",
            {"call_id": "call_7", "name": "add", "arguments": {"a": 2, "b": 3}},
        )
        await eventually(
            lambda: any(m["item"].get("output") == "5" for m in server.call.received("conversation.item.create"))
        )
        await page.evaluate(f"() => {ELEMENT}.disconnect()")
        await expect_view(browser, "welcome")
        assert await page.evaluate(f"() => [{ELEMENT}.sendText('Hello'), {ELEMENT}.scene]") == [False, None]


async def test_connect_rejects_as_the_scene_does(server: FakeServer) -> None:
    server.refusal = ("conversation.connected.fail", "", 1008, "unknown_avatar")
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        error = await browser.page.evaluate(f"() => {ELEMENT}.connect().catch(({{ name, code }}) => [name, code])")
        assert error == ["noScene", "unknown_avatar"]


async def test_slots_and_looks_are_the_pages(server: FakeServer) -> None:
    content = """<img slot="poster" alt="Our host" src="/pictures/x.png"><h2 slot="welcome">Ask Ada!</h2>
      <span slot="call">Ring</span><a slot="error" href="#mail">Write to us</a>
      <button slot="controls" id="own">Own</button><p slot="loading">Boiling water</p>"""
    async with chromium_page() as browser:
        page = browser.page
        server.states = True
        server.waiting = ["preparing"]
        await open_embedding(browser, server, content=content)
        await page.add_style_tag(
            content="visavis-avatar { --visavis-accent: rgb(10, 20, 30) }"
            "visavis-avatar::part(call) { border-radius: 3px }"
        )
        button = page.get_by_role("button", name="Ring")
        await expect(button).to_have_css("background-color", "rgb(10, 20, 30)")
        await expect(button).to_have_css("border-radius", "3px")
        await expect(page.get_by_role("heading", name="Ask Ada!")).to_be_visible()
        await expect(page.get_by_role("img", name="Our host")).to_be_visible()
        await button.click()
        await expect(page.get_by_text("Boiling water")).to_be_visible()
        await expect(page.locator("#steps")).to_be_hidden()
        await eventually(lambda: len(server.calls) == 1)
        await server.begin(server.call)
        await expect(page.locator("#own")).to_be_visible()
        await server.call.end("backend_error", "backend_error", 1011)
        await expect(page.get_by_role("link", name="Write to us")).to_be_visible()


async def test_it_does_not_look_like_the_page_round_it(server: FakeServer) -> None:
    """What the page says of all its texts stays outside."""
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await browser.page.add_style_tag(
            content="* { text-transform: uppercase; letter-spacing: 9px; color: red; line-height: 3 }"
            "button { display: none }"
        )
        title = browser.page.locator("#welcome-text")
        await expect(title).to_have_css("letter-spacing", "normal")
        await expect(title).to_have_css("text-transform", "none")
        await expect(browser.page.locator("#call")).to_be_visible()


@pytest.mark.parametrize("width", [320, 390, 719, 720, 1200])
async def test_nothing_sticks_out_at_any_width(server: FakeServer, width: int) -> None:
    server.avatars = [{"id": f"avatar-{n}", "name": f"Person number {n}"} for n in range(8)]
    async with chromium_page(size=(width, 800)) as browser:
        page = browser.page

        async def check() -> None:
            assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
            assert await page.evaluate(STICKING) == []

        await open_embedding(browser, server, "chooser camera='off'")
        await expect(page.locator(".face")).to_have_count(8)
        await check()
        height = await page.evaluate(f"() => {ELEMENT}.clientHeight")
        await call(browser, server)
        await server.call.hear("A" * 90 + " and some words")
        await server.call.say("word " * 150, "resp_1")
        await expect(page.locator("#announcer")).to_contain_text("word")
        await check()
        assert await page.evaluate(f"() => {ELEMENT}.clientHeight") == height
        await server.call.send(
            "conversation.connected.expiring", {"reason": "sessionTimeout", "seconds": 30, "message": "soon"}
        )
        await expect(page.locator("#expiring")).to_be_visible()
        await check()
        await page.get_by_role("button", name="I am still here").click()
        for part in ("#mute", "#camera", "#hang-up", "#controls-settings", "#text"):
            await page.locator(part).scroll_into_view_if_needed()
            await expect(page.locator(part)).to_be_in_viewport(ratio=0.99)
        await server.call.end("fail", "bad_request")
        await expect_view(browser, "message")
        await check()


STICKING = f"""() => {{
  const frame = {ELEMENT}.getBoundingClientRect();
  return [...{ELEMENT}.shadowRoot.querySelectorAll(".room *")]
    .filter((element) => !element.closest(".ambient, .unseen, .faces, svg, .level"))
    .filter((element) => {{
      const box = element.getBoundingClientRect();
      return box.width > 1 && (box.right > frame.right + 0.5 || box.left < frame.left - 0.5);
    }})
    .map((element) => element.id || element.className);
}}"""


async def test_another_name_shows_another_face(server: FakeServer) -> None:
    server.avatars = AVATARS
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        await browser.page.evaluate(f"() => {ELEMENT}.setAttribute('name', 'maker.Ben')")
        await expect(browser.page.get_by_role("heading", name="Talk with Ben")).to_be_visible()
        await call(browser, server)
        assert server.call.socket.query_params["avatarId"] == "avatar-ben"


async def test_a_voice_alone(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server, "audio-only")
        await call(browser, server)
        await expect(browser.page.locator("#poster")).to_be_visible()
        await expect(browser.page.locator("#video")).to_be_hidden()
        await browser.page.wait_for_function("() => theVideo().currentTime > 0.3")


async def test_a_camera_that_the_avatar_does_not_look_at_is_turned_off_again(server: FakeServer) -> None:
    server.looks = False
    async with chromium_page() as browser:
        await open_embedding(browser, server, "camera='off'")
        await call(browser, server)
        await browser.page.get_by_role("button", name="Turn the camera on").click()
        await expect(browser.page.locator("#lines .note")).to_have_text("This avatar does not look at the camera.")
        await expect(browser.page.locator("#self")).to_be_hidden()
        await expect(browser.page.locator("#camera")).to_be_hidden()
        await expect(browser.page.locator("#mute")).to_be_focused()
        assert (await browser.held()).tracks == 1


async def test_a_whole_call_by_keyboard(server: FakeServer) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await open_embedding(browser, server)

        async def tab_to(name: str) -> None:
            for _ in range(12):
                await page.keyboard.press("Tab")
                focused = f"() => {ELEMENT}.shadowRoot.activeElement?.id"
                if await page.evaluate(focused) == name:
                    return
            raise AssertionError(f"the tabulator does not reach {name}")

        await tab_to("call")
        await page.keyboard.press("Enter")
        await expect_view(browser, "call")
        await expect(page.locator("#mute")).to_be_focused()
        await page.keyboard.press("Space")
        await expect(page.get_by_role("button", name="Unmute")).to_be_focused()
        await tab_to("text")
        await page.keyboard.type("Hello")
        await page.keyboard.press("Enter")
        await eventually(lambda: server.call.texts() == ["Hello"])
        await page.locator("#mute").focus()
        await tab_to("hang-up")
        await page.keyboard.press("Enter")
        await expect(page.locator("#welcome-title")).to_be_focused()
