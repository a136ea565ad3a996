"""What can go wrong with a call: one exception class for each of the eight names of connection errors."""

from enum import StrEnum
from typing import ClassVar


class DisconnectReason(StrEnum):
    """Why a call that was connected is over."""

    SESSION_TIMEOUT = "sessionTimeout"
    """Nobody said anything for too long, or the longest time that a session may last has passed."""
    CONVERSATION_ENDED = "conversationEnded"
    """The language model ended the conversation."""
    CONTROL_DISCONNECTED = "controlDisconnected"
    """The server, or the service that directs the conversation, was lost."""
    NORMAL = "normal"
    """Somebody hung up, or the server is going away."""


class CallError(Exception):
    """A call could not be made, or is over. The message is for people.

    ``name`` is the documented name of the error; ``code`` says more exactly what happened: the server's own code
    (``docs/protocol.md``), or one of this client's (``docs/python.md``).
    """

    name: ClassVar[str] = "callError"

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NoSceneError(CallError):
    """No avatar was available: there is none of that name, every place is taken, or too many attempts were made."""

    name: ClassVar[str] = "noScene"


class ServerConnectionFailedError(CallError):
    """There is no such server, it does not answer, or it does not take the call."""

    name: ClassVar[str] = "serverConnectionFailed"


class MediaStreamFailedError(CallError):
    """Picture and sound did not come up."""

    name: ClassVar[str] = "mediaStreamFailed"


class SessionTimeoutError(CallError):
    """The session timed out before it was fully there."""

    name: ClassVar[str] = "sessionTimeout"


class ControlFailedError(CallError):
    """The service that directs the conversation cannot be reached."""

    name: ClassVar[str] = "controlFailed"


class NoSessionToResumeError(CallError):
    """The session that was to be resumed is not kept, or not any more: its token is worth nothing from now on."""

    name: ClassVar[str] = "noSessionToResume"


class NoUserMediaError(CallError):
    """The source of the visitor's sound cannot be opened."""

    name: ClassVar[str] = "noUserMedia"


class NotSupportedError(CallError):
    """Something that the call needs is not there: a common codec, or a library for the sound devices."""

    name: ClassVar[str] = "notSupported"


class CallEndedError(CallError):
    """The call is over, or was hung up while it was being made. ``__cause__`` is what a callback raised, if one did."""

    name: ClassVar[str] = "callEnded"

    def __init__(self, message: str, code: str = "", reason: DisconnectReason = DisconnectReason.NORMAL) -> None:
        super().__init__(message, code)
        self.reason = reason
