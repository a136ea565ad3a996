"""``/v1/sessions``: whose records are told to whom, and in which form."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from visavis.session.events import Ending, SessionState
from visavis.session.license import License, Licenses
from visavis.session.rate import AttemptLimits
from visavis.session.records import Counts, SessionRecord, StateEntry, StoreError
from visavis.session.tokens import TokenRequest
from visavis.store.store import Store, open_store
from visavis.store.writer import StoreWriter
from visavis.wire.v1.sessions import sessions_router

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINE = License("sk_mine", "shop")
OTHER = License("sk_other")
LICENSES = Licenses([MINE, OTHER])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'visavis.db'}") as store:
        yield store


async def nothing_waits() -> None:
    pass


def client(
    records: Any,
    key: str | None = MINE.key,
    failures: int = 0,
    flush: Callable[[], Awaitable[None]] = nothing_waits,
) -> httpx.AsyncClient:
    app = FastAPI()
    app.include_router(sessions_router(records, flush, LICENSES, AttemptLimits(0, failures)))
    headers = {"authorization": f"Bearer {key}"} if key is not None else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server", headers=headers)


def record(id: str, minute: int = 0, license: License = MINE, **changes: Any) -> SessionRecord:
    start = NOON + timedelta(minutes=minute)
    values: dict[str, Any] = {"ended_at": start + timedelta(seconds=30), "ending": Ending.NORMAL, **changes}
    return SessionRecord(id=id, avatar_id="vera", license_id=license.id, started_at=start, **values)


async def test_a_session_with_all_that_is_known_of_it(store: Store) -> None:
    await store.records.save(
        record(
            "s-1",
            license_name="shop",
            model="small",
            origin="https://shop.example",
            states=(
                StateEntry(SessionState.PREPARING, NOON),
                StateEntry(SessionState.CONNECTED, NOON + timedelta(milliseconds=1500)),
            ),
            ending=Ending.CONVERSATION_ENDED,
            message="The conversation is over.",
            resumptions=1,
            counts=Counts(5, 4, 3, 2, 1),
            connect_seconds=1.25,
            answer_seconds=tuple(number / 10 for number in range(20, 0, -1)),
        )
    )
    async with client(store.records) as http:
        answer = await http.get("/v1/sessions/s-1")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "id": "s-1",
        "status": "ended",
        "avatarId": "vera",
        "licenseId": MINE.id,
        "licenseName": "shop",
        "model": "small",
        "origin": "https://shop.example",
        "startedAt": "2026-03-01T12:00:00.000000Z",
        "endedAt": "2026-03-01T12:00:30.000000Z",
        "ending": "conversation_ended",
        "message": "The conversation is over.",
        "resumptions": 1,
        "states": [
            {"state": "preparing", "at": "2026-03-01T12:00:00.000000Z"},
            {"state": "connected", "at": "2026-03-01T12:00:01.500000Z"},
        ],
        "counts": {"userTurns": 5, "answers": 4, "interruptions": 3, "toolCalls": 2, "failures": 1},
        "connectSeconds": 1.25,
        "answerSeconds": {"count": 20, "p50": 1.0, "p95": 1.9},
    }


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"ended_at": None, "ending": None}, "running"), ({"ending": None}, "lost"), ({}, "ended")],
)
async def test_running_lost_and_ended(store: Store, changes: dict[str, Any], status: str) -> None:
    await store.records.save(record("s-1", **changes))
    async with client(store.records) as http:
        told = (await http.get("/v1/sessions/s-1")).json()
    assert told["status"] == status
    assert (told["endedAt"] is None) == (status == "running")
    assert told["answerSeconds"] == {"count": 0, "p50": None, "p95": None}


async def test_another_licenses_session_is_as_none(store: Store) -> None:
    await store.records.save(record("s-1"))
    async with client(store.records, OTHER.key) as http:
        theirs, none = await http.get("/v1/sessions/s-1"), await http.get("/v1/sessions/s-2")
        assert (await http.get("/v1/sessions")).json() == {"sessions": [], "next": None}
    assert theirs.status_code == 404
    assert theirs.json() == none.json()
    assert theirs.json()["code"] == "unknown_session"


@pytest.mark.parametrize("path", ["/v1/sessions/s-1", "/v1/sessions"])
async def test_without_the_license_key_nothing_is_told(store: Store, path: str) -> None:
    await store.records.save(record("s-1"))
    token = LICENSES.issue(MINE, TokenRequest()).token
    for key in (None, "", "sk_guess", token):
        async with client(store.records, key) as http:
            answer = await http.get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_license")


async def test_the_key_may_be_in_the_license_header(store: Store) -> None:
    async with client(store.records, None) as http:
        assert (await http.get("/v1/sessions", headers={"license": MINE.key})).status_code == 200


async def test_guessing_is_slowed_down(store: Store) -> None:
    async with client(store.records, "sk_guess", failures=2) as http:
        assert [(await http.get("/v1/sessions")).status_code for _ in range(3)] == [401, 401, 429]


async def test_the_list_goes_on_where_it_stopped(store: Store) -> None:
    for minute in range(5):
        await store.records.save(record(f"s-{minute}", minute))
        await store.records.save(record(f"t-{minute}", minute, OTHER))
    seen: list[str] = []
    asked: dict[str, Any] = {"limit": 2}
    async with client(store.records) as http:
        for _ in range(3):
            page = (await http.get("/v1/sessions", params=asked)).json()
            seen += [session["id"] for session in page["sessions"]]
            asked["before"] = page["next"]
    assert seen == ["s-4", "s-3", "s-2", "s-1", "s-0"]
    assert page["next"] is None


@pytest.mark.parametrize(
    "asked",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "-1"},
        {"limit": "٣"},
        {"limit": "9" * 5000},
        {"limit": ""},
        {"before": "yesterday"},
        {"before": "2026-03-01T12:00:00"},
        {"before": "0001-01-01T00:00:00+14:00"},
        {"before": "9999-12-31T23:59:59-12:00"},
        {"before": ""},
    ],
)
async def test_what_cannot_be_meant_is_refused(store: Store, asked: dict[str, str]) -> None:
    async with client(store.records) as http:
        answer = await http.get("/v1/sessions", params=asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")
    assert next(iter(asked)) in answer.json()["message"]


async def test_a_broken_store_is_told_without_its_reasons() -> None:
    class Broken:
        async def find(self, session_id: str) -> None:
            raise StoreError("the database /srv/secret.db failed")

        async def latest(self, *args: Any, **kwargs: Any) -> None:
            await self.find("")

    async with client(Broken()) as http:
        for path in ("/v1/sessions/s-1", "/v1/sessions"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
            assert "secret" not in answer.text


async def test_what_has_just_begun_is_found_and_a_store_that_hangs_is_not_waited_for(store: Store) -> None:
    writer = StoreWriter(store, delay=60)
    writer.start()
    writer.save_record(record("s-1"))
    async with client(store.records, flush=writer.flush) as asking:
        assert (await asking.get("/v1/sessions/s-1")).status_code == 200
    await writer.close()

    async def hangs() -> None:
        await asyncio.Event().wait()

    async with client(store.records, flush=hangs) as asking, asyncio.timeout(10):
        assert (await asking.get("/v1/sessions/s-1")).status_code == 200
