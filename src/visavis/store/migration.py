"""Bringing a database to this program's version, whoever else does the same at the same time."""

import asyncio
import time
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection

from visavis.session.records import StoreError
from visavis.store.address import StoreAddress
from visavis.store.engine import LOCK_PATIENCE, make_engine
from visavis.store.errors import store_errors

SCRIPTS: Final = Path(__file__).parent / "migrations"

# Any number that nothing else takes for pg_advisory_xact_lock.
_LOCK: Final = 0x76697361766973


def migrate(address: StoreAddress) -> None:
    """Make what is missing. Blocks, and runs an event loop of its own: call it in a thread. Raises ``StoreError``.

    One process at a time migrates; it does all or nothing.
    """
    address.make_file()
    with store_errors(address):
        asyncio.run(_run(address, write=True))


def check(address: StoreAddress) -> None:
    """See that the database is there and has this program's version, without writing. As ``migrate`` otherwise."""
    if address.path is not None and not address.path.is_file():
        raise StoreError(f"there is no database {address.path} yet: 'visavis serve' makes it")
    with store_errors(address):
        asyncio.run(_run(address, write=False))


async def _run(address: StoreAddress, *, write: bool) -> None:
    engine = make_engine(address, pooled=False)
    try:
        async with engine.connect() as connection:
            if not write:
                await connection.run_sync(_check, address)
                return
            if address.path is not None:
                await _lock_sqlite(connection)
            else:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(_upgrade, address)
            await connection.commit()
    finally:
        await engine.dispose()


async def _lock_sqlite(connection: AsyncConnection) -> None:
    """Switch the file to the write-ahead log, and begin a transaction that holds the only right to write."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    # Python's driver would begin a transaction only before INSERT and its like, thus too late.
    raw.isolation_level = None
    until = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            # SQLite does not wait for others here, whatever its time-out.
            await connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            break
        except OperationalError:
            if time.monotonic() > until:
                raise
            await connection.rollback()
            await asyncio.sleep(0.05)
    await connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: Connection, address: StoreAddress) -> None:
    config = _config()
    _refuse_newer(connection, config, address)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check(connection: Connection, address: StoreAddress) -> None:
    config = _config()
    _refuse_newer(connection, config, address)
    if _version(connection) != ScriptDirectory.from_config(config).get_current_head():
        raise StoreError(f"the database {address.label} is of an older visavis: 'visavis serve' brings it up to date")


def _refuse_newer(connection: Connection, config: Config, address: StoreAddress) -> None:
    version = _version(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if version is not None and version not in known:
        raise StoreError(f"the database {address.label} has version {version}, of a newer visavis: install that one")


def _version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    # Alembic's values know % as ConfigParser does.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
