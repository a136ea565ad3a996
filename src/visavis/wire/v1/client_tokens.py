"""``POST /v1/client-tokens``: a license's holder gets a token that a page may have.

There are no CORS headers: the request carries the license, and licenses belong on servers, not in pages.
"""

import re
from collections.abc import Sequence
from datetime import UTC
from http import HTTPStatus
from typing import Annotated, Any, Final, Protocol

import structlog
from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Licenses
from visavis.session.rate import AttemptLimits
from visavis.session.tokens import TokenRequest
from visavis.wire.v1.access import asking_license, refusal_answer
from visavis.wire.v1.answers import answer, bounded_body

log: Final = structlog.get_logger(__name__)

_LARGEST_BODY: Final = 16 * 1024

# An origin as browsers write it (RFC 6454 §6.2): lower case, the host in ASCII, no default port, no path.
_ORIGIN: Final = re.compile(r"(https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\]))(:\d{1,5})?")
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}

# What pydantic's messages begin with, where ours begin with the field's name.
_PYDANTIC_SUBJECT: Final = re.compile(r"^(?:Value error, |Input |String )")


class Identified(Protocol):
    """An avatar, as far as a token needs it."""

    @property
    def id(self) -> str: ...


class Avatars(Protocol):
    """Whom a token can be bound to."""

    def get(self, id: str) -> Identified | None:
        """The avatar with this id."""
        ...

    def find(self, name: str) -> Sequence[Identified]:
        """All avatars of this name, the most recently updated first."""
        ...


def _origin(value: str) -> str:
    match = _ORIGIN.fullmatch(value.lower())
    if not match:
        raise ValueError("should be a web origin such as https://example.org, without a path")
    host, port = match.groups()
    return host if port in (None, _DEFAULT_PORTS[host.partition(":")[0]]) else f"{host}{port}"


_Seconds = Annotated[float, Field(ge=1, le=604_800, allow_inf_nan=False)]
_Name = Annotated[str, Field(min_length=1, max_length=200)]


class ClientTokenRequest(BaseModel):
    """The body; every field may be missing or null. Times in seconds; ``avatar_id`` goes before ``name``."""

    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)

    avatar_id: _Name | None = None
    name: _Name | None = None
    origin: Annotated[str, AfterValidator(_origin)] | None = None
    lifetime: _Seconds | None = None
    max_sessions: Annotated[int, Field(ge=1, le=100_000)] | None = None
    max_duration: _Seconds | None = None


def client_tokens_router(licenses: Licenses, avatars: Avatars, attempts: AttemptLimits) -> APIRouter:
    """``POST /v1/client-tokens`` with the license in ``Authorization: Bearer KEY`` or ``license: KEY``.

    201 with ``{token, expiresAt}`` and what the token is bound to; else ``{code, message}``: 400 ``bad_request``, 401
    ``invalid_license``, 403 ``origin_not_allowed``, 404 ``unknown_avatar``, 429 ``rate_limited``.
    """
    router = APIRouter()

    @router.post("/v1/client-tokens")
    async def client_tokens(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        try:
            return await _issue(request, licenses, avatars, attempts)
        except Refusal as refusal:
            log.info("client token refused", kind=refusal.kind.value)
            return refusal_answer(refusal)

    return router


async def _issue(request: Request, licenses: Licenses, avatars: Avatars, attempts: AttemptLimits) -> JSONResponse:
    license = asking_license(request, licenses, attempts)
    asked = _parse(await bounded_body(request, _LARGEST_BODY))
    avatar_id = _avatar_id(asked, avatars)
    bound = TokenRequest(avatar_id, asked.origin, asked.lifetime, asked.max_sessions, asked.max_duration)
    issued = licenses.issue(license, bound)
    log.info(
        "client token issued",
        license_name=license.name,
        license_id=license.id,
        token_id=issued.id,
        avatar=avatar_id,
        expires=issued.expires_at.isoformat(timespec="seconds"),
    )
    expires = issued.expires_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    told: dict[str, Any] = {
        "token": issued.token,
        "expiresAt": expires,
        "avatarId": avatar_id,
        "origin": asked.origin,
        "maxSessions": asked.max_sessions,
        "maxDuration": asked.max_duration,
    }
    return answer({name: value for name, value in told.items() if value is not None}, HTTPStatus.CREATED)


def _parse(body: bytes) -> ClientTokenRequest:
    """The body; nothing at all asks for a token that is bound to nothing. Raises ``Refusal``."""
    try:
        return ClientTokenRequest.model_validate_json(body.strip() or b"{}")
    except ValidationError as error:
        problems = [_in_words(problem["type"], problem["loc"], problem["msg"]) for problem in error.errors()]
        raise Refusal(RefusalKind.BAD_REQUEST, " ".join(problems[:8])) from None


def _in_words(kind: str, place: tuple[int | str, ...], message: str) -> str:
    if kind == "json_invalid":
        return "The body is not JSON."
    if not place:
        return "The body should be a JSON object."
    field = str(place[0])[:64]
    if kind == "extra_forbidden":
        fields = ", ".join(str(known.alias) for known in ClientTokenRequest.model_fields.values())
        return f"There is no field {field!r}; the fields are {fields}."
    return f"{field} {_PYDANTIC_SUBJECT.sub('', message)}."


def _avatar_id(asked: ClientTokenRequest, avatars: Avatars) -> str | None:
    """The avatar that the token is to be bound to. Raises ``Refusal``."""
    if asked.avatar_id is not None:
        avatar = avatars.get(asked.avatar_id)
        if avatar is None:
            raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this avatarId.")
        return avatar.id
    if asked.name is None:
        return None
    found = avatars.find(asked.name)
    if not found:
        raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this name.")
    return found[0].id
