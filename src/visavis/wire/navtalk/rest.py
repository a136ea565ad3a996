"""The REST look-ups that NavTalk's SDKs make before every call, and the avatars' pictures."""

import os
import re
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from visavis.language.emotion_markup import unmarked
from visavis.session.rate import AttemptLimits, RateLimited
from visavis.wire.navtalk.settings import NavtalkSettings

LOOK_UPS: Final = "/api/open/v1/avatar"
PICTURES: Final = "/avatars"

DEFAULT_PROVIDER: Final = "openai"
"""The name for which clients offer camera and tools; an avatar with another one keeps it."""

_CORS: Final = {"access-control-allow-origin": "*"}
_PREFLIGHT: Final = {
    **_CORS,
    "access-control-allow-methods": "GET, HEAD, OPTIONS",
    "access-control-allow-headers": "license, content-type, authorization",
    "access-control-max-age": "86400",
}
# A picture is what its file's name says, whatever the address ends in.
_MEDIA_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
_PICTURE_AGE: Final = "public, max-age=3600"

# A host with an optional port; whatever else a Host header holds does not get into an answer.
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


class PersonaEntry(Protocol):
    """What the look-ups tell of who an avatar is. The prompt is not among it."""

    @property
    def voice(self) -> str: ...
    @property
    def greeting(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def provider_name(self) -> str: ...


class AvatarEntry(Protocol):
    """What the look-ups tell of an avatar."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def persona(self) -> PersonaEntry: ...
    @property
    def poster(self) -> Path | None: ...
    @property
    def thumbnail(self) -> Path | None: ...


class AvatarDirectory(Protocol):
    """Who can be called."""

    def get(self, id: str) -> AvatarEntry | None:
        """The avatar with this id."""
        ...

    def find(self, name: str) -> Sequence[AvatarEntry]:
        """All avatars of this name, the most recently updated first."""
        ...

    def all(self) -> Sequence[AvatarEntry]:
        """All avatars."""
        ...


class Access(Protocol):
    """What a license, or a client token, lets its holder see."""

    def may_see(self, avatar_id: str) -> bool:
        """Whether there is an avatar with this id, as far as the holder is concerned."""
        ...


class LicenseCheck(Protocol):
    """Who may ask."""

    def authorize(self, key: str) -> Access | None:
        """What belongs to the license key or client token; None for one that is not known."""
        ...

    def guessed(self, key: str) -> bool:
        """Whether a key that was not authorized may be a guess."""
        ...


def rest_router(
    settings: NavtalkSettings,
    directory: AvatarDirectory,
    licenses: LicenseCheck,
    attempts: AttemptLimits | None = None,
) -> APIRouter:
    """``/api/open/v1/avatar/{detail,getByName,list}`` and ``/avatars/{id}/{poster,thumbnail}.jpg``.

    The look-ups take the license or token from the header or the query, answer ``{code, message, data}`` with the code
    also as HTTP status, and allow every origin. Wrong licenses count towards ``attempts``; None: nobody counts. The
    pictures are public, as pages show them without a license.
    """
    router = APIRouter()

    def admitted(request: Request) -> Access | JSONResponse:
        """What the asker may see, or the answer that refuses it."""
        query, address = request.query_params, request.client.host if request.client else ""
        key = request.headers.get("license") or query.get("license") or query.get("token") or ""
        try:
            if attempts is not None:
                attempts.check(address)
        except RateLimited as limited:
            answer = _answer(HTTPStatus.TOO_MANY_REQUESTS, limited.message)
            answer.headers["retry-after"] = str(limited.retry_after)
            return answer
        access = licenses.authorize(key)
        if access is None:
            if attempts is not None and licenses.guessed(key):
                attempts.failed(address)
            return _answer(HTTPStatus.UNAUTHORIZED, "The license key is missing or not valid.")
        return access

    def told(request: Request, avatar: AvatarEntry) -> dict[str, Any]:
        own = avatar.persona.provider_name
        provider = settings.provider_name if own == DEFAULT_PROVIDER else own
        return avatar_data(avatar, _base(request, settings.public_url), provider)

    @router.get(LOOK_UPS + "/detail")
    async def detail(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        if isinstance(access := admitted(request), JSONResponse):
            return access
        avatar = directory.get(request.query_params.get("avatarId", ""))
        if avatar is None or not access.may_see(avatar.id):
            return _answer(HTTPStatus.NOT_FOUND, "There is no avatar with this avatarId.")
        return _answer(HTTPStatus.OK, "SUCCESS", told(request, avatar))

    @router.get(LOOK_UPS + "/getByName")
    async def get_by_name(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        if isinstance(access := admitted(request), JSONResponse):
            return access
        named = directory.find(request.query_params.get("name", ""))
        found = [avatar for avatar in named if access.may_see(avatar.id)]
        if not found:
            return _answer(HTTPStatus.NOT_FOUND, "There is no avatar with this name.")
        return _answer(HTTPStatus.OK, "SUCCESS", told(request, found[0]))

    @router.get(LOOK_UPS + "/list")
    async def list_all(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        if isinstance(access := admitted(request), JSONResponse):
            return access
        seen = [avatar for avatar in directory.all() if access.may_see(avatar.id)]
        return _answer(HTTPStatus.OK, "SUCCESS", [told(request, avatar) for avatar in seen])

    @router.options(LOOK_UPS + "/{call}")
    async def preflight(call: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(status_code=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)

    @router.api_route(PICTURES + "/{avatar_id}/{picture}.jpg", methods=["GET", "HEAD"])
    async def picture(request: Request, avatar_id: str, picture: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        avatar = directory.get(avatar_id)
        path = (
            {"poster": avatar.poster, "thumbnail": avatar.thumbnail or avatar.poster}.get(picture) if avatar else None
        )
        try:
            found = await run_in_threadpool(path.stat) if path else None
        except FileNotFoundError:
            found = None
        if path is None or found is None:
            return _answer(HTTPStatus.NOT_FOUND, "There is no such picture.")
        return _picture(request, path, found)

    return router


def avatar_data(avatar: AvatarEntry, base: str, provider_name: str) -> dict[str, Any]:
    """An avatar as the look-ups tell it; ``base``: the server's address without a slash at the end."""
    folder = f"{base}{PICTURES}/{quote(avatar.id, safe='')}"
    return {
        "id": avatar.id,
        "avatarId": avatar.id,
        "name": avatar.name,
        "url": f"{folder}/poster.jpg",
        "thumbnailUrl": f"{folder}/thumbnail.jpg",
        "providerId": provider_name,
        "providerName": provider_name,
        "model": avatar.persona.model,
        "voice": avatar.persona.voice,
        "firstMessage": unmarked(avatar.persona.greeting),
        # No film: where this holds something, the WordPress plugin takes ``url`` for an MP4.
        "videoFile": None,
        "status": "SUCCESS",
    }


def _answer(status: HTTPStatus, message: str, data: Any = None) -> JSONResponse:
    headers = {**_CORS, "cache-control": "no-store"}
    return JSONResponse({"code": status.value, "message": message, "data": data}, status, headers)


def _base(request: Request, public_url: str | None) -> str:
    """The server's address as the client sees it: as configured, as a proxy tells it, or as the request says."""
    if public_url:
        return public_url.rstrip("/")
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme).partition(",")[0].strip()
    host = request.headers.get("x-forwarded-host", request.headers.get("host", "")).partition(",")[0].strip()
    if scheme not in ("http", "https"):
        scheme = "http"
    if not _HOST.fullmatch(host):
        address = request.scope.get("server") or ("localhost", None)
        host = f"{address[0]}:{address[1]}"
    return f"{scheme}://{host}"


def _picture(request: Request, path: Path, found: os.stat_result) -> Response:
    """The file, or 304 when the client has it already (RFC 9110, If-None-Match)."""
    tag = f'"{found.st_mtime_ns:x}-{found.st_size:x}"'
    headers = {**_CORS, "cache-control": _PICTURE_AGE, "etag": tag, "cross-origin-resource-policy": "cross-origin"}
    known = [value.strip().removeprefix("W/") for value in request.headers.get("if-none-match", "").split(",")]
    if tag in known or "*" in known:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return FileResponse(path, headers=headers, stat_result=found, media_type=_MEDIA_TYPES.get(path.suffix.lower()))
