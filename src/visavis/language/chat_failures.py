"""What the refusals of a chat completions server mean, and whether another attempt may help."""

import json
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final, Literal, cast

import httpx

from visavis.language.ports import ChatError, ChatErrorKind, ChatRequest

Part = Literal["tools", "images"]

_MAX_DETAIL: Final = 300
_MAX_BODY: Final = 64 * 1024
_OF_IMAGES: Final = ("image", "multimodal", "multi-modal", "vision", "content part", "mmproj")
_OF_TOOLS: Final = ("tool", "function call", "--jinja")


class AttemptFailed(Exception):
    """An attempt failed.

    ``retry``: another may help, after ``wait`` seconds where the server named them; ``without``: if that part of the
    request is left out.
    """

    def __init__(
        self, error: ChatError, *, retry: bool = False, wait: float | None = None, without: Part | None = None
    ) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry = retry
        self.wait = wait
        self.without: Part | None = without


class Diagnosis:
    """Makes errors of one server's refusals; none of its messages holds a secret or more than the server's origin."""

    def __init__(self, server: str, secrets: Iterable[str]) -> None:
        """``server``: scheme, host and port. ``secrets``: cut out of whatever the server says."""
        self._server = server
        self._secrets = tuple(secret for secret in secrets if len(secret) > 3)

    def clean(self, text: str) -> str:
        """``text`` in one short line without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:_MAX_DETAIL]

    def connection(self, error: httpx.HTTPError) -> AttemptFailed:
        """A connection that failed. The library's own message may hold the address and is left out."""
        if isinstance(error, httpx.PoolTimeout):
            return AttemptFailed(ChatError(ChatErrorKind.RATE_LIMITED, f"all connections to {self._server} are busy"))
        if isinstance(error, httpx.ConnectTimeout):  # has cost too much time already
            return AttemptFailed(ChatError(ChatErrorKind.UNREACHABLE, f"{self._server} is not reachable", lost=True))
        if isinstance(error, httpx.ConnectError | httpx.ProxyError):
            kind, what = ChatErrorKind.UNREACHABLE, "is not reachable"
        elif isinstance(error, httpx.TimeoutException):
            kind, what = ChatErrorKind.TIMEOUT, "took too long"
        else:
            kind, what = ChatErrorKind.BROKEN, "broke the connection"
        lost = kind is not ChatErrorKind.TIMEOUT
        return AttemptFailed(ChatError(kind, f"{self._server} {what} ({type(error).__name__})", lost=lost), retry=True)

    def status(self, response: httpx.Response, detail: str, request: ChatRequest | None = None) -> AttemptFailed:
        """A status of 300 or more; ``detail``: what the server says about it."""
        status = response.status_code
        said = f": {self.clean(detail)}" if detail.strip() else ""
        if status in (401, 403):  # what such an answer says may hold the key, or a part of it
            refused = f"{self._server} refused the API key ({status})"
            return AttemptFailed(ChatError(ChatErrorKind.REJECTED, refused, lost=True))
        wait = retry_after(response.headers)
        if status == 429:
            error = ChatError(ChatErrorKind.RATE_LIMITED, f"{self._server} asks for fewer requests (429){said}")
            return AttemptFailed(error, retry="insufficient_quota" not in detail, wait=wait)
        if status == 408:
            return AttemptFailed(ChatError(ChatErrorKind.TIMEOUT, f"{self._server} took too long (408)"), retry=True)
        without = None
        if status in (400, 415, 422, 500, 501) and request is not None:
            without = _refused_part(detail.lower(), request)
        kind = ChatErrorKind.REJECTED
        if status >= 500:
            kind = ChatErrorKind.UNREACHABLE if status in (502, 503, 504) else ChatErrorKind.BROKEN
        error = ChatError(kind, f"{self._server} answered {status}{said}")
        return AttemptFailed(error, retry=without is not None or status >= 500, wait=wait, without=without)


async def read_detail(response: httpx.Response) -> str:
    """The reason that a refusal's body gives: the protocol's JSON error, or its text."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_BODY:
            break
    text = body.decode("utf-8", "replace")
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(parsed, list) and parsed:
        parsed = cast(list[object], parsed)[0]
    if not isinstance(parsed, Mapping):
        return text
    fields = cast(Mapping[str, object], parsed)
    reason = fields.get("error") or fields.get("message") or fields.get("detail") or text
    if isinstance(reason, Mapping):
        inner = cast(Mapping[str, object], reason)
        return " ".join(str(inner[key]) for key in ("message", "code") if inner.get(key))
    return str(reason)


def retry_after(headers: httpx.Headers) -> float | None:
    """Seconds that a server asks to wait; None when it does not.

    RFC 9110 section 10.2.3 has seconds or a date; ``retry-after-ms`` is OpenAI's own.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _refused_part(detail: str, request: ChatRequest) -> Part | None:
    """What of the request the server's words say that it cannot take."""
    if any(message.images for message in request.messages) and any(word in detail for word in _OF_IMAGES):
        return "images"
    if request.tools and any(word in detail for word in _OF_TOOLS):
        return "tools"
    return None
