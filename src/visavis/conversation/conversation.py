"""Turn taking: the user's turns are answered, interrupted answers stop, tools come and go between them."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any, Protocol

import structlog

from visavis.avatar.face import FaceState
from visavis.conversation.echo import EchoGuard
from visavis.conversation.events import (
    AnswerDelta,
    ConversationEvent,
    SpeechStarted,
    SpeechStopped,
    UserTranscript,
)
from visavis.conversation.history import History
from visavis.conversation.listening import Listener, ListeningSettings
from visavis.conversation.phrases import no_answer, not_heard
from visavis.conversation.response import Cast, Response
from visavis.conversation.stage import Stage
from visavis.conversation.tool_wait import ToolWait
from visavis.language.ports import ChatModel, ChatRequest, Image, Tool
from visavis.speech.ports import (
    Pcm16,
    RecognitionContext,
    Recognizer,
    SpeechError,
    Synthesizer,
    Transcript,
    TurnDetector,
    Voice,
    VoiceActivityDetector,
)
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Role:
    """Who the avatar is in this conversation."""

    prompt: str = ""
    greeting: str = ""
    voice: Voice = field(default_factory=Voice)
    tools: tuple[Tool, ...] = ()
    phrases: tuple[str, ...] = ()
    """Sentences its visitors are likely to say."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Parts:
    """The providers a conversation is made of."""

    vad: VoiceActivityDetector
    turns: TurnDetector
    recognizer: Recognizer
    chat: ChatModel
    synthesizer: Synthesizer


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """Times in seconds."""

    listening: ListeningSettings = field(default_factory=ListeningSettings)
    tool_timeout: float = 6.0
    """How long an answer that only called tools waits for their results before the model goes on without them."""
    echo_guard: bool = True
    copy_sound: bool = False
    """Whether ``AnswerAudio`` is told."""


class ConversationObserver(Protocol):
    """Takes figures, for metrics."""

    def failure(self, part: str) -> None:
        """``recognizer``, ``chat`` or ``speech`` failed."""
        ...

    def answered(self, seconds: float) -> None:
        """From the end of the user's speech to the first sound of the answer, at the server."""
        ...

    def thought(self, seconds: float) -> None:
        """From the user's words to the language model's first words."""
        ...

    def interrupted(self) -> None:
        """The user spoke over the avatar."""
        ...


class _Greeting(Enum):
    WAITING = auto()
    DONE = auto()


