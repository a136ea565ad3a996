"""A scripted server for each test of the call page."""

from collections.abc import AsyncIterator

import pytest

from tests.web.fake_server import FakeServer, fake_server


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    async with fake_server() as running:
        yield running
