"""What ``visavis talk`` does: one call, its captions, and its film."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
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
    Event,
    VideoFrame,
    pace,
)
from visavis.client.directory import list_avatars
from visavis.client.film import Film, FilmError
from visavis.client.recording import RecordingError, read_wav

_TAIL_SECONDS = 2.0
"""Silence after a recording, in which the server finds its end."""
_DEVICE_PIECE = 0.02
_GREETING_SECONDS = 2.0
"""How long an avatar that greets may take to begin."""


class TalkFailed(Exception):
    """The talk could not be had; the message is for the user."""


class Talk:
    """One call from the terminal. Raises ``TalkFailed`` for a recording or a film that cannot be."""

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
        try:
            self._sounds = [(path, read_wav(path)) for path in sounds]
            self._film = Film(save) if save else None
        except (RecordingError, FilmError) as error:
            raise TalkFailed(str(error)) from None
        self._texts = texts
        self._play = play
        self._patience = patience
        self._answered = asyncio.Event()
        self._begun = asyncio.Event()
        self._seen: set[str] = set()
        self._stale: set[str] = set()
        self._speaker: Callable[[NDArray[np.int16]], None] | None = None
        self._line_open = False
        self._unanswered = 0
        self.speaking = False
        """Whether the microphone is open: such a talk ends by Ctrl-C."""

    async def run(self) -> None:
        """Call, talk, hang up. Raises ``TalkFailed``."""
        try:
            await self._talk()
        except BaseException as error:
            # What went wrong first is what the user is told of last.
            if problem := await self._save():
                typer.echo(problem, err=True)
            match error:
                case CallRefused():
                    raise TalkFailed(f"the server does not take the call: {error}") from None
                case CallClosed():
                    raise TalkFailed(f"the call ended: {error}") from None
                case CallError():
                    raise TalkFailed(str(error)) from None
                case _:
                    raise
        problems = [problem] if (problem := await self._save()) else []
        if self._unanswered:
            problems.append(f"no answer to {self._unanswered} of {len(self._sounds) + len(self._texts)} turns")
        if problems:
            raise TalkFailed("\n".join(problems))

    async def _talk(self) -> None:
        if self._name is None and self._avatar_id is None:
            self._avatar_id = (await list_avatars(self._server, self._license))[0].id
        devices = Devices() if self._play or not (self._sounds or self._texts) else None
        try:
            if devices:
                self._speaker = devices.play
            typer.echo("Calling …", err=True)
            async with Call(
                self._server,
                license=self._license,
                name=self._name,
                avatar_id=self._avatar_id,
                on_audio=self._audio,
                on_video=self._video,
            ) as call:
                captions = asyncio.create_task(self._captions(call))
                try:
                    await call.wait_ready()
                    await call.wait_media()
                    typer.echo(f"Connected ({call.session_id}).", err=True)
                    if call.warning:
                        typer.echo(call.warning, err=True)
                    await self._converse(call, captions, devices)
                finally:
                    await call.close()
                    await captions
        finally:
            if devices:
                devices.close()

    async def _save(self) -> str | None:
        """Finish the film; in words, why there is none."""
        film = self._film
        if film is None:
            return None
        try:
            await asyncio.to_thread(film.close)
        except FilmError as error:
            return str(error)
        if not film.begun:
            return f"{film.path} was not written: no picture came"
        typer.echo(f"Saved {film.path} ({film.seconds:.1f} s).", err=True)
        return None

    async def _converse(self, call: Call, captions: asyncio.Task[None], devices: "Devices | None") -> None:
        await self._greeting(call, captions)
        for path, pcm in self._sounds:
            typer.echo(f"Saying {path.name} ({len(pcm) / MICROPHONE_RATE:.1f} s) …", err=True)
            self._turn()
            silence = np.zeros(round(_TAIL_SECONDS * MICROPHONE_RATE), np.int16)
            async for piece in pace(np.concatenate((pcm, silence))):
                await call.send_audio(piece)
            self._unanswered += not await self._answer(call, captions)
        for text in self._texts:
            typer.echo(f"You: {text}")
            self._turn()
            await call.send_text(text)
            self._unanswered += not await self._answer(call, captions)
        if devices and not (self._sounds or self._texts):
            typer.echo("Speak; Ctrl-C hangs up.", err=True)
            self.speaking = True
            async for piece in devices.record():
                await call.send_audio(piece)

    async def _greeting(self, call: Call, captions: asyncio.Task[None]) -> None:
        """Let the avatar finish its greeting, where it has one."""
        if await self._told(self._begun, call, captions, _GREETING_SECONDS):
            await self._answer(call, captions)

    def _turn(self) -> None:
        """From here on, only a new answer counts as one."""
        self._stale = set(self._seen)
        self._answered.clear()

    async def _answer(self, call: Call, captions: asyncio.Task[None]) -> bool:
        """Wait for the whole answer; False when there is none in time."""
        if await self._told(self._answered, call, captions, self._patience):
            return True
        self._break()
        typer.echo(f"(no answer within {self._patience:g} s)", err=True)
        return False

    async def _told(self, event: asyncio.Event, call: Call, captions: asyncio.Task[None], seconds: float) -> bool:
        """Whether ``event`` comes in time. Raises ``CallClosed`` as soon as the call is over instead."""
        waiting = asyncio.create_task(event.wait())
        try:
            await asyncio.wait({waiting, captions}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if not event.is_set() and captions.done():
            captions.result()
            raise call.over or CallClosed("closed", "The connection is closed.")
        return event.is_set()

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
        self._input: Any = None
        self._output: Any = self._open("OutputStream", AUDIO_RATE, latency="low")

    def play(self, pcm: NDArray[np.int16]) -> None:
        """Play a frame; one that the device has no room for is dropped."""
        if self._output.write_available >= len(pcm):
            self._output.write(pcm.reshape(-1, 1))

    async def record(self) -> AsyncIterator[NDArray[np.int16]]:
        """The microphone, in pieces of 20 ms; beyond four seconds of them that nobody took, new ones are dropped."""

        def take(data: NDArray[np.int16], _frames: int, _time: object, _status: object) -> None:
            self._loop.call_soon_threadsafe(self._put, data[:, 0].copy())

        piece = round(_DEVICE_PIECE * MICROPHONE_RATE)
        self._input = self._open("InputStream", MICROPHONE_RATE, blocksize=piece, callback=take)
        while True:
            yield await self._heard.get()

    def close(self) -> None:
        """Free the devices."""
        for stream in (self._input, self._output):
            if stream is not None:
                stream.close()

    def _open(self, kind: str, rate: int, **options: Any) -> Any:
        try:
            stream = getattr(self._devices, kind)(rate, channels=1, dtype="int16", **options)
            stream.start()
        except self._devices.PortAudioError as error:
            raise TalkFailed(f"the machine's sound device cannot be used: {error}") from None
        return stream

    def _put(self, piece: NDArray[np.int16]) -> None:
        if not self._heard.full():
            self._heard.put_nowait(piece)
