"""Client tokens at a real server: what a page can do with one, what nobody can; and the records of what was done."""

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright

from tests.browser import needs_chromium
from tests.e2e.caller import SUCCESS, Caller
from tests.e2e.connection_states.browsing import launch, visiting
from tests.e2e.records import ask, in_order, record, until_there
from tests.e2e.voices import spoken
from visavis.bench.server_process import ServerProcess
from visavis.client import Call, ServerConnectionFailedError

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHOP, OTHER = "shop_license", "other_license"
ORIGIN = "https://shop.example"
SETTINGS = f"""
[limits]
failures_per_minute = 0
[[licenses]]
key = "{SHOP}"
name = "Shop"
max_sessions = 3
[[licenses]]
key = "{OTHER}"
name = "Other"
allowed_origins = ["{ORIGIN}"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server has its files."""
    return tmp_path_factory.mktemp("tokens")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(folder: Path) -> AsyncIterator[ServerProcess]:
    (folder / "twin").mkdir()
    (folder / "twin" / "avatar.toml").write_text('name = "Twin"\npackage = "vera"\n')
    (folder / "visavis.toml").write_text(SETTINGS)
    arguments = ["--config", str(folder / "visavis.toml"), "--avatars", str(folder), "--log-format", "json"]
    environment = {"VISAVIS_LICENSE": "", "VISAVIS_STORE__URL": f"sqlite:///{folder}/visavis.db"}
    async with ServerProcess(arguments, environment=environment) as process:
        process.license = SHOP
        yield process
        assert await process.stop() == 0
    assert not [line for line in process.log if '"level": "error"' in line]
    assert not [line for line in process.log if SHOP in line or OTHER in line or "eyJ" in line]


async def issue(server: ServerProcess, license: str = SHOP, **bounds: Any) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30) as client:
        headers = {"Authorization": f"Bearer {license}"}
        return await client.post(f"{server.url}/v1/client-tokens", json=bounds, headers=headers)


async def token(server: ServerProcess, license: str = SHOP, **bounds: Any) -> str:
    answer = await issue(server, license, **bounds)
    assert answer.status_code == 201, answer.text
    return answer.json()["token"]


async def refused(server: ServerProcess, key: str, *, origin: str | None = None, **query: str) -> str:
    """The code with which a call is refused."""
    async with Caller(server.url, key, origin=origin, **query) as caller:
        _, reason = await caller.until_over()
        assert caller.of(SUCCESS) == []
        assert caller.code == reason
        return reason


async def taken(server: ServerProcess, key: str, *, origin: str | None = None, **query: str) -> None:
    """A call that is not refused."""
    async with Caller(server.url, key, origin=origin, **query) as caller:
        await caller.until(lambda: caller.of(SUCCESS))
    await until_there(server, 0)


@pytest.mark.browser
@needs_chromium
async def test_a_page_calls_with_a_token_that_is_made_for_it(server: ServerProcess) -> None:
    async with async_playwright() as playwright:
        browser = await launch(playwright)
        async with visiting(browser) as visitor:
            app = await visitor.open(server.url)
            origin = await app.page.evaluate("() => location.origin")
            own = await token(server, avatarId="vera", origin=origin, lifetime=60, maxSessions=1)
            await app.make_scene(server.url, token=own)
            session_id = await app.connect()
            await app.page.evaluate("() => scene.disconnect()")
            assert (await record(server, session_id))["origin"] == origin
            foreign = await token(server, avatarId="vera", origin=ORIGIN)
            await app.make_scene(server.url, token=foreign)
            assert (await app.fails())[:2] == ("serverConnectionFailed", "origin_not_allowed")
        await browser.close()


async def test_the_answer_says_what_the_token_is_good_for(server: ServerProcess) -> None:
    answer = await issue(server, name="Twin", origin=ORIGIN, lifetime=60, maxSessions=2, maxDuration=30)
    told = answer.json()
    assert answer.status_code == 201
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", told.pop("token"))
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", told.pop("expiresAt"))
    assert told == {"avatarId": "twin", "origin": ORIGIN, "maxSessions": 2, "maxDuration": 30}


async def test_a_token_is_for_its_avatar_alone(server: ServerProcess) -> None:
    bound = await token(server, avatarId="twin")
    assert await refused(server, bound, avatarId="vera") == "unknown_avatar"
    assert await refused(server, bound, avatarId="", name="Vera") == "unknown_avatar"
    await taken(server, bound, avatarId="twin")
    # It need not even be named.
    await taken(server, bound, avatarId="")
    async with httpx.AsyncClient() as client:
        headers = {"license": bound}
        listed = (await client.get(f"{server.url}/api/open/v1/avatar/list", headers=headers)).json()
    assert [avatar["id"] for avatar in listed["data"]] == ["twin"]


async def test_a_token_is_for_its_origin_alone(server: ServerProcess) -> None:
    bound = await token(server, origin=ORIGIN)
    for origin in ("https://elsewhere.example", "http://shop.example", None):
        assert await refused(server, bound, origin=origin) == "origin_not_allowed"
    await taken(server, bound, origin=ORIGIN)
    # No token is for more than its license.
    assert (await issue(server, OTHER, origin="https://elsewhere.example")).json()["code"] == "origin_not_allowed"
    assert await refused(server, await token(server, OTHER), origin="https://elsewhere.example") == "origin_not_allowed"


