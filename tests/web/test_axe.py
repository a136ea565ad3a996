"""Axe-core finds no violation in any view of the call page and of the component, light and dark, narrow and wide."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser import DESKTOP, PHONE, chromium_page, needs_chromium
from tests.web.fake_server import AVATARS, FakeServer
from tests.web.steps import open_page
from tests.web.views import open_embedding, views

pytestmark = [pytest.mark.browser, needs_chromium, pytest.mark.timeout(400)]


async def violations(page: Page) -> list[str]:
    """What axe-core finds in the page and in its shadow trees; each with the elements in question."""
    found = (await Axe().run(page)).response["violations"]
    return [f"{rule['id']}: {rule['help']} {[node['target'] for node in rule['nodes']]}" for rule in found]


@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("place", ["page", "embedding"])
async def test_no_view_has_a_violation(server: FakeServer, place: str, dark: bool, size: tuple[int, int]) -> None:
    server.avatars = AVATARS
    async with chromium_page(size=size, dark=dark) as browser:
        if place == "page":
            await open_page(browser, server)
        else:
            await open_embedding(browser, server, 'camera="off"')
        seen: dict[str, list[str]] = {}
        async for view in views(browser, server):
            seen[view] = await violations(browser.page)
        assert len(seen) == 11
        assert {view: found for view, found in seen.items() if found} == {}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_the_form_for_a_license_has_no_violation(server: FakeServer, dark: bool) -> None:
    async with chromium_page(dark=dark) as browser:
        await browser.page.goto(server.page(""))
        await expect(browser.page.get_by_label("License key")).to_be_visible()
        assert await violations(browser.page) == []


async def test_a_violation_in_the_element_would_be_found(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await browser.page.locator("#poster").evaluate("(image) => image.removeAttribute('alt')")
        await browser.page.locator("#welcome-text").evaluate("(text) => { text.style.color = '#eee'; }")
        assert [found.partition(":")[0] for found in await violations(browser.page)] == ["color-contrast", "image-alt"]
