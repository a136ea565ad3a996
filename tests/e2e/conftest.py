"""A real server process for each module, and visitors of it."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from visavis.bench.server_process import ServerProcess
from visavis.bench.visitor import Visitor


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in item.path.as_posix():
            item.add_marker(pytest.mark.e2e)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerProcess]:
    async with ServerProcess(["--log-format", "json", "--max-sessions", "8"]) as process:
        yield process
        assert await process.stop() == 0
    assert not [line for line in process.log if '"level": "error"' in line]
    assert not [line for line in process.log if process.license in line]


def visit(server: ServerProcess, *, model: str | None = None) -> Visitor:
    """A visitor of the embedded avatar."""
    return Visitor(server.url, server.license, avatar_id="vera", model=model)


async def nobody_there(server: ServerProcess, patience: float = 20.0) -> None:
    """Wait until every call is over on the server's side, too."""
    async with asyncio.timeout(patience):
        while (await server.read()).samples["visavis_sessions_active"]:  # noqa: ASYNC110 (another process's state)
            await asyncio.sleep(0.05)
