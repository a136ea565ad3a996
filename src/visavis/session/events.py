"""What a session tells its visitor; a wire turns each into its own messages."""

from dataclasses import dataclass
from enum import StrEnum

from visavis.conversation.events import ConversationEvent


class Ending(StrEnum):
    """Why a session ended, or could not begin. The wire chooses its own names and close codes for each."""

    NORMAL = "normal"
    """The visitor left, or the server is going away."""
    SESSION_TIMEOUT = "session_timeout"
    """The longest allowed time, or the longest allowed silence, has passed."""
    MEDIA_FAILED = "media_failed"
    """WebRTC media did not come up, or was lost for too long."""
    CONVERSATION_ENDED = "conversation_ended"
    """The language model ended the conversation. No model can ask for that, so no session of this server ends so; the
    wire has its words for it, as clients know it for one of the four reasons of an end."""
    BACKEND_ERROR = "backend_error"
    """A part that the session needs has failed for good."""


class RefusalKind(StrEnum):
    """Why a call was not admitted."""

    INVALID_LICENSE = "invalid_license"
    UNKNOWN_AVATAR = "unknown_avatar"
    BAD_REQUEST = "bad_request"
    LICENSE_LIMIT = "license_limit"
    """The license's own number of concurrent sessions is reached."""
    NO_CREDIT = "no_credit"
    """The account is empty. ``FrontDesk`` keeps no accounts and never says so; a ``Reception`` that does needs it for
    the event that the wire documents, ``conversation.connected.insufficient_balance``."""
    NO_SLOT = "no_slot"
    """Every slot of the server is taken."""
    BACKEND_ERROR = "backend_error"
    SHUTTING_DOWN = "shutting_down"


class Refusal(Exception):
    """A call was not admitted. The message is for the visitor's eyes."""

    def __init__(self, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Offered:
    """The server's WebRTC offer with all its candidates; CRLF line ends."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The server's answer to a renegotiation offer of the client."""

    sdp: str


@dataclass(frozen=True, slots=True)
class Created:
    """The session takes history and configuration. Told once, after ``Offered``."""

    session_id: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The session takes the microphone. Told once, after ``Created``."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over; nothing follows."""

    ending: Ending
    message: str


SessionEvent = Offered | Answered | Created | Ready | Ended | ConversationEvent
