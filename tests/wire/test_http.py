"""Health and metrics."""

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from visavis.wire.http import Health, monitoring_router


async def test_health_and_metrics() -> None:
    registry = CollectorRegistry()
    Gauge("house_rooms", "Rooms.", registry=registry).set(7)
    now = Health("ok", 2, 1, 8)
    app = FastAPI()
    app.include_router(monitoring_router(lambda: now, registry))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://house") as client:
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "sessions": 2, "waiting": 1, "slots": 8})
        now = Health("stopping", 1, 0, 8)
        answer = await client.get("/healthz")
        assert (answer.status_code, answer.json()["status"]) == (503, "stopping")
        metrics = await client.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain")
        assert "house_rooms 7.0" in metrics.text
