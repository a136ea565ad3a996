"""The store: one database with its tables."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

from visavis.store.address import store_address
from visavis.store.engine import make_engine
from visavis.store.records import RecordTable
from visavis.store.saved import SavedTable


def utc_now() -> datetime:
    """The time of day, in UTC."""
    return datetime.now(UTC)


class Store:
    """A database of sessions. Its tables can be used between ``open`` and ``close``.

    ``url``: ``sqlite:///PATH`` or ``postgresql://…`` (see ``store_address``); for another one, and where PostgreSQL's
    driver is not installed, ``StoreError`` is raised.
    """

    def __init__(self, url: str, now: Callable[[], datetime] = utc_now) -> None:
        self._address = store_address(url)
        self._engine = make_engine(self._address)
        self._now = now
        self.records = RecordTable(self._engine, self._address, now)
        self.saved = SavedTable(self._engine, self._address, now)

    @property
    def label(self) -> str:
        """What to call it: file, or name and host; never a password."""
        return self._address.label

    async def open(self, *, create: bool = True) -> None:
        """Make the database, or bring it to this program's version. Raises ``StoreError``.

        ``create`` False changes nothing: a database that is missing or of another version is an error.
        """
        # Imported here: only who opens a store needs Alembic.
        from visavis.store.migration import check, migrate

        await asyncio.to_thread(migrate if create else check, self._address)

    async def purge(self, records_days: int) -> tuple[int, int]:
        """Delete records that are older than ``records_days`` (0: none), and saved sessions that have expired.

        How many of each there were. Raises ``StoreError``.
        """
        records = await self.records.purge(self._now() - timedelta(days=records_days)) if records_days else 0
        return records, await self.saved.purge()

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


@asynccontextmanager
async def open_store(url: str, *, create: bool = True) -> AsyncGenerator[Store]:
    """The store at ``url``, open. Raises ``StoreError``."""
    store = Store(url)
    await store.open(create=create)
    try:
        yield store
    finally:
        await store.close()
