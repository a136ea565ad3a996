"""Headless Chromium as the receiving peer."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Page, async_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
    "--autoplay-policy=no-user-gesture-required",
]

PAGE = """<!doctype html><body><script>
async function take(sdp) {
  const pc = window.pc = new RTCPeerConnection({iceServers: []});
  window.video = document.createElement('video');
  Object.assign(video, {autoplay: true, muted: false, playsInline: true});
  document.body.append(video);
  window.streams = []; window.shown = 0; window.firstShown = 0;
  const count = () => { if (!shown++) firstShown = performance.now() - began; video.requestVideoFrameCallback(count); };
  video.requestVideoFrameCallback(count);
  pc.ontrack = e => { streams.push(e.streams[0].id); video.srcObject = e.streams[0]; };
  window.candidates = [];
  pc.onicecandidate = e => candidates.push(e.candidate ? e.candidate.candidate : null);
  window.began = performance.now();
  await pc.setRemoteDescription({type: 'offer', sdp});
  await pc.setLocalDescription();
  return pc.localDescription.sdp;
}
async function stats() {
  const found = {state: pc.connectionState, shown, firstShown, streams: new Set(streams).size};
  (await pc.getStats()).forEach(r => { if (r.type === 'inbound-rtp') found[r.kind] = r; });
  return found;
}
</script>"""


@contextlib.asynccontextmanager
async def chromium() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", headless=True, args=ARGUMENTS)
        try:
            page = await browser.new_page()
            await page.set_content(PAGE)
            yield page
        finally:
            await browser.close()


async def take(page: Page, offer: str) -> str:
    """Let the page answer an offer; its candidates stay with it."""
    answer: str = await page.evaluate("take", offer)
    return answer


async def stats(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate("stats()")
    return found
