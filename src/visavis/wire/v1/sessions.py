"""``/v1/sessions``: the records of sessions, for whoever looks into them by id."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Licenses
from visavis.session.rate import AttemptLimits
from visavis.session.records import SessionRecords, StoreError
from visavis.wire.v1.access import asking_license, refusal_answer
from visavis.wire.v1.answers import answer, problem
from visavis.wire.v1.session_json import iso, session_json

log = structlog.get_logger(__name__)

_MOST: Final = 200
_USUAL: Final = 50
_FLUSH_SECONDS: Final = 2.0


def sessions_router(
    records: SessionRecords, flush: Callable[[], Awaitable[None]], licenses: Licenses, attempts: AttemptLimits
) -> APIRouter:
    """``GET /v1/sessions/{id}`` and ``GET /v1/sessions?limit=&before=``, of the asking license's sessions alone.

    ``flush`` writes what this server has not written yet; it is waited for at most 2 s.
    The license key is in ``Authorization: Bearer KEY`` or ``license: KEY``. Errors are ``{code, message}``: 400
    ``bad_request``, 401 ``invalid_license``, 404 ``unknown_session``, 429 ``rate_limited``, 503 ``store_unavailable``.
    The list is ``{sessions, next}``, newest first; ``next``: where there may be more, what ``before`` takes for them.
    """
    router = APIRouter()

    @router.get("/v1/sessions/{session_id}")
    async def one(request: Request, session_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            license = asking_license(request, licenses, attempts)
            await _written(flush)
            record = await records.find(session_id)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except StoreError as error:
            return _unavailable(error)
        # Another license's session is told apart from none by nothing.
        if record is None or record.license_id != license.id:
            return problem(HTTPStatus.NOT_FOUND, "unknown_session", "There is no session with this id.")
        return answer(session_json(record))

    @router.get("/v1/sessions")
    async def several(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            license = asking_license(request, licenses, attempts)
            limit = _limit(request.query_params.get("limit"))
            before = _time(request.query_params.get("before"))
            await _written(flush)
            found = await records.latest(limit, license_id=license.id, before=before)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except StoreError as error:
            return _unavailable(error)
        more = iso(found[-1].started_at) if len(found) == limit else None
        return answer({"sessions": [session_json(record) for record in found], "next": more})

    return router


async def _written(flush: Callable[[], Awaitable[None]]) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_FLUSH_SECONDS):
            await flush()


def _limit(text: str | None) -> int:
    if text is None:
        return _USUAL
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= _MOST):
        raise Refusal(RefusalKind.BAD_REQUEST, f"limit should be a whole number from 1 to {_MOST}.")
    return int(text)


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        # Times near the calendar's ends have no counterpart in other zones.
        if time.utcoffset() is None or not 1970 <= time.year <= 9000:
            raise ValueError
    except ValueError:
        message = "before should be a time with its zone, such as 2026-03-01T12:00:00Z."
        raise Refusal(RefusalKind.BAD_REQUEST, message) from None
    return time


def _unavailable(error: StoreError) -> Response:
    log.error("session records cannot be read", error=str(error))
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, "store_unavailable", "The session records cannot be read now.")
