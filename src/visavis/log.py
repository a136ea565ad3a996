"""Logging: structlog for our own entries, the libraries' entries routed into the same lines, no secret in either.

Every module logs by ``structlog.get_logger()``; whoever begins a session's task binds its id once by ``bind_session``,
and all entries of that task and of those it starts carry it.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, Literal, TextIO, cast

import structlog

MASK: Final = "***"

_SECRET_NAMES: Final = frozenset(
    {
        "license",
        "licence",
        "apikey",
        "authorization",
        "credential",
        "password",
        "secret",
        "token",
        "accesstoken",
        "clienttoken",
        "resumetoken",
        "resumekey",
    }
)
_NAMES: Final = (
    r"licen[sc]e|api[_-]?key|authorization|credential|password|secret|resume(?:[_-]?key)?"
    r"|(?:(?:access|client|resume)[_-]?)?token"
)
_PATTERNS: Final = (
    # name=value in addresses and forms
    re.compile(rf"(?i)(\b(?:{_NAMES})=)[^&\s\"'<>#]+"),
    # "name": "value" in JSON text and in printed dictionaries
    re.compile(rf"(?i)([\"'](?:{_NAMES})[\"']\s*:\s*[\"'])[^\"']+"),
    # HTTP headers and printed credentials
    re.compile(r"(?i)(\b(?:bearer|basic)\s+)[a-z0-9._~+/=-]{6,}"),
    # client tokens (JWT: a header that begins with '{"'), wherever they stand
    re.compile(r"(\beyJ)[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"),
    # user:password@ in addresses
    re.compile(r"(\b[a-z][a-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+(?=@)"),
)

# Libraries that tell every packet, request or frame, every statement with its values, and the web server's own life;
# their warnings stay.
_QUIET: Final = (
    *("aioice", "aiortc", "httpx", "httpcore", "websockets", "asyncio", "multipart", "PIL", "uvicorn.error"),
    *("aiosqlite", "alembic", "sqlalchemy"),
)


def bind_session(session_id: str) -> None:
    """Put the session's id into every entry of the current task and of the tasks it starts."""
    structlog.contextvars.bind_contextvars(session=session_id)


def mask_text(text: str) -> str:
    """``text`` with the values of licenses, keys, tokens and passwords replaced by ``MASK``."""
    for pattern in _PATTERNS:
        text = pattern.sub(rf"\g<1>{MASK}", text)
    return text


def mask_secrets(
    _logger: object, _method: str, entry: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:  # structlog's signature of a processor
    """Mask an entry's values: those with a secret's name entirely, secrets within text where they stand."""
    return {name: _masked(name, value) for name, value in entry.items()}


def _masked(name: object, value: object) -> object:
    if value is not None and re.sub(r"[^a-z]", "", str(name).lower()) in _SECRET_NAMES:
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {key: _masked(key, item) for key, item in cast(Mapping[object, object], value).items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", item) for item in cast(list[object], value)]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return mask_text(str(value))


def configure_logging(
    level: Literal["debug", "info", "warning", "error"] = "info",
    layout: Literal["auto", "console", "json"] = "auto",
    stream: TextIO | None = None,
) -> None:
    """Set up structlog and the standard library's logging, for the whole process; later calls replace earlier ones.

    ``layout`` auto: lines for people when ``stream`` (standard error by default) is a terminal, else JSON.
    """
    output = sys.stderr if stream is None else stream
    if layout == "auto":
        layout = "console" if output.isatty() else "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(default=str)
        if layout == "json"
        # A plain traceback: the fancy one prints local variables, and with them secrets.
        else structlog.dev.ConsoleRenderer(
            colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                mask_secrets,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
