"""Reads the answer of the chat completions protocol: streamed chunks, or one whole completion."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from visavis.language.ports import ChatError, ChatErrorKind, ChatEvent, TextDelta
from visavis.language.reasoning import ReasoningFilter
from visavis.language.tool_deltas import ToolCallAssembler

JsonObject = Mapping[str, Any]


class AnswerReader:
    """Turns the JSON objects of one answer into ``ChatEvent``s.

    ``begun``: the model has written something, be it only a thought. ``finished``: it has said that it has no more.
    """

    def __init__(self) -> None:
        self._thoughts = ReasoningFilter()
        self._calls = ToolCallAssembler()
        self._told = False
        self._answered = False
        self.begun = False
        self.finished = False

    def push(self, payload: JsonObject) -> list[ChatEvent]:
        """Take a chunk or a whole completion. Raises ``ChatError`` where it reports an error."""
        if payload.get("error"):
            raise _reported(payload["error"])
        events: list[ChatEvent] = []
        choices = payload.get("choices")
        for choice in cast(Sequence[object], choices) if isinstance(choices, list) else ():
            if isinstance(choice, Mapping):
                events += self._choice(cast(JsonObject, choice))
        self._told = self._told or bool(events)
        return events

    def finish(self) -> list[ChatEvent]:
        """The answer has ended: what was held back, and the whole tool calls.

        Raises ``ChatError`` (``BROKEN``) where it was none. One without words is one: a model may have nothing to say.
        """
        held = self._thoughts.flush()
        events: list[ChatEvent] = [TextDelta(held)] if held else []
        try:
            events += self._calls.finish()
        except ValueError as error:
            raise ChatError(ChatErrorKind.BROKEN, f"the model broke a tool call: {error}") from None
        if not self._answered:
            raise ChatError(ChatErrorKind.BROKEN, "the server's answer holds no choice of the model")
        return events

    def _choice(self, choice: JsonObject) -> list[ChatEvent]:
        if choice.get("index") not in (0, None):
            return []
        self._answered = True
        events: list[ChatEvent] = []
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, Mapping):
            events += self._said(cast(JsonObject, said))
        elif isinstance(choice.get("text"), str):  # the older completions protocol
            events += self._text(choice["text"])
        if choice.get("finish_reason"):
            self.finished = True
            if choice["finish_reason"] == "content_filter" and not self._told and not events:
                raise ChatError(ChatErrorKind.REJECTED, "the server's content filter held the answer back")
        return events

    def _said(self, said: JsonObject) -> list[ChatEvent]:
        events = self._text(_plain(said.get("content")))
        events += self._text(_plain(said.get("refusal")))
        calls = said.get("tool_calls") or said.get("function_call")
        if calls:
            self.begun = True
            events += self._calls.push(calls)
        if any(said.get(name) for name in ("reasoning_content", "reasoning", "thinking")):
            self.begun = True
        return events

    def _text(self, text: str) -> list[ChatEvent]:
        if not text:
            return []
        self.begun = True
        speech = self._thoughts.push(text)
        return [TextDelta(speech)] if speech else []


def _plain(content: object) -> str:
    """The words of a message's content: a string, or parts of which only those of text are speech."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    words: list[str] = []
    for part in cast(list[object], content):
        if isinstance(part, Mapping):
            text = cast(JsonObject, part).get("text")
            if cast(JsonObject, part).get("type", "text") in ("text", "output_text") and isinstance(text, str):
                words.append(text)
    return "".join(words)


def _reported(error: object) -> ChatError:
    """The error that a server reports inside a stream it has begun with status 200."""
    code, message = "", str(error)
    if isinstance(error, Mapping):
        fields = cast(JsonObject, error)
        code = f"{fields.get('code') or ''} {fields.get('type') or ''}"
        message = str(fields.get("message") or code.strip() or "no reason given")
    limited = "429" in code or "rate" in code.lower()
    return ChatError(
        ChatErrorKind.RATE_LIMITED if limited else ChatErrorKind.BROKEN,
        f"the language model's server reported an error: {message[:300]}",
    )
