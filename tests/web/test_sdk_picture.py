"""The picture as a page wants it: its size, what lies behind the avatar, what shines through; and feelings."""

import asyncio
import base64
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from tests.browser import NOTHING, BrowserPage, chromium_page, needs_chromium
from tests.web.cut_out import GREEN, ORANGE, SIDE, colour_at, is_cut_out, make_transparent, near, open_green_page, seen
from tests.web.fake_server import FakeServer, eventually
from tests.web.somebody import begin, connect, hears, make_scene

pytestmark = [pytest.mark.browser, needs_chromium]

SOFTWARE = ("--enable-unsafe-swiftshader",)
"""WebGL without a GPU."""
NO_WEBGL = ("--disable-3d-apis",)

BACKGROUND = "realtime.set_background"
EMOTION = "realtime.set_emotion"

SCENE = """async (options) => {
  const { Scene } = await import("/sdk/visavis.js");
  try { new Scene({ server: location.origin, license: "x", ...options }); } catch (error) {
    return [error.name, error.message];
  }
}"""


def asked(server: FakeServer) -> dict[str, str]:
    query = server.call.socket.query_params
    return {name: query[name] for name in ("size", "background", "transparent") if name in query}


async def until_cut_out(browser: BrowserPage) -> None:
    async with asyncio.timeout(30):
        while not is_cut_out(await seen(browser)):
            pass


async def test_who_wants_nothing_asks_for_nothing(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        assert asked(server) == {}
        assert await browser.page.evaluate("() => scene.picture") is None
        assert not server.call.received(BACKGROUND)


async def test_the_address_asks_for_the_picture_and_the_server_says_what_comes(server: FakeServer) -> None:
    server.states = True
    server.picture = {"width": 512, "height": 512, "transparent": False, "backgrounds": True}
    async with chromium_page() as browser:
        await begin(browser, server, size="720x720", background="#2f6f6f")
        assert asked(server) == {"size": "720x720", "background": "#2f6f6f"}
        assert await browser.page.evaluate("() => scene.picture") == server.picture
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.page.evaluate("() => scene.picture") is None


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"transparent": True}, "canvasElement is missing"),
        ({"audioOnly": True, "size": "720"}, "size must be like"),
        ({"audioOnly": True, "size": "720x720&x=1"}, "size must be like"),
    ],
)
async def test_what_cannot_work_is_told_at_once(server: FakeServer, options: dict[str, Any], problem: str) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{server.url}/blank")
        name, message = await browser.page.evaluate(SCENE, options)
        assert name == "TypeError"
        assert message.startswith(problem)


