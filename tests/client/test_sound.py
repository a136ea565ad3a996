"""The visitor's sound: sources that begin, end and fail; the machine's devices, by a stand-in for their library."""

import asyncio
import sys
import types
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.client.stage import Grey, Line, Tone, media, nothing_left, scripted, until
from visavis.client import (
    AUDIO_RATE,
    MICROPHONE_RATE,
    Call,
    Loudspeaker,
    Microphone,
    MicrophoneLost,
    NotSupportedError,
    NoUserMediaError,
    Pcm,
    pace,
    silence,
)
from visavis.session.commands import AppendAudio
from visavis.wire.navtalk.decode import decode


class Listening:
    """A server that keeps the sound it hears."""

    def __init__(self) -> None:
        self.pcm: list[int] = []
        self.begun = False

    async def __call__(self, line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            self.begun = True
            await line.begin()
            async for text in line.socket:
                for command in decode(str(text)).commands:
                    assert isinstance(command, AppendAudio)
                    self.pcm += np.frombuffer(command.pcm, "<i2").tolist()


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Listening, str]]:
    server = Listening()
    async with nothing_left(), scripted(server) as place:
        yield server, place.url


async def test_recorded_sound_goes_at_its_own_pace_and_whole() -> None:
    pcm = np.arange(2500, dtype=np.int16)
    loop = asyncio.get_running_loop()
    start = loop.time()
    pieces = [(loop.time() - start, piece) async for piece in pace(pcm)]
    assert [len(piece) for _, piece in pieces] == [480] * 5 + [100]
    assert np.array_equal(np.concatenate([piece for _, piece in pieces]), pcm)
    # Never before it would have been recorded.
    assert all(at >= (number + 1) * 0.02 - 1e-3 for number, (at, _) in enumerate(pieces))


async def test_silence_has_no_end() -> None:
    pieces = silence(0.001)
    heard = [await anext(pieces) for _ in range(1200)]
    assert sum(map(len, heard)) > MICROPHONE_RATE
    assert not any(piece.any() for piece in heard)


async def test_a_calls_own_source_is_taken_from_the_connection_to_its_end() -> None:
    recording = np.arange(1, 1201, dtype=np.int16)
    left = False

    async def source() -> AsyncIterator[Pcm]:
        nonlocal left
        assert server.begun
        try:
            async for piece in pace(recording):
                yield piece
            await asyncio.sleep(60)
        finally:
            left = True

    async with listening() as (server, url):
        async with Call(url, license="x", name="n", audio=source()):
            await until(lambda: len(server.pcm) == 1200)
            assert server.pcm == recording.tolist()
        assert left


@pytest.mark.parametrize("fails", [False, True])
async def test_a_source_that_ends_or_fails_leaves_the_call_alone(fails: bool) -> None:
    async def source() -> AsyncIterator[Pcm]:
        yield np.ones(480, np.int16)
        if fails:
            raise OSError("unplugged")

    async with listening() as (server, url):
        call = Call(url, license="x", name="n", audio=source())
        events = call.events()
        async with call:
            lost = await anext(event async for event in events if isinstance(event, MicrophoneLost))
            assert ("unplugged" in lost.message) == fails
            assert call.connected
            await call.send_audio(np.ones(480, np.int16))
            await until(lambda: len(server.pcm) == 960)


async def test_a_source_that_wants_to_be_opened_is_opened_and_closed() -> None:
    marks: list[str] = []

    @asynccontextmanager
    async def device() -> AsyncIterator[AsyncIterator[Pcm]]:
        marks.append("open")
        try:
            yield pace(np.ones(480, np.int16))
        finally:
            marks.append("closed")

    async with listening() as (server, url):
        async with Call(url, license="x", name="n", audio=device()):
            await until(lambda: len(server.pcm) == 480)
            assert marks == ["open"]
        assert marks == ["open", "closed"]
    with pytest.raises(Exception, match="reached"):
        await Call("http://127.0.0.1:1", license="x", name="n", audio=device()).connect()
    assert marks == ["open", "closed", "open", "closed"]


class PortAudioError(Exception):
    """The library's own."""


class Stream:
    """A stream of the library's."""

    made: list["Stream"]

    def __init__(self, rate: int, *, device: object, **options: Any) -> None:
        if device == "broken":
            raise PortAudioError("Device unavailable\n[PaErrorCode -9985]")
        self.rate = rate
        self.options = options
        self.callback: Callable[..., None] | None = options.get("callback")
        self.open = False
        self.write_available = 1000
        self.written: list[NDArray[np.int16]] = []
        Stream.made.append(self)

    def start(self) -> None:
        self.open = True

    def close(self) -> None:
        self.open = False

    def write(self, pcm: NDArray[np.int16]) -> None:
        self.written.append(pcm)


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    """The streams that were made of the machine's devices."""
    library = types.ModuleType("sounddevice")
    for name, value in {"InputStream": Stream, "OutputStream": Stream, "PortAudioError": PortAudioError}.items():
        setattr(library, name, value)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    Stream.made = []
    return Stream.made


async def test_a_microphone_is_heard_while_it_is_open(devices: list[Stream]) -> None:
    async with listening() as (server, url), Microphone() as microphone:
        async with Call(url, license="x", name="n", audio=microphone):
            (stream,) = devices
            assert (stream.rate, stream.open) == (MICROPHONE_RATE, True)
            assert stream.callback
            await asyncio.to_thread(stream.callback, np.full((480, 1), 7, np.int16), 480, None, None)
            await until(lambda: server.pcm == [7] * 480)
        # It is its own owner's to close.
        assert stream.open
    assert not stream.open


async def test_a_microphone_that_nobody_listens_to_keeps_four_seconds(devices: list[Stream]) -> None:
    async with Microphone() as microphone:
        callback = devices[0].callback
        assert callback
        for number in range(210):
            callback(np.full((480, 1), number, np.int16), 480, None, None)
        await until(lambda: microphone.dropped == 10)
        assert (await anext(microphone))[0] == 0


async def test_a_loudspeaker_plays_what_it_has_room_for(devices: list[Stream]) -> None:
    loudspeaker = Loudspeaker()
    loudspeaker.play(np.zeros(960, np.int16))
    async with loudspeaker:
        (stream,) = devices
        assert stream.rate == AUDIO_RATE
        loudspeaker.play(np.zeros(960, np.int16))
        loudspeaker.play(np.zeros(1001, np.int16))
        assert [pcm.shape for pcm in stream.written] == [(960, 1)]
    assert not stream.open


@pytest.mark.parametrize("kind", [Microphone, Loudspeaker])
@pytest.mark.usefixtures("devices")
async def test_a_device_that_cannot_be_opened(kind: type[Microphone] | type[Loudspeaker]) -> None:
    for _ in range(2):
        with pytest.raises(NoUserMediaError, match=r"Device unavailable$"):
            await kind("broken").__aenter__()


@pytest.mark.parametrize("kind", [Microphone, Loudspeaker])
async def test_no_library_for_devices(
    kind: type[Microphone] | type[Loudspeaker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(NotSupportedError, match=r"visavis\[microphone\]"):
        await kind().__aenter__()


async def test_a_call_without_its_microphone_is_not_made(devices: list[Stream]) -> None:
    async with scripted(Line.until_left) as place:
        with pytest.raises(NoUserMediaError):
            await Call(place.url, license="x", name="n", audio=Microphone("broken")).connect()
        assert place.calls == 0
        assert devices == []
