"""The page for everyone: by keyboard alone, on a narrow screen, with motion reduced."""

import pytest
from playwright.async_api import expect

from tests.browser import BrowserPage, chromium_page, needs_chromium
from tests.web.fake_server import FakeServer, eventually
from tests.web.steps import begin_call, expect_call, expect_message, open_page

pytestmark = [pytest.mark.browser, needs_chromium]


async def tab_to(browser: BrowserPage, selector: str) -> None:
    """Press the tabulator until the element has the focus, as people do."""
    for _ in range(20):
        await browser.page.keyboard.press("Tab")
        if await browser.page.locator(selector).evaluate(
            "(element) => element === element.getRootNode().activeElement"
        ):
            return
    raise AssertionError(f"the tabulator does not reach {selector}")


async def test_a_whole_call_by_keyboard(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_page(browser, server)
        await tab_to(browser, "#call")
        outline = await browser.page.locator("#call").evaluate("(element) => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
        await browser.page.keyboard.press("Enter")
        await expect_call(browser)
        await expect(browser.page.locator("#mute")).to_be_focused()
        await browser.page.keyboard.press("Space")
        await expect(browser.page.locator("#mute")).to_have_attribute("aria-label", "Unmute")
        await tab_to(browser, "#text")
        await browser.page.keyboard.type("Hello")
        await browser.page.keyboard.press("Enter")
        await eventually(lambda: server.call.texts() == ["Hello"])
        await browser.page.locator("#mute").focus()
        await tab_to(browser, "#hang-up")
        await browser.page.keyboard.press("Enter")
        await expect(browser.page.get_by_role("button", name="Call again")).to_be_visible()


async def test_a_failure_takes_the_focus(server: FakeServer) -> None:
    server.refusal = ("conversation.connected.gpu_full", "", 1013, "no_slot")
    async with chromium_page() as browser:
        await open_page(browser, server)
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect_message(browser, "All places are taken")
        await expect(browser.page.locator("#message-title")).to_be_focused()


async def overflow(browser: BrowserPage) -> list[str]:
    """Visible elements that stick out of the window at its right or left side."""
    return await browser.page.evaluate(
        """() => [document, document.querySelector("visavis-avatar").shadowRoot]
          .flatMap((root) => [...root.querySelectorAll("main *, header *, .room *, dialog[open] *")])
          .filter((element) => !element.closest(".ambient, .unseen, .faces, svg"))
          .filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width > 1 && (box.right > innerWidth + 0.5 || box.left < -0.5);
          })
          .map((element) => element.id || element.className)"""
    )


@pytest.mark.parametrize("size", [(320, 640), (360, 740), (844, 390), (900, 700)])
async def test_nothing_sticks_out_of_a_small_window(server: FakeServer, size: tuple[int, int]) -> None:
    server.avatars = [{"id": f"avatar-{n}", "name": f"Person number {n}"} for n in range(8)]
    async with chromium_page(size=size) as browser:
        page = browser.page

        async def check() -> None:
            assert await page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
            assert await overflow(browser) == []

        await open_page(browser, server)
        await check()
        server.pause = 0.5
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.get_by_role("heading", name="Calling")).to_be_visible()
        await check()
        await expect_call(browser)
        await server.call.hear("A" * 90 + " and some words")
        await server.call.say("word " * 150, "resp_1")
        await expect(page.locator("#announcer")).to_contain_text("word")
        await check()
        for part in ("#hang-up", "#mute", "#text", "#lines"):
            await expect(page.locator(part)).to_be_in_viewport(ratio=0.99)
        await page.locator("#controls-settings").click()
        await expect(page.locator("dialog#settings")).to_be_visible()
        await check()
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog#settings")).to_be_hidden()
        await page.get_by_role("button", name="Hang up").click()
        await check()
        await page.get_by_role("button", name="Call again").scroll_into_view_if_needed()
        await expect(page.get_by_role("button", name="Call again")).to_be_in_viewport(ratio=0.99)


async def test_reduced_motion_moves_nothing(server: FakeServer) -> None:
    async with chromium_page(reduced_motion=True) as browser:
        await begin_call(browser, server)
        await server.call.send("realtime.input_audio_buffer.speech_started")
        await expect(browser.page.locator("#activity")).to_have_text("Hearing you")
        await browser.page.wait_for_timeout(200)
        running = "() => document.getAnimations().filter((animation) => animation.playState === 'running').length"
        assert await browser.page.evaluate(running) == 0


async def test_every_control_has_a_name(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await browser.page.locator("#controls-settings").click()
        for kind in ("button", "textbox", "combobox", "slider", "progressbar", "dialog", "listitem"):
            for control in await browser.page.get_by_role(kind, include_hidden=True).all():  # type: ignore[arg-type]
                text = await control.evaluate(
                    "(e) => e.ariaLabel || e.textContent || e.getAttribute('aria-labelledby') || e.labels?.length || ''"
                )
                assert text, await control.evaluate("(element) => element.outerHTML")
