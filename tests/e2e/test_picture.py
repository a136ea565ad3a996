"""An avatar as a page or a program wants to see it: the real server and renderer, Chromium, the Python client."""

from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser import chromium_page, needs_chromium
from tests.client.stage import until
from tests.cut_out import PLATE, cut_out
from tests.web.cut_out import GREEN, colour_at, near, seen
from visavis.bench.server_process import ServerProcess
from visavis.client import Call, Picture, ServerConnectionFailedError, VideoFrame

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORNER = np.s_[16:60, 16:60]
WIDE_CORNER = np.s_[16:60, 300:344]
"""Of the square in the middle of a wide picture."""
BEACH = (200, 180, 90)
TEAL = (0x6F, 0x6F, 0x2F)

_PAGE = """async ([license, options]) => {
  document.body.replaceChildren();
  document.body.style.cssText = "margin: 0; background: rgb(0, 200, 0)";
  const canvasElement = document.createElement("canvas");
  const videoElement = document.createElement("video");
  for (const element of [canvasElement, videoElement]) {
    element.style.cssText = "display: block; width: 512px; height: 512px";
    element.hidden = (element === canvasElement) !== Boolean(options.transparent);
    element.style.display = element.hidden ? "none" : "block";
    document.body.append(element);
  }
  const { Scene } = await import("/sdk/visavis.js");
  globalThis.scene = new Scene({ server: location.origin, license, avatarId: "oval", poster: false,
    requestedMediaDevices: { microphone: false }, canvasElement, videoElement, ...options });
  await scene.connect();
  return scene.picture;
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server that has the oval avatar, and one picture to stand before."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "backgrounds").mkdir()
    cv2.imwrite(str(folder / "backgrounds" / "beach.png"), np.full((90, 160, 3), BEACH, np.uint8))
    settings = {
        "avatars.folder": cut_out(folder / "avatars"),
        "avatars.backgrounds": folder / "backgrounds",
        "store.url": f"sqlite:///{folder}/store.db",
    }
    arguments = [argument for name, value in settings.items() for argument in ("--set", f"{name}={value}")]
    async with ServerProcess([*arguments, "--log-format", "json"]) as process:
        yield process
        assert await process.stop() == 0
    assert not [line for line in process.log if '"level": "error"' in line]


def corner_is(frames: list[VideoFrame], colour: tuple[int, int, int]) -> bool:
    return bool(frames) and bool(np.abs(frames[-1].bgr()[WIDE_CORNER].reshape(-1, 3).mean(0) - colour).max() < 12)


async def test_the_python_client_changes_the_background(house: ServerProcess, tmp_path: Path) -> None:
    frames: list[VideoFrame] = []
    options = {"license": house.license, "avatar_id": "oval", "on_video": frames.append}
    async with Call(house.url, size=(1280, 720), background="beach", **options) as call:
        assert call.picture == Picture(1280, 720, transparent=False, backgrounds=True)
        await until(lambda: corner_is(frames, BEACH))
        assert frames[-1].bgr().shape == (720, 1280, 3)
        await call.set_background("2f6f6f")
        await until(lambda: corner_is(frames, TEAL))
        done, png = cv2.imencode(".png", np.full((40, 40, 3), (30, 200, 220), np.uint8))
        assert done
        await call.set_background(png.tobytes())
        await until(lambda: corner_is(frames, (30, 200, 220)))
        await call.set_background("nowhere")
        await call.set_emotion("happy", 0.5)
        await call.set_background("own")
        await until(lambda: corner_is(frames, PLATE))


@pytest.mark.parametrize(
    "wish", [{"size": (640, 400)}, {"background": "nowhere"}], ids=["no such size", "no such picture"]
)
async def test_what_the_server_does_not_have_is_refused(house: ServerProcess, wish: dict[str, object]) -> None:
    call = Call(house.url, license=house.license, avatar_id="oval", **wish)  # type: ignore[arg-type]
    with pytest.raises(ServerConnectionFailedError, match=f"^{next(iter(wish))}: ") as refused:
        await call.connect()
    assert refused.value.code == "bad_request"
    assert (await house.read()).samples["visavis_sessions_active"] == 0


async def test_the_python_client_sees_through(house: ServerProcess) -> None:
    frames: list[VideoFrame] = []
    async with Call(
        house.url, license=house.license, avatar_id="oval", transparent=True, on_video=frames.append
    ) as call:
        assert call.picture == Picture(512, 512, transparent=True, backgrounds=False)
        await until(lambda: len(frames) > 10)
        rgba = frames[-1].rgba()
        assert rgba.shape == (512, 512, 4)
        assert rgba[CORNER][..., 3].max() == 0
        assert rgba[240:280, 240:280, 3].min() == 255


@pytest.mark.browser
@needs_chromium
async def test_a_page_changes_the_background(house: ServerProcess) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(house.url)
        picture = await browser.page.evaluate(_PAGE, [house.license, {"size": "720x720"}])
        assert picture == {"width": 720, "height": 720, "transparent": False, "backgrounds": True}
        for background, colour in ((None, PLATE), ("#2f6f6f", TEAL), ("beach", BEACH)):
            if background:
                await browser.page.evaluate("(background) => scene.setBackground(background)", background)
            for _ in range(60):
                if near(colour_at(await seen(browser), 30, 30), colour):
                    break
            assert near(colour_at(await seen(browser), 30, 30), colour)
        assert await browser.page.evaluate("() => scene.setEmotion('happy')")


@pytest.mark.browser
@needs_chromium
async def test_a_page_shines_through(house: ServerProcess) -> None:
    async with chromium_page(flags=("--enable-unsafe-swiftshader",)) as browser:
        await browser.page.goto(house.url)
        picture = await browser.page.evaluate(_PAGE, [house.license, {"transparent": True}])
        assert picture == {"width": 512, "height": 512, "transparent": True, "backgrounds": False}
        await browser.page.wait_for_timeout(700)
        shown = await seen(browser)
        for x, y in ((30, 30), (480, 30), (30, 480)):
            assert near(colour_at(shown, x, y), GREEN, 3)
        blue, green, red = colour_at(shown, 256, 220)
        assert red > max(green, blue) + 20
        assert min(green, blue) > 120


@pytest.mark.browser
@needs_chromium
async def test_the_call_page_says_that_it_is_no_person(house: ServerProcess) -> None:
    async with chromium_page() as browser:
        await browser.page.goto(f"{house.url}/?license={house.license}&avatarId=oval")
        await browser.page.get_by_role("button", name="Call", exact=True).click()
        await expect(browser.page.locator("body")).to_have_attribute("data-view", "call", timeout=60_000)
        await expect(browser.page.locator(".badge")).to_have_text("AI avatar")
        await expect(browser.page.locator(".badge")).to_be_in_viewport()