async def test_a_token_is_for_so_many_calls_at_a_time(server: ServerProcess) -> None:
    one, free = await token(server, maxSessions=1), await token(server)
    async with Caller(server.url, one) as caller:
        await caller.until(lambda: caller.of(SUCCESS))
        assert await refused(server, one) == "license_limit"
        # All calls of a license count towards the license's own limit, however they were begun.
        async with Caller(server.url, free) as second, Caller(server.url, SHOP) as third:
            await second.until(lambda: second.of(SUCCESS))
            await third.until(lambda: third.of(SUCCESS))
            assert await refused(server, free) == "license_limit"
    await until_there(server, 0)
    await taken(server, one)


async def test_a_token_is_for_calls_that_begin_in_time(server: ServerProcess) -> None:
    """One that has begun goes on."""
    short = await token(server, lifetime=2)
    async with Caller(server.url, short) as caller:
        await caller.until_state("connecting")
        async with asyncio.timeout(20):
            while await first_word(server, short) != "invalid_license":  # noqa: ASYNC110 (another process's state)
                await asyncio.sleep(0.2)
        assert caller.closed is None
    await until_there(server, 0)


async def first_word(server: ServerProcess, key: str) -> str | None:
    """The code of the refusal, if there is one."""
    async with Caller(server.url, key) as caller:
        await caller.until(lambda: caller.messages)
        return caller.messages[0]["data"].get("code")


async def test_a_token_s_calls_are_as_short_as_it_says(server: ServerProcess) -> None:
    async with Call(server.url, token=await token(server, maxDuration=2), avatar_id="vera") as call:
        with call.events() as events:
            async with asyncio.timeout(30):
                async for _ in events:
                    pass
        assert call.disconnection
        assert (call.disconnection.reason, call.disconnection.code) == ("sessionTimeout", "session_timeout")


async def test_a_token_opens_no_other_door(server: ServerProcess) -> None:
    own = await token(server)
    async with Call(server.url, token=own, avatar_id="vera") as call:
        for path in (f"/v1/sessions/{call.session_id}", "/v1/sessions"):
            answer = await ask(server, path, own)
            assert (answer.status_code, answer.json()["code"]) == (401, "invalid_license")
        assert (await ask(server, f"/v1/sessions/{call.session_id}")).json()["status"] == "running"
        # Of another license's session nobody is told, not even that there is one.
        assert (await ask(server, f"/v1/sessions/{call.session_id}", OTHER)).status_code == 404
        assert (await ask(server, "/v1/sessions", OTHER)).json()["sessions"] == []
    answer = await issue(server, own)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_license")
    for wrong in (own[:-4] + ("AAAA" if own[-4:] != "AAAA" else "BBBB"), f"{own}.", own.split(".")[1]):
        with pytest.raises(ServerConnectionFailedError) as raised:
            await Call(server.url, token=wrong, avatar_id="vera").connect()
        assert raised.value.code == "invalid_license"


async def sessions(folder: Path, *arguments: str) -> str:
    """What ``visavis sessions`` prints, with the settings of the server, which runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "visavis",
        "sessions",
        *arguments,
        "--set",
        f"store.url=sqlite:///{folder}/visavis.db",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_a_session_can_be_looked_into_by_its_id(server: ServerProcess, folder: Path) -> None:
    (question,) = await spoken(("en-us", "How old are you?"))
    async with Call(server.url, token=await token(server, avatarId="vera"), avatar_id="vera") as call:
        await call.ask(question)
        await call.ask("Are you a real person?")
    kept = await record(server, call.session_id)
    assert [entry["state"] for entry in kept["states"]] == ["queued", "preparing", "connecting", "connected", "ended"]
    assert in_order(kept)
    assert kept["startedAt"] <= kept["states"][0]["at"] <= kept["states"][-1]["at"] <= kept["endedAt"]
    assert (kept["status"], kept["ending"], kept["message"]) == ("ended", "normal", "The conversation is over.")
    assert (kept["avatarId"], kept["licenseName"], kept["resumptions"]) == ("vera", "Shop", 0)
    assert kept["counts"]["answers"] >= 2
    assert kept["counts"]["userTurns"] >= 1
    assert 0 < kept["connectSeconds"] < 60
    assert kept["answerSeconds"]["count"] >= 1
    assert 0 < kept["answerSeconds"]["p50"] <= kept["answerSeconds"]["p95"] < 60
    listed = (await ask(server, "/v1/sessions?limit=1")).json()["sessions"]
    assert listed == [kept]

    assert json.loads(await sessions(folder, "show", call.session_id, "--json")) == kept
    shown = " ".join((await sessions(folder, "show", call.session_id)).split())
    for part in (
        f"session {call.session_id}",
        "state normal",
        "license Shop (lic_",
        f"{kept['counts']['userTurns']} of the user",
        "answered in",
        "connected in",
        f"connected {kept['states'][3]['at'][:10]}",
    ):
        assert part in shown
