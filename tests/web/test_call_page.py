"""The call page in headless Chromium, against a scripted server with a real WebRTC peer."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, BrowserPage, Held, chromium_page, needs_chromium
from tests.web.fake_server import AVATARS, LICENSE, FakeServer, eventually
from tests.web.steps import PATIENCE_MS, begin_call, expect_call, open_page

pytestmark = [pytest.mark.browser, needs_chromium]

HISTORY = "conversation.item.create"

IN_USE = """(id) => {
  const live = held.tracks.filter((track) => track.readyState === "live");
  return live.length === 1 && live[0].getSettings().deviceId === id;
}"""

LOUDNESS = """async () => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(theVideo().srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let loudest = 0;
  for (let look = 0; look < 100 && loudest === 0; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    analyser.getFloatTimeDomainData(samples);
    loudest = Math.max(loudest, ...samples);
  }
  await context.close();
  return loudest;
}"""


async def lines(browser: BrowserPage) -> list[tuple[str, str]]:
    """Who said what, as the captions show it."""
    found = await browser.page.locator("#lines .line").evaluate_all(
        "(lines) => lines.map((line) => [line.classList[1], line.querySelector('.words').textContent])"
    )
    return [(side, text) for side, text in found]


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Ten seconds that resemble speech: a 200 Hz voice with harmonics in syllables; 48 kHz."""
    times = np.arange(480_000) / 48_000
    tone = sum(np.sin(2 * np.pi * 200 * n * times) / n for n in range(1, 8))
    samples = (6000 * tone * np.clip(np.sin(2 * np.pi * 3 * times), 0, 1)).astype(np.int16)
    path = tmp_path / "voice.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(samples.tobytes())
    return path


async def test_the_page_loads_without_a_complaint_and_takes_the_license_out_of_the_address(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page(f"?avatarId=avatar-ada&license={LICENSE}"))
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        await expect(browser.page.locator("#poster")).to_be_visible()
        assert await browser.page.locator("#poster").evaluate("(image) => image.naturalWidth") == 512
        assert await browser.page.evaluate("() => location.href") == f"{server.url}/?avatarId=avatar-ada"
        await browser.page.reload()
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        assert await browser.policy_breaches() == []
        assert browser.complaints == []


async def test_a_license_behind_the_hash_never_reaches_the_server_in_an_address(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page(f"#license={LICENSE}"))
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        assert await browser.page.evaluate("() => location.href") == f"{server.url}/"
    assert not [request for request in server.requests if LICENSE in request]


