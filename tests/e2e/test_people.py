"""Each of the house's own people in a whole call: the page in Chromium, a visitor who types, the real server."""

import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, chromium_page, needs_chromium
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser, needs_chromium]

PATIENCE_MS = 60_000
MOVES = """async (box) => {
  const video = theVideo();
  const canvas = new OffscreenCanvas(box.width, box.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const seen = [];
  for (let look = 0; look < 40; look += 1) {
    context.drawImage(video, box.left, box.top, box.width, box.height, 0, 0, box.width, box.height);
    seen.push(context.getImageData(0, 0, box.width, box.height).data);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  let most = 0;
  for (const one of seen) {
    let sum = 0;
    for (let at = 0; at < one.length; at += 4) sum += Math.abs(one[at] - seen[0][at]);
    most = Math.max(most, sum / (one.length / 4));
  }
  return most;
}"""
"""The largest mean change of red within a box of the picture, over four seconds."""
MOUTH = {"left": 206, "top": 270, "width": 100, "height": 70}
CORNER = {"left": 0, "top": 0, "width": 60, "height": 60}


@pytest.mark.parametrize("person", ["Vera", "Marcus", "Henrik", "Asha"])
async def test_each_person_greets_moves_the_mouth_and_answers(server: ServerProcess, person: str) -> None:
    async with chromium_page() as browser:
        page = browser.page
        await page.goto(f"{server.url}/?license={server.license}&name=visavis.{person}")
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.locator("body")).to_have_attribute("data-view", "call", timeout=PATIENCE_MS)
        avatar = page.locator("#lines .line.avatar")
        await expect(avatar.first).to_contain_text(person, timeout=PATIENCE_MS)
        assert await page.evaluate(MOVES, MOUTH) > 2 * await page.evaluate(MOVES, CORNER) + 1
        await page.get_by_role("textbox").fill("How old are you?")
        await page.keyboard.press("Enter")
        await expect(avatar.nth(1)).to_be_visible(timeout=PATIENCE_MS)
        assert "[" not in " ".join(await avatar.all_inner_texts()), "a mark of an emotion is seen"
        await page.get_by_role("button", name="Hang up").click()
        await expect(page.get_by_role("button", name="Call again")).to_be_visible(timeout=PATIENCE_MS)
        assert await browser.held() == NOTHING
        assert browser.complaints == []
