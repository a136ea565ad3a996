"""How a database is connected to."""

from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from visavis.session.records import StoreError
from visavis.store.address import StoreAddress

LOCK_PATIENCE: Final = 10.0
"""Seconds that a statement waits for another process's, or for an answer of PostgreSQL."""

_CONNECTIONS: Final = 4


def make_engine(address: StoreAddress, *, pooled: bool = True) -> AsyncEngine:
    """An engine that connects at its first use. Raises ``StoreError`` where the driver is not installed.

    ``pooled`` False: a connection for each use.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if address.path is None:
        options["connect_args"] = {
            "timeout": LOCK_PATIENCE,
            "command_timeout": LOCK_PATIENCE,
            "server_settings": {"application_name": "visavis"},
        }
        # A server that was restarted since is found out before a statement is lost.
        options["pool_pre_ping"] = pooled
    else:
        options["connect_args"] = {"timeout": LOCK_PATIENCE}
    options |= {"pool_size": _CONNECTIONS, "max_overflow": 0} if pooled else {"poolclass": NullPool}
    try:
        engine = create_async_engine(address.url, **options)
    except ImportError:
        raise StoreError("PostgreSQL needs the extra 'postgres': pip install 'visavis[postgres]'") from None
    if address.path is not None:
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Settings that SQLite keeps for each connection."""
    cursor = connection.cursor()
    # With the write-ahead log a process that is killed loses no commit; a power cut may lose the last ones.
    cursor.execute("PRAGMA synchronous = NORMAL")
    # What was deleted was said by somebody: it is overwritten, not just given up.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()
