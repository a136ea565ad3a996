"""A call: one conversation with an avatar, over however many connections it takes."""

import asyncio
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np
import structlog

from visavis.client import wire
from visavis.client.address import Address
from visavis.client.answers import next_answer, quiet
from visavis.client.conversation import Conversation
from visavis.client.errors import NoSessionToResumeError, SessionTimeoutError
from visavis.client.events import (
    Activity,
    Disconnection,
    Event,
    HistoryItem,
    Message,
    MicrophoneLost,
    Reconnecting,
    Variable,
)
from visavis.client.lifeline import Lifeline, TokenProvider
from visavis.client.link import GOING_AWAY, NORMAL, Ears, Link
from visavis.client.listeners import EVENTS_HELD, PICTURES_HELD, SOUND_HELD, Listeners
from visavis.client.media import AudioFrame, VideoFrame
from visavis.client.options import Reconnection, RetryOptions, Timeouts
from visavis.client.outcome import HUNG_UP, Outcome, outcome_of
from visavis.client.outlet import Outlet
from visavis.client.picture import Emotion, Picture, check_background, check_emotion, size_text
from visavis.client.sound import MICROPHONE_RATE, AudioSource, Feed, Pcm, opened, pace, silence
from visavis.client.states import ConnectionState, ConnectionStateType, connection_state
from visavis.client.stream import Stream
from visavis.client.tools import Tool

logger = structlog.get_logger(__name__)

_LEAD = MICROPHONE_RATE // 4
"""Samples of silence before a recording."""


