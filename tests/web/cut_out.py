"""A transparent picture, and what a page shows of it."""

import cv2
import numpy as np

from tests.browser import BrowserPage
from tests.web.fake_server import FakeServer

SIDE = 512
ORANGE = (40, 140, 230)
"""Of the person, before anything; BGR."""
GREEN = (0, 200, 0)
"""Of the page; BGR."""

_PAGE = """([size, inPage]) => {
  document.body.style.cssText = "margin: 0; background: rgb(0, 200, 0)";
  const canvas = document.createElement("canvas");
  canvas.style.cssText = `display: block; width: ${size}px; height: ${size}px`;
  document.body.prepend(canvas);
  const video = document.querySelector("video");
  if (inPage) {
    video.style.cssText = "position: absolute; visibility: hidden; width: 1px";
  } else {
    video.remove();
  }
}"""


def frame() -> np.ndarray:
    """An orange disc, and in a corner a square of which half is seen: colours on the left, opacity on the right."""
    opacity = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(opacity, (SIDE // 2, SIDE // 2), SIDE // 3, 255, -1)
    opacity[16:80, 16:80] = 128
    colour = np.full((SIDE, SIDE, 3), ORANGE, np.float64) * (opacity[..., None] / 255)
    return np.hstack([np.round(colour).astype(np.uint8), cv2.cvtColor(opacity, cv2.COLOR_GRAY2BGR)])


def make_transparent(server: FakeServer) -> None:
    """Let the server send it, and say so."""
    server.states = True
    server.image = frame()
    server.picture = {"width": SIDE, "height": SIDE, "transparent": True, "backgrounds": False}


async def open_green_page(browser: BrowserPage, server: FakeServer, *, video: bool = True) -> None:
    """A page with a canvas in its upper left corner, and the video element out of sight, or (``video`` false) gone."""
    await browser.page.goto(f"{server.url}/blank")
    await browser.page.evaluate(_PAGE, [SIDE, video])


async def seen(browser: BrowserPage) -> np.ndarray:
    """What the page looks like; BGR."""
    png = await browser.page.screenshot()
    picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture.astype(np.uint8, copy=False)


def colour_at(picture: np.ndarray, x: int, y: int) -> tuple[int, int, int]:
    """The mean of 9 × 9 pixels; BGR."""
    blue, green, red = (round(value) for value in picture[y - 4 : y + 5, x - 4 : x + 5].reshape(-1, 3).mean(0))
    return blue, green, red


def near(one: tuple[int, int, int], other: tuple[int, int, int], apart: int = 14) -> bool:
    return max(abs(a - b) for a, b in zip(one, other, strict=True)) <= apart


HALF = (ORANGE[0] // 2, (ORANGE[1] + GREEN[1]) // 2, ORANGE[2] // 2)


def is_cut_out(picture: np.ndarray) -> bool:
    """Whether the person is there, the page shines through, and half of it where half of the person is seen."""
    return (
        near(colour_at(picture, SIDE // 2, SIDE // 2), ORANGE)
        and all(near(colour_at(picture, x, y), GREEN, 3) for x, y in ((8, 120), (500, 8), (8, 500), (500, 256)))
        and near(colour_at(picture, 48, 48), HALF)
    )
