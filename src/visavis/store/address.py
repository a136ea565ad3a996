"""Where a database is, from the setting's address to what SQLAlchemy takes."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from visavis.session.records import StoreError

_SQLITE: Final = "sqlite:///"
_POSTGRESQL: Final = "postgresql://"


@dataclass(frozen=True, slots=True)
class StoreAddress:
    """A database. ``label`` names it without a password; ``path`` is SQLite's file, None for PostgreSQL."""

    url: URL = field(repr=False)
    label: str
    path: Path | None = None

    def make_file(self) -> None:
        """Make SQLite's folder and file where they are missing, for the owner's eyes alone. Blocks.

        Raises ``StoreError``.
        """
        if self.path is None:
            return
        try:
            # mkdir's mode holds for the last folder alone, and only where it is made.
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # SQLite gives its -wal and -shm files the rights of the database itself.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StoreError(f"cannot make the database {self.label}: {error.strerror}") from None


def store_address(text: str) -> StoreAddress:
    """Read ``sqlite:///PATH`` (four slashes begin an absolute path, ``~`` is the home folder) or ``postgresql://…``.

    Of PostgreSQL's address the query is handed to the driver; libpq's ``sslmode`` is understood. Raises ``StoreError``.
    """
    if text.startswith(_SQLITE) and text != _SQLITE:
        name = text.removeprefix(_SQLITE)
        if name.startswith(":"):
            raise StoreError("a database in memory keeps nothing: give it a file, such as sqlite:///visavis.db")
        path = Path(name).expanduser().absolute()
        # mode=rw: a connection never makes the file anew; where it has gone, that is an error.
        url = URL.create("sqlite+aiosqlite", database=path.as_uri(), query={"mode": "rw", "uri": "true"})
        return StoreAddress(url, str(path), path)
    if text.startswith(_POSTGRESQL):
        try:
            url = make_url(text).set(drivername="postgresql+asyncpg")
        except (ArgumentError, ValueError):
            raise StoreError(
                "the address of the database cannot be read: postgresql://USER:PASSWORD@HOST/NAME"
            ) from None
        query = dict(url.query)
        if "sslmode" in query:
            query["ssl"] = query.pop("sslmode")
        host = f"{url.host or 'localhost'}:{url.port}" if url.port else url.host or "localhost"
        return StoreAddress(url.set(query=query), f"{url.database or ''} on {host}".strip())
    raise StoreError("the address of the database should be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
