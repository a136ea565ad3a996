"""The application's beginning and end: whatever fails, the rest is still closed."""

import asyncio

import pytest
import structlog

from visavis.avatar.catalogue import Catalogue
from visavis.config import Settings
from visavis.providers import Providers
from visavis.server import create_app
from visavis.session.reception import FrontDesk


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was closed, in order. Providers start nothing; everything else is real."""
    done: list[str] = []

    async def start(self: Providers) -> None: ...

    async def close_providers(self: Providers) -> None:
        done.append("providers")

    async def close_desk(self: FrontDesk) -> None:
        done.append("sessions")
        raise RuntimeError("a fault")

    async def watch(self: Catalogue) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            done.append("catalogue")

    monkeypatch.setattr(Providers, "start", start)
    monkeypatch.setattr(Providers, "prepare", lambda self, avatars: None)
    monkeypatch.setattr(Providers, "close", close_providers)
    monkeypatch.setattr(FrontDesk, "close", close_desk)
    monkeypatch.setattr(Catalogue, "watch", watch)
    return done


async def test_what_fails_to_close_keeps_nothing_else_open(closed: list[str]) -> None:
    before = asyncio.all_tasks()
    app = create_app(Settings())
    with structlog.testing.capture_logs() as entries:
        async with app.router.lifespan_context(app):
            await asyncio.sleep(0)
    assert closed == ["sessions", "catalogue", "providers"]
    assert [entry["part"] for entry in entries if entry["event"] == "closing failed"] == ["sessions"]
    assert asyncio.all_tasks() == before


async def test_what_was_begun_is_closed_when_a_part_cannot_start(
    closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start(self: Providers) -> None:
        await asyncio.sleep(0)
        raise LookupError("no voice")

    monkeypatch.setattr(Providers, "start", start)
    before = asyncio.all_tasks()
    app = create_app(Settings())
    with pytest.raises(LookupError, match="no voice"):
        async with app.router.lifespan_context(app):
            pytest.fail("it must not begin")
    assert closed == ["sessions", "catalogue", "providers"]
    assert asyncio.all_tasks() == before