class Conversation:
    """One visitor and one avatar. All methods on the event loop; ``close`` frees everything."""

    def __init__(
        self,
        role: Role,
        parts: Parts,
        stage: Stage,
        emit: Callable[[ConversationEvent], None],
        observer: ConversationObserver,
        settings: ConversationSettings | None = None,
    ) -> None:
        self._role = role
        self._parts = parts
        self._stage = stage
        self._emit = emit
        self._observer = observer
        self._settings = settings or ConversationSettings()
        self._history = History()
        self._tasks = Tasks()
        self._echo = EchoGuard(stage, enabled=self._settings.echo_guard)
        self._listener = Listener(
            parts.vad,
            parts.turns,
            parts.recognizer,
            RecognitionContext(role.language, role.phrases),
            self,
            self._echo,
            self._tasks.spawn,
            self._settings.listening,
        )
        self._tools = ToolWait(
            self._tasks.spawn, self._request_answer, self._have_no_answer, self._settings.tool_timeout
        )
        self._greeting = _Greeting.WAITING
        self._remembered = 0
        self._response: Response | None = None
        self._answering: asyncio.Task[None] | None = None
        self._wanted = False
        """Whether an answer is owed, once nobody speaks and no words of the user are still to come."""
        self._remainder = ""
        """What an interrupted answer had left to say."""
        self._speech_ended = 0.0
        self._activity = asyncio.get_running_loop().time()
        self._closed = False

    @property
    def history(self) -> History:
        """Both sides' items."""
        return self._history

    @property
    def accepts_images(self) -> bool:
        """Whether the language model looks at pictures."""
        return self._parts.chat.accepts_images

    @property
    def quiet_since(self) -> float | None:
        """Loop time since when neither side has been active; None while one is."""
        if self._listener.busy or self._response or self._stage.audible:
            return None
        return self._activity

    # What the client does.

    def open(self) -> None:
        """The client is told that it may talk: what is in the history now comes from earlier calls."""
        self._remembered = self._history.user_texts

    def begin(self) -> None:
        """Media flows: greet, or, when the client asked for it already, answer. Once; later calls do nothing."""
        if self._greeting is _Greeting.DONE:
            return
        self._greeting = _Greeting.DONE
        # A client that only wants the avatar to speak first has that by the greeting; one that asked gets its answer.
        asked = self._history.user_texts > self._remembered
        self._wanted = self._wanted and (asked or not self._role.greeting)
        if self._listener.busy:
            self._remainder = self._role.greeting
        elif self._wanted:
            self._start_answer()
        elif self._role.greeting:
            self._start_reciting(self._role.greeting)

    def push_audio(self, pcm: Pcm16) -> None:
        """Microphone sound at ``SPEECH_RATE``."""
        self._listener.push(pcm)

    def commit_audio(self) -> None:
        """The user's turn is over."""
        self._listener.commit()

    async def clear_audio(self) -> None:
        """Drop the user's running turn."""
        await self._listener.clear()

    def configure(
        self,
        *,
        voice: str | None = None,
        prompt: str | None = None,
        tools: Sequence[Tool] | None = None,
        extend_tools: bool = False,
    ) -> None:
        """Change the role; what is None stays. Counts from the next answer on."""
        role = self._role
        if voice is not None:
            role = replace(role, voice=replace(role.voice, name=voice))
        if prompt is not None:
            role = replace(role, prompt=prompt)
        if tools is not None:
            named = {tool.name: tool for tool in (*(role.tools if extend_tools else ()), *tools)}
            role = replace(role, tools=tuple(named.values()))
        self._role = role

    def add_message(self, text: str, *, role: str = "user", images: Sequence[Image] = ()) -> None:
        """Put a message into the history, without answering it."""
        if role == "assistant":
            self._history.add_assistant(text)
        else:
            self._history.add_user(text, images)

    def send_text(self, text: str, *, reply: bool = True) -> None:
        """The user typed ``text``."""
        self._history.add_user(text)
        self._active()
        if reply:
            self._user_acts()
            self._request_answer()

    def send_image(self, image: Image, *, reply: bool = False) -> None:
        """The user shows a picture. Models that look at none get none of them."""
        if not self.accepts_images and not reply:
            return
        self._history.add_user("", (image,))
        if reply:
            self._user_acts()
            self._request_answer()

    def add_result(self, call_id: str, output: str, *, reply: bool = False) -> None:
        """A tool's result, also a late one. An unknown call's is dropped."""
        if not self._history.add_result(call_id, output):
            log.info("result for an unknown tool call")
            return
        self._tools.result(call_id)
        if reply:
            self.respond()

    def respond(self) -> None:
        """The client asks the avatar to speak now: after what is being said, and after other results that are due."""
        if not self._tools.ask():
            self._request_answer()

    async def close(self) -> None:
        """End: silence, and nothing left running."""
        self._closed = True
        self._interrupt(FaceState.IDLE)
        await self._listener.close()
        await self._tasks.close()

    # What the listener tells.

    def on_speech_started(self) -> None:
        """See ``ListeningEvents``."""
        self._active()
        self._emit(SpeechStarted())
        # Whatever the user was to be told is still owed, if this turns out to be no turn.
        thinking = self._response is not None and not self._response.audible
        self._wanted = self._tools.stop() or self._wanted or thinking
        if self._interrupt(FaceState.INTERRUPTED):
            self._observer.interrupted()
        else:
            self._stage.show(FaceState.LISTENING)

    def on_speech_stopped(self, silence: float) -> None:
        """See ``ListeningEvents``."""
        self._active()
        self._speech_ended = asyncio.get_running_loop().time() - silence
        self._emit(SpeechStopped())
        self._stage.show(FaceState.THINKING)

    async def on_transcript(self, transcript: Transcript, error: SpeechError | None) -> None:
        """See ``ListeningEvents``."""
        text = transcript.text.strip()
        if self._echo.is_own_text(text):
            text = ""
        self._emit(UserTranscript(f"item_{uuid.uuid4().hex[:16]}", text))
        if error:
            self._observer.failure("recognizer")
        if text:
            self._history.add_user(text)
            self._tools.user_turn()
            self._remainder = ""
            self._wanted = True
        if self._closed or self._listener.busy:
            # The user goes on: what is owed waits for the last of the words.
            return
        if error:
            wanted = self._wanted
            self._start_reciting(not_heard(self._role.language))
            self._wanted = wanted
        elif self._wanted and self._greeting is _Greeting.DONE:
            self._start_answer(user_turn=bool(text))
        elif self._remainder:
            # A cough, not a turn: the avatar takes up what it was saying.
            self._start_reciting(self._remainder)
        elif not self._response:
            self._stage.show(FaceState.IDLE)

    # Answers.

    def _user_acts(self) -> None:
        self._tools.user_turn()
        self._remainder = ""
        self._interrupt(FaceState.THINKING)

    def _request_answer(self) -> None:
        if self._greeting is _Greeting.WAITING or self._response or self._listener.busy:
            self._wanted = True
        else:
            self._start_answer()

    def _have_no_answer(self) -> None:
        if not self._response and not self._listener.busy:
            self._start_reciting(no_answer(self._role.language))

    def _start_answer(self, *, user_turn: bool = False) -> None:
        role = self._role
        request = ChatRequest(self._history.messages(role.prompt), role.tools, role.language)
        ended = self._speech_ended if user_turn else None
        response = Response(_response_id(), self._cast(ended))
        self._stage.show(FaceState.THINKING)
        self._start(response, lambda: response.answer(self._parts.chat, request))

    def _start_reciting(self, text: str) -> None:
        response = Response(_response_id(), self._cast(None))
        self._start(response, lambda: response.recite(text))

    def _start(self, response: Response, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._interrupt(FaceState.THINKING)
        self._tools.stop()
        self._wanted = False
        self._remainder = ""
        self._response = response
        self._answering = self._tasks.spawn(self._perform(response, work))

    async def _perform(self, response: Response, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        finally:
            # After an interruption the conversation has moved on already.
            if self._response is response:
                response.cut()
                self._response = None
                self._active()
                self._after(response)

    def _after(self, response: Response) -> None:
        if self._closed:
            return
        open_calls = [call.call_id for call in response.calls if self._history.awaits_result(call.call_id)]
        if response.calls:
            self._tools.answered(open_calls, silent=not response.text)
        if self._wanted and not open_calls:
            self._request_answer()
        elif self._wanted:
            self._wanted = False
            self._tools.ask()
        elif not response.calls or response.text:
            self._stage.show(FaceState.IDLE)

    def _interrupt(self, face: FaceState) -> bool:
        """Stop the running answer, and show ``face`` where it was being heard; whether it was."""
        response, self._response = self._response, None
        if response is None:
            return False
        heard = response.audible and self._stage.audible
        silent_at = response.cut()
        if self._answering:
            self._answering.cancel()
        self._remainder = response.unheard
        if heard and silent_at is not None:
            self._stage.show(face, silent_at)
        return heard

    def _cast(self, speech_ended: float | None) -> Cast:
        role = self._role
        return Cast(
            stage=self._stage,
            synthesizer=self._parts.synthesizer,
            voice=role.voice,
            history=self._history,
            emit=self._tell,
            observer=_Watch(self._observer, self._stage, speech_ended),
            spawn=self._tasks.spawn,
            copy_sound=self._settings.copy_sound,
            language=role.language,
        )

    def _tell(self, event: ConversationEvent) -> None:
        if isinstance(event, AnswerDelta):
            self._echo.said(event.text)
        self._emit(event)

    def _active(self) -> None:
        self._activity = asyncio.get_running_loop().time()


class _Watch:
    """Turns one response's instants into figures; ``speech_ended`` is None where no turn of the user was answered."""

    def __init__(self, observer: ConversationObserver, stage: Stage, speech_ended: float | None) -> None:
        self._observer = observer
        self._stage = stage
        self._ended = speech_ended
        self._started = asyncio.get_running_loop().time()

    def failure(self, part: str) -> None:
        self._observer.failure(part)

    def first_words(self) -> None:
        if self._ended is not None:
            self._observer.thought(asyncio.get_running_loop().time() - self._started)

    def first_sound(self, at: float) -> None:
        if self._ended is not None:
            ahead = max(0.0, at - self._stage.now)
            self._observer.answered(asyncio.get_running_loop().time() + ahead - self._ended)


def _response_id() -> str:
    return f"resp_{uuid.uuid4().hex[:20]}"
