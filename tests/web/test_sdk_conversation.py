"""What an app does with a session: words, tools, captions, memory, devices, sound."""

import json
from typing import Any

import pytest

from tests.browser import chromium_page, needs_chromium
from tests.web.fake_server import LICENSE, FakeServer, eventually
from tests.web.somebody import begin, connect, hears, make_scene, told

pytestmark = [pytest.mark.browser, needs_chromium]

TYPED = {"requestedMediaDevices": {"microphone": False}}

TOOLS = """() => {
  scene.addTool({ name: "add", description: "Adds", parameters: { type: "object", properties: {} },
    run: ({ a, b }) => a + b });
  scene.addTool({ name: "look", description: "Looks", run: async () => "out of the window" });
  scene.addTool({ name: "break", description: "Breaks", run: () => { throw new Error("it broke"); } });
}"""

CALLS: list[tuple[dict[str, Any], str]] = [
    ({"name": "add", "function_name": "add", "arguments": {"a": 2, "b": 3}}, "5"),
    ({"name": "add", "arguments": '{"a": 2, "b": 3}'}, "5"),
    ({"function_name": "look", "arguments": {}}, "out of the window"),
    ({"name": "break", "arguments": "{"}, '{"error":"it broke"}'),
    ({"name": "fly", "arguments": {}}, '{"error":"this page has no tool called fly"}'),
]

SOUNDS = """() => { const { muted, volume } = document.querySelector("video"); return [muted, volume]; }"""


def outputs(server: FakeServer) -> list[dict[str, Any]]:
    items = [message["item"] for message in server.call.received("conversation.item.create")]
    return [item for item in items if item["type"] == "function_call_output"]


def announced(server: FakeServer) -> list[list[str]]:
    messages = server.call.received("realtime.input_function_call")
    return [[tool["name"] for tool in json.loads(message["data"]["content"])] for message in messages]


async def test_text_is_sent_and_shown(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED)
        assert await browser.page.evaluate("() => [scene.sendText('too early'), scene.interrupt()]") == [False, False]
        await connect(browser)
        assert await browser.page.evaluate("() => scene.sendText('Good day.')") is True
        await eventually(lambda: len(server.call.received("realtime.input_text")) == 1)
        assert server.call.texts() == ["Good day."]
        caption = {"side": "user", "id": "user-1", "text": "Good day.", "state": "final"}
        assert await told(browser, "caption") == [caption]
        assert await browser.page.evaluate("() => scene.activity") == "thinking"
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.page.evaluate("() => scene.sendText('too late')") is False


async def test_captions_activity_and_history_of_both_sides(server: FakeServer) -> None:
    async with chromium_page() as browser:
        history = ["Once I was here.", {"role": "assistant", "content": "I remember."}]
        await begin(browser, server, history=history, **TYPED)
        sent = [message["item"] for message in server.call.received("conversation.item.create")]
        assert [(item["role"], item["content"][0]["text"]) for item in sent] == [
            ("user", "Once I was here."),
            ("assistant", "I remember."),
        ]
        await server.call.hear("How are you?", pause=0.1)
        await server.call.say("Well, thanks.")
        await hears(browser, "activity", 5)
        assert await told(browser, "activity") == ["idle", "listening", "thinking", "speaking", "idle"]
        captions = await told(browser, "caption")
        assert [(caption["side"], caption["state"], caption["text"]) for caption in captions] == [
            ("user", "pending", ""),
            ("user", "final", "How are you?"),
            ("avatar", "partial", "Well, "),
            ("avatar", "partial", "Well, thanks. "),
            ("avatar", "final", "Well, thanks."),
        ]
        assert len({caption["id"] for caption in captions}) == 2
        said = [
            {"role": "user", "content": "Once I was here."},
            {"role": "assistant", "content": "I remember."},
            {"role": "user", "content": "How are you?"},
            {"role": "assistant", "content": "Well, thanks."},
        ]
        assert await browser.page.evaluate("() => scene.history") == said
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.page.evaluate("() => scene.history") == said


async def test_an_interruption_silences_the_avatar_at_once(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, **TYPED)
        await server.call.say("A long story", finish=False)
        await hears(browser, "caption")
        assert await browser.page.evaluate(f"() => [scene.interrupt(), ({SOUNDS})()[0], scene.muted]") == [
            True,
            True,
            False,
        ]
        await eventually(lambda: len(server.call.received("response.cancel")) == 1)
        await server.call.send("realtime.response.audio.done", {"response_id": "resp_1"})
        await browser.page.wait_for_function(f"() => !({SOUNDS})()[0]", timeout=800)


