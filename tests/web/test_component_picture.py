"""The element's picture: its size and background, the visitor's choice of one, and the page that shines through."""

import asyncio

import pytest
from playwright.async_api import expect

from tests.browser import PHONE, BrowserPage, chromium_page, needs_chromium
from tests.web.cut_out import GREEN, ORANGE, colour_at, make_transparent, near, seen
from tests.web.fake_server import AVATARS, FakeServer, eventually
from tests.web.steps import begin_call, open_page
from tests.web.test_axe import violations
from tests.web.views import call, open_embedding

pytestmark = [pytest.mark.browser, needs_chromium]

SOFTWARE = ("--enable-unsafe-swiftshader",)
BACKGROUND = "realtime.set_background"
PICTURE = {"width": 512, "height": 512, "transparent": False, "backgrounds": True}

PLACES = """() => {
  const box = document.querySelector("visavis-avatar").shadowRoot.querySelector("#canvas").getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2, box.x + box.width * 0.9, box.y + box.height / 2];
}"""


def asked(server: FakeServer) -> dict[str, str]:
    query = server.call.socket.query_params
    return {name: query[name] for name in ("size", "background", "transparent") if name in query}


async def shines_through(browser: BrowserPage) -> bool:
    middle_x, middle_y, side_x, side_y = map(round, await browser.page.evaluate(PLACES))
    picture = await seen(browser)
    return near(colour_at(picture, middle_x, middle_y), ORANGE) and near(colour_at(picture, side_x, side_y), GREEN, 4)


async def test_an_element_without_wishes_asks_for_nothing(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server)
        await call(browser, server)
        assert asked(server) == {}
        await browser.page.locator("#controls-settings").click()
        await expect(browser.page.locator("#backdrops")).to_be_hidden()
        await expect(browser.page.locator("#canvas")).to_be_hidden()


async def test_size_and_background_are_attributes(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await open_embedding(browser, server, 'size="720x720" background="office"')
        await call(browser, server)
        assert asked(server) == {"size": "720x720", "background": "office"}
        for background in ("blur", None):
            await browser.page.evaluate(
                """(background) => {
                  const avatar = document.querySelector("visavis-avatar");
                  background ? avatar.setAttribute("background", background) : avatar.removeAttribute("background");
                }""",
                background,
            )
        await eventually(lambda: len(server.call.received(BACKGROUND)) == 2)
        told = [message["data"]["background"] for message in server.call.received(BACKGROUND)]
        assert told == ["blur", "own"]


@pytest.mark.parametrize("size", [PHONE, (1280, 800)], ids=["phone", "desktop"])
async def test_the_page_is_behind_a_transparent_avatar(server: FakeServer, size: tuple[int, int]) -> None:
    make_transparent(server)
    async with chromium_page(size=size, flags=SOFTWARE) as browser:
        await open_embedding(browser, server, "transparent")
        await browser.page.evaluate("() => { document.body.style.background = 'rgb(0, 200, 0)'; }")
        await call(browser, server)
        assert asked(server) == {"transparent": "1"}
        async with asyncio.timeout(30):
            while not await shines_through(browser):
                pass
        await expect(browser.page.locator(".badge")).to_have_text("AI avatar")
        await expect(browser.page.locator(".badge")).to_be_in_viewport()
        assert await violations(browser.page) == []
        await browser.page.locator("#hang-up").click()
        await expect(browser.page.locator("#poster")).to_have_css("opacity", "1")


async def test_the_visitor_chooses_a_background_and_finds_it_again(server: FakeServer) -> None:
    server.states, server.picture = True, PICTURE
    async with chromium_page() as browser:
        await begin_call(browser, server)
        assert asked(server) == {}
        page = browser.page
        await page.locator("#controls-settings").click()
        await expect(page.get_by_role("radio", name="Own")).to_be_checked()
        await page.get_by_role("radio", name="Teal").check()
        await eventually(lambda: bool(server.call.received(BACKGROUND)))
        assert server.call.received(BACKGROUND)[0]["data"] == {"background": "#2f6f6f"}
        assert await violations(page) == []
        await page.reload()
        await expect(page.locator("#welcome")).to_be_visible()
        await page.locator("#open-settings").click()
        await expect(page.get_by_role("radio", name="Teal")).to_be_checked()
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Call", exact=True).click()
        await eventually(lambda: len(server.calls) == 2)
        assert asked(server) == {"background": "#2f6f6f"}


async def test_no_background_is_offered_where_none_would_show(server: FakeServer) -> None:
    server.states, server.picture = True, {**PICTURE, "backgrounds": False}
    async with chromium_page() as browser:
        await begin_call(browser, server)
        await browser.page.locator("#controls-settings").click()
        await expect(browser.page.locator("#settings")).to_be_visible()
        await expect(browser.page.locator("#backdrops")).to_be_hidden()


@pytest.mark.parametrize("size", [PHONE, (1280, 800)], ids=["phone", "desktop"])
async def test_many_faces_to_choose_from(server: FakeServer, size: tuple[int, int]) -> None:
    server.avatars = [*AVATARS, *({"id": f"avatar-{number}", "name": f"Nr {number}"} for number in range(9))]
    async with chromium_page(size=size) as browser:
        await open_page(browser, server)
        last = browser.page.get_by_role("radio", name="Nr 8")
        await last.check()
        await expect(last).to_be_in_viewport()
        await expect(browser.page.locator("#welcome-title")).to_have_text("Talk with Nr 8")
        assert await browser.page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        await expect(browser.page.locator("#call")).to_be_in_viewport()
        assert await violations(browser.page) == []
