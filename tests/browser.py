"""Headless Chromium for tests: pages that have a microphone, and notice what went wrong in them."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import ConsoleMessage, Page, async_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")

_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
)
_AUTOPLAY = "--autoplay-policy=no-user-gesture-required"
_NO_AUTOPLAY = "--autoplay-policy=document-user-activation-required"
_FAKE_MICROPHONE = "--use-fake-device-for-media-stream"
_ALLOW_MICROPHONE = "--use-fake-ui-for-media-stream"
_DENY_MICROPHONE = "--deny-permission-prompts"

DESKTOP = (1280, 800)
PHONE = (390, 844)

_WATCH = """
globalThis.theVideo = () =>
  document.querySelector("video") ?? document.querySelector("visavis-avatar").shadowRoot.querySelector("video");
globalThis.policyBreaches = [];
addEventListener("securitypolicyviolation", (breach) =>
  globalThis.policyBreaches.push(`${breach.effectiveDirective} ${breach.blockedURI}`));
globalThis.held = { tracks: [], contexts: [], peers: [], sockets: [] };
for (const [name, list] of [
  ["AudioContext", held.contexts], ["RTCPeerConnection", held.peers], ["WebSocket", held.sockets],
]) {
  if (globalThis[name]) {
    globalThis[name] = class extends globalThis[name] {
      constructor(...options) { super(...options); list.push(this); }
    };
  }
}
const devices = globalThis.navigator.mediaDevices;
const capture = devices?.getUserMedia.bind(devices);
if (devices) {
  devices.getUserMedia = async (constraints) => {
    held.constraints = constraints;
    const stream = await capture(constraints);
    held.tracks.push(...stream.getTracks());
    return stream;
  };
}
"""


@dataclass(frozen=True)
class Held:
    """What a page holds of the machine: how many of each are not yet given back."""

    tracks: int
    contexts: int
    peers: int
    sockets: int


NOTHING = Held(0, 0, 0, 0)


@dataclass
class BrowserPage:
    """A page, and what it complained about: console errors and warnings, uncaught exceptions."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])

    async def policy_breaches(self) -> list[str]:
        """The directives of the Content-Security-Policy that were broken since the page was loaded."""
        return await self.page.evaluate("() => globalThis.policyBreaches")

    async def frames_shown(self) -> int:
        """Video frames that the page's video has shown so far."""
        return await self.page.evaluate("() => theVideo().getVideoPlaybackQuality().totalVideoFrames")

    async def held(self) -> Held:
        """Microphone tracks, audio contexts, peer connections and sockets that are open."""
        return Held(
            **await self.page.evaluate(
                """() => ({
                  tracks: held.tracks.filter((track) => track.readyState === "live").length,
                  contexts: held.contexts.filter((context) => context.state !== "closed").length,
                  peers: held.peers.filter((peer) => peer.connectionState !== "closed").length,
                  sockets: held.sockets.filter((socket) => socket.readyState < WebSocket.CLOSING).length,
                })"""
            )
        )

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)


@asynccontextmanager
async def chromium_page(
    *,
    wav: Path | None = None,
    microphone: str = "allow",
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    reduced_motion: bool = True,
    autoplay: bool = True,
    flags: Sequence[str] = (),
) -> AsyncIterator[BrowserPage]:
    """A fresh browser with one page.

    ``wav``: what the microphone hears (16-bit PCM; repeated for ever unless ``%noloop`` is put behind its name), a beep
    each second without it. ``microphone``: ``allow``, ``deny`` (the visitor refuses) or ``none`` (there is no device).
    ``autoplay``: whether sound may play before the visitor has touched the page. ``flags``: further command line flags.
    """
    chosen = [*_QUIET, _AUTOPLAY if autoplay else _NO_AUTOPLAY, *flags]
    if microphone != "none":
        chosen.append(_FAKE_MICROPHONE)
    chosen.append(_DENY_MICROPHONE if microphone == "deny" else _ALLOW_MICROPHONE)
    if wav is not None:
        chosen.append(f"--use-file-for-fake-audio-capture={wav}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=chosen)
        try:
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]},
                color_scheme="dark" if dark else "light",
                reduced_motion="reduce" if reduced_motion else "no-preference",
                has_touch=size[0] < 600,
            )
            page = await context.new_page()
            await page.add_init_script(_WATCH)
            watched = BrowserPage(page)
            page.on("pageerror", lambda error: watched.complaints.append(str(error)))
            page.on("console", watched.heard)
            yield watched
        finally:
            await browser.close()
