"""Headless Chromium for tests: pages that have a microphone, and notice what went wrong in them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")

_QUIET = (
    "--headless=new",
    "--no-sandbox",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
)
_FAKE_MICROPHONE = "--use-fake-device-for-media-stream"
_ALLOW_MICROPHONE = "--use-fake-ui-for-media-stream"
_DENY_MICROPHONE = "--deny-permission-prompts"

DESKTOP = (1280, 800)
PHONE = (390, 844)


@dataclass
class BrowserPage:
    """A page, and what it complained about: console errors, uncaught exceptions, breaches of its policy."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])

    async def policy_breaches(self) -> list[str]:
        """The directives of the Content-Security-Policy that were broken since the page was loaded."""
        return await self.page.evaluate("() => globalThis.policyBreaches")

    async def frames_shown(self) -> int:
        """Video frames that the page's video has shown so far."""
        return await self.page.evaluate(
            "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"
        )


@asynccontextmanager
async def chromium_page(
    *,
    wav: Path | None = None,
    microphone: str = "allow",
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    reduced_motion: bool = True,
    flags: Sequence[str] = (),
) -> AsyncIterator[BrowserPage]:
    """A fresh browser with one page.

    ``wav``: what the microphone hears (16-bit PCM; repeated for ever unless its name ends in ``%noloop``), a beep each
    second without it. ``microphone``: ``allow``, ``deny`` (the visitor refuses) or ``none`` (there is no device).
    ``flags``: further command line flags.
    """
    chosen = [*_QUIET, *flags]
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
            await page.add_init_script(
                "globalThis.policyBreaches = [];"
                "addEventListener('securitypolicyviolation', (breach) =>"
                " globalThis.policyBreaches.push(`${breach.effectiveDirective} ${breach.blockedURI}`));"
            )
            watched = BrowserPage(page)
            page.on("pageerror", lambda error: watched.complaints.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    watched.complaints.append(message.text) if message.type in {"error", "warning"} else None
                ),
            )
            yield watched
        finally:
            await browser.close()
