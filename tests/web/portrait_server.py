"""A server with the page on which avatars are made, and a workshop whose maker is a script."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from fastapi import FastAPI
from playwright.async_api import FilePayload, expect

from tests.browser import BrowserPage
from tests.portraits.house import House
from tests.web.fake_server import LICENSE, eventually, picture
from tests.web.steps import PATIENCE_MS
from visavis.session.license import License, Licenses
from visavis.session.rate import AttemptLimits
from visavis.web.pages import web_router
from visavis.wire.v1.portraits import portraits_router
from visavis.wire.v1.portraits_access import PortraitAccess


@dataclass
class PortraitServer:
    """``finds_faces``: whether the face networks are said to be there; set it before the page is opened."""

    url: str
    house: House
    finds_faces: bool = True


@asynccontextmanager
async def portrait_server(folder: Path, *, free: bool = True) -> AsyncIterator[PortraitServer]:
    """On a port of the system's choice."""
    house = House(folder)
    await house.workshop.open()
    listener = socket.create_server(("127.0.0.1", 0))
    running = PortraitServer(f"http://127.0.0.1:{listener.getsockname()[1]}", house)
    app = FastAPI()
    access = PortraitAccess(Licenses([License(LICENSE)]), AttemptLimits(0, 0), free=free)
    app.include_router(portraits_router(house.workshop, access, lambda id: f"token-{id}", lambda: running.finds_faces))
    app.include_router(web_router(portraits=True))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await eventually(lambda: server.started)
        yield running
    finally:
        server.should_exit = True
        await task
        listener.close()
        await house.workshop.close()


def photo(name: str = "me.png", kind: str = "image/png") -> FilePayload:
    """A picture that browsers can show."""
    done, data = cv2.imencode(".png", picture(256))
    assert done
    return {"name": name, "mimeType": kind, "buffer": data.tobytes()}


def noise(size: int) -> FilePayload:
    """A file that says that it is a photo."""
    data = np.random.default_rng(1).integers(0, 256, size, np.uint8).tobytes()
    return {"name": "noise.jpg", "mimeType": "image/jpeg", "buffer": data}


async def open_page(browser: BrowserPage, server: PortraitServer) -> None:
    await browser.page.goto(f"{server.url}/avatars/new")
    await expect(browser.page.locator("#step-photo")).to_be_visible(timeout=PATIENCE_MS)


async def fill(browser: BrowserPage, name: str = "Ana") -> None:
    """All that the first step asks for."""
    page = browser.page
    await page.locator("#file").set_input_files(photo())
    await expect(page.locator("#photo")).to_be_visible()
    await page.get_by_label("Name").fill(name)
    await page.locator("#consent").check()


async def make(browser: BrowserPage) -> None:
    await browser.page.locator("#make").click()


async def expect_step(browser: BrowserPage, step: str) -> None:
    await expect(browser.page.locator(f"#step-{step}")).to_be_visible(timeout=PATIENCE_MS)
