"""Making, upgrading and refusing databases."""

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from tests.store.samples import record, saved
from visavis.session.records import StoreError
from visavis.store.address import store_address
from visavis.store.engine import make_engine
from visavis.store.store import Store, open_store
from visavis.store.tables import Base

OPEN_AND_WRITE = """
import asyncio, sys
from tests.store.samples import record
from visavis.store.store import open_store

async def main():
    sys.stdin.readline()
    async with open_store(sys.argv[1]) as store:
        for number in range(20):
            await store.records.save(record(f"{sys.argv[2]}-{number}"))

asyncio.run(main())
"""


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_what_was_saved_is_there_when_it_is_opened_again(url: str) -> None:
    kept = saved(expires_at=datetime.now(UTC) + timedelta(hours=1))
    async with open_store(url) as store:
        await store.saved.save(kept)
    async with open_store(url) as store:
        await store.records.save(record())
    async with open_store(url, create=False) as store:
        assert await store.saved.find(kept.key_hash) == kept
        assert [found.id for found in await store.records.latest()] == ["session-1"]


async def test_the_tables_are_those_of_the_newest_version(url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)

    async with open_store(url):
        engine = make_engine(store_address(url), pooled=False)
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
        await engine.dispose()


async def test_two_open_stores_write_side_by_side(url: str) -> None:
    async with open_store(url) as one, open_store(url) as other:

        async def write(store: Store, name: str) -> None:
            for number in range(30):
                await store.records.save(record(f"{name}-{number}"))
                await store.saved.save(saved("shared", key_hash=f"{name}-{number}"))

        await asyncio.gather(write(one, "one"), write(other, "other"))
        assert len(await other.records.latest(100)) == 60
        assert await one.records.latest(100) == await other.records.latest(100)


def test_processes_that_open_a_new_database_at_once_all_can(url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_AND_WRITE, url, f"p{number}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for number in range(4)
    ]
    try:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        failures = [process.communicate(timeout=100)[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * 4, failures
    finally:
        for process in processes:
            process.kill()

    async def count() -> int:
        async with open_store(url) as store:
            return len(await store.records.latest(1000))

    assert asyncio.run(count()) == 80


async def test_folder_and_files_are_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "visavis.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.records.save(record())
        assert path.parent.stat().st_mode & 0o777 == 0o700
        found = files(path.parent)
        assert {file.name for file in found} >= {"visavis.db", "visavis.db-wal"}
        assert {file.stat().st_mode & 0o777 for file in found} == {0o600}


async def test_unusual_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for url, path in {
        "sqlite:///here.db": tmp_path / "here.db",
        "sqlite:///~/of mine/100%?.db": tmp_path / "home" / "of mine" / "100%?.db",
        f"sqlite:///{tmp_path}/ünï#.db": tmp_path / "ünï#.db",
    }.items():
        async with open_store(url) as store:
            await store.records.save(record())
            assert store.label == str(path)
        assert path.read_bytes().startswith(b"SQLite format 3")


async def test_reading_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "data" / "visavis.db"
    with pytest.raises(StoreError, match=r"there is no database .*visavis\.db yet: 'visavis serve' makes it"):
        async with open_store(f"sqlite:///{path}", create=False):
            pass
    assert files(tmp_path) == []


async def test_reading_does_not_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    path.touch()
    with pytest.raises(StoreError, match=r"of an older visavis: 'visavis serve' brings it up to date"):
        async with open_store(f"sqlite:///{path}", create=False):
            pass
    assert path.read_bytes() == b""


@pytest.mark.parametrize("create", [True, False])
async def test_a_newer_database_is_left_alone(tmp_path: Path, create: bool) -> None:
    path = tmp_path / "visavis.db"
    async with open_store(f"sqlite:///{path}"):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="has version 9999, of a newer visavis"):
        async with open_store(f"sqlite:///{path}", create=create):
            pass
    assert path.read_bytes() == before


async def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        # The second table of the first version is in its way.
        database.execute("CREATE TABLE saved_sessions (mine TEXT)")
        with pytest.raises(StoreError, match="saved_sessions already exists"):
            async with open_store(f"sqlite:///{path}"):
                pass
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("saved_sessions",)]
        database.execute("DROP TABLE saved_sessions")
    async with open_store(f"sqlite:///{path}") as store:
        await store.saved.save(saved())


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    path.write_bytes(b"Dear diary, " * 100)
    with pytest.raises(StoreError, match=r"visavis\.db failed: file is not a database"):
        async with open_store(f"sqlite:///{path}"):
            pass


async def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StoreError, match=r"cannot make the database .*visavis\.db: "):
        async with open_store(f"sqlite:///{tmp_path}/data/visavis.db"):
            pass


async def test_a_database_that_has_gone_is_an_error_and_not_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    async with open_store(f"sqlite:///{path}") as store:
        for file in files(tmp_path):
            file.unlink()
        with pytest.raises(StoreError, match="unable to open database file"):
            await store.records.save(record())
        assert files(tmp_path) == []


@pytest.mark.parametrize(
    "url", ["mysql://user:geheim@host/db", "sqlite://", "sqlite:///:memory:", "postgresql://u:geheim@h:x/"]
)
def test_an_address_of_another_kind_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert "geheim" not in str(caught.value)


async def test_an_unreachable_server_is_a_line_without_the_password() -> None:
    pytest.importorskip("asyncpg")
    store = Store("postgresql://ann:geheim@127.0.0.1:1/visavis?sslmode=disable")
    with pytest.raises(StoreError) as caught:
        await store.open()
    assert str(caught.value).startswith("the database visavis on 127.0.0.1:1 failed: ")
    assert "geheim" not in str(caught.value)
    assert "geheim" not in repr(store_address("postgresql://ann:geheim@127.0.0.1:1/visavis"))
    await store.close()


def test_without_its_driver_postgresql_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(StoreError, match=r"pip install 'visavis\[postgres\]'"):
        Store("postgresql://ann:geheim@127.0.0.1/visavis")


async def test_a_failing_statement_shows_no_value(tmp_path: Path) -> None:
    path = tmp_path / "visavis.db"
    async with open_store(f"sqlite:///{path}") as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("DROP TABLE saved_sessions")
        with pytest.raises(StoreError) as caught:
            await store.saved.save(saved(words="plum cake"))
    assert str(caught.value) == f"the database {path} failed: no such table: saved_sessions"
    assert caught.value.__suppress_context__
