"""What a call tells while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from visavis.client.errors import DisconnectReason
from visavis.client.states import ConnectionState

Variable = str | int | float | bool
"""A session variable's value."""

Side = Literal["user", "avatar"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the server as it came. ``data`` is never None; ``body`` is the whole message."""

    type: str
    data: Mapping[str, Any]
    at: float
    """Loop time at which it came."""
    body: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The words of the conversation that it carries, where it carries any."""
        return str(self.data.get("content", ""))

    @property
    def told(self) -> str:
        """The text for people that it carries; its type where it carries none."""
        return str(self.body.get("message") or self.data.get("message") or self.type)


@dataclass(frozen=True, slots=True)
class Caption:
    """What one side says, so far.

    Several come for one ``id``: ``pending`` (someone began to speak), ``partial``, and at last one ``final``, whose
    text is empty when nothing was understood or heard.
    """

    id: str
    side: Side
    text: str
    state: Literal["pending", "partial", "final"]


class Activity(StrEnum):
    """What the avatar does."""

    IDLE = "idle"
    LISTENING = "listening"
    """The visitor is speaking."""
    THINKING = "thinking"
    SPEAKING = "speaking"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The avatar uses a tool. A tool that was given with the call runs by itself; of others, the app returns the result
    by ``Call.send_tool_result``."""

    call_id: str
    name: str
    arguments: Mapping[str, Any] | str
    """An object; what the model wrote where that is none."""
    response_id: str = ""


@dataclass(frozen=True, slots=True)
class Expiring:
    """The session ends for ``reason`` in so many seconds.

    ``preventable``: unless something is said, or ``Call.keep_alive`` called; else it ends in any case.
    """

    reason: DisconnectReason
    seconds: float
    message: str
    preventable: bool = True


@dataclass(frozen=True, slots=True)
class Notice:
    """The server found something odd about the call, such as several avatars of one name."""

    message: str


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """The connection was lost; try number ``attempt`` of ``attempts`` to come back to the session begins."""

    attempt: int
    attempts: int


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """Something that was said or written."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The session goes on where it was: the conversation so far, and the session's variables."""

    history: tuple[HistoryItem, ...]
    variables: Mapping[str, Variable]


@dataclass(frozen=True, slots=True)
class MicrophoneLost:
    """The call's own source of sound failed or came to its end. The call goes on without."""

    message: str


@dataclass(frozen=True, slots=True)
class Disconnection:
    """The call is over; the last event. ``code`` is more exact than ``reason``."""

    session_id: str
    reason: DisconnectReason
    code: str
    message: str
    error: str = ""
    """The name of the connection error that it would have been before the call was connected, such as
    ``mediaStreamFailed``; empty for an ordinary end."""


Event = (
    ConnectionState
    | Caption
    | Activity
    | ToolCall
    | Expiring
    | Notice
    | Reconnecting
    | Resumed
    | MicrophoneLost
    | Disconnection
    | Message
)
"""``Message`` is what has no event of its own."""
