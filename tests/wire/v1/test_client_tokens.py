"""``POST /v1/client-tokens``: who gets a token, of what, and what is said to everybody else."""

from datetime import datetime
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI

from tests.wire.house import Directory, Entry
from visavis.session.license import Grant, License, Licenses
from visavis.session.rate import AttemptLimits
from visavis.wire.v1.client_tokens import client_tokens_router

KEY = "sk_v1_0a1b2c3d"
LICENSE = License(KEY, "shop", allowed_origins=("https://shop.example", "http://localhost:8080"))
OPEN = License("sk_open")


class Now:
    seconds = 1_700_000_000.25

    def __call__(self) -> float:
        return self.seconds


class Server:
    """The endpoint, and what stands behind it."""

    def __init__(self) -> None:
        self.now = Now()
        self.licenses = Licenses([LICENSE, OPEN], token_lifetime=900, clock=self.now)
        self.limits = AttemptLimits(1, 3, clock=self.now)
        self.directory = Directory([Entry("mira-1", "Mira", updated=1), Entry("mira-2", "Mira", updated=2)])
        self.app = FastAPI()
        self.app.include_router(client_tokens_router(self.licenses, self.directory, self.limits))

    async def ask(
        self, body: Any = None, *, key: str | None = KEY, address: str = "192.0.2.1", **options: Any
    ) -> httpx.Response:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        if body is not None:
            options["json"] = body
        transport = httpx.ASGITransport(self.app, client=(address, 4711))
        async with httpx.AsyncClient(transport=transport, base_url="http://server", headers=headers) as client:
            return await client.post("/v1/client-tokens", **options)


@pytest.fixture
def server() -> Server:
    return Server()


async def test_a_token_of_everything_that_can_be_asked_for(server: Server) -> None:
    answer = await server.ask(
        {
            "avatarId": "mira-1",
            "origin": "https://shop.example",
            "lifetime": 120,
            "maxSessions": 2,
            "maxDuration": 600,
        }
    )
    assert answer.status_code == 201
    told = answer.json()
    token = told.pop("token")
    assert told == {
        "expiresAt": "2023-11-14T22:15:20.250Z",
        "avatarId": "mira-1",
        "origin": "https://shop.example",
        "maxSessions": 2,
        "maxDuration": 600,
    }
    assert datetime.fromisoformat(told["expiresAt"]).timestamp() == server.now.seconds + 120
    grant = server.licenses.authorize(token)
    assert grant is not None
    assert grant == Grant(LICENSE, grant.token_id, "mira-1", "https://shop.example", 2, 600)
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("body", [{}, {"content": b""}, {"content": b" \n"}, {"json": {"avatarId": None}}])
async def test_a_token_of_nothing_special(server: Server, body: dict[str, Any]) -> None:
    answer = await server.ask(**body)
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expiresAt"}
    grant = server.licenses.authorize(answer.json()["token"])
    assert grant is not None
    assert grant == Grant(LICENSE, grant.token_id)


async def test_the_license_header_will_do(server: Server) -> None:
    assert (await server.ask(key=None, headers={"license": KEY})).status_code == 201


async def test_a_name_binds_to_the_avatar_that_has_it_now(server: Server) -> None:
    assert (await server.ask({"name": "Mira"})).json()["avatarId"] == "mira-2"
    assert (await server.ask({"name": "Mira", "avatarId": "mira-1"})).json()["avatarId"] == "mira-1"


