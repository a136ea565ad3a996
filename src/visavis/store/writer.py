"""Writing behind: sessions hand over what is to be kept and go on at once."""

import asyncio
from typing import Final

import structlog

from visavis.session.records import SessionRecord, StoreError
from visavis.session.saved import SavedSession
from visavis.store.records import LOST_AFTER
from visavis.store.store import Store
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0
_WRITE_PATIENCE: Final = 15.0
_CLOSE_PATIENCE: Final = 10.0
_PURGE_EVERY: Final = 3600.0

_Key = tuple[str, str]
_Change = SessionRecord | SavedSession | None


class StoreWriter:
    """Takes changes without waiting, and writes each session's newest state ``delay`` seconds after its first change.

    At most one record and one saved session wait for each session, and ``limit`` of them in all: beyond that, the one
    that has waited longest is dropped, and logged. A write that fails is logged and tried again, first after half a
    second, later each 30 s. Records of running sessions are written again each minute, by which readers tell them from
    those whose server has died. What has expired, and records older than ``records_days`` (0: none), is deleted at the
    start and each hour.
    """

    def __init__(self, store: Store, *, records_days: int = 0, delay: float = 0.2, limit: int = 10_000) -> None:
        self._store = store
        self._records_days = records_days
        self._delay = delay
        self._limit = limit
        self._pending: dict[_Key, _Change] = {}
        self._running: dict[str, SessionRecord] = {}
        self._dropped = 0
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()
        self._flushing: asyncio.Task[None] | None = None
        """A flush that has not begun to write."""
        self._tasks = Tasks()
        self._closed = False

    def start(self) -> None:
        """Begin to write, on the running loop. The store is open."""
        self._tasks.spawn(self._write_behind())
        self._tasks.spawn(self._confirm())
        self._tasks.spawn(self._purge())

    def save_record(self, record: SessionRecord) -> None:
        """Write a record, over an earlier one of the same session."""
        if record.ended_at is None:
            self._running[record.id] = record
        else:
            self._running.pop(record.id, None)
        self._put(("record", record.id), record)

    def save_session(self, session: SavedSession) -> None:
        """Keep a session for its visitor, over an earlier state of it."""
        self._put(("session", session.session_id), session)

    def delete_session(self, session_id: str) -> None:
        """Keep a session no more."""
        self._put(("session", session_id), None)

    async def flush(self) -> None:
        """Write all that waits, now; what cannot be written is logged and goes on waiting.

        Who is cancelled here goes at once, and stops no write.
        """
        if self._flushing is None or self._flushing.done():
            self._flushing = self._tasks.spawn(self._flush())
        await asyncio.wait([self._flushing])

    async def close(self) -> None:
        """Write what waits, if that can be done within 10 s, and take nothing more. Idempotent."""
        self._closed = True
        await self._tasks.close()
        try:
            async with asyncio.timeout(_CLOSE_PATIENCE):
                await self._flush()
        except TimeoutError:
            log.error("the store does not answer")
        if self._pending:
            log.error("some of the sessions' last changes could not be stored", lost=len(self._pending))
            self._pending.clear()

    def _put(self, key: _Key, change: _Change) -> None:
        if self._closed:
            log.error("a change of a session came after the store was closed", kind=key[0], session=key[1])
            return
        if key not in self._pending and len(self._pending) >= self._limit:
            del self._pending[next(iter(self._pending))]
            if not self._dropped:
                log.error("too much waits for the store: the oldest changes are dropped", limit=self._limit)
            self._dropped += 1
        self._pending[key] = change
        self._wake.set()

    async def _flush(self) -> None:
        async with self._writing:
            # Who asks from now on may have more to be written.
            self._flushing = None
            await self._drain()

    async def _write_behind(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await self._wake.wait()
            await asyncio.sleep(self._delay)
            self._wake.clear()
            async with self._writing:
                written, failed = await self._drain()
            if written:
                pause = _FIRST_PAUSE
            if failed:
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                self._wake.set()

    async def _drain(self) -> tuple[int, bool]:
        """Write what waits until something fails; how many were written, and whether one failed."""
        written = 0
        for _ in range(len(self._pending)):
            key = next(iter(self._pending))
            change = self._pending.pop(key)
            try:
                async with asyncio.timeout(_WRITE_PATIENCE):
                    await self._write(key[1], change)
            except (StoreError, TimeoutError) as error:
                # A newer change, which came meanwhile, stays in its place.
                self._pending.setdefault(key, change)
                log.warning("cannot write to the store, trying again", error=str(error), waiting=len(self._pending))
                return written, True
            except asyncio.CancelledError:
                self._pending.setdefault(key, change)
                raise
            except Exception:
                log.exception("a change of a session cannot be stored", kind=key[0], session=key[1])
            written += 1
        if self._dropped and not self._pending:
            log.error("the store can be written again; changes were lost", lost=self._dropped)
            self._dropped = 0
        return written, False

    async def _write(self, session_id: str, change: _Change) -> None:
        match change:
            case SessionRecord():
                await self._store.records.save(change)
            case SavedSession():
                await self._store.saved.save(change)
            case None:
                await self._store.saved.delete(session_id)

    async def _confirm(self) -> None:
        while True:
            await asyncio.sleep(LOST_AFTER.total_seconds() / 3)
            for session_id, record in self._running.items():
                self._put(("record", session_id), record)

    async def _purge(self) -> None:
        while True:
            try:
                records, sessions = await self._store.purge(self._records_days)
            except StoreError as error:
                log.warning("cannot delete what is over from the store", error=str(error))
            else:
                if records or sessions:
                    log.info("deleted what is over from the store", records=records, sessions=sessions)
            await asyncio.sleep(_PURGE_EVERY)