async def test_after_an_interruption_that_nobody_heeds_the_avatar_is_heard_again(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, **TYPED)
        assert await browser.page.evaluate(f"() => {{ scene.interrupt(); return ({SOUNDS})()[0]; }}") is True
        await browser.page.wait_for_function(f"() => !({SOUNDS})()[0]")


async def test_tools_are_run_and_their_results_go_back(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server, **TYPED)
        await browser.page.evaluate(TOOLS)
        await connect(browser)
        assert announced(server) == [["add", "look", "break"]]
        for number, (call, output) in enumerate(CALLS, 1):
            data = {"call_id": f"call_{number}", **call}
            await server.call.send("realtime.response.function_call_arguments.done", data)
            await eventually(lambda number=number: len(server.call.received("response.create")) == number)
            expected = {"type": "function_call_output", "call_id": f"call_{number}", "output": output}
            assert outputs(server)[-1] == expected
        names = [call.get("name") or call["function_name"] for call, _ in CALLS]
        assert [tool["name"] for tool in await told(browser, "tool")] == names


async def test_tools_come_and_go_in_the_middle(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, **TYPED)
        assert announced(server) == []
        await browser.page.evaluate("() => scene.addTool({ name: 'late', description: '', run: () => 1 })")
        await eventually(lambda: announced(server) == [["late"]])
        for number, output in ((1, "1"), (2, '{"error":"this page has no tool called late"}')):
            data = {"call_id": f"call_{number}", "name": "late", "arguments": {}}
            await server.call.send("realtime.response.function_call_arguments.done", data)
            await eventually(lambda number=number: len(outputs(server)) == number)
            assert outputs(server)[-1]["output"] == output
            await browser.page.evaluate("() => scene.removeTool('late')")


async def test_variables_at_the_start_and_later(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server, variables={"guest": "Ann", "nights": 2}, **TYPED)
        await browser.page.evaluate("() => scene.setVariables({ nights: 3, member: true })")
        await connect(browser)
        await browser.page.evaluate("() => scene.setVariables({ nights: null })")
        await eventually(lambda: len(server.call.received("realtime.session.variables")) == 2)
        sent = [message["data"]["variables"] for message in server.call.received("realtime.session.variables")]
        assert sent == [{"guest": "Ann", "nights": 3, "member": True}, {"nights": None}]


async def test_a_notice(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server, **TYPED)
        await server.call.send("conversation.connected.warning", {}, message="Two avatars have this name.")
        assert await hears(browser, "notice") == "Two avatars have this name."


