"""What ``visavis talk`` does: one call, its captions, and its film."""

import asyncio
import sys
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import typer
from numpy.typing import NDArray

from visavis.client import (
    AUDIO_RATE,
    MICROPHONE_RATE,
    AudioFrame,
    Call,
    CallClosed,
    CallError,
    CallRefused,
    CallUnreachable,
    Event,
    VideoFrame,
    pace,
)
from visavis.client.directory import list_avatars
from visavis.client.film import Film

_TAIL_SECONDS = 2.0
"""Silence after a recording, in which the server finds its end."""
_DEVICE_PIECE = 0.02
_GREETING_SECONDS = 2.0
"""How long an avatar that greets may take to begin."""


class TalkFailed(Exception):
    """The talk could not be had; the message is for the user."""


class Talk:
    """One call from the terminal."""

    def __init__(
        self,
        server: str,
        license: str,
        *,
        name: str | None,
        avatar_id: str | None,
        sounds: Sequence[Path],
        texts: Sequence[str],
        save: Path | None,
        play: bool,
        patience: float,
    ) -> None:
        self._server = server
        self._license = license
        self._name = name
        self._avatar_id = avatar_id
        self._sounds = [(path, read_wav(path)) for path in sounds]
        self._texts = texts
        self._film = Film(save) if save else None
        self._play = play
        self._patience = patience
        self._answered = asyncio.Event()
        self._begun = asyncio.Event()
        self._seen: set[str] = set()
        self._stale: set[str] = set()
        self._speaker: Callable[[NDArray[np.int16]], None] | None = None
        self._line_open = False

    async def run(self) -> None:
        """Call, talk, hang up. Raises ``TalkFailed``."""
        if self._name is None and self._avatar_id is None:
            try:
                self._avatar_id = (await list_avatars(self._server, self._license))[0].id
            except CallError as error:
                raise TalkFailed(str(error)) from None
        call = Call(
            self._server,
            license=self._license,
            name=self._name,
            avatar_id=self._avatar_id,
            on_audio=self._audio,
            on_video=self._video,
        )
        devices = Devices() if self._play or not (self._sounds or self._texts) else None
        try:
            if devices:
                self._speaker = devices.play
            typer.echo("Calling …", err=True)
            async with call:
                captions = asyncio.create_task(self._captions(call))
                await call.wait_ready()
                await call.wait_media()
                typer.echo(f"Connected ({call.session_id}).", err=True)
                if call.warning:
                    typer.echo(call.warning, err=True)
                await self._converse(call, devices)
            await captions
        except CallRefused as refused:
            raise TalkFailed(f"the server does not take the call: {refused}") from None
        except CallUnreachable as unreachable:
            raise TalkFailed(str(unreachable)) from None
        except CallClosed as closed:
            raise TalkFailed(f"the call ended: {closed}") from None
        except CallError as error:
            raise TalkFailed(str(error)) from None
        finally:
            if devices:
                devices.close()
            if self._film:
                self._film.close()
                typer.echo(f"Saved {self._film.path} ({self._film.seconds:.1f} s).", err=True)

    async def _converse(self, call: Call, devices: "Devices | None") -> None:
        await self._greeting()
        for path, pcm in self._sounds:
            typer.echo(f"Saying {path.name} ({len(pcm) / MICROPHONE_RATE:.1f} s) …", err=True)
            self._turn()
            silence = np.zeros(round(_TAIL_SECONDS * MICROPHONE_RATE), np.int16)
            async for piece in pace(np.concatenate((pcm, silence))):
                await call.send_audio(piece)
            await self._answer()
        for text in self._texts:
            typer.echo(f"You: {text}")
            self._turn()
            await call.send_text(text)
            await self._answer()
        if devices and not (self._sounds or self._texts):
            typer.echo("Speak; Ctrl-C hangs up.", err=True)
            async for piece in devices.record():
                await call.send_audio(piece)

    async def _greeting(self) -> None:
        """Let the avatar finish its greeting, where it has one."""
        try:
            async with asyncio.timeout(_GREETING_SECONDS):
                await self._begun.wait()
        except TimeoutError:
            return
        await self._answer()

    def _turn(self) -> None:
        """From here on, only a new answer counts as one."""
        self._stale = set(self._seen)
        self._answered.clear()

    async def _answer(self) -> None:
        try:
            async with asyncio.timeout(self._patience):
                await self._answered.wait()
        except TimeoutError:
            typer.echo(f"(no answer within {self._patience:.0f} s)", err=True)

    async def _captions(self, call: Call) -> None:
        async for event in call.events():
            self._caption(event)

    def _caption(self, event: Event) -> None:
        match event.type:
            case "realtime.conversation.item.input_audio_transcription.completed":
                self._break()
                typer.echo(f"You: {event.text or '(not understood)'}")
            case "realtime.response.audio_transcript.delta":
                if not self._line_open:
                    sys.stdout.write("Avatar: ")
                    self._line_open = True
                sys.stdout.write(event.text)
                sys.stdout.flush()
                self._seen.add(str(event.data.get("id")))
                self._begun.set()
            case "realtime.response.audio.done":
                self._break()
                if event.data.get("id") in self._seen - self._stale:
                    self._answered.set()
            case "realtime.response.function_call_arguments.done":
                self._break()
                typer.echo(f"(asks for the tool {event.data.get('name')})")
            case _:
                pass

    def _break(self) -> None:
        if self._line_open:
            typer.echo("")
            self._line_open = False

    def _audio(self, frame: AudioFrame) -> None:
        if self._film:
            self._film.add_audio(frame)
        if self._speaker:
            self._speaker(frame.pcm)

    def _video(self, frame: VideoFrame) -> None:
        if self._film:
            self._film.add_video(frame)


