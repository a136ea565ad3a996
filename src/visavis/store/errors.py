"""Every failure of a database as one plain ``StoreError``."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from visavis.session.records import StoreError
from visavis.store.address import StoreAddress

_LONGEST: Final = 200


@contextmanager
def store_errors(address: StoreAddress) -> Generator[None]:
    """Turn what the drivers raise into ``StoreError``: a line without the password, the statement and its values."""
    try:
        yield
    except Exception as error:
        # asyncpg, which need not be installed, lets errors of connecting through as its own.
        if not isinstance(error, SQLAlchemyError | OSError) and not type(error).__module__.startswith("asyncpg"):
            raise
        raise StoreError(f"the database {address.label} failed: {_reason(error, address)}") from None


def _reason(error: BaseException, address: StoreAddress) -> str:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = type(cause).__name__
    # What says that a value does not fit also shows the value: a visitor's words have no place in a log.
    if "Data" in name and name != "DatabaseError":
        return "a value does not fit"
    line = next(iter(str(cause).splitlines()), "")[:_LONGEST]
    password = address.url.password
    if password:
        line = line.replace(password, "***")
    return line or name
