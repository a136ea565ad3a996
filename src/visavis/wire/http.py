"""What watches a server: ``/healthz`` and ``/metrics``."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class Health:
    """How the server is: ``sessions`` running, of ``slots`` there can be, and ``waiting`` for one."""

    status: Literal["ok", "starting", "stopping", "failing"]
    sessions: int
    waiting: int
    slots: int


def monitoring_router(health: Callable[[], Health], registry: CollectorRegistry) -> APIRouter:
    """``/healthz`` (JSON; 503 unless the status is ok) and ``/metrics`` (Prometheus' text form of ``registry``)."""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> Response:  # pyright: ignore[reportUnusedFunction]
        now = health()
        status = HTTPStatus.OK if now.status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse(asdict(now), status, {"cache-control": "no-store"})

    @router.get("/metrics")
    async def metrics() -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