class Devices:
    """The machine's microphone and loudspeaker, through the optional ``sounddevice``."""

    def __init__(self) -> None:
        try:
            import sounddevice  # pyright: ignore[reportMissingImports]
        except (ImportError, OSError) as error:
            raise TalkFailed(
                "the microphone needs the extra 'microphone' (pip install 'visavis[microphone]') and PortAudio, "
                f"or give recordings or --text: {error}"
            ) from None
        self._devices: Any = sounddevice
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[NDArray[np.int16]] = asyncio.Queue(200)
        self._output: Any = sounddevice.OutputStream(AUDIO_RATE, channels=1, dtype="int16", latency="low")
        self._output.start()
        self._input: Any = None

    def play(self, pcm: NDArray[np.int16]) -> None:
        """Play a frame; one that the device has no room for is dropped."""
        if self._output.write_available >= len(pcm):
            self._output.write(pcm.reshape(-1, 1))

    async def record(self) -> AsyncIterator[NDArray[np.int16]]:
        """The microphone, in pieces of 20 ms; beyond four seconds of them that nobody took, new ones are dropped."""

        def take(data: NDArray[np.int16], _frames: int, _time: object, _status: object) -> None:
            self._loop.call_soon_threadsafe(self._put, data[:, 0].copy())

        self._input = self._devices.InputStream(
            MICROPHONE_RATE,
            channels=1,
            dtype="int16",
            blocksize=round(_DEVICE_PIECE * MICROPHONE_RATE),
            callback=take,
        )
        self._input.start()
        while True:
            yield await self._heard.get()

    def close(self) -> None:
        """Free the devices."""
        for stream in (self._input, self._output):
            if stream is not None:
                stream.close()

    def _put(self, piece: NDArray[np.int16]) -> None:
        if not self._heard.full():
            self._heard.put_nowait(piece)


def read_wav(path: Path) -> NDArray[np.int16]:
    """A 16-bit WAV file's sound as mono at ``MICROPHONE_RATE``. Raises ``TalkFailed``."""
    try:
        with wave.open(str(path)) as file:
            width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError) as error:
        raise TalkFailed(f"{path} cannot be read as WAV: {error}") from None
    if width != 2:
        raise TalkFailed(f"{path} has {8 * width}-bit samples; 16-bit ones are needed")
    pcm = np.frombuffer(data, "<i2").reshape(-1, channels).mean(axis=1).astype(np.int16)
    if rate == MICROPHONE_RATE:
        return pcm
    return soxr.resample(pcm, rate, MICROPHONE_RATE, quality="HQ").astype(np.int16, copy=False)
