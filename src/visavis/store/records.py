"""The table of session records."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final, cast

import structlog
from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from visavis.session.events import Ending, SessionState
from visavis.session.records import Counts, SessionRecord, StateEntry, StoreError
from visavis.store.address import StoreAddress
from visavis.store.errors import store_errors
from visavis.store.tables import SessionRow
from visavis.store.upsert import upsert

LOST_AFTER: Final = timedelta(minutes=3)
"""A running session's record is written again each minute (``StoreWriter``); one that was not for so long is lost."""

LOST_MESSAGE: Final = "The server that ran this session has gone without a word."

log = structlog.get_logger(__name__)


class RecordTable:
    """``SessionRecords`` in a database.

    A record that still runs although no server says so any more is read as ended when it was last heard of, without an
    ``ending``. Characters that PostgreSQL cannot hold (NUL, halves of surrogate pairs) become U+FFFD.
    """

    def __init__(self, engine: AsyncEngine, address: StoreAddress, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._address = address
        self._now = now

    async def save(self, record: SessionRecord) -> None:
        """See ``SessionRecords``. A record with fewer resumptions than the one that is there changes nothing."""
        statement = upsert(self._engine.dialect.name, SessionRow, _values(record, self._now()), newer="resumptions")
        with store_errors(self._address):
            async with self._engine.begin() as connection:
                await connection.execute(statement)

    async def find(self, session_id: str) -> SessionRecord | None:
        """See ``SessionRecords``."""
        found = await self._read(SessionRow.id == _clean(session_id), limit=1)
        return found[0] if found else None

    async def latest(
        self, limit: int = 50, *, license_id: str | None = None, before: datetime | None = None
    ) -> Sequence[SessionRecord]:
        """See ``SessionRecords``."""
        wanted: list[ColumnElement[bool]] = []
        if license_id is not None:
            wanted.append(SessionRow.license_id == license_id)
        if before is not None:
            wanted.append(SessionRow.started_at < before)
        return await self._read(*wanted, limit=limit, readable=True)

    async def purge(self, before: datetime) -> int:
        """Delete what started before then and does not run any more; how many they were. Raises ``StoreError``."""
        over = or_(SessionRow.ended_at.is_not(None), SessionRow.touched_at < self._now() - LOST_AFTER)
        with store_errors(self._address):
            async with self._engine.begin() as connection:
                done = await connection.execute(delete(SessionRow).where(SessionRow.started_at < before, over))
        return done.rowcount

    async def _read(self, *wanted: ColumnElement[bool], limit: int, readable: bool = False) -> list[SessionRecord]:
        """``readable``: without those that a later version of this program wrote."""
        table = SessionRow.__table__
        statement = select(table).where(*wanted).order_by(SessionRow.started_at.desc(), SessionRow.id).limit(limit)
        with store_errors(self._address):
            async with self._engine.connect() as connection:
                rows = (await connection.execute(statement)).mappings().all()
        found: list[SessionRecord] = []
        for row in cast(Sequence[dict[str, Any]], rows):
            try:
                found.append(self._record(dict(row)))
            except StoreError as error:
                if not readable:
                    raise
                log.warning("a record is passed over", error=str(error))
        return found

    def _record(self, row: dict[str, Any]) -> SessionRecord:
        try:
            states = tuple(
                StateEntry(SessionState(name), datetime.fromisoformat(at))
                for name, at in cast(list[Any], row["states"])
            )
            ending = Ending(row["ending"]) if row["ending"] is not None else None
        except (TypeError, ValueError):
            raise StoreError(f"the record of session {row['id']} is not of this visavis") from None
        ended_at, message = row["ended_at"], row["message"]
        if ended_at is None and row["touched_at"] < self._now() - LOST_AFTER:
            ended_at, message = row["touched_at"], LOST_MESSAGE
        return SessionRecord(
            id=row["id"],
            avatar_id=row["avatar_id"],
            license_id=row["license_id"],
            started_at=row["started_at"],
            license_name=row["license_name"],
            model=row["model"],
            origin=row["origin"],
            states=states,
            ended_at=ended_at,
            ending=ending,
            message=message,
            resumptions=row["resumptions"],
            counts=Counts(**{name: row[name] for name in _COUNTS}),
            connect_seconds=row["connect_seconds"],
            answer_seconds=tuple(row["answer_seconds"]),
        )


_COUNTS: Final = tuple(asdict(Counts()))


def _values(record: SessionRecord, now: datetime) -> dict[str, Any]:
    return {
        "id": _clean(record.id),
        "avatar_id": _clean(record.avatar_id),
        "license_id": _clean(record.license_id),
        "license_name": _clean(record.license_name),
        "model": _clean(record.model),
        "origin": _clean(record.origin),
        "started_at": record.started_at,
        "touched_at": now,
        "ended_at": record.ended_at,
        "ending": record.ending.value if record.ending is not None else None,
        "message": _clean(record.message),
        "resumptions": record.resumptions,
        "states": [[entry.state.value, entry.at.isoformat()] for entry in record.states],
        **asdict(record.counts),
        "connect_seconds": record.connect_seconds,
        "answer_seconds": list(record.answer_seconds),
    }


def _clean(text: str) -> str:
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
