"""Writing a row over the one with the same primary key, in one statement, in SQLite's and PostgreSQL's words."""

from typing import Any

from sqlalchemy import Executable, Table, inspect
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from visavis.store.tables import Base


def upsert(dialect: str, row: type[Base], values: dict[str, Any], newer: str | None = None) -> Executable:
    """Insert ``values``, or replace those of the same key. With ``newer``: unless that column is greater in the table.

    ``dialect``: ``sqlite`` or ``postgresql``.
    """
    table = inspect(row).local_table
    assert isinstance(table, Table)
    insert = sqlite_insert if dialect == "sqlite" else postgresql_insert
    statement = insert(table).values(values)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key},
        where=table.c[newer] <= statement.excluded[newer] if newer is not None else None,
    )
