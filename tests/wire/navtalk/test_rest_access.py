"""What a client token may look up, and how often a wrong license may be tried."""

import httpx
import pytest
from fastapi import FastAPI

from tests.wire.house import Directory, Entry
from visavis.session.license import License, Licenses
from visavis.session.rate import AttemptLimits
from visavis.session.tokens import TokenRequest
from visavis.wire.navtalk.rest import rest_router
from visavis.wire.navtalk.settings import NavtalkSettings

SK = License("sk_rest")
LOOK_UPS = "/api/open/v1/avatar"


class Now:
    seconds = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def licenses(now: Now) -> Licenses:
    return Licenses([SK], clock=now)


@pytest.fixture
def client(licenses: Licenses, now: Now) -> httpx.AsyncClient:
    entries = [Entry("mira-1", "Mira", updated=1), Entry("mira-2", "Mira", updated=2), Entry("vera", "Vera")]
    app = FastAPI()
    limits = AttemptLimits(100, 3, clock=now)
    app.include_router(rest_router(NavtalkSettings(), Directory(entries), licenses, limits))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")


@pytest.mark.parametrize("place", ["license header", "license", "token"])
async def test_a_bound_token_sees_its_avatar_alone(client: httpx.AsyncClient, licenses: Licenses, place: str) -> None:
    token = licenses.issue(SK, TokenRequest("mira-1")).token

    async def ask(call: str, **query: str) -> httpx.Response:
        if place == "license header":
            return await client.get(f"{LOOK_UPS}/{call}", params=query, headers={"license": token})
        return await client.get(f"{LOOK_UPS}/{call}", params={**query, place: token})

    assert (await ask("detail", avatarId="mira-1")).json()["data"]["id"] == "mira-1"
    assert (await ask("detail", avatarId="vera")).status_code == 404
    # The other Mira is newer, but not there for this token.
    assert (await ask("getByName", name="Mira")).json()["data"]["id"] == "mira-1"
    assert (await ask("getByName", name="Vera")).status_code == 404
    assert [avatar["id"] for avatar in (await ask("list")).json()["data"]] == ["mira-1"]


async def test_a_free_token_sees_what_its_license_sees_until_it_expires(
    client: httpx.AsyncClient, licenses: Licenses, now: Now
) -> None:
    token = licenses.issue(SK, TokenRequest(lifetime=60)).token
    answers = [
        (await client.get(f"{LOOK_UPS}/list", headers={"license": key})).json()["data"] for key in (token, SK.key)
    ]
    assert len(answers[0]) == 3
    assert answers[0] == answers[1]
    now.seconds += 60
    assert (await client.get(f"{LOOK_UPS}/list", headers={"license": token})).status_code == 401


async def test_wrong_licenses_have_to_wait(client: httpx.AsyncClient, now: Now) -> None:
    async def ask(key: str) -> httpx.Response:
        return await client.get(f"{LOOK_UPS}/list", headers={"license": key} if key else {})

    # A page that has no license yet guesses nothing.
    assert [(await ask("")).status_code for _ in range(9)] == [401] * 9
    assert [(await ask("wrong")).status_code for _ in range(4)] == [401, 401, 401, 429]
    limited = await ask(SK.key)
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "20")
    assert limited.headers["access-control-allow-origin"] == "*"
    assert (limited.json()["code"], limited.json()["data"]) == (429, None)
    now.seconds += 20
    assert (await ask(SK.key)).status_code == 200
