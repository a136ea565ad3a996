"""Every refusal and failure is told on the page in plain words, and the way out of it works."""

import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, chromium_page, needs_chromium
from tests.web.fake_server import LICENSE, FakeServer, eventually
from tests.web.steps import PATIENCE_MS, begin_call, expect_call, expect_message, open_page

pytestmark = [pytest.mark.browser, needs_chromium]

CONNECTED = "conversation.connected"


@pytest.mark.parametrize(
    ("event", "code", "reason", "title"),
    [
        (f"{CONNECTED}.gpu_full", 1013, "no_slot", "All places are taken"),
        (f"{CONNECTED}.gpu_full", 1000, "", "All places are taken"),
        ("realtime.session.gpu_full", 1013, "", "All places are taken"),
        (f"{CONNECTED}.connection_limit_exceeded", 1008, "license_limit", "Too many calls at once"),
        (f"{CONNECTED}.insufficient_balance", 1008, "Insufficient points", "This license has no credit left"),
        (f"{CONNECTED}.backend_error", 1011, "backend_error", "Something failed on the server"),
        (f"{CONNECTED}.fail", 1008, "unknown_avatar", "This avatar is not here"),
        (f"{CONNECTED}.fail", 1013, "shutting_down", "The server is closing down"),
        (f"{CONNECTED}.fail", 1008, "", "The server refused the call"),
    ],
)
async def test_a_refusal(server: FakeServer, event: str, code: int, reason: str, title: str) -> None:
    server.refusal = (event, "Not today.", code, reason)
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, title)
        assert await browser.held() == NOTHING
        detail = browser.page.locator("#message-detail")
        if title == "The server refused the call":
            await expect(detail).to_contain_text("Not today.")
        else:
            await expect(detail).to_have_text("")
        retry = browser.page.get_by_role("button", name="Try again")
        if reason == "unknown_avatar":
            await expect(retry).to_be_hidden()
            return
        server.refusal = None
        await retry.click()
        await expect_call(browser)
        assert browser.complaints == []


@pytest.mark.parametrize(("code", "title"), [(1013, "All places are taken"), (1011, "Something failed on the server")])
async def test_a_server_that_closes_without_a_word(server: FakeServer, code: int, title: str) -> None:
    server.silent = True
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await eventually(lambda: len(server.calls) == 1)
        await server.call.close(code)
        await expect_message(browser, title)


async def test_a_license_that_the_server_does_not_know_at_the_call(server: FakeServer) -> None:
    server.refusal = (f"{CONNECTED}.fail", "no", 1008, "invalid_license")
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect(browser.page.get_by_role("heading", name="This license is not valid")).to_be_visible()


async def test_a_wrong_license_in_the_address_can_be_corrected(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page("?license=sk_wrong"))
        await expect(browser.page.get_by_role("heading", name="This license is not valid")).to_be_visible()
        await browser.page.get_by_label("License key").fill(LICENSE)
        await browser.page.get_by_role("button", name="Continue").click()
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()


async def test_without_a_license_the_page_asks_for_one(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page(""))
        await expect(browser.page.get_by_role("heading", name="Your license, please")).to_be_visible()
        await browser.page.get_by_label("License key").fill(LICENSE)
        await browser.page.keyboard.press("Enter")
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()


async def test_an_avatar_in_the_address_that_is_not_there(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(server.page(f"?license={LICENSE}&avatarId=avatar-zoe"))
        await expect_message(browser, "This avatar is not here")
        await browser.page.get_by_role("button", name="Back").click()
        await expect(browser.page.get_by_role("heading", name="Talk with Ada")).to_be_visible()


async def test_the_visitor_refuses_the_microphone_and_goes_on_by_text(server: FakeServer) -> None:
    async with chromium_page(microphone="deny") as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "The microphone is blocked")
        assert server.calls == []
        await browser.page.get_by_role("button", name="Continue by text").click()
        await expect_call(browser)
        await browser.page.get_by_label("Write to the avatar").fill("Can you read me?")
        await browser.page.keyboard.press("Enter")
        await eventually(lambda: server.call.texts() == ["Can you read me?"])
        await browser.page.get_by_role("button", name="Turn the microphone on").click()
        await expect(browser.page.locator("#lines .note")).to_contain_text("The microphone is blocked")
        assert server.call.audio_times == []


