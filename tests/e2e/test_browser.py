"""The main job, as a visitor has it: the call page in Chromium, a recording as its microphone, the real server."""

import wave
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import expect

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.e2e.voices import SILENCE, spoken
from visavis.bench.server_process import ServerProcess
from visavis.client import MICROPHONE_RATE

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser, needs_chromium]

PATIENCE_MS = 60_000
LOUDNESS = """async () => {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(theVideo().srcObject).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let loudest = 0;
  for (let look = 0; look < 100 && loudest < 0.05; look += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    analyser.getFloatTimeDomainData(samples);
    loudest = Math.max(loudest, ...samples);
  }
  await context.close();
  return loudest;
}"""


@pytest.fixture
async def question(tmp_path: Path) -> Path:
    """A recording, which Chromium repeats: silence for as long as the greeting takes, a question, silence."""
    (asked,) = await spoken(("en-us", "How old are you?"))
    sound = np.concatenate([SILENCE] * 12 + [asked] + [SILENCE] * 8)
    path = tmp_path / "question.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_RATE)
        file.writeframes(sound.tobytes())
    return path


def line(browser: BrowserPage, side: str, text: str):  # type: ignore[no-untyped-def]
    return browser.page.locator(f"#lines .line.{side}", has_text=text)


async def test_a_visitor_talks_hangs_up_and_calls_again(server: ServerProcess, question: Path, tmp_path: Path) -> None:
    async with chromium_page(wav=question) as browser:
        page = browser.page
        await page.goto(f"{server.url}/?license={server.license}")
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.locator("body")).to_have_attribute("data-view", "call", timeout=PATIENCE_MS)
        await expect(line(browser, "avatar", "Vera")).to_be_visible(timeout=PATIENCE_MS)
        assert await page.evaluate(LOUDNESS) > 0.05
        assert await page.evaluate("() => theVideo().videoWidth") == 512
        before = await browser.frames_shown()
        await expect(line(browser, "user", "old are you")).to_be_visible(timeout=PATIENCE_MS)
        await expect(line(browser, "avatar", "age")).to_be_visible(timeout=PATIENCE_MS)
        assert await browser.frames_shown() > before + 50
        await page.screenshot(path=tmp_path / "call.png")
        await page.get_by_role("button", name="Hang up").click()
        again = page.get_by_role("button", name="Call again")
        await expect(again).to_be_visible(timeout=PATIENCE_MS)
        assert await browser.held() == NOTHING
        await again.click()
        await expect(page.locator("body")).to_have_attribute("data-view", "call", timeout=PATIENCE_MS)
        shown = await browser.frames_shown()
        await page.get_by_role("textbox").fill("Who are you?")
        await page.keyboard.press("Enter")
        await expect(line(browser, "avatar", "host")).to_be_visible(timeout=PATIENCE_MS)
        assert await browser.frames_shown() > shown
        assert await browser.policy_breaches() == []
        assert browser.complaints == []
