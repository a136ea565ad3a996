"""An app on a page of its own, which uses the JavaScript client against real servers in headless Chromium."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from playwright.async_api import Browser, BrowserContext, Page, Playwright, WebSocket

from tests.browser import CHROMIUM
from tests.e2e.connection_states.servers import AVATAR, LICENSE
from tests.web.somebody import CONNECT, MAKE

INSECURE_HOST = "insecure.example"
"""A name of this machine that browsers do not take for its own."""
PATIENCE_MS = 90_000
"""The machine may be busy: a test fails by what happens, not by when."""

_PAGE = "<!doctype html><title>An app</title><link rel=icon href=data:,><video autoplay playsinline></video>"
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--autoplay-policy=no-user-gesture-required",
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
)
_DEVICES = ("--use-fake-device-for-media-stream",)
"""A microphone and a camera; whether a page may have them is asked as ever."""
_NO_UDP = ("--webrtc-ip-handling-policy=disable_non_proxied_udp",)
"""As administrators do: WebRTC only through a proxy, and there is none."""


async def launch(playwright: Playwright, *, walled: bool = False) -> Browser:
    """Chromium with devices; ``walled``: without any, and on a network that lets no picture and sound through."""
    flags = [*_FLAGS, *(_NO_UDP if walled else _DEVICES)]
    return await playwright.chromium.launch(executable_path=CHROMIUM, args=flags)


class Failure(NamedTuple):
    """What ``connect()`` rejected with."""

    name: str
    code: str
    message: str


class Disconnection(NamedTuple):
    """What ``onDisconnectedEvent`` told."""

    session_id: str
    reason: str
    code: str
    name: str


class App:
    """One page with one scene."""

    def __init__(self, page: Page, source: str) -> None:
        self.page = page
        self._source = source
        self.heard: list[dict[str, Any]] = []
        """What servers said to the page."""
        page.set_default_timeout(PATIENCE_MS)
        page.on("websocket", self._listen)

    async def make_scene(self, server: str, **options: Any) -> None:
        """A scene for the server at this address, on the page that is open."""
        if not {"license", "token"} & options.keys():
            options["license"] = LICENSE
        if "avatarId" not in options:
            options["avatarId"] = AVATAR
        given = {"server": server, "requestedMediaDevices": {"microphone": False}, **options}
        await self.page.evaluate(MAKE, [given, self._source])

    async def connect(self, **options: Any) -> str:
        """The session's id."""
        connected = await self.page.evaluate(CONNECT, options)
        assert isinstance(connected, str), connected
        assert connected
        return connected

    async def fails(self, **options: Any) -> Failure:
        """Connects in vain; what is true of each failure is checked."""
        thrown = await self.page.evaluate(CONNECT, options)
        assert isinstance(thrown, list), f"connected, and should not: {thrown}"
        failure = Failure(*thrown)
        assert len(failure.message.split()) > 4, "the message says what happened and what to do"
        assert (await self.states())[-1]["name"] == "Disconnected"
        assert await self.told("disconnected") == [], "there was no session to lose"
        assert await self.page.evaluate("() => scene.isConnected()") is False
        return failure

    async def disconnected(self) -> Disconnection:
        """Waits for the end of the session."""
        await self.page.wait_for_function("() => told.some(([kind]) => kind === 'disconnected')")
        ((same, *rest),) = await self.told("disconnected")
        assert same is True, "a listener gets the scene that it listens to"
        assert (await self.states())[-1]["name"] == "Disconnected"
        assert await self.page.evaluate("() => scene.isConnected()") is False
        return Disconnection(*rest)

    async def told(self, kind: str) -> list[Any]:
        """What the scene has told of this kind, in order."""
        return await self.page.evaluate(
            "(kind) => told.filter(([told]) => told === kind).map(([, detail]) => detail)", kind
        )

    async def states(self) -> list[dict[str, Any]]:
        """The states so far."""
        return await self.told("state")

    async def until(self, condition: str, arg: Any = None) -> None:
        """Wait until this JavaScript function gives something true."""
        await self.page.wait_for_function(condition, arg=arg)

    async def until_queued(self, position: int) -> None:
        """Wait until this place in the queue was told."""
        await self.until("(place) => scene.connectionState.getConnectionState().queuePosition === place", position)

    def said(self, kind: str) -> list[dict[str, Any]]:
        """The ``data`` of what servers said of this type."""
        return [message.get("data", {}) for message in self.heard if message["type"] == kind]

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", lambda frame: self.heard.append(json.loads(frame)))


class Window:
    """A browser window of one visitor, who looks at the app's pages."""

    def __init__(self, context: BrowserContext, home: str) -> None:
        self._context = context
        self._home = home

    async def open(self, server: str, *, before: str = "") -> App:
        """A page that has the client from this visavis server; ``before``: a script that runs before its own."""
        page = await self._context.new_page()
        if before:
            await page.add_init_script(before)
        app = App(page, f"{server}/sdk/visavis.js")
        await page.goto(self._home)
        return app


@asynccontextmanager
async def visiting(browser: Browser, *, microphone: bool = False, insecure: bool = False) -> AsyncIterator[Window]:
    """A window of a new visitor.

    ``microphone``: who allows it when asked, and else refuses. ``insecure``: as if the app were on another machine,
    without HTTPS.
    """
    async with _web_server() as port:
        context = await browser.new_context()
        try:
            if microphone:
                await context.grant_permissions(["microphone"])
            yield Window(context, f"http://{INSECURE_HOST if insecure else '127.0.0.1'}:{port}/")
        finally:
            await context.close()


@asynccontextmanager
async def _web_server() -> AsyncIterator[int]:
    """The app's own, which has nothing but one page; its port."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {len(_PAGE)}\r\nconnection: close"
            writer.write(f"{head}\r\n\r\n{_PAGE}".encode())
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def meanwhile(work: Any) -> AsyncIterator["asyncio.Task[Any]"]:
    """Something that goes on beside the block; at its end it is over."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    except BaseException as error:
        if task.done() and not task.cancelled() and (first := task.exception()):
            raise first from error
        raise
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
