"""What a visitor does on the call page."""

from playwright.async_api import expect

from tests.browser import BrowserPage
from tests.web.fake_server import FakeServer

PATIENCE_MS = 30_000
"""The machine may be busy: a test fails by what happens, not by when."""


async def open_page(browser: BrowserPage, server: FakeServer) -> None:
    await browser.page.goto(server.page())
    await expect(browser.page.locator("#welcome")).to_be_visible(timeout=PATIENCE_MS)


async def expect_call(browser: BrowserPage) -> None:
    await expect(browser.page.locator("body")).to_have_attribute("data-view", "call", timeout=PATIENCE_MS)


async def begin_call(browser: BrowserPage, server: FakeServer) -> None:
    await open_page(browser, server)
    await browser.page.get_by_role("button", name="Call", exact=True).click()
    await expect_call(browser)


async def expect_message(browser: BrowserPage, title: str) -> None:
    await expect(browser.page.get_by_role("alert").locator("h2")).to_have_text(title, timeout=PATIENCE_MS)
