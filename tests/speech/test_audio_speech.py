"""The remote synthesizer against a local server that speaks the protocol, and one that breaks it."""

import asyncio
import contextlib
import io
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from tests.speech.utterances import joined
from visavis.speech.audio_speech import AudioSpeechSynthesizer
from visavis.speech.ports import SPEECH_RATE, SpeechChunk, SpeechError, Voice

KEY = "sk-very-secret-0123456789"
SOUND = (6000 * np.sin(2 * np.pi * 300 * np.arange(SPEECH_RATE) / SPEECH_RATE)).astype("<i2")

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class SpeechServer:
    """Answers every ``/audio/speech`` by ``answer``; remembers what was asked."""

    answer: Answer
    models_status: int = 200
    address: str = ""
    asked: list[dict[str, object]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = {
                name.lower(): value for name, value in (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
            }
            self.keys.append(headers.get("authorization", ""))
            if head.startswith("GET /v1/models"):
                writer.write(
                    f"HTTP/1.1 {self.models_status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}".encode()
                )
            else:
                assert head.startswith("POST /v1/audio/speech HTTP/1.1")
                self.asked.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
                await self.answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def serving(answer: Answer, models_status: int = 200) -> AsyncIterator[SpeechServer]:
    speech = SpeechServer(answer, models_status)
    server = await asyncio.start_server(speech.handle, "127.0.0.1", 0)
    speech.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield speech
    finally:
        server.close()
        await server.wait_closed()


@contextlib.asynccontextmanager
async def client(server: SpeechServer, **options: object) -> AsyncIterator[AudioSpeechSynthesizer]:
    settings: dict[str, object] = {"model": "tts-1", "voice": "alloy", "api_key": KEY, "read_timeout": 2.0} | options
    synthesizer = AudioSpeechSynthesizer(server.address, **settings)  # type: ignore[arg-type]
    await synthesizer.start()
    try:
        yield synthesizer
    finally:
        await synthesizer.close()


async def hear(
    synthesizer: AudioSpeechSynthesizer, text: str = "Hello.", voice: Voice | None = None
) -> list[SpeechChunk]:
    return [chunk async for chunk in synthesizer.synthesize(text, voice or Voice())]


def body(*parts: bytes, kind: str = "audio/pcm", cut: bool = False, between: float = 0.0) -> Answer:
    """An answer in chunks; ``cut``: the connection ends before the body does."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for part in parts:
            writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await writer.drain()
            await asyncio.sleep(between)
        if not cut:
            writer.write(b"0\r\n\r\n")

    return answer


def refusal(status: int, text: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        data = text.encode()
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    return answer


def cut_at(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def wav(rate: int, channels: int, samples: np.ndarray) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(np.repeat(samples, channels).astype("<i2").tobytes())
    return target.getvalue()


async def test_what_is_asked_and_what_is_heard() -> None:
    async with (
        serving(body(*cut_at(SOUND.tobytes(), 4096))) as server,
        client(server, extra={"instructions": "Smile."}) as tts,
    ):
        chunks = await hear(tts, "Hello & <welcome>.", Voice("nova", rate=1.5))
        await hear(tts)
    assert server.asked[0] == {
        "model": "tts-1", "input": "Hello & <welcome>.", "voice": "nova", "response_format": "pcm", "speed": 1.5,
        "instructions": "Smile.",
    }  # fmt: skip
    assert server.asked[1]["voice"] == "alloy"
    assert set(server.keys) == {f"Bearer {KEY}"}
    assert np.array_equal(joined("", chunks).pcm, SOUND)
    assert len(chunks) > 3
    assert all(chunk.visemes is None and chunk.words == () for chunk in chunks)


async def test_an_unknown_voice_is_replaced_where_the_voices_are_known() -> None:
    async with serving(body(SOUND.tobytes())) as server, client(server, voices=frozenset({"nova"})) as tts:
        await hear(tts, voice=Voice("nova"))
        await hear(tts, voice=Voice("flite:slt"))
    assert [asked["voice"] for asked in server.asked] == ["nova", "alloy"]


async def test_an_embedded_engines_voice_is_asked_of_no_server() -> None:
    async with serving(body(SOUND.tobytes())) as server, client(server) as tts:
        await hear(tts, voice=Voice("marin"))
        await hear(tts, voice=Voice("flite:slt-warm"))
        await hear(tts, voice=Voice("nova").renamed("flite:slt"))
    assert [asked["voice"] for asked in server.asked] == ["marin", "alloy", "nova"]


@pytest.mark.parametrize("size", [1001, 3333, 7])
async def test_samples_may_be_cut_in_two(size: int) -> None:
    data = SOUND[:6000].tobytes()
    async with serving(body(*cut_at(data, size))) as server, client(server) as tts:
        assert np.array_equal(joined("", await hear(tts)).pcm, SOUND[:6000])


async def test_a_last_half_sample_is_dropped() -> None:
    async with serving(body(SOUND.tobytes() + b"\x01")) as server, client(server) as tts:
        assert np.array_equal(joined("", await hear(tts)).pcm, SOUND)


async def test_the_first_chunk_comes_before_the_last_is_sent() -> None:
    release = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter) -> None:
        await body(SOUND[:4000].tobytes(), cut=True)(writer)
        await release.wait()
        rest = SOUND[4000:].tobytes()
        writer.write(f"{len(rest):x}\r\n".encode() + rest + b"\r\n0\r\n\r\n")

    async with serving(answer) as server, client(server) as tts:
        chunks = tts.synthesize("Hello.", Voice())
        first = await anext(chunks)
        assert not release.is_set()
        release.set()
        rest = [chunk async for chunk in chunks]
    assert np.array_equal(joined("", [first, *rest]).pcm, SOUND)


@pytest.mark.parametrize(("rate", "channels"), [(24_000, 1), (24_000, 2), (16_000, 1), (44_100, 2)])
@pytest.mark.parametrize("size", [5, 100_000])
async def test_a_wav_file_is_understood(rate: int, channels: int, size: int) -> None:
    samples = (6000 * np.sin(2 * np.pi * 300 * np.arange(rate // 2) / rate)).astype("<i2")
    parts = cut_at(wav(rate, channels, samples), size)
    async with serving(body(*parts, kind="audio/wav")) as server, client(server) as tts:
        heard = joined("", await hear(tts)).pcm
    assert len(heard) == pytest.approx(SPEECH_RATE / 2, abs=2)
    spectrum = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(spectrum) / (len(heard) / SPEECH_RATE) == pytest.approx(300, abs=3)
    # No click at the beginning from a header that was taken for sound.
    assert np.abs(heard[:5].astype(int)).max() < 3000


async def test_another_raw_rate_is_resampled() -> None:
    async with serving(body(SOUND.tobytes())) as server, client(server, sample_rate=16_000) as tts:
        assert len(joined("", await hear(tts)).pcm) == pytest.approx(1.5 * SPEECH_RATE, abs=2)


async def test_a_refusal_is_told_without_the_key() -> None:
    answer = refusal(429, json.dumps({"error": {"message": f"Rate limit for {KEY} reached.\nTry later."}}))
    async with serving(answer) as server, client(server) as tts:
        with pytest.raises(SpeechError, match=r"HTTP 429.*Rate limit for .* reached") as raised:
            await hear(tts)
    assert KEY not in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (refusal(500, "x" * 1_000_000), "HTTP 500"),
        (refusal(404, ""), "HTTP 404"),
        (body(b"<html>Sign in</html>", kind="text/html; charset=utf-8"), "text/html"),
        (body(b'{"error": "no"}', kind="application/json"), "application/json"),
        (body(b"ID3\x04" * 500, kind="audio/mpeg"), "audio/mpeg"),
        (body(), "no sound"),
        (body(b"\x00"), "no sound"),
        (body(SOUND.tobytes(), cut=True), "connection"),
        (body(wav(24_000, 1, SOUND)[:40], kind="audio/wav"), "no sound"),
        (body(b"RIFF\x00\x00\x00\x00WAVE" + b"junk\x10\x00\x00\x00" + bytes(9000)), "WAV"),
    ],
)
async def test_faults_of_the_server(answer: Answer, message: str) -> None:
    async with serving(answer) as server, client(server) as tts:
        with pytest.raises(SpeechError, match=message):
            await hear(tts)


async def test_a_server_that_falls_silent() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        await body(SOUND.tobytes(), cut=True)(writer)
        await asyncio.sleep(5)

    async with serving(answer) as server, client(server, read_timeout=0.2) as tts:
        chunks = tts.synthesize("Hello.", Voice())
        assert len((await anext(chunks)).pcm)
        with pytest.raises(SpeechError, match="in time"):
            async for _ in chunks:
                pass


async def test_a_server_that_is_away() -> None:
    async with serving(body(SOUND.tobytes())) as server:
        address = server.address
        async with client(server) as tts:
            server_gone = server
    with pytest.raises(SpeechError, match="connection"):
        async with client(SpeechServer(body(), address=address)):
            pass
    assert server_gone.asked == []
    with pytest.raises(SpeechError, match="started"):
        await hear(tts)


@pytest.mark.parametrize("address", ["", "nonsense", "ftp://example.org/v1"])
async def test_an_address_that_is_none(address: str) -> None:
    with pytest.raises(SpeechError, match="address"):
        async with client(SpeechServer(body(), address=address)):
            pass


@pytest.mark.parametrize("status", [401, 403])
async def test_a_wrong_key_is_told_at_the_start(status: int) -> None:
    async with serving(body(), models_status=status) as server:
        with pytest.raises(SpeechError, match=f"key .*{status}") as raised:
            async with client(server):
                pass
    assert KEY not in str(raised.value)


async def test_a_server_without_a_list_of_models_is_fine() -> None:
    async with serving(body(SOUND.tobytes()), models_status=404) as server, client(server) as tts:
        assert len(await hear(tts))


async def test_an_early_end_hangs_up() -> None:
    endless = body(*[SOUND.tobytes()] * 10_000, between=0.001)
    async with serving(endless) as server, client(server) as tts:
        chunks = tts.synthesize("Hello.", Voice())
        await anext(chunks)
        await chunks.aclose()
        async with asyncio.timeout(5):
            await server.hung_up.wait()
    assert {task for task in asyncio.all_tasks() if not task.done()} == {asyncio.current_task()}


async def test_a_text_without_words_asks_nothing() -> None:
    async with serving(body(SOUND.tobytes())) as server, client(server) as tts:
        assert await hear(tts, " …!? ") == []
    assert server.asked == []
