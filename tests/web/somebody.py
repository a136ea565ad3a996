"""A page of somebody else's, which uses the JavaScript client."""

from typing import Any

from playwright.async_api import Error as PlaywrightError

from tests.browser import BrowserPage
from tests.web.fake_server import LICENSE, FakeServer

MAKE = """async ([options, source]) => {
  const { Scene } = await import(source);
  const [videoElement, canvasElement] = ["video", "canvas"].map((kind) => document.querySelector(kind));
  const scene = new Scene({ server: location.origin, videoElement, canvasElement, ...options });
  const told = [];
  Object.assign(globalThis, { scene, told });
  scene.connectionState.onConnectionStateUpdated.addListener((data) => told.push(["state", data]));
  scene.onDisconnectedEvent.addListener((which, id, reason, details) =>
    told.push(["disconnected", [which === scene, id, reason, details.code, details.name]]));
  for (const name of ["Caption", "Activity", "Expiring", "Media", "Notice", "Tool", "Resumed"]) {
    scene[`on${name}`].addListener((detail) => told.push([name.toLowerCase(), detail]));
  }
  scene.onMicrophoneLost.addListener((error) => told.push(["microphonelost", error.code]));
  scene.onAudioBlocked.addListener(() => told.push(["blocked", null]));
}"""

CONNECT = """(options) => scene.connect(options).catch((error) => {
  if (!(error instanceof Error)) throw new Error("not an Error");
  return [error.name, error.code, error.message];
})"""


async def make_scene(browser: BrowserPage, server: FakeServer, **options: Any) -> None:
    """Open the page and make a scene; what it tells is collected."""
    if not browser.page.url.startswith(server.url):
        await browser.page.goto(f"{server.url}/blank")
    if not {"license", "token"} & options.keys():
        options["license"] = LICENSE
    if not {"name", "avatarId"} & options.keys():
        options["name"] = "Ada"
    try:
        await browser.page.evaluate(MAKE, [options, "/sdk/visavis.js"])
    except PlaywrightError as error:
        # Chromium gives a request up where the machine's network interfaces change meanwhile.
        if "Failed to fetch dynamically imported module" not in error.message:
            raise
        await browser.page.reload()
        await browser.page.evaluate(MAKE, [options, "/sdk/visavis.js"])


async def connect(browser: BrowserPage, **options: Any) -> Any:
    """The session's id, or name, code and message of the error."""
    return await browser.page.evaluate(CONNECT, options)


async def begin(browser: BrowserPage, server: FakeServer, **options: Any) -> str:
    """A scene that is connected."""
    await make_scene(browser, server, **options)
    connected = await connect(browser)
    assert isinstance(connected, str), connected
    return connected


async def told(browser: BrowserPage, *kinds: str) -> list[Any]:
    """What the scene has told of these kinds, in order."""
    return await browser.page.evaluate(
        "(kinds) => told.filter(([kind]) => kinds.includes(kind)).map(([, detail]) => detail)", list(kinds)
    )


async def hears(browser: BrowserPage, kind: str, count: int = 1) -> Any:
    """Wait until the scene has told something of this kind so often; the newest."""
    await browser.page.wait_for_function(
        "([kind, count]) => told.filter(([told]) => told === kind).length >= count", arg=[kind, count]
    )
    return (await told(browser, kind))[-1]


async def steps(browser: BrowserPage) -> list[str]:
    """The names of the states so far."""
    return [data["name"] for data in await told(browser, "state")]
