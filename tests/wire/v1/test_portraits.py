"""``/v1/portraits``: who may make avatars, what is answered, and what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.portraits.house import PLACES, UNSURE, House
from visavis.avatar.photo.consent import STATEMENT
from visavis.avatar.photo.image import MAX_BYTES
from visavis.portraits.draft import Fault
from visavis.session.license import License, Licenses
from visavis.session.rate import AttemptLimits
from visavis.session.tokens import TokenRequest
from visavis.wire.v1.portraits import portraits_router
from visavis.wire.v1.portraits_access import PortraitAccess

OURS, THEIRS = License("sk_ours"), License("sk_theirs")
LICENSES = Licenses([OURS, THEIRS])
NEW = {"name": "Ana", "consent": STATEMENT}
PHOTO = b"a photo"


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "avatars")
    house.maker.gate.set()
    await house.workshop.open()
    yield house
    await house.workshop.close()


def client(
    house: House,
    key: str | None = OURS.key,
    *,
    free: bool = False,
    failures: int = 0,
    base: str = "http://127.0.0.1:8000",
    public_url: str | None = None,
    address: str = "127.0.0.1",
    **headers: str,
) -> httpx.AsyncClient:
    app = FastAPI()
    access = PortraitAccess(LICENSES, AttemptLimits(0, failures), free=free, public_url=public_url)
    app.include_router(portraits_router(house.workshop, access, lambda id: f"token for {id}", lambda: True))
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if key is not None:
        sent["authorization"] = f"Bearer {key}"
    transport = httpx.ASGITransport(app, client=(address, 50_000))
    return httpx.AsyncClient(transport=transport, base_url=base, headers=sent)


async def begin(http: httpx.AsyncClient, **changes: Any) -> str:
    answer = await http.post("/v1/portraits", json=NEW | changes)
    assert answer.status_code == 201, answer.text
    return f"/v1/portraits/{answer.json()['id']}"


async def settled(http: httpx.AsyncClient, path: str) -> dict[str, Any]:
    """The draft, once nothing is done with it any more."""
    async with asyncio.timeout(20):
        while True:
            draft = (await http.get(path)).json()
            if draft["state"] not in ("waiting", "building"):
                return draft
            await asyncio.sleep(0.01)


def told(answer: httpx.Response) -> tuple[int, str]:
    body = answer.json()
    assert set(body) == {"code", "message"}
    assert body["message"].endswith(".")
    assert answer.headers["cache-control"] == "no-store"
    return answer.status_code, body["code"]


async def test_from_the_offer_to_the_avatar(house: House) -> None:
    async with client(house) as http:
        offer = (await http.get("/v1/portraits")).json()
        assert offer["statement"] == STATEMENT
        assert offer["maxBytes"] == MAX_BYTES
        assert offer["findsFaces"] is True
        assert [voice["name"] for voice in offer["voices"]] == ["eve", "adam"]
        stages = [stage["name"] for stage in offer["stages"]]
        assert (stages[0], stages[-2:]) == ("reading", ["keeping", "film"])
        draft = await begin(http, voice="adam")
        answer = await http.put(f"{draft}/photo", content=PHOTO)
        assert (answer.status_code, answer.json()["state"]) == (202, "waiting")
        ready = await settled(http, draft)
        assert ready == {
            "id": draft.rpartition("/")[2],
            "name": "Ana",
            "voice": "adam",
            "state": "ready",
            "ahead": 0,
            "stage": "face",
            "share": 0.3,
            "error": None,
            "face": {
                "width": 320,
                "height": 400,
                "points": {name: list(place) for name, place in PLACES.items()},
                "confidence": dict.fromkeys(PLACES, 1.0),
                "sure": True,
                "glasses": False,
            },
            "built": True,
            "film": True,
            "warnings": ["it is a script"],
        }
        for picture, kind in (("photo", "image/jpeg"), ("poster", "image/jpeg"), ("film", "video/webm")):
            answer = await http.get(f"{draft}/{picture}")
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
            assert answer.headers["cache-control"] == "no-store"
        saved = await http.post(f"{draft}/save")
        assert (saved.status_code, saved.json()) == (201, {"avatarId": "ana", "name": "Ana"})
        assert told(await http.get(draft)) == (404, "unknown_draft")
    assert house.catalogue.get("ana") is not None


async def test_points_voice_and_glasses_may_be_changed(house: House) -> None:
    house.maker.events = [UNSURE]
    async with client(house) as http:
        draft = await begin(http)
        await http.put(f"{draft}/photo", content=PHOTO)
        asked = await settled(http, draft)
        assert (asked["state"], asked["face"]["sure"]) == ("points", False)
        points = {name: [x + 1, y] for name, (x, y) in PLACES.items()}
        answer = await http.patch(draft, json={"points": points, "glasses": True, "voice": "adam"})
        assert answer.status_code == 202
        assert (await settled(http, draft))["face"]["glasses"] is True
    order = house.maker.orders[-1]
    assert order.wish.points == {name: (x + 1, y) for name, (x, y) in PLACES.items()}
    assert (order.wish.glasses, order.voice) == (True, "adam")


async def test_a_refused_photo_says_what_to_do(house: House) -> None:
    house.maker.events = [Fault("no_face", "no face was found; take a photo from the front, in good light")]
    async with client(house) as http:
        draft = await begin(http)
        await http.put(f"{draft}/photo", content=PHOTO)
        refused = await settled(http, draft)
    assert refused["state"] == "empty"
    assert refused["error"] == {
        "code": "no_face",
        "message": "no face was found; take a photo from the front, in good light",
    }


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"name": "Ana"}, 400, "no_consent"),
        ({"name": "Ana", "consent": " "}, 400, "no_consent"),
        ({"name": " ", "consent": "yes"}, 400, "name_invalid"),
        ({"name": "Vera", "consent": "yes"}, 409, "name_taken"),
        ({"name": "Ana", "consent": "yes", "voice": "Darth"}, 400, "voice_invalid"),
        ({"consent": "yes"}, 400, "bad_request"),
        ({"name": 1, "consent": "yes"}, 400, "bad_request"),
        ({"name": "Ana", "consent": "yes", "owner": "x"}, 400, "bad_request"),
        ([], 400, "bad_request"),
    ],
)
async def test_beginnings_that_are_refused(house: House, body: Any, status: int, code: str) -> None:
    async with client(house) as http:
        assert told(await http.post("/v1/portraits", json=body)) == (status, code)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name": "' + bytes(70_000)])
async def test_bodies_that_are_no_json(house: House, body: bytes) -> None:
    async with client(house) as http:
        assert told(await http.post("/v1/portraits", content=body)) == (400, "bad_request")


@pytest.mark.parametrize(
    "change",
    [
        {"points": {"chin": [1]}},
        {"points": {"chin": [1, "2"]}},
        {"points": {"chin": [1, 1e400]}},
        {"points": {"chin": [-1, 2]}},
        {"points": {f"point{n}": [1, 1] for n in range(65)}},
        {"points": "all"},
        {"glasses": "yes"},
        {"name": "Ben"},
    ],
)
async def test_changes_that_make_no_sense(house: House, change: Any) -> None:
    async with client(house) as http:
        draft = await begin(http)
        assert told(await http.patch(draft, content=json.dumps(change)))[0] == 400
        assert (await http.get(draft)).json()["state"] == "empty"


async def test_what_comes_too_early(house: House) -> None:
    async with client(house) as http:
        draft = await begin(http)
        assert told(await http.patch(draft, json={"points": {"chin": [1, 1]}})) == (409, "no_photo")
        assert told(await http.post(f"{draft}/save")) == (409, "not_ready")
        for picture in ("photo", "poster", "film", "avatar.toml", "upright.jpg"):
            assert told(await http.get(f"{draft}/{picture}")) == (404, "no_picture")
        house.maker.gate.clear()
        await http.put(f"{draft}/photo", content=PHOTO)
        assert told(await http.put(f"{draft}/photo", content=PHOTO)) == (409, "busy_draft")
        assert told(await http.patch(draft, json={"glasses": True})) == (409, "busy_draft")


async def test_who_waits_is_told_how_many_are_before(house: House) -> None:
    house.maker.gate.clear()
    async with client(house) as http:
        drafts = [await begin(http, name=name) for name in ("Ana", "Ben", "Cleo")]
        for draft in drafts:
            await http.put(f"{draft}/photo", content=PHOTO)
        await asyncio.sleep(0.05)
        assert [(await http.get(draft)).json()["ahead"] for draft in drafts] == [0, 1, 2]
        answer = await http.post("/v1/portraits", json=NEW | {"name": "Dan"})
        assert told(answer) == (503, "busy")
        assert int(answer.headers["retry-after"]) > 0
        assert (await http.delete(drafts[1])).status_code == 204
        assert told(await http.get(drafts[1])) == (404, "unknown_draft")
        assert (await http.get(drafts[2])).json()["ahead"] == 1


async def test_photos_that_are_too_large(house: House) -> None:
    async with client(house) as http:
        draft = await begin(http)
        announced = {"content-length": str(MAX_BYTES + 1)}
        assert told(await http.put(f"{draft}/photo", content=PHOTO, headers=announced)) == (413, "too_large")
        answer = await http.put(f"{draft}/photo", content=b"")
        assert told(answer) == (400, "not_an_image")
        # httpx's transport for tests reads all of a body first: a large one is sent as one.
        answer = await http.put(f"{draft}/photo", content=bytes(MAX_BYTES + 1), headers={"content-length": "7"})
        assert told(answer) == (413, "too_large")
        assert (await http.get(draft)).json()["state"] == "empty"


async def test_a_license_is_needed(house: House) -> None:
    token = LICENSES.issue(OURS, TokenRequest()).token
    for key in (None, "sk_wrong", token):
        async with client(house, key) as http:
            for method, path in (
                ("GET", ""),
                ("POST", ""),
                ("GET", "/x"),
                ("PUT", "/x/photo"),
                ("PATCH", "/x"),
                ("GET", "/x/film"),
                ("POST", "/x/save"),
                ("DELETE", "/x"),
            ):
                answer = await http.request(method, f"/v1/portraits{path}")
                assert told(answer) == (401, "invalid_license")
                assert answer.headers["www-authenticate"] == "Bearer"


async def test_wrong_licenses_are_counted(house: House) -> None:
    async with client(house, "sk_wrong", failures=2) as http:
        for _ in range(2):
            assert told(await http.get("/v1/portraits")) == (401, "invalid_license")
        assert told(await http.get("/v1/portraits")) == (429, "rate_limited")


async def test_a_draft_of_another_license_is_none(house: House) -> None:
    async with client(house) as ours, client(house, THEIRS.key) as theirs:
        draft = await begin(ours)
        for answer in (await theirs.get(draft), await theirs.delete(draft), await theirs.post(f"{draft}/save")):
            assert told(answer) == (404, "unknown_draft")
        assert (await ours.get(draft)).status_code == 200


async def test_a_server_for_this_machine_alone_asks_for_none(house: House) -> None:
    async with client(house, None, free=True) as http:
        draft = await begin(http)
        await http.put(f"{draft}/photo", content=PHOTO)
        await settled(http, draft)
        saved = (await http.post(f"{draft}/save")).json()
    assert saved == {"avatarId": "ana", "name": "Ana", "token": "token for ana"}


@pytest.mark.parametrize(
    ("base", "allowed"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://localhost:8000", True),
        ("http://[::1]:8000", True),
        ("http://rebound.example:8000", False),
        ("http://127.0.0.1.rebound.example", False),
        ("http://192.0.2.1", False),
    ],
)
async def test_but_only_by_a_name_of_its_own(house: House, base: str, allowed: bool) -> None:
    async with client(house, None, free=True, base=base) as http:
        answer = await http.get("/v1/portraits")
        assert (answer.status_code == 200) is allowed
        if not allowed:
            assert told(answer) == (401, "invalid_license")


@pytest.mark.parametrize(("address", "allowed"), [("127.0.0.2", True), ("::1", True), ("192.0.2.7", False)])
async def test_who_comes_by_a_proxy_on_this_machine_needs_one(house: House, address: str, allowed: bool) -> None:
    async with client(house, None, free=True, address=address) as http:
        answer = await http.get("/v1/portraits")
        assert (answer.status_code == 200) is allowed
        if not allowed:
            assert told(answer) == (401, "invalid_license")


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://127.0.0.1:8000", True),
        ("https://talk.example.org", True),
        ("https://talk.example.org:8443", False),
        ("http://127.0.0.1:8001", False),
        ("https://elsewhere.example", False),
        ("null", False),
        ("", False),
        ("http://[", False),
    ],
)
@pytest.mark.parametrize("free", [True, False])
async def test_pages_of_other_origins_are_refused(house: House, free: bool, origin: str, allowed: bool) -> None:
    key = None if free else OURS.key
    async with client(house, key, free=free, public_url="https://talk.example.org/", origin=origin) as http:
        for method in ("GET", "POST"):
            answer = await http.request(method, "/v1/portraits", json=NEW if method == "POST" else None)
            if allowed:
                assert answer.status_code in (200, 201)
            else:
                assert told(answer) == (403, "origin_not_allowed")
            assert not [name for name in answer.headers if name.startswith("access-control-")]
