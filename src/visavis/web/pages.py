"""The call page and the JavaScript client, served from memory with the headers that keep them safe."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

_MEDIA_TYPES: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
"""What a Host header may look like for it to be written into a policy."""

_PORTRAITS = re.compile(rb'\s*<a [^>]*id="make-avatar".*?</a>', re.DOTALL)
"""The call page's way to the page on which avatars are made."""

_PERMISSIONS = ", ".join(
    (
        "microphone=(self)",
        "autoplay=(self)",
        "speaker-selection=(self)",
        "screen-wake-lock=(self)",
        "camera=(self)",
        "display-capture=()",
        "geolocation=()",
        "payment=()",
        "usb=()",
    )
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file for browsers, as it is sent."""

    body: bytes
    media_type: str
    etag: str
    """A strong entity tag (RFC 9110, section 8.8.3): quoted, changed by every change of the body."""


def load_assets(folder: Path) -> dict[str, Asset]:
    """Read the files of a folder that browsers may have; the keys are their paths inside it, with ``/``.

    What is not in the result cannot be asked for, whatever the request's path looks like.
    """
    assets: dict[str, Asset] = {}
    for file in sorted(folder.rglob("*")):
        media_type = _MEDIA_TYPES.get(file.suffix)
        if media_type is not None and file.is_file():
            assets[file.relative_to(folder).as_posix()] = _asset(file.read_bytes(), media_type)
    return assets


def _asset(body: bytes, media_type: str) -> Asset:
    return Asset(body, media_type, f'"{hashlib.sha256(body).hexdigest()[:32]}"')


def _start_page(page: Asset, *, portraits: bool) -> Asset:
    """The call page, with or without the way to the page on which avatars are made."""
    return page if portraits else _asset(_PORTRAITS.sub(b"", page.body), page.media_type)


def content_security_policy(host: str, frame_ancestors: Sequence[str] = ()) -> str:
    """The call page's policy (W3C CSP Level 3): everything from this server alone, nothing inline.

    ``host``: the request's Host header. Some browsers do not count WebSockets to the same host as ``'self'``, so it is
    named; a header that is no host name is left out. ``frame_ancestors``: origins (or ``'self'``) whose pages may show
    this one in a frame; none by default.
    """
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""
    framing = " ".join(frame_ancestors) or "'none'"
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob: mediastream:",
            f"connect-src 'self'{sockets}",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {framing}",
            "require-trusted-types-for 'script'",
        )
    )


def web_router(*, frame_ancestors: Sequence[str] = (), portraits: bool = False) -> APIRouter:
    """Routes for the call page (``/``), its parts (``/static/…``) and the JavaScript client (``/sdk/…``).

    ``portraits``: there is also the page on which avatars are made of photos (``/avatars/new``), and a way to it.
    The files are read once, here. Pages of other origins may import the client, so it is sent with an open CORS header.
    ``frame_ancestors``: see ``content_security_policy``; raises ``ValueError`` for one that would break the policy.
    """
    for ancestor in frame_ancestors:
        if not re.fullmatch(r"[^\s;,]+", ancestor):
            raise ValueError(f"not an origin that may frame the page: {ancestor!r}")
    here = Path(__file__).parent
    page = load_assets(here / "page")
    sdk = load_assets(here / "sdk")
    start = _start_page(page["index.html"], portraits=portraits)
    router = APIRouter(include_in_schema=False)

    def send_page(asset: Asset, request: Request) -> Response:
        response = _send(asset, request)
        response.headers["Content-Security-Policy"] = content_security_policy(
            request.headers.get("host", ""), frame_ancestors
        )
        response.headers["Permissions-Policy"] = _PERMISSIONS
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        return response

    @router.api_route("/", methods=["GET", "HEAD"])
    async def call_page(request: Request) -> Response:
        return send_page(start, request)

    if portraits:

        @router.api_route("/avatars/new", methods=["GET", "HEAD"])
        async def portrait_page(request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
            return send_page(page["portrait/index.html"], request)

    @router.api_route("/static/{path:path}", methods=["GET", "HEAD"])
    async def page_part(path: str, request: Request) -> Response:
        return _send(_find(page, path), request)

    @router.api_route("/sdk/{path:path}", methods=["GET", "HEAD"])
    async def sdk_part(path: str, request: Request) -> Response:
        response = _send(_find(sdk, path), request)
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return router


def _find(assets: Mapping[str, Asset], path: str) -> Asset:
    asset = assets.get(path)
    if asset is None:
        raise HTTPException(404)
    return asset


def _send(asset: Asset, request: Request) -> Response:
    """The file, or 304 when the browser has it. Browsers ask every time, so that a new release is seen at once."""
    headers = {
        "ETag": asset.etag,
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    known = {tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")}
    if asset.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)
