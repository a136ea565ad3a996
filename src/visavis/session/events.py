"""What a session tells its visitor; a wire turns each into its own messages."""

from dataclasses import dataclass
from enum import StrEnum

from visavis.conversation.events import ConversationEvent
from visavis.conversation.snapshot import Snapshot


class Ending(StrEnum):
    """Why a session ended, or could not begin. The wire chooses its own names and close codes for each."""

    NORMAL = "normal"
    """The visitor left, or the server is going away."""
    SESSION_TIMEOUT = "session_timeout"
    """The longest allowed time, or the longest allowed silence, has passed; or the start took too long."""
    NO_SLOT = "no_slot"
    """No slot became free while the visitor was willing, or allowed, to wait in the queue."""
    MEDIA_FAILED = "media_failed"
    """WebRTC media did not come up, or was lost for too long."""
    CONVERSATION_ENDED = "conversation_ended"
    """The language model ended the conversation."""
    CONTROL_FAILED = "control_failed"
    """The avatar's language model could not be reached at the start."""
    CONTROL_DISCONNECTED = "control_disconnected"
    """The avatar's language model was lost in the middle, and did not come back."""
    REPLACED = "replaced"
    """The visitor goes on with the session in another place."""
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
    """Every slot of the server is taken, and the queue is full."""
    ORIGIN_NOT_ALLOWED = "origin_not_allowed"
    """The page's origin may not use this license or token."""
    RATE_LIMITED = "rate_limited"
    """Too many attempts from one address."""
    NO_SESSION_TO_RESUME = "no_session_to_resume"
    """The session that the visitor wants back is not kept, or not any more."""
    BACKEND_ERROR = "backend_error"
    SHUTTING_DOWN = "shutting_down"


class Refusal(Exception):
    """A call was not admitted. The message is for the visitor's eyes."""

    def __init__(self, kind: RefusalKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class SessionState(StrEnum):
    """Where a session is; in this order, each at most once for each time that the visitor comes."""

    QUEUED = "queued"
    PREPARING = "preparing"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Picture:
    """What is sent of the avatar. ``width`` and ``height`` in pixels, as it is to be seen.

    ``transparent``: frames are twice as wide, with the person's opacity beside the colours (``avatar/view.py``).
    ``backgrounds``: whether what lies behind the person can be chosen.
    """

    width: int
    height: int
    transparent: bool
    backgrounds: bool


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session's state, or the visitor's place in the queue (1: next; only with ``QUEUED``), has changed.

    ``picture`` comes with ``CONNECTING``.
    """

    state: SessionState
    position: int | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class Expiring:
    """The session ends with ``ending`` in so many seconds.

    ``preventable``: unless the visitor does something before (``KeepAlive`` is enough); else it ends in any case.
    """

    ending: Ending
    seconds: float
    message: str
    preventable: bool = True


@dataclass(frozen=True, slots=True)
class Restored:
    """A resumed session's conversation so far. Told once, before ``Created``."""

    snapshot: Snapshot


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


SessionEvent = StateChanged | Expiring | Restored | Offered | Answered | Created | Ready | Ended | ConversationEvent
