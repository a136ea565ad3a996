"""The look-ups that clients make before a call, and the avatars' pictures."""

from pathlib import Path

import httpx
import pytest

from tests.wire.house import LICENSE, PROMPT, Character, Entry, House, open_house
from visavis.wire.navtalk.settings import NavtalkSettings

LOOK_UPS = "/api/open/v1/avatar"


def entries(folder: Path) -> tuple[Entry, ...]:
    poster, thumbnail = folder / "poster.png", folder / "thumbnail.jpg"
    poster.write_bytes(b"\x89PNG poster")
    thumbnail.write_bytes(b"\xff\xd8 thumbnail")
    return (
        Entry("mira-1", "Mira", poster, thumbnail, updated=1),
        Entry("mira-2", "Mira", poster, None, updated=2),
        Entry("a b/c", "Odd", folder / "gone.jpg", persona=Character(provider_name="elevenlabs")),
    )


async def ask(house: House, path: str, **options: object) -> httpx.Response:
    async with httpx.AsyncClient(base_url=house.http, trust_env=False) as client:
        return await client.request("GET", path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("where", ["header", "query"])
async def test_detail_tells_all_that_clients_read(tmp_path: Path, where: str) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        query = {"avatarId": "mira-1"} | ({"license": LICENSE} if where == "query" else {})
        headers = {"license": LICENSE} if where == "header" else {}
        answer = await ask(house, f"{LOOK_UPS}/detail", params=query, headers=headers)
        folder = f"{house.http}/avatars/mira-1"
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json() == {
            "code": 200,
            "message": "SUCCESS",
            "data": {
                "id": "mira-1",
                "avatarId": "mira-1",
                "name": "Mira",
                "url": f"{folder}/poster.jpg",
                "thumbnailUrl": f"{folder}/thumbnail.jpg",
                "providerId": "openai",
                "providerName": "openai",
                "model": "",
                "voice": "sage",
                "firstMessage": "Good day.",
                "videoFile": None,
                "status": "SUCCESS",
            },
        }


async def test_a_name_that_several_have_gives_the_newest(tmp_path: Path) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        answer = await ask(house, f"{LOOK_UPS}/getByName", params={"name": "Mira", "license": LICENSE})
        assert answer.json()["data"]["id"] == "mira-2"


async def test_the_list_has_everyone_and_no_prompt(tmp_path: Path) -> None:
    async with open_house(NavtalkSettings(provider_name="local"), entries=entries(tmp_path)) as house:
        answer = await ask(house, f"{LOOK_UPS}/list", headers={"license": LICENSE})
        told = answer.json()["data"]
        assert [avatar["avatarId"] for avatar in told] == ["mira-1", "mira-2", "a b/c"]
        assert [avatar["providerName"] for avatar in told] == ["local", "local", "elevenlabs"]
        assert all(avatar["status"] == "SUCCESS" for avatar in told)
        assert PROMPT not in answer.text
        assert "prompt" not in answer.text


@pytest.mark.parametrize("path", ["/detail?avatarId=mira-1", "/getByName?name=Mira", "/list"])
@pytest.mark.parametrize("key", [None, "", "wrong", "sk_é"])
async def test_without_the_license_nothing_is_told(tmp_path: Path, path: str, key: str | None) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        headers = {} if key is None else {"license": key.encode()}
        answer = await ask(house, LOOK_UPS + path, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["access-control-allow-origin"] == "*"
        body = answer.json()
        assert (body["code"], body["data"]) == (401, None)
        assert body["message"]


@pytest.mark.parametrize("path", ["/detail?avatarId=nobody", "/detail", "/getByName?name=Nobody", "/getByName"])
async def test_an_unknown_avatar_is_not_found(tmp_path: Path, path: str) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        answer = await ask(house, LOOK_UPS + path, headers={"license": LICENSE})
        assert answer.status_code == 404
        assert (answer.json()["code"], answer.json()["data"]) == (404, None)


@pytest.mark.parametrize("call", ["detail", "getByName", "list"])
async def test_a_preflight_with_the_license_header_is_allowed(call: str) -> None:
    async with open_house() as house, httpx.AsyncClient(base_url=house.http, trust_env=False) as client:
        answer = await client.options(
            f"{LOOK_UPS}/{call}",
            headers={
                "origin": "https://page.example",
                "access-control-request-method": "GET",
                "access-control-request-headers": "license",
            },
        )
        assert answer.is_success
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "license" in answer.headers["access-control-allow-headers"]
        assert "GET" in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize(
    ("public", "headers", "base"),
    [
        ("https://talk.example.org/", {}, "https://talk.example.org"),
        (None, {"x-forwarded-proto": "https", "x-forwarded-host": "talk.example.org"}, "https://talk.example.org"),
        (None, {"x-forwarded-proto": "https, http", "host": "h:1"}, "https://h:1"),
        (None, {"x-forwarded-proto": "javascript", "host": "[::1]:8000"}, "http://[::1]:8000"),
        (None, {"x-forwarded-host": 'evil"><script>'}, None),
    ],
)
async def test_picture_addresses_are_absolute(
    tmp_path: Path, public: str | None, headers: dict[str, str], base: str | None
) -> None:
    async with open_house(NavtalkSettings(public_url=public), entries=entries(tmp_path)) as house:
        answer = await ask(house, f"{LOOK_UPS}/detail?avatarId=a+b/c", headers={"license": LICENSE, **headers})
        assert answer.json()["data"]["url"] == f"{base or house.http}/avatars/a%20b%2Fc/poster.jpg"


async def test_pictures_are_served_without_a_license_and_cached(tmp_path: Path) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        answer = await ask(house, "/avatars/mira-1/poster.jpg")
        assert (answer.status_code, answer.content) == (200, b"\x89PNG poster")
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "max-age" in answer.headers["cache-control"]
        again = await ask(house, "/avatars/mira-1/poster.jpg", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        thumbnail = await ask(house, "/avatars/mira-1/thumbnail.jpg")
        assert (thumbnail.content, thumbnail.headers["content-type"]) == (b"\xff\xd8 thumbnail", "image/jpeg")
        # An avatar with one picture has it at both addresses.
        assert (await ask(house, "/avatars/mira-2/thumbnail.jpg")).content == b"\x89PNG poster"
        (tmp_path / "poster.png").write_bytes(b"\x89PNG another")
        changed = await ask(house, "/avatars/mira-1/poster.jpg", headers={"if-none-match": answer.headers["etag"]})
        assert changed.content == b"\x89PNG another"


@pytest.mark.parametrize(
    "path",
    [
        "/avatars/nobody/poster.jpg",
        "/avatars/mira-1/secret.jpg",
        "/avatars/mira-1/..%2F..%2Fhouse.jpg",
        "/avatars/..%2Fmira-1/poster.jpg",
    ],
)
async def test_there_are_no_other_pictures(tmp_path: Path, path: str) -> None:
    async with open_house(entries=entries(tmp_path)) as house:
        assert (await ask(house, path)).status_code == 404


async def test_a_picture_whose_file_is_gone_is_not_found(tmp_path: Path) -> None:
    async with open_house(entries=(Entry("mira", "Mira", tmp_path / "gone.jpg"), Entry("bare", "Bare"))) as house:
        assert (await ask(house, "/avatars/mira/poster.jpg")).status_code == 404
        assert (await ask(house, "/avatars/bare/poster.jpg")).status_code == 404