async def test_backgrounds_and_feelings_are_told_in_a_session(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        assert await browser.page.evaluate("() => scene.setEmotion('happy')") is False
        assert isinstance(await connect(browser), str)
        await browser.page.evaluate("() => scene.setBackground('blur')")
        assert await browser.page.evaluate("() => scene.setEmotion('happy')") is True
        assert await browser.page.evaluate("() => scene.setEmotion('stern', 0.25)") is True
        await eventually(lambda: len(server.call.received(EMOTION)) == 2)
        assert [message["data"] for message in server.call.received(BACKGROUND)] == [{"background": "blur"}]
        assert [message["data"] for message in server.call.received(EMOTION)] == [
            {"emotion": "happy", "intensity": 1},
            {"emotion": "stern", "intensity": 0.25},
        ]


@pytest.mark.parametrize(
    "call",
    [
        "scene.setEmotion('hungry')",
        "scene.setEmotion('happy', 2)",
        "scene.setEmotion('happy', NaN)",
        "scene.setBackground('')",
        "scene.setBackground('an office')",
        "scene.setBackground('#fff')",
        "scene.setBackground(new Blob([new Uint8Array(2 ** 21 + 1)]))",
    ],
)
async def test_what_no_server_takes_is_a_type_error(server: FakeServer, call: str) -> None:
    async with chromium_page() as browser:
        await make_scene(browser, server)
        caught = f"async () => {{ try {{ await {call}; }} catch (error) {{ return error.name; }} }}"
        assert await browser.page.evaluate(caught) == "TypeError"


async def test_a_picture_of_the_pages_own_is_sent_also_to_a_session_that_comes_back(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await make_scene(browser, server)
        await browser.page.evaluate("() => scene.setBackground(new Blob(['tiny'], { type: 'image/png' }))")
        assert isinstance(await connect(browser), str)
        address = f"data:image/png;base64,{base64.b64encode(b'tiny').decode()}"
        await eventually(lambda: bool(server.call.received(BACKGROUND)))
        assert server.call.received(BACKGROUND)[0]["data"] == {"background": address}
        assert asked(server) == {}
        server.cut()
        await eventually(lambda: len(server.calls) == 2)
        await eventually(lambda: bool(server.call.received(BACKGROUND)))
        assert server.call.received(BACKGROUND)[0]["data"] == {"background": address}


async def test_the_last_background_stays_also_after_a_file_that_takes_its_time(server: FakeServer) -> None:
    async with chromium_page() as browser:
        await begin(browser, server)
        choices = "[new Blob([new Uint8Array(2 ** 18)]), 'an office', 'DATA:image/png;base64,eA==', 'blur']"
        await browser.page.evaluate(
            f"() => Promise.allSettled({choices}.map((background) => scene.setBackground(background)))"
        )
        await eventually(lambda: len(server.call.received(BACKGROUND)) == 3)
        told = [message["data"]["background"] for message in server.call.received(BACKGROUND)]
        assert told[0].startswith("data:")
        assert told[1:] == ["DATA:image/png;base64,eA==", "blur"]


async def test_a_background_that_was_changed_is_asked_for_when_the_line_comes_back(server: FakeServer) -> None:
    server.states = True
    async with chromium_page() as browser:
        await begin(browser, server, background="own")
        await browser.page.evaluate("() => scene.setBackground('#102030')")
        await eventually(lambda: bool(server.call.received(BACKGROUND)))
        server.cut()
        await eventually(lambda: len(server.calls) == 2)
        assert asked(server) == {"background": "#102030"}
        await hears(browser, "media", 2)


@pytest.mark.parametrize("flags", [SOFTWARE, NO_WEBGL], ids=["webgl", "2d"])
@pytest.mark.parametrize("video", [True, False], ids=["in the page", "nowhere"])
async def test_the_page_shines_through(server: FakeServer, flags: Sequence[str], video: bool) -> None:
    make_transparent(server)
    async with chromium_page(flags=flags) as browser:
        await open_green_page(browser, server, video=video)
        await begin(browser, server, transparent=True)
        assert asked(server) == {"transparent": "1"}
        await until_cut_out(browser)
        kind = "webgl" if flags is SOFTWARE else "2d"
        assert await browser.page.evaluate("(kind) => document.querySelector('canvas').getContext(kind) !== null", kind)
        assert await browser.page.evaluate("() => [...document.querySelectorAll('canvas')].map((c) => c.width)") == [
            SIDE
        ]
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.held() == NOTHING
        await browser.page.wait_for_timeout(200)
        # The canvas is empty again, and may be used for the next session.
        assert near(colour_at(await seen(browser), SIDE // 2, SIDE // 2), GREEN, 1)
        assert isinstance(await connect(browser), str)
        await until_cut_out(browser)
        # A page without an icon, and remarks of the driver on how it paints in software.
        assert [told for told in browser.complaints if not re.search("404|GL Driver Message", told)] == []


async def test_a_server_that_sends_no_opacity_is_shown_as_it_is(server: FakeServer) -> None:
    server.image = np.full((SIDE, SIDE, 3), ORANGE, np.uint8)
    async with chromium_page(flags=SOFTWARE) as browser:
        await open_green_page(browser, server)
        await begin(browser, server, transparent=True)
        await browser.page.wait_for_timeout(500)
        picture = await seen(browser)
        for x, y in ((8, 8), (SIDE // 2, SIDE // 2), (SIDE - 60, SIDE - 60)):
            assert near(colour_at(picture, x, y), ORANGE)


async def test_a_context_that_the_browser_takes_away_comes_back(server: FakeServer) -> None:
    make_transparent(server)
    async with chromium_page(flags=SOFTWARE) as browser:
        await open_green_page(browser, server)
        await begin(browser, server, transparent=True)
        await until_cut_out(browser)
        await browser.page.evaluate(
            """() => {
              const canvas = document.querySelector("canvas");
              globalThis.extension = canvas.getContext("webgl").getExtension("WEBGL_lose_context");
              extension.loseContext();
              return new Promise((resolve) => canvas.addEventListener("webglcontextlost", resolve));
            }"""
        )
        await browser.page.wait_for_timeout(300)
        assert not is_cut_out(await seen(browser))
        await browser.page.evaluate("() => extension.restoreContext()")
        await until_cut_out(browser)


async def test_frames_are_painted_as_they_come(server: FakeServer) -> None:
    """Also where the browser does not tell of each frame."""
    make_transparent(server)
    async with chromium_page(flags=SOFTWARE) as browser:
        await browser.page.add_init_script("delete HTMLVideoElement.prototype.requestVideoFrameCallback")
        await open_green_page(browser, server)
        await begin(browser, server, transparent=True)
        await until_cut_out(browser)
        await browser.page.evaluate("() => scene.disconnect()")
        assert await browser.held() == NOTHING