async def test_the_page_works_where_the_browser_keeps_nothing(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.add_init_script(
            """for (const name of ["localStorage", "sessionStorage"]) {
              Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });
            }"""
        )
        await begin_call(browser, server)
        await browser.page.locator("#controls-settings").click()
        await browser.page.get_by_label("Volume of the avatar").fill("40")
        assert browser.complaints == []


async def test_a_call_shows_the_face_and_plays_the_voice(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        video = browser.page.locator("#video")
        assert await video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == [512, 512]
        before = await browser.frames_shown()
        await browser.page.wait_for_timeout(500)
        assert await browser.frames_shown() > before
        assert await browser.page.evaluate(LOUDNESS) > 0.02
        assert await video.evaluate("(video) => [video.muted, video.paused]") == [False, False]
        await expect(video).to_have_css("opacity", "1")
        await expect(browser.page.get_by_text("AI avatar", exact=True)).to_be_visible()
        await expect(browser.page.locator("#activity")).to_have_text("Listening")
        assert await browser.policy_breaches() == []
        assert browser.complaints == []


async def test_the_microphone_arrives_in_pieces_of_20_ms_as_it_is_spoken(server: FakeServer, voice: Path) -> None:
    async with chromium_page(wav=voice) as browser:
        await begin_call(browser, server)
        call = server.call
        await eventually(lambda: len(call.audio) > 6 * 48_000)
        constraints = await browser.page.evaluate("() => held.constraints")
    assert call.odd_pieces == 0
    times = np.array(call.audio_times)
    rate = 960 * (len(times) - 1) / (times[-1] - times[0])
    assert rate == pytest.approx(48_000, rel=0.1)
    assert constraints["audio"]["echoCancellation"] is True
    samples = np.frombuffer(bytes(call.audio), "<i2")[48_000:].astype(float)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hertz = np.fft.rfftfreq(len(samples), 1 / 24_000)
    strongest = hertz[np.argmax(spectrum)]
    assert strongest / 200 == pytest.approx(round(strongest / 200), abs=0.05)
    between = spectrum[(hertz % 200 > 60) & (hertz % 200 < 140) & (hertz < 1400)]
    assert np.max(spectrum) > 20 * np.max(between)


async def test_sound_is_sent_only_after_the_server_is_ready(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await eventually(lambda: len(server.call.audio_times) > 0)
        created = server.call.ready_at
        assert created is not None
        assert min(server.call.audio_times) >= created


async def test_muting_sends_the_silence_that_ends_the_sentence_and_then_nothing(
    server: FakeServer, voice: Path
) -> None:
    async with chromium_page(wav=voice) as browser:
        await begin_call(browser, server)
        call = server.call
        await eventually(lambda: any(call.audio))
        await browser.page.get_by_role("button", name="Mute").click()
        await browser.page.wait_for_timeout(2500)
        pieces = len(call.audio_times)
        tail = bytes(call.audio[-50 * 960 :])
        await browser.page.wait_for_timeout(700)
        assert len(call.audio_times) == pieces
        assert not any(tail)
        await browser.page.get_by_role("button", name="Unmute").click()
        await eventually(lambda: len(call.audio_times) > pieces + 100)
        assert any(call.audio[-100 * 960 :])


async def test_captions_of_both_sides(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        call, page = server.call, browser.page
        await call.send("realtime.input_audio_buffer.speech_started")
        await expect(page.locator("#activity")).to_have_text("Hearing you")
        await expect(page.locator("#lines .line.user")).to_have_attribute("data-state", "pending")
        await call.send("realtime.input_audio_buffer.speech_stopped")
        await expect(page.locator("#activity")).to_have_text("Thinking")
        heard = "realtime.conversation.item.input_audio_transcription.completed"
        await call.send(heard, {"content": "What do you sell?"})
        await call.say("We sell tea and", "resp_1", finish=False)
        await expect(page.locator("#lines .line.avatar .words")).to_have_text("We sell tea and")
        await expect(page.locator("#activity")).to_have_text("Speaking")
        assert await page.locator("#announcer").text_content() == ""
        await call.say("We sell tea and coffee.", "resp_1")
        await expect(page.locator("#announcer")).to_have_text("Ada: We sell tea and coffee.")
        await expect(page.locator("#activity")).to_have_text("Listening")
        assert await lines(browser) == [("user", "What do you sell?"), ("avatar", "We sell tea and coffee.")]


async def test_a_turn_that_was_not_understood_leaves_no_bubble(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.send("realtime.input_audio_buffer.speech_started")
        await expect(browser.page.locator("#lines .line.user")).to_be_visible()
        await server.call.send("realtime.input_audio_buffer.speech_stopped")
        await server.call.send("realtime.conversation.item.input_audio_transcription.completed", {"content": ""})
        await expect(browser.page.locator("#lines .line")).to_have_count(0)
        await expect(browser.page.locator("#activity")).to_have_text("Listening")


async def test_an_interrupted_answer_keeps_what_was_heard(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.say("One two three four five", "resp_1", finish=False)
        await server.call.send("realtime.input_audio_buffer.speech_started")
        ids = {"id": "resp_1", "response_id": "resp_1"}
        await server.call.send("realtime.response.audio_transcript.done", {"content": "One two", **ids})
        await server.call.send("realtime.response.audio.done", ids)
        await expect(browser.page.locator("#lines .line.avatar .words")).to_have_text("One two")
        await expect(browser.page.locator("#activity")).to_have_text("Hearing you")


async def test_typing(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        field = browser.page.get_by_label("Write to the avatar")
        await field.fill("  Is <b>this</b> text?  ")
        await field.press("Enter")
        await expect(field).to_have_value("")
        await eventually(lambda: len(server.call.received("realtime.input_text")) == 1)
        assert server.call.texts() == ["Is <b>this</b> text?"]
        assert await lines(browser) == [("user", "Is <b>this</b> text?")]
        await expect(browser.page.locator("#activity")).to_have_text("Thinking")
        await field.press("Enter")
        await server.call.say("<img src=x onerror=alert(1)> It is.", "resp_1")
        await expect(browser.page.locator("#lines .avatar .words")).to_have_text("<img src=x onerror=alert(1)> It is.")
        assert server.call.texts() == ["Is <b>this</b> text?"]


async def test_hanging_up_frees_everything_and_a_second_call_remembers_the_first(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        first = server.call
        assert first.texts() == []
        assert await browser.held() == Held(1, 1, 1, 1)
        await first.hear("My name is Eva.")
        await expect(browser.page.locator("#lines .line.user .words")).to_have_text("My name is Eva.")
        await browser.page.get_by_label("Write to the avatar").fill("I like tea.")
        await browser.page.get_by_role("button", name="Send").click()
        await browser.page.get_by_role("button", name="Hang up").click()
        await asyncio.wait_for(first.closed.wait(), 20)
        assert await browser.held() == NOTHING
        assert await browser.page.evaluate("() => theVideo().srcObject") is None
        await expect(browser.page.locator("#conversation")).to_contain_text("My name is Eva.")

        await browser.page.get_by_role("button", name="Call again").click()
        await expect_call(browser)
        assert len(server.calls) == 2
        await eventually(lambda: len(server.call.texts()) == 2)
        assert server.call.texts() == ["My name is Eva.", "I like tea."]
        assert server.call.received("response.create") == server.call.received("realtime.input_text") == []
        await eventually(lambda: len(server.call.audio_times) > 20)
        await browser.page.wait_for_function(
            "(before) => theVideo().getVideoPlaybackQuality().totalVideoFrames > before",
            arg=await browser.frames_shown(),
        )
        assert await browser.held() == Held(1, 1, 1, 1)
        assert browser.complaints == []


async def test_leaving_the_page_ends_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await browser.page.goto("about:blank")
        await asyncio.wait_for(server.call.closed.wait(), 20)


async def test_a_conversation_goes_on_after_the_page_was_loaded_anew(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await begin_call(browser, server)
        server.sessions["token-1"] += [
            {"role": "user", "content": "My name is Eva."},
            {"role": "assistant", "content": "Hello, Eva."},
        ]
        await browser.page.reload()
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_call(browser)
        assert await lines(browser) == [("user", "My name is Eva."), ("avatar", "Hello, Eva.")]
        assert server.call.texts() == []


async def test_cancelling_while_it_connects(server: FakeServer) -> None:
    server.silent = True
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect(browser.page.get_by_role("heading", name="Calling Ada…")).to_be_visible()
        steps = browser.page.locator("#steps li")
        await expect(steps.nth(0)).to_have_attribute("aria-current", "step")
        assert await steps.all_text_contents() == [
            "Searching for a digital person",
            "Downloading assets",
            "Connecting to the digital person",
            "Connected",
        ]
        bar = browser.page.get_by_role("progressbar", name="Connection progress")
        await expect(bar).to_have_attribute("aria-valuenow", "25")
        await expect(bar).to_have_attribute("aria-valuetext", "Searching for a digital person, 25 %")
        await browser.page.get_by_role("button", name="Cancel").click()
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()
        assert await browser.held() == NOTHING


async def test_a_later_offer_replaces_the_connection(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.offer()
        second = server.call.peers[1]
        await eventually(lambda: second.connectionState == "connected")
        await expect(browser.page.locator("body")).to_have_attribute("data-view", "call")
        await browser.page.wait_for_function(
            "() => held.peers.filter((p) => p.connectionState !== 'closed').length === 1"
        )
        before = await browser.frames_shown()
        await browser.page.wait_for_timeout(700)
        assert await browser.frames_shown() > before


async def test_what_is_no_message_of_the_protocol_does_no_harm(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        socket = server.call.socket
        for text in ("", "{", "[]", "null", '"x"', "{}", '{"type": 5}', '{"type": "brand.new"}'):
            await socket.send_text(text)
        await socket.send_bytes(b"\x00\x01")
        await socket.send_text('{"type": "realtime.response.audio_transcript.delta"}')
        await server.call.say("Still here.", "resp_9")
        await expect(browser.page.locator("#lines .words").last).to_have_text("Still here.")
        assert browser.complaints == []


async def test_fields_at_the_top_level_are_read_too(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.socket.send_text(
            '{"type": "realtime.conversation.item.input_audio_transcription.completed", "transcript": "At the top."}'
        )
        await expect(browser.page.locator("#lines .user .words")).to_have_text("At the top.")


async def test_a_server_without_ice_servers_and_with_a_warning(server: FakeServer) -> None:
    server.iceless = True
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.send("conversation.connected.warning", message="Two avatars have this name.")
        await expect(browser.page.locator("#lines .note")).to_have_text("Two avatars have this name.")


async def test_choosing_between_avatars(server: FakeServer) -> None:
    server.avatars = AVATARS
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("radio", name="Ben").check()
        await expect(browser.page.get_by_role("heading", name="Talk with Ben")).to_be_visible()
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_call(browser)
        assert server.call.socket.query_params["avatarId"] == "avatar-ben"
        assert server.call.socket.query_params["license"] == LICENSE


async def test_the_address_chooses_the_avatar_by_name(server: FakeServer) -> None:
    server.avatars = AVATARS
    async with chromium_page() as browser:
        await browser.page.goto(server.page(f"?license={LICENSE}&name=maker.Ben"))
        await expect(browser.page.get_by_role("heading", name="Talk with Ben")).to_be_visible()


async def test_choosing_devices_and_volume(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        page = browser.page
        await page.locator("#controls-settings").click()
        choice = page.get_by_label("Microphone")
        await expect(choice.locator("option").nth(1)).to_be_attached()
        current = await choice.input_value()
        other = (await choice.locator("option").evaluate_all("(options) => options.map(({ value }) => value)"))[-1]
        assert other != current
        await choice.select_option(other)
        await expect(choice).to_have_value(other)
        await page.wait_for_function(IN_USE, arg=other)
        await page.get_by_label("Volume of the avatar").fill("40")
        assert await page.locator("#video").evaluate("(video) => video.volume") == pytest.approx(0.4)
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_be_hidden()
        pieces = len(server.call.audio_times)
        await eventually(lambda: len(server.call.audio_times) > pieces + 20)
        assert server.call.odd_pieces == 0
        assert browser.complaints == []


async def test_a_browser_that_blocks_sound_lets_the_visitor_turn_it_on(server: FakeServer) -> None:
    async with chromium_page(autoplay=False) as browser:
        # The page's own script clicks, which is no gesture of the visitor; whatever a test evaluates in the page would
        # count as one, so the page tells by its console.
        await browser.page.add_init_script(
            """const timer = setInterval(() => {
              const inside = document.querySelector("visavis-avatar")?.shadowRoot;
              if (inside?.querySelector("#welcome").hidden === false) {
                inside.querySelector("#call-by-text").click();
              } else if (inside?.querySelector("#unblock").hidden === false) {
                console.log("blocked");
                clearInterval(timer);
              }
            }, 20);"""
        )
        blocked = browser.page.expect_console_message(lambda message: message.text == "blocked", timeout=PATIENCE_MS)
        async with blocked:
            await browser.page.goto(server.page())
        tap = browser.page.get_by_role("button", name="Tap to hear")
        await expect(tap).to_be_visible()
        video = browser.page.locator("#video")
        assert await video.evaluate("(video) => [video.muted, video.paused]") == [True, False]
        await tap.click()
        await expect(tap).to_be_hidden()
        assert await video.evaluate("(video) => [video.muted, video.paused]") == [False, False]
