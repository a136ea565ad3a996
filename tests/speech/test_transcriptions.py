"""The remote recognizer against a local server that speaks the protocol, and one that breaks it."""

import asyncio
import contextlib
import email.parser
import email.policy
import io
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from visavis.speech import transcriptions
from visavis.speech.ports import LISTEN_RATE, RecognitionContext, SpeechError
from visavis.speech.transcriptions import TranscriptionsRecognizer

KEY = "sk-very-secret-0123456789"
SOUND = (6000 * np.sin(np.arange(LISTEN_RATE) / 9)).astype(np.int16)

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def reply(status: int, body: bytes, headers: str = "") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body)

    return answer


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"text": "half')


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(64):
        writer.write(b"8000\r\n" + b"x" * 0x8000 + b"\r\n")
        await writer.drain()
    await asyncio.sleep(30)


@dataclass
class Server:
    """Gives the answers one after the other, the last one for good; remembers the forms."""

    answers: list[Answer]
    models_status: int = 200
    address: str = ""
    forms: list[dict[str, bytes]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                request, _, rest = head.decode().partition("\r\n")
                headers = email.parser.Parser(policy=email.policy.HTTP).parsestr(rest)
                self.keys.append(headers["authorization"] or "")
                if request.startswith("GET /v1/models "):
                    await reply(self.models_status, b"{}", "Connection: close\r\n")(writer)
                else:
                    assert request == "POST /v1/audio/transcriptions HTTP/1.1"
                    body = await reader.readexactly(int(headers["content-length"]))
                    self.came.set()
                    self.forms.append(parse(headers["content-type"], body))
                    answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                    await answer(writer)
                await writer.drain()
        finally:
            writer.close()


def parse(content_type: str, body: bytes) -> dict[str, bytes]:
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
        f"Content-Type: {content_type}\r\n\r\n".encode() + body
    )
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
        for part in message.iter_parts()
    }


@contextlib.asynccontextmanager
async def serving(*answers: Answer, models_status: int = 200) -> AsyncIterator[Server]:
    state = Server(list(answers), models_status)
    server = await asyncio.start_server(state.handle, "127.0.0.1", 0)
    state.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield state
    finally:
        server.close()


@contextlib.asynccontextmanager
async def recognizing(server: Server, timeout: float = 10.0) -> AsyncIterator[TranscriptionsRecognizer]:  # noqa: ASYNC109
    recognizer = TranscriptionsRecognizer(server.address + "/", model="whisper-1", api_key=KEY, timeout=timeout)
    await recognizer.start()
    try:
        yield recognizer
    finally:
        await recognizer.close()


async def understand(recognizer: TranscriptionsRecognizer, language: str = "en-US") -> str:
    stream = recognizer.open(RecognitionContext(language, ("hello",)))
    for at in range(0, len(SOUND), 512):
        stream.push(SOUND[at : at + 512])
    assert await stream.partial() == ""
    return (await stream.finish()).text


GOOD = reply(200, b'{"text": " Hello there. ", "usage": {}}')


async def test_the_request_is_the_protocols_form() -> None:
    async with serving(GOOD) as server, recognizing(server) as recognizer:
        assert await understand(recognizer, "pt-BR") == "Hello there."
        (form,) = server.forms
        assert form["model"] == b"whisper-1"
        assert form["language"] == b"pt"
        assert form["response_format"] == b"json"
        with wave.open(io.BytesIO(form["file"])) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (LISTEN_RATE, 1, 2)
            assert np.array_equal(np.frombuffer(file.readframes(1 << 20), "<i2"), SOUND)
        assert set(server.keys) == {f"Bearer {KEY}"}


@pytest.mark.parametrize("first", [reply(429, b"slow down", "Retry-After: 0\r\n"), reply(503, b""), cut])
async def test_a_passing_failure_is_tried_once_more(first: Answer) -> None:
    async with serving(first, GOOD) as server, recognizing(server) as recognizer:
        assert await understand(recognizer) == "Hello there."
        assert len(server.forms) == 2


@pytest.mark.parametrize(
    ("answer", "message", "tries"),
    [
        (reply(429, b"too many", "Retry-After: 0\r\n"), "HTTP 429.*too many", 2),
        (reply(500, b"oops"), "HTTP 500.*oops", 2),
        (reply(400, b"bad model " + KEY.encode()), "HTTP 400.*bad model …", 1),
        (reply(401, b""), "HTTP 401", 1),
        (reply(302, b"", "Location: /elsewhere\r\n"), "HTTP 302", 1),
        (reply(200, b"hello"), "not a JSON object", 1),
        (reply(200, b"[]"), "not a JSON object", 1),
        (reply(200, b'{"text": 3}'), "not a JSON object", 1),
        (cut, "connection", 2),
        (endless, "no end", 1),
    ],
)
async def test_failures_are_told_without_the_key(answer: Answer, message: str, tries: int) -> None:
    async with serving(answer) as server, recognizing(server) as recognizer:
        with pytest.raises(SpeechError, match=message) as failure:
            await understand(recognizer)
        assert KEY not in str(failure.value)
        assert len(server.forms) == tries


async def test_a_server_that_does_not_answer_is_given_up() -> None:
    async with serving(silence) as server, recognizing(server, timeout=0.3) as recognizer:
        with pytest.raises(SpeechError, match="did not answer"):
            await understand(recognizer)


async def test_a_server_may_not_ask_for_a_long_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcriptions, "_MAX_RETRY_WAIT", 0.05)
    async with serving(reply(429, b"", "Retry-After: 3600\r\n"), GOOD) as server, recognizing(server, 5) as recognizer:
        assert await understand(recognizer) == "Hello there."


async def test_a_cancelled_utterance_hangs_up() -> None:
    async with serving(silence) as server, recognizing(server) as recognizer:
        stream = recognizer.open(RecognitionContext())
        stream.push(SOUND)
        finishing = asyncio.create_task(stream.finish())
        await server.came.wait()
        await stream.cancel()
        with pytest.raises(SpeechError, match="cancelled"):
            await finishing
        with pytest.raises(SpeechError, match="cancelled"):
            await stream.finish()


async def test_nothing_said_is_not_sent() -> None:
    async with serving(GOOD) as server, recognizing(server) as recognizer:
        stream = recognizer.open(RecognitionContext())
        assert (await stream.finish()).text == ""
        assert not server.forms


async def test_the_start_tells_what_cannot_work() -> None:
    async with serving(GOOD, models_status=401) as server:
        with pytest.raises(SpeechError, match="refused the key"):
            await TranscriptionsRecognizer(server.address, model="m", api_key=KEY).start()
    async with serving(GOOD, models_status=404) as server, recognizing(server) as recognizer:
        assert await understand(recognizer) == "Hello there."
    with pytest.raises(SpeechError, match="connection"):
        await TranscriptionsRecognizer(server.address, model="m").start()
    with pytest.raises(SpeechError, match="not a URL"):
        await TranscriptionsRecognizer("nowhere", model="m").start()


async def test_a_closed_recognizer_says_so() -> None:
    async with serving(GOOD) as server, recognizing(server) as recognizer:
        await recognizer.close()
        with pytest.raises(SpeechError, match="not running"):
            await understand(recognizer)
