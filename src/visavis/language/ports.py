"""The ChatModel port and the values that cross it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Protocol


class ChatErrorKind(StrEnum):
    """Why a language model gave no (whole) answer."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    REJECTED = "rejected"
    BROKEN = "broken"


class ChatError(Exception):
    """A language model failed; ``kind`` says how. The message names no secret and is fit for a log.

    ``lost``: it is the model that may be lost, not one answer: there was no connection, or none that lasted, or the key
    was refused.
    """

    def __init__(self, kind: ChatErrorKind, message: str, *, lost: bool = False) -> None:
        super().__init__(message)
        self.kind = kind
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; ``parameters`` is a JSON Schema object."""

    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model wants ``name`` called; ``arguments`` is the JSON text it wrote (``{}`` when it wrote none)."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as the client sent it, after checking and scaling down."""

    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One item of the conversation as a model sees it.

    ``tool_calls`` only with role ``assistant``; ``call_id`` only with role ``tool`` (its text is the result).
    ``marked``: an answer's text with its marks of emotions, where it has any. What a model is handed has them in
    ``text``, so that it goes on using them; nobody else gets to see them.
    """

    role: Literal["system", "user", "assistant", "tool"]
    text: str = ""
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    marked: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a model is asked. The persona's prompt is the first (system) message."""

    messages: tuple[ChatMessage, ...]
    tools: tuple[Tool, ...] = ()
    language: str = "en"


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More words of the answer: speech, never reasoning; with marks of emotions (``emotion_markup.py``)."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call's arguments, as the model writes them."""

    call_id: str
    name: str
    arguments: str


ChatEvent = TextDelta | ToolCallDelta | ToolCall


class ChatModel(Protocol):
    """A language model bound to its settings and, where it needs one, to an avatar's knowledge."""

    @property
    def accepts_images(self) -> bool:
        """Whether ``ChatMessage.images`` are looked at."""
        ...

    def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """Answer. Every tool call ends as one ``ToolCall``. Closing the generator stops the work.

        Raises ``ChatError``, also in the middle.
        """
        ...

    async def check(self) -> None:
        """Find out, cheaply and in bounded time, whether the model can be reached. Raises ``ChatError``."""
        ...

    async def close(self) -> None:
        """Free everything."""
        ...
