"""What the requests of ``/v1`` have in common: who asks, what they send, and how errors are told."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from visavis.session.events import Refusal, RefusalKind

_HEADERS: Final = {"cache-control": "no-store"}


def license_key(request: Request) -> str:
    """The key in ``Authorization: Bearer KEY`` or ``license: KEY``; empty where there is none."""
    scheme, _, key = request.headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return request.headers.get("license", "").strip()


async def bounded_body(request: Request, most: int) -> bytes:
    """The body, of at most so many bytes. Raises ``Refusal``."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise Refusal(RefusalKind.BAD_REQUEST, f"The body may have {most} bytes at most.")
    return bytes(body)


def answer(data: object, status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
    """``data`` as JSON that nobody keeps."""
    return JSONResponse(data, status, _HEADERS)


def problem(status: HTTPStatus, code: str, message: str) -> JSONResponse:
    """An error: ``code`` for programs, ``message`` for people."""
    return JSONResponse({"code": code, "message": message}, status, _HEADERS)