class TestMicrophone:
    """Sound of the visitor."""

    async def test_it_is_turned_on_and_off(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            assert (await browser.held()).tracks == 0
            assert await browser.page.evaluate("() => scene.microphoneOn") is False
            # Asked for twice, opened once.
            await browser.page.evaluate("() => Promise.all([scene.setMicrophone(true), scene.setMicrophone(true)])")
            assert await browser.page.evaluate("() => scene.microphoneOn") is True
            assert (await browser.held()).tracks == 1
            await eventually(lambda: len(server.call.audio_times) > 20)
            assert server.call.odd_pieces == 0
            await browser.page.evaluate("() => scene.setMicrophone(false)")
            assert await browser.page.evaluate("() => scene.microphoneOn") is False
            # The sentence before is heard to its end, in silence.
            await browser.page.wait_for_timeout(2000)
            pieces = len(server.call.audio_times)
            await browser.page.wait_for_timeout(500)
            assert len(server.call.audio_times) == pieces
            assert set(server.call.audio[-20 * 960 :]) == {0}
            await browser.page.evaluate("() => scene.setMicrophone(true)")
            await eventually(lambda: len(server.call.audio_times) > pieces + 10)

    async def test_what_was_chosen_before_the_session(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await make_scene(browser, server)
            await browser.page.evaluate("() => scene.setMicrophone(false)")
            await connect(browser)
            assert (await browser.held()).tracks == 0

    async def test_its_level_is_told(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server)
            await browser.page.evaluate(
                """() => {
                  globalThis.loudest = 0;
                  scene.onMicrophoneLevel.addListener((level) => { loudest = Math.max(loudest, level); });
                }"""
            )
            await browser.page.wait_for_function("() => loudest > 0.01 && loudest <= 1")

    async def test_another_one_is_chosen(self, server: FakeServer) -> None:
        async with chromium_page(flags=["--use-fake-device-for-media-stream=device-count=2"]) as browser:
            await begin(browser, server)
            await browser.page.evaluate(
                """async () => {
                  const devices = await navigator.mediaDevices.enumerateDevices();
                  const found = devices.filter(({ kind }) => kind === "audioinput").map(({ deviceId }) => deviceId);
                  globalThis.other = found.find((id) => id !== scene.microphoneId && id !== "default");
                  await scene.chooseMicrophone(other);
                }"""
            )
            assert await browser.page.evaluate("() => scene.microphoneId === other && other !== ''")
            assert (await browser.held()).tracks == 1
            pieces = len(server.call.audio_times)
            await eventually(lambda: len(server.call.audio_times) > pieces + 10)

    async def test_one_that_goes_away(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server)
            await eventually(lambda: len(server.call.audio_times) > 5)
            await browser.page.evaluate(
                """() => {
                  navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
                  const track = held.tracks.at(-1);
                  track.stop();
                  track.dispatchEvent(new Event("ended"));
                }"""
            )
            assert await hears(browser, "microphonelost") == "no_device"
            found = await browser.page.evaluate(
                "() => scene.setMicrophone(true).catch(({ name }) => [name, scene.microphoneOn, scene.isConnected()])"
            )
            assert found == ["noUserMedia", False, True]

    async def test_sound_that_the_network_cannot_take_is_dropped_and_counted(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server)
            await eventually(lambda: len(server.call.audio_times) > 5)
            await browser.page.evaluate(
                "() => Object.defineProperty(held.sockets.at(-1), 'bufferedAmount', { value: 1e6, configurable: true })"
            )
            await browser.page.wait_for_function("() => scene.droppedPieces > 10")
            pieces = len(server.call.audio_times)
            await browser.page.wait_for_timeout(300)
            assert len(server.call.audio_times) <= pieces + 2
            await browser.page.evaluate("() => delete held.sockets.at(-1).bufferedAmount")
            await eventually(lambda: len(server.call.audio_times) > pieces + 20)


class TestSound:
    """The avatar's voice."""

    async def test_volume_and_muting(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            assert await browser.page.evaluate(SOUNDS) == [False, 1]
            await browser.page.evaluate("() => { scene.volume = 0.25; scene.muted = true; }")
            assert await browser.page.evaluate(SOUNDS) == [True, 0.25]
            assert await browser.page.evaluate("() => [scene.muted, scene.volume]") == [True, 0.25]
            await browser.page.evaluate("() => { scene.volume = 7; scene.muted = false; }")
            assert await browser.page.evaluate(SOUNDS) == [False, 1]

    async def test_a_browser_that_wants_a_click_first(self, server: FakeServer) -> None:
        async with chromium_page(autoplay=False) as browser:
            # All by the page itself: what a test does in it counts as the visitor's touch.
            await browser.page.add_init_script(
                f"""addEventListener("load", async () => {{
                  const {{ Scene }} = await import("/sdk/visavis.js");
                  const videoElement = document.querySelector("video");
                  globalThis.scene = new Scene({{ server: "/", license: "{LICENSE}", name: "Ada", videoElement,
                    requestedMediaDevices: {{ microphone: false }} }});
                  let blocked = false;
                  scene.onAudioBlocked.addListener(() => {{ blocked = videoElement.muted && !scene.muted; }});
                  await scene.connect();
                  fetch(`/blank?blocked=${{blocked}}`);
                  document.onclick = () => scene.unblockAudio();
                }});"""
            )
            await browser.page.goto(f"{server.url}/blank")
            await eventually(lambda: "/blank?blocked=true" in server.requests)
            await browser.page.mouse.click(5, 5)
            await browser.page.wait_for_function(f"() => !({SOUNDS})()[0]")
            assert await browser.page.evaluate("() => document.querySelector('video').paused") is False

    async def test_a_speaker_that_is_not_there(self, server: FakeServer) -> None:
        async with chromium_page() as browser:
            await begin(browser, server, **TYPED)
            error = await browser.page.evaluate("() => scene.chooseSpeaker('none such').catch((e) => [e.name, e.code])")
            assert error == ["noUserMedia", "no_device"]


async def test_avatars_are_listed_with_pictures_from_this_server(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/blank")
        listing = """async (license) => {
          const { listAvatars } = await import("/sdk/visavis.js");
          return listAvatars(location.origin, license).catch(({ name, code, message }) => [name, code, message]);
        }"""
        assert await browser.page.evaluate(listing, LICENSE) == [
            {
                "id": "avatar-ada",
                "name": "Ada",
                "picture": f"{server.url}/pictures/avatar-ada.png",
                "thumbnail": f"{server.url}/pictures/avatar-ada-small.png",
            }
        ]
        name, code, message = await browser.page.evaluate(listing, "sk_wrong")
        assert (name, code) == ("serverConnectionFailed", "invalid_license")
        assert message.startswith("This license is not known.")
        server.stop()
        assert (await browser.page.evaluate(listing, LICENSE))[:2] == ["serverConnectionFailed", "unreachable"]
