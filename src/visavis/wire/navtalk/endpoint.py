"""The unified WebSocket of NavTalk's v2 API, with the look-ups that its clients make before a call."""

import asyncio
from typing import Final

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from starlette.datastructures import QueryParams
from starlette.websockets import WebSocket

from visavis.session.events import Refusal, RefusalKind
from visavis.session.ports import CallRequest, Reception
from visavis.session.rate import AttemptLimits
from visavis.wire.navtalk.connection import Connection
from visavis.wire.navtalk.metrics import WireMetrics
from visavis.wire.navtalk.rest import AvatarDirectory, LicenseCheck, rest_router
from visavis.wire.navtalk.settings import NavtalkSettings
from visavis.wire.navtalk.view import view_request

PATH: Final = "/wss/v2/realtime-chat"

_THREADS: Final = 2
"""Large messages and pictures that are decoded at a time, for all clients."""


def navtalk_router(
    reception: Reception,
    settings: NavtalkSettings,
    directory: AvatarDirectory,
    licenses: LicenseCheck,
    registry: CollectorRegistry,
    attempts: AttemptLimits | None = None,
) -> APIRouter:
    """All that NavTalk clients need: the WebSocket at ``PATH``, the avatar look-ups, and the avatars' pictures.

    Metrics go to ``registry``; wrong licenses in look-ups count towards ``attempts``, if there are any. uvicorn needs
    ``uvicorn_options(settings)``, and logs need ``redact_logs()``.
    """
    router = APIRouter()
    metrics = WireMetrics(registry)
    threads = asyncio.Semaphore(_THREADS)

    @router.websocket(PATH)
    @router.websocket(PATH + "/")
    async def realtime_chat(socket: WebSocket) -> None:  # pyright: ignore[reportUnusedFunction]
        connection = Connection(socket, reception, settings, metrics, threads, states=wants_states(socket))
        try:
            request = call_request(socket)
        except Refusal as refusal:
            await connection.refuse(refusal)
        else:
            await connection.run(request)

    router.include_router(rest_router(settings, directory, licenses, attempts))
    return router


def call_request(socket: WebSocket) -> CallRequest:
    """What the client's URL asks for. Other parameters than these are passed over.

    Raises ``Refusal`` for a picture that nobody could paint.
    """
    query = socket.query_params
    try:
        view = view_request(*(_first(query, name) for name in ("size", "background", "transparent")))
    except ValueError as error:
        raise Refusal(RefusalKind.BAD_REQUEST, str(error)) from None
    return CallRequest(
        license=_first(query, "license", "token") or "",
        avatar_id=_first(query, "avatarId"),
        name=_first(query, "name", "character"),
        model=_first(query, "model"),
        voice=_first(query, "voice"),
        prompt=_first(query, "instructions", "prompt"),
        origin=socket.headers.get("origin"),
        address=socket.client.host if socket.client else "",
        resumable=wants_states(socket),
        resume=_first(query, "resume"),
        view=view,
    )


def wants_states(socket: WebSocket) -> bool:
    """Whether the client asks to be told its session's states, which clients written for NavTalk do not know."""
    return _first(socket.query_params, "states") in ("1", "true")


def _first(query: QueryParams, *names: str) -> str | None:
    return next((value for name in names if (value := query.get(name))), None)
