"""Keeps licenses out of the web server's own log lines, which print the address that was asked for."""

import logging
from typing import Final
from urllib.parse import unquote_plus

_SHOWN: Final = frozenset({"name", "avatarid", "character", "model"})
_LOGGERS: Final = ("uvicorn.access", "uvicorn.error", "uvicorn.asgi", "websockets.server", "websockets.client")


def redact_query(text: str) -> str:
    """``text`` with the value of every query parameter masked, except the few that name an avatar or a model.

    It need not be a bare address: a query runs from a question mark to the next white space or quotation mark.
    """
    head, mark, rest = text.partition("?")
    if not mark:
        return text
    end = next((at for at, character in enumerate(rest) if character in " \t\r\n\"'"), len(rest))
    query = "&".join(_redact_pair(pair) for pair in rest[:end].replace(";", "&").split("&"))
    return head + mark + query + redact_query(rest[end:])


def _redact_pair(pair: str) -> str:
    name, equals, _value = pair.partition("=")
    # The name may be percent-encoded too: what is not known to be harmless is not shown.
    if unquote_plus(name).lower() in _SHOWN:
        return pair
    return f"{name}{equals}***" if equals else "***" if name else ""


class RedactQueries(logging.Filter):
    """Masks queries in a record's message and arguments; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.msg, str):
            record.msg = redact_query(record.msg)
        if isinstance(record.args, tuple):
            record.args = tuple(redact_query(value) if isinstance(value, str) else value for value in record.args)
        return True


def redact_logs() -> None:
    """Add the filter to the loggers of the web server's libraries. Idempotent; after uvicorn has set up its own."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(present, RedactQueries) for present in logger.filters):
            logger.addFilter(RedactQueries())