class Call:
    """One conversation with an avatar. Entering it as an async context manager connects, leaving it hangs up.

    ``server`` is the server's web address. A ``license`` key, a client ``token``, or a ``token_provider`` (awaited for
    a fresh token at each attempt to connect) says who calls; ``avatar_id`` or ``name`` says who is called.

    ``size`` (width and height), ``background`` and ``transparent`` say how the avatar is to be seen; ``background`` as
    ``set_background`` takes it. Raises ``ValueError`` for what no server can show.

    The callbacks run on the event loop and must not block; what one raises ends the call, and is raised by ``connect``
    or is the cause of the ``CallEndedError`` that the call's methods raise from then on. ``audio`` is the visitor's
    sound, taken from when the call is connected until its end.

    ``resume`` is the ``resume_token`` of an earlier call whose session is to go on. ``history`` is what was said before
    a call that begins anew; plain text was said by the visitor. ``variables`` stand in for ``{{name}}`` in the avatar's
    prompt and greeting; ``tools`` run by themselves when the avatar asks for them.
    """

    def __init__(
        self,
        server: str,
        *,
        license: str = "",
        token: str = "",
        token_provider: TokenProvider | None = None,
        avatar_id: str | None = None,
        name: str | None = None,
        model: str | None = None,
        voice: str | None = None,
        prompt: str | None = None,
        size: tuple[int, int] | None = None,
        background: str | bytes | None = None,
        transparent: bool = False,
        audio: AudioSource | None = None,
        tools: Sequence[Tool] = (),
        variables: Mapping[str, Variable] | None = None,
        history: Sequence[HistoryItem | str] = (),
        resume: str = "",
        retry: RetryOptions | None = None,
        reconnection: Reconnection | None = None,
        timeouts: Timeouts | None = None,
        on_audio: Callable[[AudioFrame], None] | None = None,
        on_video: Callable[[VideoFrame], None] | None = None,
        on_event: Callable[[Event], None] | None = None,
        on_state: Callable[[ConnectionState], None] | None = None,
        on_message: Callable[[Message], None] | None = None,
    ) -> None:
        async def key() -> str:
            return token or license

        if background is not None:
            check_background(background)
        self._transparency = model == "transparency"
        self._background: str | bytes | None = background if isinstance(background, bytes) else None
        """What the address does not tell a session that begins, or goes on."""
        self._source = audio
        self._listeners = Listeners(on_audio, on_video, on_event, on_state, on_message)
        self._outlet = Outlet()
        self._timeouts = timeouts or Timeouts()
        self._reconnection = reconnection or Reconnection()
        self._lifeline = Lifeline(
            address=Address(
                server,
                avatar_id,
                name,
                model,
                voice,
                prompt,
                size_text(size),
                background if isinstance(background, str) else None,
                transparent,
            ),
            key=token_provider or key,
            timeouts=self._timeouts,
            retry=retry or RetryOptions(),
            reconnection=self._reconnection,
            ears=Ears(self._take, self._enter, self._listeners.hear, self._listeners.see),
        )
        self._conversation = Conversation(
            self._listeners.tell, self.send_tool_result, tools=tools, variables=variables or {}, history=history
        )
        self._state = connection_state(ConnectionStateType.DISCONNECTED)
        self._runner: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._failure: Exception | None = None
        self._close_code = NORMAL
        self._ending = False
        """Whether all is being freed already."""
        self.session_id = ""
        """The session's id; empty before there is one."""
        self.resume_token = resume
        """With which a later call goes on with this session, while the server keeps it; empty where it does not."""
        self.resumed = False
        """Whether this call went on with an earlier session when it was connected."""
        self.picture: Picture | None = None
        """What the server sends of the avatar; None of a server that does not say."""
        self.disconnection: Disconnection | None = None
        """Why the call is over, once a call that was connected is."""
        self.dropped_audio = 0
        """Samples that were sent while the connection was lost, and went nowhere."""

    # The call's life.

    async def connect(self) -> str:
        """Connect; the session's id, when picture and sound flow and the server listens.

        Raises one of the ``CallError`` classes; ``CallEndedError`` where ``disconnect`` was called meanwhile; what one
        of the callbacks raised.
        """
        if self._runner:
            raise RuntimeError("a Call connects once")
        runner = self._runner = asyncio.create_task(self._run())
        connected = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait({runner, connected}, return_when=asyncio.FIRST_COMPLETED)
        except BaseException:
            await self.disconnect()
            raise
        finally:
            connected.cancel()
        if not self._connected.is_set():
            raise self._failure or HUNG_UP.error()
        return self.session_id

    async def disconnect(self, *, keep: bool = False) -> None:
        """Hang up and free everything; returns when that is done. Idempotent.

        ``keep``: go without hanging up, so that the session can be resumed also where the server keeps only those of
        visitors whose connection was lost.
        """
        if self._runner is None:
            self._finish(HUNG_UP)
            return
        if keep:
            self._close_code = GOING_AWAY
        if not self._ending:
            self._ending = True
            self._runner.cancel()
        # Who waits here may be cancelled; the call's end goes on.
        await asyncio.wait([self._runner])

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    @property
    def connected(self) -> bool:
        """Whether the call is up now."""
        return self._outlet.connected

    @property
    def state(self) -> ConnectionState:
        """How far the connection is."""
        return self._state

    @property
    def activity(self) -> Activity:
        """What the avatar does."""
        return self._conversation.dialogue.activity

    @property
    def history(self) -> tuple[HistoryItem, ...]:
        """What both sides said, oldest first; the last 1000 items."""
        return tuple(self._conversation.history)

    @property
    def variables(self) -> dict[str, Variable]:
        """The session's variables, as far as they were set here or resumed."""
        return self._conversation.variables.present()

    # What comes.

    def events(self) -> Stream[Event]:
        """All that happens from now on, to its end; may be asked for before the call connects, and several times.

        It holds 1000 events that nobody took; the oldest go.
        """
        return self._listeners.events.new(EVENTS_HELD)

    def audio(self) -> Stream[AudioFrame]:
        """The avatar's sound from now on, in frames of 20 ms. It holds 5 s that nobody took; the oldest goes."""
        return self._listeners.sound.new(SOUND_HELD)

    def video(self) -> Stream[VideoFrame]:
        """The avatar's picture from now on. It holds five that nobody took; the oldest go."""
        return self._listeners.pictures.new(PICTURES_HELD)

    # What goes. All of it raises ``CallEndedError`` when the call is over.

    async def send_audio(self, pcm: Pcm) -> None:
        """The visitor's sound: mono int16 at ``MICROPHONE_RATE``, at the pace at which it was recorded.

        While the connection is lost it is dropped.
        """
        if not await self._outlet.try_to_send(wire.audio(pcm)):
            self.dropped_audio += len(pcm)

    async def stream_audio(self, source: AsyncIterable[Pcm]) -> None:
        """Send all that comes from ``source``, such as ``pace(recording)``."""
        async for piece in source:
            await self.send_audio(piece)

    async def send_text(self, text: str, *, reply: bool = True) -> None:
        """Say something in writing; ``reply``: have it answered now, instead of what the avatar is saying."""
        await self.send(wire.typed(text) if reply else wire.said(text))
        self._conversation.dialogue.typed(text, answered=reply)

    async def ask(self, question: str | Pcm, *, patience: float = 60.0) -> str:
        """Ask in writing, or aloud by a recording, and wait until the answer was heard to its end; its words.

        A recording is followed by silence, in which the server finds its end. Raises ``TimeoutError`` when there was no
        whole answer within ``patience`` seconds.
        """
        with self.events() as events:
            stale = self._conversation.dialogue.begun
            async with asyncio.timeout(patience):
                if isinstance(question, str):
                    await self.send_text(question)
                    words = await next_answer(events, stale)
                else:
                    speaking = asyncio.create_task(self._speak(question))
                    try:
                        words = await next_answer(events, stale)
                    finally:
                        speaking.cancel()
                        await asyncio.wait([speaking])
        if words is None:
            raise (self._outlet.over or HUNG_UP).ended()
        return words

    async def idle(self, seconds: float = 1.5) -> None:
        """Wait until nobody has said anything for so long: until the greeting is over, for instance."""
        with self.events() as events:
            await quiet(events, self.activity, seconds)
        if self._outlet.over:
            raise self._outlet.over.ended()

    async def interrupt(self) -> None:
        """Have the avatar be silent now, and forget what it was to say."""
        await self.send(wire.CLEAR if self._transparency else wire.CANCEL)

    async def send_image(self, picture: bytes, *, media_type: str = "image/jpeg", reply: bool = False) -> None:
        """Show a JPEG, PNG or WebP picture; ``reply``: have it spoken about."""
        await self.send(wire.image(picture, media_type, reply))

    async def configure(
        self, *, voice: str | None = None, prompt: str | None = None, tools: Sequence[Mapping[str, Any]] | None = None
    ) -> None:
        """Change the avatar for this session.

        ``tools``, in OpenAI's flat form, replace all that it has; calls of them are told as ``ToolCall``, and to be
        answered by ``send_tool_result``.
        """
        await self.send(wire.configuration(voice=voice, prompt=prompt, tools=tools))

    async def add_tool(self, tool: Tool) -> None:
        """Give the avatar a tool; one of the same name is replaced."""
        self._conversation.toolbox.add(tool)
        if self.connected:
            await self._outlet.try_to_send(wire.more_tools([tool.definition()]))

    def remove_tool(self, name: str) -> None:
        """Run that tool no more; an avatar that still asks for it is told that it is gone."""
        self._conversation.toolbox.remove(name)

    async def send_tool_result(self, call_id: str, output: str, *, reply: bool = True) -> None:
        """Return what a tool gave; ``reply``: have it spoken about."""
        await self.send(wire.tool_result(call_id, output))
        if reply:
            await self.send(wire.RESPOND)

    async def set_variables(self, values: Mapping[str, Variable | None]) -> None:
        """Set session variables; None removes one. Raises ``ValueError`` for what the protocol does not take."""
        self._conversation.variables.set(values)
        if self.connected:
            await self._outlet.try_to_send(wire.variables(values))

    async def set_background(self, background: str | bytes) -> None:
        """Put something else behind the avatar, from now on and wherever the session goes on.

        ``own``, ``blur``, a colour (``#2f6f6f``), the name of a picture of the server's; or the bytes of a JPEG, PNG or
        WebP file of at most 2 MiB and 4 megapixels. Raises ``ValueError`` for anything else; a name that the server
        does not know changes nothing.
        """
        check_background(background)
        self._background = background
        if self.connected:
            await self._outlet.try_to_send(wire.background(background))

    async def set_emotion(self, emotion: Emotion, intensity: float = 1.0) -> None:
        """Let the avatar's face show a feeling, with an intensity from 0 to 1; it fades some seconds later.

        Raises ``ValueError`` for any other.
        """
        check_emotion(emotion, intensity)
        await self.send(wire.emotion(emotion, intensity))

    async def keep_alive(self) -> None:
        """Tell that the visitor is still there: the idle time begins anew."""
        await self.send(wire.KEEP_ALIVE)

    async def send(self, message: Mapping[str, Any]) -> None:
        """Any message of the protocol; it waits while the connection is lost."""
        await self._outlet.send(message)

    async def _run(self) -> None:
        """The whole life of the call, which frees all at its end."""
        outcome = HUNG_UP
        try:
            async with AsyncExitStack() as stack:
                outcome = await self._live(stack)
        except asyncio.CancelledError:
            # Only ``disconnect`` does that.
            outcome = HUNG_UP
        except NoSessionToResumeError as error:
            self.resume_token = ""
            self._failure = error
        except Exception as error:
            self._failure = error
            outcome = outcome_of(error)
        finally:
            await self._conversation.toolbox.close()
            self._finish(outcome)

    async def _live(self, stack: AsyncExitStack) -> Outcome:
        """Connect, and come back as often as it must be; why there is no more. Raises what ``connect`` does."""
        sound = await opened(self._source, stack) if self._source else None
        try:
            async with asyncio.timeout(self._timeouts.connect):
                link = await self._lifeline.first(self.resume_token)
        except TimeoutError:
            raise SessionTimeoutError("Connecting took too long.", "connect_timeout") from None
        try:
            self.resumed = link.resumed
            self._outlet.connect(link)
            self._connected.set()
            if sound:
                feed = Feed(sound, self.send_audio, lambda why: self._listeners.tell(MicrophoneLost(why)))
                stack.push_async_callback(feed.close)
            while True:
                await asyncio.wait([link.over])
                outcome = link.over.result()
                self._outlet.connect(None)
                self._conversation.dialogue.end()
                if not (outcome.lost and self.resume_token):
                    return outcome
                await link.close(None)
                following = await self._lifeline.again(lambda: self.resume_token, self._attempt)
                if following is None:
                    return outcome
                link = following
                self._outlet.connect(link)
        finally:
            self._ending = True
            self._outlet.connect(None)
            await link.close(self._close_code)

    def _attempt(self, number: int) -> None:
        self._enter(connection_state(ConnectionStateType.SEARCHING))
        self._listeners.tell(Reconnecting(number, self._reconnection.attempts))

    def _finish(self, outcome: Outcome) -> None:
        """The call is over. Idempotent."""
        if self._outlet.over:
            return
        self._outlet.end(outcome)
        try:
            self._conversation.dialogue.end()
            self._enter(connection_state(ConnectionStateType.DISCONNECTED))
            if self._connected.is_set():
                self.disconnection = outcome.disconnection(self.session_id)
                self._listeners.tell(self.disconnection)
        except Exception:
            # A callback's; there is nobody left to tell.
            logger.exception("a callback failed at the end of the call")
        finally:
            self._listeners.end()

    def _enter(self, state: ConnectionState) -> None:
        if state != self._state:
            self._state = state
            self._listeners.tell(state)

    async def _take(self, link: Link, message: Message) -> None:
        """Everything that the server says."""
        self._listeners.receive(message)
        match message.type:
            case "conversation.connected.success":
                self.session_id = str(message.data.get("sessionId", ""))
                self.resume_token = str(message.data.get("resumeToken") or "")
            case "conversation.connected.state":
                self.picture = link.picture or self.picture
            case "realtime.session.created":
                if self._background is not None:
                    await link.send(wire.background(self._background))
                await self._conversation.introduce(link)
            case _:
                pass
        self._conversation.take(message)

    async def _speak(self, recording: Pcm) -> None:
        # Nobody begins to speak at the instant at which the microphone is opened.
        await self.stream_audio(pace(np.concatenate((np.zeros(_LEAD, np.int16), recording))))
        await self.stream_audio(silence())
