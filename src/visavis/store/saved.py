"""The table of sessions that visitors can come back to."""

from collections.abc import Callable
from datetime import datetime

import structlog
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from visavis.conversation.snapshot_json import SnapshotError, dump, load
from visavis.session.saved import SavedSession
from visavis.store.address import StoreAddress
from visavis.store.errors import store_errors
from visavis.store.tables import SavedRow
from visavis.store.upsert import upsert

log = structlog.get_logger(__name__)


class SavedTable:
    """``SavedSessions`` in a database."""

    def __init__(self, engine: AsyncEngine, address: StoreAddress, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._address = address
        self._now = now

    async def save(self, session: SavedSession) -> None:
        """See ``SavedSessions``."""
        values = {
            "session_id": session.session_id,
            "key_hash": session.key_hash,
            "license_id": session.license_id,
            "avatar_id": session.avatar_id,
            "snapshot": dump(session.snapshot),
            "saved_at": session.saved_at,
            "expires_at": session.expires_at,
        }
        with store_errors(self._address):
            async with self._engine.begin() as connection:
                await connection.execute(upsert(self._engine.dialect.name, SavedRow, values))

    async def find(self, key_hash: str) -> SavedSession | None:
        """See ``SavedSessions``. A session that this version cannot read is logged, and counts as not there."""
        wanted = (SavedRow.key_hash == key_hash, SavedRow.expires_at > self._now())
        with store_errors(self._address):
            async with self._engine.connect() as connection:
                row = (await connection.execute(select(SavedRow.__table__).where(*wanted))).mappings().first()
        if row is None:
            return None
        try:
            snapshot = load(row["snapshot"])
        except SnapshotError as error:
            log.error("a saved session cannot be read", saved=row["session_id"], error=str(error))
            return None
        return SavedSession(
            session_id=row["session_id"],
            key_hash=row["key_hash"],
            license_id=row["license_id"],
            avatar_id=row["avatar_id"],
            snapshot=snapshot,
            saved_at=row["saved_at"],
            expires_at=row["expires_at"],
        )

    async def delete(self, session_id: str) -> None:
        """See ``SavedSessions``."""
        with store_errors(self._address):
            async with self._engine.begin() as connection:
                await connection.execute(delete(SavedRow).where(SavedRow.session_id == session_id))

    async def purge(self) -> int:
        """See ``SavedSessions``."""
        with store_errors(self._address):
            async with self._engine.begin() as connection:
                done = await connection.execute(delete(SavedRow).where(SavedRow.expires_at <= self._now()))
        return done.rowcount
