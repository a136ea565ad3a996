"""Writing behind. Where only time matters, it is virtual, and the database a fake; else the database is real."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.store.conftest import Clock
from tests.store.samples import NOON, record, saved
from tests.virtual_time import run_virtual
from visavis.session.events import Ending
from visavis.session.records import SessionRecord, StoreError
from visavis.store.records import LOST_AFTER
from visavis.store.store import Store, open_store
from visavis.store.writer import StoreWriter


class FakeStore:
    """Remembers what was written when; refuses while ``broken``."""

    def __init__(self) -> None:
        self.records = self.saved = self
        self.written: list[tuple[float, object]] = []
        self.tries: list[float] = []
        self.broken = False
        self.gate: asyncio.Event | None = None
        self.purged: list[int] = []

    async def save(self, value: object) -> None:
        now = asyncio.get_running_loop().time()
        self.tries.append(now)
        if self.gate is not None:
            await self.gate.wait()
        if self.broken:
            raise StoreError("the disk is full")
        self.written.append((now, value))

    async def delete(self, session_id: str) -> None:
        await self.save(f"delete {session_id}")

    async def purge(self, days: int) -> tuple[int, int]:
        self.purged.append(days)
        if self.broken:
            raise StoreError("the disk is full")
        return 1, 2

    @property
    def values(self) -> list[object]:
        return [value for _, value in self.written]


def with_writer(test: Callable[[FakeStore, StoreWriter], Coroutine[Any, Any, None]], **options: Any) -> FakeStore:
    """Run ``test`` with a started writer on virtual time."""
    store = FakeStore()

    async def run() -> None:
        writer = StoreWriter(store, **options)  # type: ignore[arg-type]
        writer.start()
        await test(store, writer)
        await writer.close()

    run_virtual(run())
    return store


def test_changes_in_quick_succession_are_written_once() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        for number in range(10):
            writer.save_session(saved(words=str(number)))
            writer.save_session(saved("other", words=str(number)))
            writer.save_record(record(resumptions=number, ended_at=NOON))
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert store.values == [saved(words="9"), saved("other", words="9"), record(resumptions=9, ended_at=NOON)]
        assert all(time == pytest.approx(0.2) for time, _ in store.written)

    with_writer(test)


def test_the_newest_of_saving_and_deleting_wins() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        writer.save_session(saved("a"))
        writer.delete_session("a")
        writer.delete_session("b")
        writer.save_session(saved("b"))
        await writer.flush()
        assert store.values == ["delete a", saved("b")]

    with_writer(test)


def test_what_changes_while_it_is_written_is_written_again() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.gate = asyncio.Event()
        writer.save_session(saved(words="first"))
        await asyncio.sleep(0.3)
        writer.save_session(saved(words="second"))
        store.gate.set()
        await writer.flush()
        assert store.values == [saved(words="first"), saved(words="second")]

    with_writer(test)


def test_a_failed_write_is_tried_again_ever_more_slowly_with_the_newest() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.broken = True
        writer.save_session(saved(words="old"))
        writer.save_session(saved("other"))
        await asyncio.sleep(200)
        writer.save_session(saved(words="new"))
        pauses = [after - before for before, after in pairwise(store.tries)]
        assert pauses[0] == pytest.approx(0.7)
        assert pauses[-1] == pytest.approx(30.2)
        assert all(after > before - 0.001 for before, after in pairwise(pauses))
        store.broken = False
        await asyncio.sleep(31)
        assert {value.session_id: value for value in store.values} == {  # type: ignore[attr-defined]
            "session-1": saved(words="new"),
            "other": saved("other"),
        }

    with capture_logs() as logs:
        with_writer(test)
    warnings = [entry for entry in logs if entry["event"] == "cannot write to the store, trying again"]
    assert 8 <= len(warnings) <= 14
    assert {entry["error"] for entry in warnings} == {"the disk is full"}


def test_what_failed_does_not_replace_what_came_meanwhile() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.broken, store.gate = True, asyncio.Event()
        writer.save_session(saved(words="old"))
        await asyncio.sleep(0.3)
        writer.save_session(saved(words="new"))
        store.gate.set()
        await asyncio.sleep(0.1)
        store.broken = False
        await writer.flush()
        assert store.values == [saved(words="new")]

    with_writer(test)


def test_what_waits_is_bounded_and_the_loss_is_told() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.broken = True
        for number in range(8):
            writer.save_session(saved(f"s{number}"))
        for _ in range(3):
            writer.save_session(saved("s7"))
        store.broken = False
        await writer.flush()
        assert store.values == [saved(f"s{number}") for number in range(3, 8)]

    with capture_logs() as logs:
        with_writer(test, limit=5)
    assert [entry["lost"] for entry in logs if "lost" in entry] == [3]
    assert sum("too much waits" in entry["event"] for entry in logs) == 1


def test_what_can_never_be_written_does_not_stop_the_rest() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        save = store.save

        async def refuse(value: SessionRecord) -> None:
            if value.id == "bad":
                raise ValueError("a time without a zone")
            await save(value)

        store.save = refuse  # type: ignore[method-assign]
        writer.save_record(record("bad", ended_at=NOON))
        writer.save_record(record("good", ended_at=NOON))
        await writer.flush()
        await writer.flush()
        assert store.values == [record("good", ended_at=NOON)]

    with capture_logs() as logs:
        with_writer(test)
    assert sum("cannot be stored" in entry["event"] for entry in logs) == 1


def test_running_records_are_confirmed_each_minute_until_they_end() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        writer.save_record(record())
        await asyncio.sleep(LOST_AFTER.total_seconds() + 1)
        assert store.values == [record()] * 4
        writer.save_record(record(ended_at=NOON, ending=Ending.NORMAL))
        await asyncio.sleep(1000)
        assert store.values[4:] == [record(ended_at=NOON, ending=Ending.NORMAL)]

    with_writer(test)


def test_it_purges_at_the_start_and_each_hour_whatever_happens() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        await asyncio.sleep(1)
        assert store.purged == [30]
        store.broken = True
        await asyncio.sleep(3600)
        store.broken = False
        await asyncio.sleep(3600)
        assert store.purged == [30, 30, 30]

    with_writer(test, records_days=30)


def test_closing_writes_the_rest_and_takes_nothing_more() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        writer.save_session(saved())
        await writer.close()
        writer.save_session(saved("late"))
        await writer.close()

    with capture_logs() as logs:
        store = with_writer(test)
    assert store.values == [saved()]
    assert [entry["session"] for entry in logs if "after the store was closed" in entry["event"]] == ["late"]


def test_closing_in_the_middle_of_a_write_loses_nothing() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.gate = asyncio.Event()
        writer.save_session(saved())
        await asyncio.sleep(0.5)
        closing = asyncio.create_task(writer.close())
        await asyncio.sleep(0.5)
        store.gate.set()
        await closing

    assert with_writer(test).values == [saved()]


@pytest.mark.parametrize("hangs", [True, False])
def test_closing_does_not_wait_for_a_dead_store(hangs: bool) -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.broken = True
        store.gate = asyncio.Event()
        if not hangs:
            store.gate.set()
        writer.save_session(saved())
        begin = asyncio.get_running_loop().time()
        await writer.close()
        assert asyncio.get_running_loop().time() - begin <= 10

    with capture_logs() as logs:
        with_writer(test)
    assert [entry["lost"] for entry in logs if "lost" in entry] == [1]


def test_who_waits_for_a_flush_and_gives_up_stops_no_write() -> None:
    async def test(store: FakeStore, writer: StoreWriter) -> None:
        store.gate = asyncio.Event()
        writer.save_session(saved())

        async def wait() -> float:
            began = asyncio.get_running_loop().time()
            try:
                async with asyncio.timeout(2.0):
                    await writer.flush()
            except TimeoutError:
                pass
            return asyncio.get_running_loop().time() - began

        tasks = len(asyncio.all_tasks())
        assert await asyncio.gather(*(wait() for _ in range(20))) == [pytest.approx(2.0)] * 20
        # However many wait, two write: one that has begun, and one for what came meanwhile.
        assert len(asyncio.all_tasks()) - tasks <= 2
        writer.save_session(saved("other"))
        store.gate.set()
        await writer.flush()
        assert len(store.values) == 2
        assert len(store.tries) == 2

    with_writer(test, delay=100.0)


async def test_through_a_real_failure(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "visavis.db"
    store = Store(f"sqlite:///{path}", clock)
    await store.open()
    writer = StoreWriter(store)
    writer.start()
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        (made,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'saved_sessions'").fetchone()
        database.execute("DROP TABLE saved_sessions")
        writer.save_session(saved())
        await writer.flush()
        database.execute(made)
    await writer.flush()
    assert await store.saved.find("hash of session-1") == saved()
    await writer.close()
    await store.close()


WRITE_AND_WAIT = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from tests.store.samples import record, saved
from visavis.store.store import open_store
from visavis.store.writer import StoreWriter

async def main():
    async with open_store(sys.argv[1]) as store:
        writer = StoreWriter(store)
        writer.start()
        later = datetime.now(UTC) + timedelta(hours=1)
        for number in range(5):
            writer.save_record(record(connect_seconds=float(number)))
            writer.save_session(saved(words=f"word {number}", expires_at=later))
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        print("written", flush=True)
        await asyncio.sleep(100)

asyncio.run(main())
"""


def write_and_be_killed(url: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_WAIT, url], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "written\n"
    finally:
        process.kill()
        process.communicate(timeout=30)


async def test_a_server_that_is_killed_loses_nothing_that_was_written(url: str) -> None:
    await asyncio.to_thread(write_and_be_killed, url)
    async with open_store(url) as store:
        kept = await store.saved.find("hash of session-1")
        assert kept is not None
        assert kept.snapshot.items[0].text == "word 4"
        assert await store.records.find("session-1") == record(connect_seconds=4.0), "it may still run elsewhere"
    later = Store(url, lambda: datetime.now(UTC) + LOST_AFTER)
    lost = await later.records.find("session-1")
    assert lost is not None
    assert lost.ended_at is not None
    assert lost.ending is None
    await later.close()