@pytest.mark.parametrize(
    ("given", "bound"),
    [
        ("HTTPS://Shop.Example", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
async def test_origins_are_bound_as_browsers_write_them(server: Server, given: str, bound: str) -> None:
    assert (await server.ask({"origin": given})).json()["origin"] == bound


@pytest.mark.parametrize(
    ("body", "status", "code", "said"),
    [
        ({"avatarId": "nobody"}, 404, "unknown_avatar", "avatarId"),
        ({"name": "Nobody"}, 404, "unknown_avatar", "name"),
        ({"origin": "https://other.example"}, 403, "origin_not_allowed", "origin"),
        ({"origin": "https://shop.example/page"}, 400, "bad_request", "origin should be a web origin"),
        ({"origin": "shop.example"}, 400, "bad_request", "origin should be a web origin"),
        ({"lifetime": 901}, 400, "bad_request", "lifetime may be 900 seconds at most."),
        ({"lifetime": 0}, 400, "bad_request", "lifetime should be greater"),
        ({"lifetime": "60"}, 400, "bad_request", "lifetime should be a valid number"),
        ({"maxSessions": 0}, 400, "bad_request", "maxSessions should be greater"),
        ({"maxSessions": True}, 400, "bad_request", "maxSessions should be a valid integer"),
        ({"maxDuration": -1}, 400, "bad_request", "maxDuration should be greater"),
        ({"avatarId": ""}, 400, "bad_request", "avatarId should have at least 1 character"),
        ({"avatar_id": "mira-1"}, 400, "bad_request", "There is no field 'avatar_id'; the fields are avatarId, name"),
        ([], 400, "bad_request", "The body should be a JSON object."),
    ],
)
async def test_what_cannot_be_given_is_named(server: Server, body: Any, status: int, code: str, said: str) -> None:
    answer = await server.ask(body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message"}
    assert said in answer.json()["message"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "The body is not JSON."),
        (b'{"lifetime": NaN}', "lifetime should be a finite number."),
        (b'{"avatarId": "\\ud800"}', "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        (b"[" * 16_000, "The body is not JSON."),
        (b" " * 20_000, "The body may have 16384 bytes at most."),
    ],
)
async def test_odd_bodies(server: Server, content: bytes, said: str) -> None:
    answer = await server.ask(content=content)
    assert (answer.status_code, answer.json()) == (400, {"code": "bad_request", "message": said})


@pytest.mark.parametrize("key", [None, "wrong", KEY + "x"])
async def test_no_token_without_the_license(server: Server, key: str | None) -> None:
    answer = await server.ask(key=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_license")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_makes_no_tokens(server: Server) -> None:
    token = (await server.ask()).json()["token"]
    for _ in range(5):
        answer = await server.ask(key=token)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_license")
        assert "client token" in answer.json()["message"]


async def test_wrong_licenses_are_counted_by_address(server: Server) -> None:
    # Neither tokens that are asked for nor requests without a key are attempts at guessing one.
    for _ in range(20):
        assert (await server.ask()).status_code == 201
        assert (await server.ask(key=None)).status_code == 401
    statuses = [(await server.ask(key="wrong")).status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    limited = await server.ask()
    assert (limited.status_code, limited.json()["code"]) == (429, "rate_limited")
    assert limited.headers["retry-after"] == "20"
    assert (await server.ask(address="192.0.2.2")).status_code == 201
    server.now.seconds += 20
    assert (await server.ask()).status_code == 201


async def test_pages_cannot_ask(server: Server) -> None:
    """A page of another origin can neither send the license (that takes a preflight) nor read an answer."""
    transport = httpx.ASGITransport(server.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        preflight = await client.options(
            "/v1/client-tokens",
            headers={
                "origin": "https://shop.example",
                "access-control-request-method": "POST",
                "access-control-request-headers": "authorization",
            },
        )
    assert not preflight.is_success
    answer = await server.ask(headers={"origin": "https://shop.example"})
    for headers in (preflight.headers, answer.headers):
        assert not [name for name in headers if name.startswith("access-control-")]


async def test_what_is_logged_holds_no_secret(server: Server) -> None:
    with structlog.testing.capture_logs() as entries:
        token = (await server.ask({"avatarId": "mira-1"})).json()["token"]
        await server.ask(key="sk_wrong")
        await server.ask({"lifetime": "sk_lifetime"})
    issued, *refused = entries
    assert (issued["event"], issued["license_name"], issued["avatar"]) == ("client token issued", "shop", "mira-1")
    grant = server.licenses.authorize(token)
    assert grant is not None
    assert issued["token_id"] == grant.token_id
    assert [entry["kind"] for entry in refused] == ["invalid_license", "bad_request"]
    for secret in (token, KEY, "sk_wrong", "sk_lifetime"):
        assert secret not in repr(entries)
