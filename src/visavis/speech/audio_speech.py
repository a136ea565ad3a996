"""Speech by any server with an OpenAI-compatible ``POST /v1/audio/speech``, as it streams.

The body asked for is ``response_format: pcm``: 16-bit little-endian mono at 24 kHz without a header (OpenAI API
reference, "Create speech"). Servers that answer with a WAV file all the same are understood.
"""

import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

import httpx
import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, SpeechError, Voice

_SMALLEST_CHUNK: Final = SPEECH_RATE // 25 * 2
"""Bytes collected before a chunk is handed on: 40 ms."""

_EMBEDDED: Final = ("espeak:", "flite:", "piper:")
"""What the names of other engines' voices begin with: no server knows those."""

_MAX_HEADER: Final = 4096
_MAX_ERROR: Final = 300


class AudioSpeechSynthesizer:
    """A ``Synthesizer`` by a remote server; sound only, so wrap it in ``LipSync``.

    ``base_url`` with the version (``https://api.openai.com/v1``); ``voice``: used when an avatar names none, or one of
    an embedded engine, or one that is not in ``voices`` (when given); ``sample_rate``: Hz of the server's raw sound,
    where it is not the protocol's 24 kHz; ``extra``: further fields of the request. ``connect_timeout`` and
    ``read_timeout`` in seconds; the latter is for each wait, not for the whole answer.
    """

    def __init__(
        self,
        base_url: str,
        *,
        model: str,
        voice: str,
        api_key: str = "",
        voices: frozenset[str] = frozenset(),
        sample_rate: int = SPEECH_RATE,
        extra: dict[str, Any] | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 20.0,
        connections: int = 32,
    ) -> None:
        self._url = base_url.rstrip("/") + "/audio/speech"
        self._models_url = base_url.rstrip("/") + "/models"
        self._model = model
        self._voice = voice
        self._voices = voices
        self._api_key = api_key
        self._sample_rate = sample_rate
        self._extra = dict(extra or {})
        self._timeout = httpx.Timeout(read_timeout, connect=connect_timeout)
        self._limits = httpx.Limits(max_connections=connections)
        self._client: httpx.AsyncClient | None = None

    async def start(self) -> None:
        """See whether the server is there and lets us in. Raises ``SpeechError``."""
        if self._client is not None:
            return
        headers = {"Authorization": f"Bearer {self._api_key}"} if self._api_key else {}
        client = httpx.AsyncClient(
            headers=headers, timeout=self._timeout, transport=httpx.AsyncHTTPTransport(retries=1, limits=self._limits)
        )
        try:
            answer = await client.get(self._models_url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            await client.aclose()
            raise self._failure(error) from error
        # Not every server lists its models; only a refusal of the key says that speaking will not work.
        if answer.status_code in (401, 403):
            await client.aclose()
            raise SpeechError(f"the speech server refused the key (HTTP {answer.status_code})")
        self._client = client

    async def close(self) -> None:
        """Close every connection. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``; chunks have no visemes. A text without letters and digits gives no chunk.

        Raises ``SpeechError`` for refusals, time-outs and broken answers; never with the key in it.
        """
        if self._client is None:
            raise SpeechError("the speech client has not been started")
        if not any(c.isalnum() for c in text):
            return
        named = next((name for name in voice.names if self._knows(name)), self._voice)
        body = {
            "model": self._model,
            "input": text,
            "voice": named,
            "response_format": "pcm",
            "speed": min(4.0, max(0.25, voice.rate)),
            **self._extra,
        }
        try:
            async with self._client.stream("POST", self._url, json=body) as answer:
                if answer.status_code != 200:
                    raise SpeechError(await self._refusal(answer))
                kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if kind.startswith("text/") or kind in ("application/json", "audio/mpeg", "audio/ogg", "audio/flac"):
                    raise SpeechError(f"the speech server answered with {kind} where raw sound was asked for")
                heard = False
                async with aclosing(_decode(answer.aiter_bytes(), self._sample_rate)) as sounds:
                    async for pcm in sounds:
                        heard = True
                        yield SpeechChunk(pcm)
                if not heard:
                    raise SpeechError("the speech server's answer had no sound in it")
        except httpx.HTTPError as error:
            raise self._failure(error) from error

    async def _refusal(self, answer: httpx.Response) -> str:
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MAX_HEADER:
                break
        told = " ".join(body.decode(errors="replace").split())
        if self._api_key:
            told = told.replace(self._api_key, "…")
        return f"the speech server refused (HTTP {answer.status_code}): {told[:_MAX_ERROR]}"

    def _knows(self, name: str) -> bool:
        return bool(name) and (name in self._voices if self._voices else not name.startswith(_EMBEDDED))

    def _failure(self, error: httpx.HTTPError | httpx.InvalidURL) -> SpeechError:
        if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
            return SpeechError("the speech server's address is not a URL")
        if isinstance(error, httpx.TimeoutException):
            return SpeechError(f"the speech server did not answer in time ({type(error).__name__})")
        # The exception's text may quote the address, and that may carry a key.
        return SpeechError(f"the connection to the speech server failed ({type(error).__name__})")


@dataclass(frozen=True, slots=True)
class _WaveFormat:
    channels: int
    rate: int
    data_start: int


async def _decode(parts: AsyncIterator[bytes], rate: int) -> AsyncGenerator[Pcm16, None]:
    """Samples at ``SPEECH_RATE`` of a body of raw sound at ``rate`` or of a WAV file, cut anywhere."""
    held = b""
    channels = 1
    started = False
    resampler: soxr.ResampleStream | None = None
    async for part in parts:
        held += part
        if not started:
            if len(held) < 4:
                continue
            if held.startswith(b"RIFF"):
                wave = _wave_format(held)
                if wave is None:
                    continue
                channels, rate, held = wave.channels, wave.rate, held[wave.data_start :]
            started = True
            if rate != SPEECH_RATE:
                resampler = soxr.ResampleStream(rate, SPEECH_RATE, 1, dtype="int16", quality="MQ")
        frame = 2 * channels
        if len(held) < _SMALLEST_CHUNK * channels:
            continue
        whole = len(held) // frame * frame
        pcm = _mono(held[:whole], channels)
        held = held[whole:]
        if len(pcm := pcm if resampler is None else resampler.resample_chunk(pcm)):
            yield pcm
    pcm = _mono(held[: len(held) // (2 * channels) * 2 * channels], channels) if started else np.zeros(0, np.int16)
    if len(pcm := pcm if resampler is None else resampler.resample_chunk(pcm, last=True)):
        yield pcm


def _mono(data: bytes, channels: int) -> Pcm16:
    samples = np.frombuffer(data, "<i2").reshape(-1, channels)
    return samples[:, 0].astype(np.int16) if channels == 1 else samples.mean(axis=1).astype(np.int16)


def _wave_format(head: bytes) -> _WaveFormat | None:
    """Of a RIFF/WAVE file whose beginning is ``head``; None while too little of it is there. Raises ``SpeechError``."""
    at, channels, rate = 12, 0, 0
    while at + 8 <= len(head):
        name, size = head[at : at + 4], struct.unpack_from("<I", head, at + 4)[0]
        if name == b"data":
            if not rate:
                raise SpeechError("the speech server's WAV file has no format")
            return _WaveFormat(channels, rate, at + 8)
        if name == b"fmt " and at + 24 <= len(head):
            code, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", head, at + 8)
            if code not in (1, 0xFFFE) or bits != 16 or channels not in (1, 2) or not 4_000 <= rate <= 192_000:
                raise SpeechError("the speech server's WAV file is not 16-bit PCM in one or two channels")
        at += 8 + size + size % 2
        if at > _MAX_HEADER:
            raise SpeechError("the speech server's WAV file has no sound in it")
    return None
