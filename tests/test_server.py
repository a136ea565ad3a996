"""The application's beginning and end: whatever fails, the rest is still closed."""

import asyncio
from pathlib import Path

import httpx
import pytest
import structlog
from pydantic import SecretStr

from visavis.avatar.catalogue import Catalogue
from visavis.config import AvatarSettings, LicenseSettings, Settings
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


@pytest.mark.parametrize("uploads", [True, False])
async def test_avatars_are_made_only_where_it_is_allowed(
    closed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uploads: bool
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    avatars = AvatarSettings(uploads=uploads)
    settings = Settings(avatars=avatars, licenses=(LicenseSettings(key=SecretStr("sk_1")),))
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    headers = {"authorization": "Bearer sk_1"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as http,
    ):
        new = {"name": "Ana", "consent": "I am Ana."}
        statuses = [(await http.get("/avatars/new")).status_code, (await http.get("/v1/portraits")).status_code]
        assert statuses == ([200, 200] if uploads else [404, 404])
        assert (await http.post("/v1/portraits", json=new)).status_code == (201 if uploads else 404)
        assert drafts(tmp_path) == uploads
    # Nothing is left of what was not saved.
    assert drafts(tmp_path) == 0


def drafts(data: Path) -> int:
    """How many lie in the user's data folder."""
    return len(list(data.glob("visavis/avatars/.portraits/*/draft-*")))


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
