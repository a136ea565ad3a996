"""A ChatModel at any server that speaks OpenAI's chat completions: OpenAI, Ollama, vLLM, llama.cpp and others."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final, cast

import httpx
import structlog

from visavis.language.chat_answer import AnswerReader
from visavis.language.chat_failures import AttemptFailed, Diagnosis, read_detail
from visavis.language.chat_messages import request_body
from visavis.language.chat_stream import PayloadReader
from visavis.language.ports import ChatError, ChatErrorKind, ChatEvent, ChatRequest

log = structlog.get_logger(__name__)

_BACKOFF: Final = 0.25
"""Seconds before the second attempt; doubled for each further one."""
_AFTER_THE_END: Final = 0.5
"""Seconds in which a server may close an answer properly, so that its connection can be used again."""


@dataclass(frozen=True, slots=True)
class ChatTimeouts:
    """Seconds that may pass: to connect, until an answer's first token, and between two tokens."""

    connect: float = 5.0
    first_token: float = 20.0
    between_tokens: float = 10.0


class ChatCompletions:
    """Streams answers from ``POST {base_url}/chat/completions``.

    One instance serves all sessions over one bounded pool of connections. Before the first token a failed connection,
    a 429 (its Retry-After honoured up to ``longest_wait``) and a 5xx are tried again, ``retries`` times; afterwards
    nothing is. A server that refuses tools or pictures for this model is asked again without them, and gets none from
    then on.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        accepts_images: bool = True,
        temperature: float | None = None,
        max_tokens: int | None = None,
        extra_body: Mapping[str, Any] | None = None,
        extra_headers: Mapping[str, str] | None = None,
        timeouts: ChatTimeouts | None = None,
        retries: int = 2,
        longest_wait: float = 3.0,
        max_connections: int = 64,
    ) -> None:
        """Bind a model to its server.

        Args:
            base_url: up to and with the version, e.g. ``http://127.0.0.1:11434/v1``.
            model: the name the server knows it by.
            api_key: sent as a bearer token; empty for servers that ask for none.
            accepts_images: whether pictures are sent.
            temperature: left to the server when None.
            max_tokens: left to the server when None. Models that want ``max_completion_tokens`` get it by extra_body.
            extra_body: further fields of the request; they win over all others.
            extra_headers: further headers of the request; treated as secret.
            timeouts: see ``ChatTimeouts``.
            retries: further attempts before the first token.
            longest_wait: seconds; a longer Retry-After fails at once.
            max_connections: answers that may stream at the same time; more of them wait for ``timeouts.connect``.

        Raises:
            ValueError: ``base_url`` is not an http(s) address.
        """
        url = httpx.URL(base_url)
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError("base_url must be an http:// or https:// address")
        self._url = url
        self._server = f"{url.scheme}://{url.netloc.decode('ascii')}"
        self._model = model
        self._images = accepts_images
        self._tools = True
        self._doubted = False
        self._options: dict[str, Any] = {}
        if temperature is not None:
            self._options["temperature"] = temperature
        if max_tokens is not None:
            self._options["max_tokens"] = max_tokens
        self._options.update(extra_body or {})
        self._timeouts = timeouts or ChatTimeouts()
        self._retries = retries
        self._longest_wait = longest_wait
        extra = dict(extra_headers or {})
        self._diagnosis = Diagnosis(self._server, (api_key, url.password, *extra.values()))
        headers = httpx.Headers({"Accept": "text/event-stream, application/json"})
        if not url.userinfo:
            headers["Authorization"] = f"Bearer {api_key or 'none'}"  # Ollama wants a key, but any will do
        headers.update(extra)
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(None, connect=self._timeouts.connect, pool=self._timeouts.connect, write=30.0),
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=min(max_connections, 16)),
            trust_env=not _is_loopback(url.host),  # a proxy of the environment is no way to this machine
        )

    @property
    def accepts_images(self) -> bool:
        """Whether pictures are sent; False once the server has refused one."""
        return self._images

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answer ``request``; see ``ChatModel.stream``."""
        attempt = 0
        while True:
            begun = False
            try:
                async with aclosing(self._attempt(request)) as events:
                    async for event in events:
                        begun = True
                        yield event
                return
            except AttemptFailed as failure:
                if begun or not failure.retry:
                    raise failure.error from None
                if self._goes_without(failure):
                    continue
                wait = self._pause(failure, attempt)
            attempt += 1
            await asyncio.sleep(wait)

    async def check(self) -> None:
        """Ask the server for its models: raises ``ChatError`` where it is not reachable or refuses the key."""
        try:
            async with asyncio.timeout(self._timeouts.connect + self._timeouts.first_token):
                response = await self._client.get(self._endpoint("models"))
        except TimeoutError:
            raise ChatError(ChatErrorKind.TIMEOUT, f"{self._server} did not answer in time") from None
        except httpx.HTTPError as error:
            raise self._diagnosis.connection(error).error from None
        if response.status_code in (404, 405, 501):  # reachable; some servers have no such list
            return
        if response.status_code >= 300:
            raise self._diagnosis.status(response, response.text).error
        names = _model_names(response)
        listed = any(name == self._model or name.startswith(f"{self._model}:") for name in names)
        if names and not listed and not self._doubted:
            self._doubted = True
            log.warning("the server does not list the language model", server=self._server, model=self._model)

    async def close(self) -> None:
        """Close all connections. Idempotent."""
        await self._client.aclose()

    async def _attempt(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Ask once. Raises ``AttemptFailed``."""
        body = request_body(self._model, request, images=self._images, tools=self._tools) | self._options
        reader = AnswerReader()
        response: httpx.Response | None = None
        first_by = time.monotonic() + self._timeouts.first_token
        try:
            async with asyncio.timeout(self._timeouts.first_token):
                asked = self._client.build_request("POST", self._endpoint("chat/completions"), json=body)
                response = await self._client.send(asked, stream=True)
                if response.status_code >= 300:
                    raise self._diagnosis.status(response, await read_detail(response), request)
            chunks = response.aiter_bytes()
            async with aclosing(self._payloads(chunks, reader, first_by)) as payloads:
                async for payload in payloads:
                    for event in reader.push(payload):
                        yield event
            for event in reader.finish():
                yield event
            await _drain(chunks)
        except TimeoutError:
            when = "between two tokens" if reader.begun else "before the first token"
            error = ChatError(ChatErrorKind.TIMEOUT, f"{self._server} was silent for too long {when}")
            raise AttemptFailed(error) from None
        except httpx.HTTPError as error:
            raise self._diagnosis.connection(error) from None
        except ValueError as error:
            broken = ChatError(ChatErrorKind.BROKEN, f"{self._server} gave no proper answer: {error}")
            raise AttemptFailed(broken, retry=True) from None
        except ChatError as error:
            cleaned = ChatError(error.kind, self._diagnosis.clean(str(error)))
            raise AttemptFailed(cleaned, retry=error.kind is not ChatErrorKind.REJECTED) from None
        finally:
            if response is not None:
                await response.aclose()

    async def _payloads(
        self, chunks: AsyncIterator[bytes], reader: AnswerReader, first_by: float
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """The answer's JSON objects. Raises ``TimeoutError`` when the model is silent for too long.

        Comments, which only keep the line open, are silence too.
        """
        parser = PayloadReader()
        wait_until = first_by
        while not parser.done:
            try:
                chunk = await _next_before(chunks, wait_until)
            except TimeoutError:
                if reader.finished:  # the whole answer came, but the server leaves the stream open
                    return
                raise
            payloads = parser.flush() if chunk is None else parser.push(chunk)
            for payload in payloads:
                yield payload
            if chunk is None:
                return
            if payloads and reader.begun:
                gap = _AFTER_THE_END if reader.finished else self._timeouts.between_tokens
                wait_until = time.monotonic() + gap

    def _endpoint(self, path: str) -> httpx.URL:
        """``path`` under the base address, whose query (an API version, say) is kept."""
        return self._url.copy_with(path=f"{self._url.path.rstrip('/')}/{path}")

    def _goes_without(self, failure: AttemptFailed) -> bool:
        """Whether the server refused a part of the request that can be left out, and had not been left out before."""
        if failure.without == "tools" and self._tools:
            self._tools = False
        elif failure.without == "images" and self._images:
            self._images = False
        else:
            return False
        log.warning("the language model is used without", part=failure.without, reason=str(failure.error))
        return True

    def _pause(self, failure: AttemptFailed, attempt: int) -> float:
        """Seconds before the next attempt; raises the error when there is to be none."""
        wait = failure.wait
        if attempt >= self._retries or (wait is not None and wait > self._longest_wait):
            raise failure.error from None
        if wait is None:
            wait = _BACKOFF * 2**attempt * random.uniform(0.75, 1.25)
        log.warning("the language model failed, trying again", reason=str(failure.error), wait=round(wait, 2))
        return wait


async def _next_before(chunks: AsyncIterator[bytes], limit: float) -> bytes | None:
    """The next bytes; None at the end. Raises ``TimeoutError`` at ``limit`` (of the monotonic clock)."""
    async with asyncio.timeout(max(0.0, limit - time.monotonic())):
        return await anext(chunks, None)


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of an answer that is complete: only then its connection can be used again."""
    limit = time.monotonic() + _AFTER_THE_END
    try:
        while await _next_before(chunks, limit) is not None:
            pass
    except (TimeoutError, httpx.HTTPError) as error:
        log.debug("an answer's connection was not closed properly", error=type(error).__name__)


def _model_names(response: httpx.Response) -> list[str]:
    try:
        listed: object = response.json()
    except ValueError:
        return []
    data = cast(Mapping[str, object], listed).get("data") if isinstance(listed, Mapping) else None
    if not isinstance(data, list):
        return []
    entries = [cast(Mapping[str, object], entry) for entry in cast(list[object], data) if isinstance(entry, Mapping)]
    return [str(entry.get("id", "")) for entry in entries]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
