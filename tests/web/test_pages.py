import re
from pathlib import Path
from urllib.parse import urljoin

import pytest
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from visavis.web.pages import content_security_policy, load_assets, web_router


async def fetch(
    path: str, router_frames: tuple[str, ...] = (), method: str = "GET", portraits: bool = False, **headers: str
) -> Response:
    app = FastAPI()
    app.include_router(web_router(frame_ancestors=router_frames, portraits=portraits))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://host.example:8000") as client:
        return await client.request(method, path, headers={key.replace("_", "-"): v for key, v in headers.items()})


async def test_the_page_is_sent_with_a_policy_that_allows_this_server_alone() -> None:
    answer = await fetch("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://host.example:8000 wss://host.example:8000"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "microphone=(self)" in answer.headers["permissions-policy"]


async def test_pages_that_may_frame_it_are_a_setting() -> None:
    answer = await fetch("/", router_frames=("'self'", "https://shop.example"))
    assert "frame-ancestors 'self' https://shop.example;" in answer.headers["content-security-policy"]


def test_an_ancestor_that_would_break_the_policy_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a\.example; script-src"):
        web_router(frame_ancestors=("https://a.example; script-src *",))


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "", "host:123456", "[::1", "a/b"])
def test_a_host_header_that_is_no_host_stays_out_of_the_policy(host: str) -> None:
    assert "connect-src 'self';" in content_security_policy(host)


def test_an_address_is_a_host() -> None:
    assert "connect-src 'self' ws://[::1]:80 wss://[::1]:80;" in content_security_policy("[::1]:80")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/static/main.js", "text/javascript; charset=utf-8"),
        ("/static/page.css", "text/css; charset=utf-8"),
        ("/static/favicon.svg", "image/svg+xml"),
        ("/sdk/visavis.js", "text/javascript; charset=utf-8"),
    ],
)
async def test_files_have_their_media_type(path: str, media_type: str) -> None:
    answer = await fetch(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type


async def test_a_browser_that_has_the_file_is_told_so() -> None:
    first = await fetch("/static/main.js")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await fetch("/static/main.js", if_none_match=known)
        assert again.status_code == 304
        assert again.content == b""
        assert again.headers["etag"] == tag
    changed = await fetch("/static/main.js", if_none_match='"other"')
    assert changed.status_code == 200


async def test_the_policy_is_also_on_the_page_that_a_browser_has() -> None:
    first = await fetch("/")
    again = await fetch("/", if_none_match=first.headers["etag"])
    assert again.status_code == 304
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]


async def test_head_has_no_body() -> None:
    answer = await fetch("/", method="HEAD")
    assert answer.status_code == 200
    assert answer.content == b""


async def test_pages_of_other_origins_may_import_the_client() -> None:
    answer = await fetch("/sdk/visavis.js")
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../pages.py",
        "/static/%2e%2e/pages.py",
        "/static/..%2fpages.py",
        "/static/%2e%2e%2f%2e%2e%2fconfig.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/",
        "/static/nothing.js",
        "/sdk/../page/main.js",
        "/sdk/%00",
    ],
)
async def test_nothing_else_can_be_asked_for(path: str) -> None:
    assert (await fetch(path)).status_code == 404


async def test_the_page_for_making_avatars_is_a_choice() -> None:
    assert "avatars/new" not in (await fetch("/")).text
    assert (await fetch("/avatars/new")).status_code == 404
    start, page = await fetch("/", portraits=True), await fetch("/avatars/new", portraits=True)
    assert 'href="avatars/new"' in start.text
    for header in ("content-security-policy", "permissions-policy", "cross-origin-opener-policy"):
        assert page.headers[header] == start.headers[header]
    assert start.headers["etag"] != (await fetch("/")).headers["etag"]


def test_only_files_for_browsers_are_loaded(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.js").write_text("1")
    (tmp_path / "b.py").write_text("2")
    (tmp_path / "c.js~").write_text("3")
    assert list(load_assets(tmp_path)) == ["inner/a.js"]


@pytest.mark.parametrize(("path", "portraits"), [("/", False), ("/", True), ("/avatars/new", True)])
async def test_the_page_asks_for_nothing_from_elsewhere(path: str, portraits: bool) -> None:
    """Every address in the page and its styles is relative, so that it also works below a path."""
    page = (await fetch(path, portraits=portraits)).text
    addresses = re.findall(r'(?:src|href)="([^"#][^"]*)"', page)
    assert addresses
    for address in addresses:
        assert not re.match(r"[a-z]+:|/", address), address
        assert (await fetch(urljoin(path, address), portraits=portraits)).status_code == 200
    assert not re.search(r"\sstyle=|\son[a-z]+=|<style|<script(?![^>]*src=)", page)
