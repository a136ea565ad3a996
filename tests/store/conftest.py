"""Databases to test with: SQLite files, and the PostgreSQL database whose address VISAVIS_TEST_POSTGRES holds, if any.

Its tables are dropped.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from visavis.store.store import Store

POSTGRES = os.environ.get("VISAVIS_TEST_POSTGRES", "")


class Clock:
    """A time of day that a test moves on."""

    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def pass_by(self, **span: float) -> None:
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.skipif(not POSTGRES, reason="no server"))]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'data' / 'visavis.db'}"
    asyncio.run(_empty_postgres())
    return POSTGRES


async def _empty_postgres() -> None:
    import asyncpg

    connection = await asyncpg.connect(POSTGRES)
    await connection.execute("DROP TABLE IF EXISTS session_records, saved_sessions, alembic_version")
    await connection.close()


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """An open store whose time of day is ``clock``."""
    store = Store(url, clock)
    await store.open()
    yield store
    await store.close()
