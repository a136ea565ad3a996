"""Closing many things, one after the other, where each must have its turn."""

from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


async def close_part(part: str, close: Callable[[], Awaitable[object] | None]) -> None:
    """Close one of several things; a failure is logged under the name ``part``, and the next can follow."""
    try:
        closing = close()
        if closing is not None:
            await closing
    except Exception:
        log.exception("closing failed", part=part)
