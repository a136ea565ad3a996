"""``/v1/portraits``: avatars of photos, made on the server's own page."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import structlog
from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from visavis.avatar.photo.image import MAX_BYTES
from visavis.portraits.draft import Declined, Draft, Fault
from visavis.portraits.workshop import Workshop
from visavis.session.events import Refusal, RefusalKind
from visavis.wire.v1.access import refusal_answer
from visavis.wire.v1.answers import answer, bounded_body, problem
from visavis.wire.v1.portraits_access import PortraitAccess
from visavis.wire.v1.portraits_json import DraftChange, NewDraft, draft_json, offer_json

log = structlog.get_logger(__name__)

PATH: Final = "/v1/portraits"
_LARGEST_JSON: Final = 64 * 1024
_RETRY: Final = "60"
_STATUSES: Final = {
    "unknown_draft": HTTPStatus.NOT_FOUND,
    "name_taken": HTTPStatus.CONFLICT,
    "busy_draft": HTTPStatus.CONFLICT,
    "no_photo": HTTPStatus.CONFLICT,
    "not_ready": HTTPStatus.CONFLICT,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "too_slow": HTTPStatus.REQUEST_TIMEOUT,
    "busy": HTTPStatus.SERVICE_UNAVAILABLE,
    "no_room": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Of what is declined; anything else is the request's fault (400)."""
_PICTURES: Final = {"photo": "image/jpeg", "poster": "image/jpeg", "film": "video/webm"}

_Body = TypeVar("_Body", bound=BaseModel)
_P = ParamSpec("_P")


def portraits_router(
    workshop: Workshop, access: PortraitAccess, issue: Callable[[str], str], finds_faces: Callable[[], bool]
) -> APIRouter:
    """The drafts of ``workshop``, for whom ``access`` lets in; docs/own-avatar.md describes the requests.

    ``issue``: makes a client token for an avatar's id, for those who need no license to make avatars, but need one to
    call. ``finds_faces``: whether the face networks are installed; may block. Errors are ``{code, message}``.
    """
    router = APIRouter()

    def asked(request: Request, draft_id: str) -> Draft:
        return workshop.find(draft_id, access.owner(request))

    def told(draft: Draft, status: HTTPStatus = HTTPStatus.OK) -> Response:
        return answer(draft_json(draft, workshop.ahead(draft)), status)

    @router.get(PATH)
    @_guarded
    async def offer(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        access.owner(request)
        return answer(offer_json(workshop, await asyncio.to_thread(finds_faces)))

    @router.post(PATH)
    @_guarded
    async def begin(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        owner = access.owner(request)
        new = await _json(request, NewDraft)
        return told(await workshop.begin(owner, new.name, new.consent, new.voice), HTTPStatus.CREATED)

    @router.get(PATH + "/{draft_id}")
    @_guarded
    async def state(request: Request, draft_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return told(asked(request, draft_id))

    @router.put(PATH + "/{draft_id}/photo")
    @_guarded
    async def photo(request: Request, draft_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        draft = asked(request, draft_id)
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > MAX_BYTES:
            raise Declined("too_large", f"The photo is larger than {MAX_BYTES >> 20} MB. Save it smaller.")
        await workshop.receive(draft, request.stream())
        return told(draft, HTTPStatus.ACCEPTED)

    @router.patch(PATH + "/{draft_id}")
    @_guarded
    async def change(request: Request, draft_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        draft = asked(request, draft_id)
        wanted = await _json(request, DraftChange)
        workshop.change(draft, points=wanted.points, glasses=wanted.glasses, voice=wanted.voice)
        return told(draft, HTTPStatus.ACCEPTED)

    @router.get(PATH + "/{draft_id}/{picture}")
    @_guarded
    async def picture(request: Request, draft_id: str, picture: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        draft = asked(request, draft_id)
        path = {"photo": draft.upright, "poster": draft.avatar / "poster.jpg", "film": draft.film_file}.get(picture)
        body = await asyncio.to_thread(_read, path) if path else None
        if body is None:
            return problem(HTTPStatus.NOT_FOUND, "no_picture", "There is no such picture of this draft.")
        headers = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
        return Response(body, media_type=_PICTURES[picture], headers=headers)

    @router.post(PATH + "/{draft_id}/save")
    @_guarded
    async def save(request: Request, draft_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        draft = asked(request, draft_id)
        avatar_id = await workshop.save(draft)
        made: dict[str, Any] = {"avatarId": avatar_id, "name": draft.name}
        if access.needs_no_license(request):
            made["token"] = issue(avatar_id)
        return answer(made, HTTPStatus.CREATED)

    @router.delete(PATH + "/{draft_id}")
    @_guarded
    async def discard(request: Request, draft_id: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        await workshop.discard(asked(request, draft_id))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router


def _guarded(handle: Callable[_P, Awaitable[Response]]) -> Callable[_P, Awaitable[Response]]:
    """``handle``, whose refusals are answers."""

    @functools.wraps(handle)
    async def guarded(*args: _P.args, **kwargs: _P.kwargs) -> Response:
        try:
            return await handle(*args, **kwargs)
        except Refusal as refusal:
            return refusal_answer(refusal)
        except Declined as declined:
            return _declined(declined.fault)
        except ClientDisconnect:
            # Nobody hears the answer.
            return problem(HTTPStatus.BAD_REQUEST, "bad_request", "The request ended early.")

    return guarded


def _declined(fault: Fault) -> Response:
    log.info("portrait declined", code=fault.code)
    response = problem(_STATUSES.get(fault.code, HTTPStatus.BAD_REQUEST), fault.code, fault.message)
    if fault.code == "busy":
        response.headers["retry-after"] = _RETRY
    if fault.code in ("too_large", "too_slow"):
        # The rest of the body is not read.
        response.headers["connection"] = "close"
    return response


async def _json(request: Request, model: type[_Body]) -> _Body:
    """The body. Raises ``Refusal``."""
    body = await bounded_body(request, _LARGEST_JSON)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part)[:40] for part in first["loc"][:3])
        message = f"{field}: {first['msg']}." if field else f"{first['msg']}."
        raise Refusal(RefusalKind.BAD_REQUEST, message) from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
