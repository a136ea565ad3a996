"""Servers and browsers that the tests share; and a test that claims to show a cause must have seen it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from tests.e2e.connection_states import causes
from tests.e2e.connection_states.browsing import launch
from tests.e2e.connection_states.servers import (
    QUEUEING,
    ROOMY,
    STRICT,
    ModelService,
    add_broken_avatar,
    serving,
)
from visavis.bench.server_process import ServerProcess

shared = pytest_asyncio.fixture(scope="package", loop_scope="package")


@shared
async def roomy(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with room for everybody."""
    folder = tmp_path_factory.mktemp("roomy")
    add_broken_avatar(folder)
    async with serving(ROOMY, folder) as server:
        yield server


@shared
async def queueing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with one place and a queue."""
    async with serving(QUEUEING, tmp_path_factory.mktemp("queueing")) as server:
        yield server


@shared
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server with one place, no queue, and little patience."""
    async with serving(STRICT, tmp_path_factory.mktemp("strict")) as server:
        yield server


@shared
async def model() -> AsyncIterator[ModelService]:
    """The language model of ``thinking``; each test leaves it dead."""
    service = ModelService()
    yield service
    await service.kill()


@shared
async def thinking(model: ModelService, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServerProcess]:
    """A server whose avatars think with ``model``."""
    async with serving(model.settings, tmp_path_factory.mktemp("thinking")) as server:
        yield server


@shared
async def playwright() -> AsyncIterator[Playwright]:
    async with async_playwright() as running:
        yield running


@shared
async def browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """Chromium with a microphone that it gives to those who are allowed."""
    running = await launch(playwright)
    yield running
    await running.close()


@shared
async def walled_browser(playwright: Playwright) -> AsyncIterator[Browser]:
    """Chromium without a microphone, on a network that lets no picture and sound through."""
    running = await launch(playwright, walled=True)
    yield running
    await running.close()


@pytest.fixture(autouse=True)
def claims_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails a test that passes without having checked all that it says to show."""
    causes.checked.clear()
    yield
    claimed = causes.shown_by(request.function)
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    if "cause" in parameters:
        claimed = [(client, cause) for client, cause in claimed if cause is parameters["cause"]]
        assert claimed, "the test does not say that it shows this cause"
    report = request.node.stash.get(_REPORT, None)
    if report is None or report.passed:
        left = [cause.what for client, cause in claimed if (client, cause) not in causes.checked]
        assert not left, f"claimed, and not shown: {left}"


_REPORT = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report: pytest.TestReport = yield
    if report.when == "call":
        item.stash[_REPORT] = report
    return report