async def test_there_is_no_microphone(server: FakeServer) -> None:
    async with chromium_page(microphone="none") as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "There is no microphone")
        await browser.page.get_by_role("button", name="Continue by text").click()
        await expect_call(browser)


async def test_the_microphone_may_be_turned_on_in_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Type instead").click()
        await expect_call(browser)
        assert (await browser.held()).tracks == 0
        await browser.page.get_by_role("button", name="Turn the microphone on").click()
        await eventually(lambda: len(server.call.audio_times) > 20)
        await expect(browser.page.get_by_role("button", name="Mute", exact=True)).to_be_visible()


async def test_a_microphone_that_goes_away(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await eventually(lambda: len(server.call.audio_times) > 5)
        await browser.page.evaluate(
            """() => {
              navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotFoundError"); };
              const track = held.tracks.at(-1);
              track.stop();
              track.dispatchEvent(new Event("ended"));
            }"""
        )
        await expect(browser.page.locator("#lines .note")).to_have_text(
            "The microphone went away. You can go on by typing."
        )
        await expect(browser.page.get_by_role("button", name="Turn the microphone on")).to_be_visible()
        await expect_call(browser)


async def test_an_address_that_browsers_do_not_trust_with_the_microphone(server: FakeServer) -> None:
    async with chromium_page(flags=["--host-resolver-rules=MAP insecure.example 127.0.0.1"]) as browser:
        server.url = server.url.replace("127.0.0.1", "insecure.example")
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "The microphone needs a secure address")
        await expect(browser.page.get_by_role("button", name="Try again")).to_be_hidden()
        await browser.page.get_by_role("button", name="Continue by text").click()
        await expect_call(browser)


async def test_a_browser_without_webrtc(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await browser.page.add_init_script("delete globalThis.RTCPeerConnection")
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "This browser can’t make the call")


async def test_the_server_is_gone_before_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        server.stop()
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "The server does not answer")
        assert await browser.held() == NOTHING


async def test_the_server_says_nothing(server: FakeServer) -> None:
    server.silent = True
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect(browser.page.locator("#connecting-hint")).to_contain_text("takes its time", timeout=PATIENCE_MS)
        await expect_message(browser, "The server does not answer")
        assert await browser.held() == NOTHING


async def test_the_network_blocks_picture_and_sound(server: FakeServer) -> None:
    server.reachable = False
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "Picture and sound can’t get through")
        assert await browser.held() == NOTHING
        server.reachable = True
        await browser.page.get_by_role("button", name="Try again").click()
        await expect_call(browser)


async def test_the_connection_is_lost_in_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.say("Good day.", "resp_1")
        server.stop()
        await expect_message(browser, "The connection was lost")
        assert await browser.held() == NOTHING
        await expect(browser.page.locator("#lines .words")).to_have_text("Good day.")


async def test_a_picture_that_stops_is_told_and_forgotten_when_it_moves_again(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        video = next(sender for sender in server.call.peers[0].getSenders() if sender.kind == "video")
        track = video.track
        video.replaceTrack(None)
        trouble = browser.page.get_by_text("The connection is weak.")
        await expect(trouble).to_be_visible(timeout=PATIENCE_MS)
        await expect_call(browser)
        video.replaceTrack(track)
        await expect(trouble).to_be_hidden(timeout=PATIENCE_MS)


async def test_media_that_dies_without_a_word_ends_the_call(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await server.call.peers[0].close()
        await expect_message(browser, "The connection was lost")
        assert await browser.held() == NOTHING


@pytest.mark.parametrize(
    ("event", "code", "reason", "heading"),
    [
        (f"{CONNECTED}.close", 1000, "session_timeout", "The time is up"),
        (f"{CONNECTED}.fail", 1011, "media_failed", "The connection was lost"),
        (f"{CONNECTED}.backend_error", 1011, "backend_error", "Something failed on the server"),
        (f"{CONNECTED}.close", 1000, "conversation_ended", "The call has ended"),
        (f"{CONNECTED}.close", None, "", "The call has ended"),
        (None, 1000, "", "The call has ended"),
    ],
)
async def test_the_server_ends_the_call(
    server: FakeServer, event: str | None, code: int | None, reason: str, heading: str
) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        if event is not None:
            await server.call.send(event, message="over")
        if code is not None:
            await server.call.close(code, reason)
        await expect(browser.page.get_by_role("heading", name=heading)).to_be_visible(timeout=PATIENCE_MS)
        assert await browser.held() == NOTHING
