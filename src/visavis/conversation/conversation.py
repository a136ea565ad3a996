"""Turn taking: the user's turns are answered, interrupted answers stop, tools come and go between them."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
from visavis.conversation.farewell import with_ending
from visavis.conversation.figures import ResponseFigures
from visavis.conversation.listening import Listener
from visavis.conversation.memory import Memory
from visavis.conversation.parts import ConversationObserver, ConversationSettings, Parts, Role
from visavis.conversation.phrases import no_answer, not_heard, still_there
from visavis.conversation.response import Cast, Response
from visavis.conversation.snapshot import Snapshot, Variable
from visavis.conversation.stage import Stage
from visavis.conversation.tool_wait import ToolWait
from visavis.language.emotion_markup import TEACHING
from visavis.language.ports import ChatRequest, Image, Tool
from visavis.speech.ports import Pcm16, RecognitionContext, SpeechError, Transcript
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What an interrupted answer had left to say, and whether the conversation was to be over then."""

    text: str = ""
    ends: bool = False


class Conversation:
    """One visitor and one avatar. All methods on the event loop; ``close`` frees everything.

    Args:
        role: who the avatar is.
        parts: the providers.
        stage: where it performs.
        emit: is told what happens.
        observer: is told figures.
        settings: see ``ConversationSettings``.
        restored: an earlier conversation that goes on: what was greeted is not greeted again, and what was owed to the
            user is answered.
        on_change: called after each change of what ``snapshot`` gives; word by word while the avatar speaks.
        on_end: called when the language model has ended the conversation and its last word was heard. Without it no
            model can.
        on_reached: told of each answer whether the language model was there (True), or may be lost (False); an answer
            that failed in another way tells neither.
    """

    def __init__(
        self,
        role: Role,
        parts: Parts,
        stage: Stage,
        emit: Callable[[ConversationEvent], None],
        observer: ConversationObserver,
        settings: ConversationSettings | None = None,
        *,
        restored: Snapshot | None = None,
        on_change: Callable[[], None] = lambda: None,
        on_end: Callable[[], None] | None = None,
        on_reached: Callable[[bool], None] = lambda ok: None,
    ) -> None:
        self._parts = parts
        self._stage = stage
        self._emit = emit
        self._observer = observer
        self._settings = settings or ConversationSettings()
        self._memory = Memory(role, restored, on_change, TEACHING if self._settings.emotions else "")
        self._history = self._memory.history
        self._language = role.language
        self._on_change = on_change
        self._on_end = on_end
        self._on_reached = on_reached
        self._resumed = restored if restored and restored.greeted else None
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
        self._begun = False
        self._remembered = 0
        self._response: Response | None = None
        self._answering: asyncio.Task[None] | None = None
        self._wanted = self._resumed is not None and self._resumed.owed
        """Whether an answer is owed, once nobody speaks and no words of the user are still to come."""
        self._rest = _Rest()
        self._question: Response | None = None
        """Whether anybody is there: it is no activity."""
        self._speech_ended = 0.0
        self._activity = asyncio.get_running_loop().time()
        self._closed = False

    @property
    def accepts_images(self) -> bool:
        """Whether the language model looks at pictures."""
        return self._parts.chat.accepts_images

    @property
    def quiet_since(self) -> float | None:
        """Loop time since when neither side has been active; None while one is. See ``ask_presence``."""
        asking = self._question is not None and self._response is self._question
        speaking = not asking and (self._response is not None or self._stage.audible)
        return None if self._listener.busy or speaking else self._activity

    def snapshot(self) -> Snapshot:
        """The conversation as it can be taken up again; of a running answer, the words heard so far."""
        response = self._response
        thinking = response is not None and response.thinks and not response.audible
        return self._memory.snapshot(owed=self._wanted or self._tools.waiting or thinking)

    # What the client does.

    def open(self) -> None:
        """The client is told that it may talk: what is in the history now comes from earlier calls."""
        self._remembered = self._history.inputs

    def begin(self) -> None:
        """Media flows: greet, or, when the client asked for it already, answer. Once; later calls do nothing."""
        if self._begun:
            return
        self._begun = True
        # A client that only wants the avatar to speak first has that by the greeting, or had it when it was here
        # before; one that asked gets its answer.
        asked = self._history.inputs > self._remembered
        greeting = self._memory.greeting
        if self._resumed:
            self._wanted = self._resumed.owed or (self._wanted and asked)
        else:
            self._wanted = self._wanted and (asked or not greeting)
        if self._listener.busy:
            self._rest = _Rest(greeting)
        elif self._wanted:
            self._start_answer()
        elif greeting:
            self._start_reciting(greeting)
            return
        self._memory.greeted()

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
        self._memory.configure(voice=voice, prompt=prompt, tools=tools, extend_tools=extend_tools)

    def set_variables(self, values: Mapping[str, Variable | None]) -> None:
        """Set what ``{{name}}`` stands for in prompt and greeting; None removes one. Counts from the next answer on."""
        self._memory.set_variables(values)

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

    def interrupt(self) -> None:
        """Be silent now: what was to be said, or to be answered, is dropped. What the user is saying is not."""
        self._active()
        self._tools.user_turn()
        self._wanted = False
        self._interrupt(FaceState.IDLE)
        self._rest = _Rest()
        if not self._listener.busy:
            self._stage.show(FaceState.IDLE)
        self._on_change()

    def ask_presence(self) -> None:
        """Ask the visitor, when all is quiet, whether anybody is there. ``quiet_since`` stays as it is."""
        if not self._begun or self.quiet_since is None:
            return
        self._start_reciting(still_there(self._language))
        self._question = self._response

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

    def on_voice(self, speaking: bool) -> None:
        """See ``ListeningEvents``."""
        self._stage.hear(speaking)

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
            self._rest = _Rest()
            self._wanted = True
        if self._closed or self._listener.busy:
            # The user goes on: what is owed waits for the last of the words.
            return
        if error:
            wanted = self._wanted
            self._start_reciting(not_heard(self._language))
            self._wanted = wanted
        elif self._wanted and self._begun:
            self._start_answer(user_turn=bool(text))
        elif self._rest.text:
            # A cough, not a turn: the avatar takes up what it was saying.
            self._start_reciting(self._rest.text, ends=self._rest.ends)
        elif self._rest.ends:
            self._end()
        elif not self._response:
            self._stage.show(FaceState.IDLE)

    # Answers.

    def _user_acts(self) -> None:
        self._tools.user_turn()
        self._interrupt(FaceState.THINKING)
        self._rest = _Rest()

    def _request_answer(self) -> None:
        if not self._begun or self._response or self._listener.busy:
            self._wanted = True
        else:
            self._start_answer()

    def _have_no_answer(self) -> None:
        if not self._response and not self._listener.busy:
            self._start_reciting(no_answer(self._language))

    def _start_answer(self, *, user_turn: bool = False) -> None:
        tools = self._memory.role.tools
        if self._on_end and self._settings.model_may_end:
            tools = with_ending(tools)
        request = ChatRequest(self._memory.messages, tools, self._language)
        ended = self._speech_ended if user_turn else None
        response = Response(_response_id(), self._cast(ended), thinks=True)
        self._stage.show(FaceState.THINKING)
        self._start(response, lambda: response.answer(self._parts.chat, request))

    def _start_reciting(self, text: str, *, ends: bool = False) -> None:
        response = Response(_response_id(), self._cast(None), thinks=False)
        self._start(response, lambda: response.recite(text, ends=ends))

    def _start(self, response: Response, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._interrupt(FaceState.THINKING)
        self._tools.stop()
        self._wanted = False
        self._rest = _Rest()
        self._response = response
        self._history.begin(response.id)
        self._answering = self._tasks.spawn(self._perform(response, work))
        self._on_change()

    async def _perform(self, response: Response, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        finally:
            # After an interruption the conversation has moved on already.
            if self._response is response:
                response.cut()
                self._response = None
                if response is not self._question:
                    self._active()
                self._after(response)
                self._on_change()

    def _after(self, response: Response) -> None:
        if self._closed:
            return
        if response.ends:
            self._end()
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

    def _end(self) -> None:
        self._stage.show(FaceState.IDLE)
        if self._on_end:
            self._on_end()

    def _interrupt(self, face: FaceState) -> bool:
        """Stop the running answer, and show ``face`` where it was being heard; whether it was."""
        response, self._response = self._response, None
        if response is None:
            return False
        heard = response.audible and self._stage.audible
        silent_at = response.cut()
        if self._answering:
            self._answering.cancel()
        self._rest = _Rest(response.unheard, response.ends)
        if heard and silent_at is not None:
            self._stage.show(face, silent_at)
        return heard

    def _cast(self, speech_ended: float | None) -> Cast:
        return Cast(
            stage=self._stage,
            synthesizer=self._parts.synthesizer,
            voice=self._memory.role.voice,
            history=self._history,
            emit=self._tell,
            observer=ResponseFigures(self._observer, self._stage, speech_ended, self._on_reached),
            spawn=self._tasks.spawn,
            copy_sound=self._settings.copy_sound,
            language=self._language,
            emotions=self._settings.emotions,
        )

    def _tell(self, event: ConversationEvent) -> None:
        if isinstance(event, AnswerDelta):
            self._echo.said(event.text)
            self._memory.greeted()
        self._emit(event)

    def _active(self) -> None:
        self._activity = asyncio.get_running_loop().time()


def _response_id() -> str:
    return f"resp_{uuid.uuid4().hex[:20]}"
