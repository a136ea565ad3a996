"""All that the avatar's element shows, one view after another; and pages of other people that have the element."""

import re
from collections.abc import AsyncIterator

from playwright.async_api import expect

from tests.browser import BrowserPage
from tests.web.fake_server import LICENSE, FakeServer, eventually
from tests.web.steps import PATIENCE_MS

_EMBEDDING = """<!doctype html>
<html lang="en">
  <head>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>A tea shop</title>
    <link rel="icon" href="data:,">
    <script type="module" src="/sdk/visavis-avatar.js"></script>
  </head>
  <body>
    <main>
      <h1>A tea shop</h1>
      <p>Ask our host about tea.</p>
      <div id="place"><visavis-avatar license="{license}" {attributes}>{content}</visavis-avatar></div>
      <p>Open from nine to six. <button id="after">How to find us</button></p>
    </main>
  </body>
</html>"""


def embedding(attributes: str = "", content: str = "") -> str:
    """A page of somebody else's, with one tag of ours."""
    return _EMBEDDING.format(license=LICENSE, attributes=attributes, content=content)


async def open_embedding(browser: BrowserPage, server: FakeServer, attributes: str = "", content: str = "") -> None:
    server.embedding = embedding(attributes, content)
    await browser.page.goto(f"{server.url}/embedding")
    await expect(browser.page.locator("#welcome")).to_be_visible(timeout=PATIENCE_MS)


async def expect_view(browser: BrowserPage, view: str) -> None:
    await expect(browser.page.locator(".room")).to_have_attribute("data-view", view, timeout=PATIENCE_MS)


async def call(browser: BrowserPage, server: FakeServer) -> None:
    """Press the button, and wait until there is a call."""
    await browser.page.locator("#call").click()
    await expect_view(browser, "call")


async def views(browser: BrowserPage, server: FakeServer) -> AsyncIterator[str]:
    """From the welcome on; each name is given when the view can be seen."""
    page = browser.page
    server.states = True
    server.waiting = ["queued"]
    yield "welcome"
    await page.locator("#call").click()
    await eventually(lambda: len(server.calls) == 1)
    await server.call.state("queued", 3)
    await expect(page.locator("#steps li").first).to_have_text("You are number 3 in line")
    yield "queued"
    await server.call.state("preparing")
    await expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "50")
    yield "downloading"
    await server.begin(server.call)
    await expect_view(browser, "call")
    yield "call"
    await server.call.hear("What do you sell?")
    await server.call.say("We sell tea and coffee.", "resp_1")
    await server.call.send("realtime.input_audio_buffer.speech_started")
    await expect(page.locator("#activity")).to_have_text("Hearing you")
    yield "captions"
    await page.locator("#camera").click()
    await expect(page.locator("#self")).to_be_visible()
    yield "camera"
    await server.call.send(
        "conversation.connected.expiring", {"reason": "sessionTimeout", "seconds": 30, "message": "soon"}
    )
    await expect(page.locator("#expiring-text")).to_have_text(re.compile(r"The call ends in \d+ seconds\."))
    yield "expiring"
    await page.locator("#still-here").click()
    await page.locator("#controls-settings").click()
    await expect(page.locator("#settings")).to_be_visible()
    yield "settings"
    await page.keyboard.press("Escape")
    await expect(page.locator("#settings")).to_be_hidden()
    await server.call.end("close", "session_timeout")
    await expect_view(browser, "message")
    yield "ended"
    await page.locator("#back").click()
    await expect_view(browser, "welcome")
    yield "again"
    server.refusal = ("conversation.connected.fail", "Not today.", 1008, "bad_request")
    await page.locator("#call").click()
    await expect_view(browser, "message")
    yield "error"
