"""What ``visavis talk`` does: one call, its captions, and its film."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import typer
from numpy.typing import NDArray

from visavis.client import (
    MICROPHONE_RATE,
    AudioFrame,
    Call,
    CallEndedError,
    CallError,
    Caption,
    ConnectionState,
    Event,
    Expiring,
    Film,
    FilmError,
    Loudspeaker,
    Microphone,
    Notice,
    Reconnecting,
    RecordingError,
    ToolCall,
    VideoFrame,
    list_avatars,
    read_wav,
)

_GREETING_SECONDS = 1.5
"""How long an avatar that greets may take to begin, and is quiet when it has."""


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
        self._loudspeaker: Loudspeaker | None = None
        self._written: dict[str, int] = {}
        """Of answers under way: how many characters were printed."""
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
                case CallEndedError():
                    raise TalkFailed(f"the call ended: {error}") from None
                case CallError():
                    raise TalkFailed(f"the call could not be made ({error.name}): {error}") from None
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
        async with AsyncExitStack() as stack:
            microphone = None
            if not (self._sounds or self._texts):
                microphone = await stack.enter_async_context(Microphone())
            if self._play or microphone:
                self._loudspeaker = await stack.enter_async_context(Loudspeaker())
            typer.echo("Calling …", err=True)
            call = await stack.enter_async_context(
                Call(
                    self._server,
                    license=self._license,
                    name=self._name,
                    avatar_id=self._avatar_id,
                    on_audio=self._audio,
                    on_video=self._video,
                    on_event=self._tell,
                )
            )
            typer.echo(f"Connected ({call.session_id}).", err=True)
            await self._converse(call, microphone)

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

    async def _converse(self, call: Call, microphone: Microphone | None) -> None:
        # An avatar that greets may finish.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._patience):
                await call.idle(_GREETING_SECONDS)
        self._break()
        for path, pcm in self._sounds:
            seconds = len(pcm) / MICROPHONE_RATE
            typer.echo(f"Saying {path.name} ({seconds:.1f} s) …", err=True)
            await self._ask(call, pcm, seconds)
        for text in self._texts:
            await self._ask(call, text, 0.0)
        if microphone:
            typer.echo("Speak; Ctrl-C hangs up.", err=True)
            self.speaking = True
            await call.stream_audio(microphone)

    async def _ask(self, call: Call, question: str | NDArray[np.int16], seconds: float) -> None:
        """Ask, and count what gets no whole answer; ``seconds``: how long it takes to say it."""
        try:
            await call.ask(question, patience=seconds + self._patience)
        except TimeoutError:
            self._unanswered += 1
            self._break()
            typer.echo(f"(no answer within {self._patience:g} s)", err=True)

    def _tell(self, event: Event) -> None:
        match event:
            case Caption(side="user", state="final"):
                self._break()
                typer.echo(f"You: {event.text or '(not understood)'}")
            case Caption(side="avatar"):
                self._write(event)
            case ToolCall():
                self._break()
                typer.echo(f"(asks for the tool {event.name})")
            case ConnectionState(queue_position=int()):
                typer.echo(f"Waiting; place {event.queue_position} in the queue …", err=True)
            case Notice() | Expiring():
                typer.echo(event.message, err=True)
            case Reconnecting():
                self._break()
                typer.echo("The connection was lost; calling again …", err=True)
            case _:
                pass

    def _write(self, caption: Caption) -> None:
        """What is new of an answer; its end ends the line."""
        new = caption.text[self._written.get(caption.id, 0) :]
        if new and not self._line_open:
            sys.stdout.write("Avatar: ")
            self._line_open = True
        sys.stdout.write(new)
        sys.stdout.flush()
        self._written[caption.id] = len(caption.text)
        if caption.state == "final":
            del self._written[caption.id]
            self._break()

    def _break(self) -> None:
        if self._line_open:
            typer.echo("")
            self._line_open = False

    def _audio(self, frame: AudioFrame) -> None:
        if self._film:
            self._film.add_audio(frame)
        if self._loudspeaker:
            self._loudspeaker.play(frame.pcm)

    def _video(self, frame: VideoFrame) -> None:
        if self._film:
            self._film.add_video(frame)
