"""One response of the avatar: it owns all that it caused, and cancelling it cancels all of that at once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from visavis.avatar.emotion import Feeling
from visavis.conversation.events import (
    AnswerAudio,
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    ConversationEvent,
    ToolArguments,
    ToolRequested,
)
from visavis.conversation.farewell import END_CONVERSATION
from visavis.conversation.history import History
from visavis.conversation.lines import Line, Lines
from visavis.conversation.phrases import apology, farewell, no_answer
from visavis.conversation.speaking import Speaking
from visavis.conversation.stage import Stage
from visavis.language.emotion_markup import marked
from visavis.language.ports import ChatError, ChatErrorKind, ChatModel, ChatRequest, TextDelta, ToolCall, ToolCallDelta
from visavis.language.tool_choice import ends_conversation
from visavis.speech.ports import Pcm16, SpeechError, Synthesizer, Voice

log = structlog.get_logger(__name__)

_LINES_AHEAD = 8
"""Lines the language model may be ahead of the synthesizer before it is held back."""


class ResponseObserver(Protocol):
    """Takes the figures of one response."""

    def failure(self, part: str) -> None:
        """``chat`` or ``speech`` failed."""
        ...

    def reached(self, ok: bool) -> None:
        """The language model was there, or (not ``ok``) may be lost; other failures tell nothing about that."""
        ...

    def first_words(self) -> None:
        """The language model gave its first words."""
        ...

    def first_sound(self, at: float) -> None:
        """The first sample sounds at media time ``at``."""
        ...


@dataclass(frozen=True, slots=True)
class Cast:
    """Who takes part in a response."""

    stage: Stage
    synthesizer: Synthesizer
    voice: Voice
    history: History
    emit: Callable[[ConversationEvent], None]
    observer: ResponseObserver
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    copy_sound: bool = False
    language: str = "en"
    emotions: bool = True
    """Whether marks of emotions are shown; they are never spoken nor told."""


class Response:
    """Thinks and speaks once: ``answer`` or ``recite``, in a task; ``cut`` at any time, then cancel that task.

    ``thinks``: whether it will be ``answer``.
    """

    def __init__(self, response_id: str, cast: Cast, *, thinks: bool) -> None:
        self.id = response_id
        self.thinks = thinks
        self._cast = cast
        self._emit = cast.emit
        self._script = ""
        self._text = ""
        self._feelings: list[tuple[int, Feeling]] = []
        """With their offsets in the script."""
        self._calls: list[ToolCall] = []
        self._farewells: list[ToolCall] = []
        self._ends = False
        self._over = False
        self._speaking = Speaking(
            cast.stage,
            cast.synthesizer,
            cast.voice,
            spawn=cast.spawn,
            on_words=self._heard,
            on_sound=self._sounded,
            on_first_sound=cast.observer.first_sound,
        )

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tools it asked for."""
        return tuple(self._calls)

    @property
    def ends(self) -> bool:
        """Whether the conversation is over when it has been heard."""
        return self._ends

    @property
    def text(self) -> str:
        """What was heard of it so far."""
        return self._text

    @property
    def audible(self) -> bool:
        """Whether any of it has reached, or will reach, the visitor's ear."""
        return self._speaking.started

    @property
    def unheard(self) -> str:
        """Words that were ready and have not been heard, with the mark-up that goes with them."""
        heard = len(self._text)
        ahead = [(offset - heard, feeling) for offset, feeling in self._feelings if offset >= heard]
        felt = [(0, feeling) for offset, feeling in self._feelings if offset < heard][-1:]
        text = self._script[heard:]
        return marked(text, [*felt, *ahead]).strip() if text.strip() else ""

    async def answer(self, model: ChatModel, request: ChatRequest) -> None:
        """Ask the model and speak its answer. A failing model gets an apology spoken, never silence.

        Where the request has ``END_CONVERSATION`` among its tools, a call of it is not told to the client: ``ends``.
        """
        await self._perform(self._think(model, request))

    async def recite(self, text: str, *, ends: bool = False) -> None:
        """Speak a given text."""
        self._ends = ends
        await self._perform(_whole(text))

    def cut(self) -> float | None:
        """Stop being heard at once, and tell what was heard. The media time of silence; None if it was over."""
        if self._over:
            return None
        at = self._speaking.cut()
        self._finish()
        return at

    async def _perform(self, text: AsyncGenerator[str, None]) -> None:
        queue: asyncio.Queue[Line | None] = asyncio.Queue(_LINES_AHEAD)

        async def split() -> None:
            lines = Lines()
            async with aclosing(text):
                async for delta in text:
                    for line in lines.push(delta):
                        await queue.put(self._note(line))
            for line in lines.flush():
                await queue.put(self._note(line))
            await queue.put(None)

        async with asyncio.TaskGroup() as group:
            group.create_task(split())
            while (line := await queue.get()) is not None:
                try:
                    await self._speaking.say(line)
                except SpeechError as error:
                    # The words are told all the same; the visitor can read them.
                    log.warning("speech failed", error=str(error))
                    self._cast.observer.failure("speech")
                except Exception:
                    # A fault in a provider costs its line, not the answer.
                    log.exception("the synthesizer's provider failed")
                    self._cast.observer.failure("speech")
        await self._speaking.finish()
        for call in self._farewells:
            self._call(call)
        self._finish()

    def _note(self, line: Line) -> Line:
        """A line as it will be performed."""
        if not self._cast.emotions:
            line = Line(line.text)
        begin = len(self._script)
        self._feelings += [(begin + offset, feeling) for offset, feeling in line.feelings]
        self._script += line.text
        return line

    async def _think(self, model: ChatModel, request: ChatRequest) -> AsyncGenerator[str, None]:
        said = reached = False
        ending = END_CONVERSATION.name if END_CONVERSATION in request.tools else None
        try:
            async with aclosing(model.stream(request)) as stream:
                async for event in stream:
                    if not reached:
                        reached = True
                        self._cast.observer.reached(ok=True)
                    match event:
                        case TextDelta(text):
                            if text and not said:
                                self._cast.observer.first_words()
                            said = said or bool(text.strip())
                            yield text
                        case ToolCallDelta(name=name) if name == ending:
                            pass
                        case ToolCall(name=name) if name == ending:
                            self._ends = True
                        case ToolCallDelta(call_id, name, arguments):
                            self._emit(ToolArguments(self.id, call_id, name, arguments))
                        case ToolCall() if said and ends_conversation(event.name):
                            # Clients hang up when they are told: the goodbye is heard first.
                            self._farewells.append(event)
                        case ToolCall():
                            self._call(event)
                if not reached:
                    self._cast.observer.reached(ok=True)
        except ChatError as error:
            log.warning("the language model failed", kind=error.kind, error=str(error))
            self._cast.observer.failure("chat")
            if error.lost:
                self._cast.observer.reached(ok=False)
            self._ends = False
            yield f"\n{apology(error.kind, self._cast.language)}"
            return
        except Exception:
            # A fault in a provider must not leave the visitor with silence.
            log.exception("the language model's provider failed")
            self._cast.observer.failure("chat")
            self._ends = False
            yield f"\n{apology(ChatErrorKind.BROKEN, self._cast.language)}"
            return
        # A model may have nothing to say to a tool's result: to that of hanging up, for one.
        answered = self._calls or (request.messages and request.messages[-1].role == "tool")
        if not said and self._ends:
            yield farewell(self._cast.language)
        elif not said and not answered:
            yield no_answer(self._cast.language)

    def _call(self, call: ToolCall) -> None:
        self._calls.append(call)
        self._cast.history.add_tool_call(call, self.id)
        item_id = f"item_{call.call_id}"
        self._emit(ToolRequested(self.id, item_id, call.call_id, call.name, call.arguments))

    def _heard(self, words: str) -> None:
        begin, self._text = len(self._text), self._text + words
        feelings = [(at - begin, feeling) for at, feeling in self._feelings if begin <= at < len(self._text)]
        self._cast.history.heard(self.id, words, marked(words, feelings))
        self._emit(AnswerDelta(self.id, words))

    def _sounded(self, pcm: Pcm16) -> None:
        if self._cast.copy_sound:
            self._emit(AnswerAudio(self.id, pcm))

    def _finish(self) -> None:
        self._over = True
        if self._text:
            self._emit(AnswerDone(self.id, self._text.strip()))
        self._emit(AnswerAudioDone(self.id))


async def _whole(text: str) -> AsyncGenerator[str, None]:
    yield text
