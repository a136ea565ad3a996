"""Recognition by any server with an OpenAI-compatible ``POST /v1/audio/transcriptions``.

The request is a form with ``file`` (a WAV file, 16 kHz, 16 bit, mono), ``model``, ``language`` (ISO 639-1) and
``response_format=json``; the answer is ``{"text": …}`` (OpenAI API reference, "Create transcription"). OpenAI,
speaches, vLLM, LocalAI and whisper.cpp's server speak it.
"""

import asyncio
import contextlib
import io
import json
import wave
from typing import Any, Final, cast

import httpx

from visavis.speech.ports import LISTEN_RATE, Pcm16, RecognitionContext, SpeechError, Transcript
from visavis.speech.utterance_buffer import WholeUtteranceStream

_RETRY_WAIT: Final = 0.3
_MAX_RETRY_WAIT: Final = 2.0
"""Seconds before the second try: the usual, and the most that a server may ask for."""

_MAX_ANSWER: Final = 1 << 20
_MAX_TOLD: Final = 300
_AGAIN: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504})


class TranscriptionsRecognizer:
    """A ``Recognizer`` by a remote server; it has no words before the end.

    ``base_url`` with the version (``https://api.openai.com/v1``); ``timeout``: seconds for an utterance's words in
    all, the one retry after a 429, a 5xx or a broken connection included; ``connections``: requests at a time.
    """

    def __init__(
        self, base_url: str, *, model: str, api_key: str = "", timeout: float = 15.0, connections: int = 32
    ) -> None:
        self._url = base_url.rstrip("/") + "/audio/transcriptions"
        self._models_url = base_url.rstrip("/") + "/models"
        self._model = model
        self._api_key = api_key
        self._patience = timeout
        self._limits = httpx.Limits(max_connections=connections)
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """See whether the server is there and lets us in. Raises ``SpeechError``."""
        if self._client is not None:
            return
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        timeout = httpx.Timeout(self._patience, connect=min(5.0, self._patience))
        client = httpx.AsyncClient(headers=headers, timeout=timeout, limits=self._limits)
        try:
            answer = await client.get(self._models_url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            await client.aclose()
            raise _failure(error) from error
        # Not every server lists its models; only a refusal of the key says that recognition will not work.
        if answer.status_code in (401, 403):
            await client.aclose()
            raise SpeechError(f"the recognition server refused the key (HTTP {answer.status_code})")
        self._client = client

    async def close(self) -> None:
        """Close every connection; requests under way fail. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def open(self, context: RecognitionContext) -> WholeUtteranceStream:
        """Begin an utterance."""
        language = context.language.replace("_", "-").split("-")[0].lower()
        return WholeUtteranceStream(lambda sound: self._recognize(sound, language))

    async def _recognize(self, sound: Pcm16, language: str) -> Transcript:
        if self._client is None:
            raise SpeechError("the recognition client is not running")
        form = {"model": self._model, "response_format": "json"} | ({"language": language} if language else {})
        try:
            async with asyncio.timeout(self._patience):
                return await self._ask(self._client, _wav(sound), form)
        except TimeoutError:
            raise SpeechError(f"the recognition server did not answer within {self._patience:g} s") from None

    async def _ask(self, client: httpx.AsyncClient, wav: bytes, form: dict[str, str]) -> Transcript:
        files = {"file": ("speech.wav", wav, "audio/wav")}
        for last in (False, True):
            wait = _RETRY_WAIT
            try:
                async with client.stream("POST", self._url, data=form, files=files) as answer:
                    body = await _read(answer)
                    if answer.status_code == 200:
                        return Transcript(_text(body))
                    if last or answer.status_code not in _AGAIN:
                        raise SpeechError(self._refusal(answer.status_code, body))
                    wait = _retry_after(answer)
            except httpx.TimeoutException as error:
                raise _failure(error) from error
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                if last or not isinstance(error, httpx.TransportError):
                    raise _failure(error) from error
            except RuntimeError as error:  # the client was closed meanwhile
                raise SpeechError("the recognition client was closed") from error
            await asyncio.sleep(wait)
        raise AssertionError("the last try always ends")

    def _refusal(self, status: int, body: bytes) -> str:
        told = " ".join(body.decode(errors="replace").split())
        if self._api_key:
            told = told.replace(self._api_key, "…")
        return f"the recognition server refused (HTTP {status}): {told[:_MAX_TOLD]}"


def _wav(sound: Pcm16) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(LISTEN_RATE)
        writer.writeframes(sound.astype("<i2").tobytes())
    return file.getvalue()


async def _read(answer: httpx.Response) -> bytes:
    body = b""
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > _MAX_ANSWER:
            raise SpeechError("the recognition server's answer has no end")
    return body


def _text(body: bytes) -> str:
    with contextlib.suppress(ValueError):
        answer: Any = json.loads(body)
        if isinstance(answer, dict) and isinstance(text := cast(dict[str, Any], answer).get("text"), str):
            return text.strip()
    raise SpeechError("the recognition server's answer is not a JSON object with a text")


def _retry_after(answer: httpx.Response) -> float:
    """Seconds that the server asks to wait (RFC 9110 section 10.2.3; dates are not understood), within our bound."""
    try:
        return min(_MAX_RETRY_WAIT, max(0.0, float(answer.headers["retry-after"])))
    except (KeyError, ValueError):
        return _RETRY_WAIT


def _failure(error: httpx.HTTPError | httpx.InvalidURL) -> SpeechError:
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return SpeechError("the recognition server's address is not a URL")
    if isinstance(error, httpx.TimeoutException):
        return SpeechError(f"the recognition server did not answer in time ({type(error).__name__})")
    # The exception's text may quote the address, and that may carry a key.
    return SpeechError(f"the connection to the recognition server failed ({type(error).__name__})")
