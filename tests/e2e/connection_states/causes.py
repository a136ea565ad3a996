"""Why an app sees a state, an error or a reason: every natural cause, each to be shown by a test for each client.

A test says with ``shows`` which causes it brings about, and gives what the app saw to ``Cause.check``. The tables of
``docs/connection-states.md`` are made from here (``tables.py``); ``test_table.py`` checks them, and that no cause is
left without its tests.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Kind(StrEnum):
    """What a cause leads to."""

    STATE = "state"
    """How far the connection is."""
    ERROR = "error"
    """``connect`` fails."""
    REASON = "reason"
    """A session that stood is over."""


class Client(StrEnum):
    """With which client an app talks."""

    JAVASCRIPT = "JavaScript"
    PYTHON = "Python"


JAVASCRIPT, PYTHON = Client
BOTH = tuple(Client)


class Teller(StrEnum):
    """Whose words the code is."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True, slots=True)
class Cause:
    """One natural cause. ``name`` is what the app sees in every client, ``code`` says more exactly what happened."""

    kind: Kind
    name: str
    what: str
    """What happens, as a sentence of the documentation."""
    code: str
    teller: Teller
    clients: tuple[Client, ...] = BOTH
    python_code: str = ""
    """Where that client has a code of its own."""

    def code_in(self, client: Client) -> str:
        """The code that this client gives to the app."""
        return self.python_code or self.code if client is PYTHON else self.code

    def check(self, client: Client, name: str, code: str) -> None:
        """What the app saw is what the documentation says."""
        assert (name, code) == (self.name, self.code_in(client)), self.what
        checked.add((client, self))


CAUSES: list[Cause] = []
"""All of them, in the documentation's order."""
checked: set[tuple[Client, Cause]] = set()
"""What the running test has brought about so far; emptied before each."""


def shows(client: Client, *causes: Cause) -> Callable[[Function], Function]:
    """The test brings these causes about; where it has a parameter ``cause``, one of them at a time."""
    for cause in causes:
        assert client in cause.clients, f"{client} is not among the clients of: {cause.what}"

    def mark(test: Function) -> Function:
        test.__dict__.setdefault("shows", []).extend((client, cause) for cause in causes)
        return test

    return mark


def shown_by(test: Callable[..., Any]) -> list[tuple[Client, Cause]]:
    """What ``shows`` said of a test."""
    return list(getattr(test, "shows", ()))


def _cause(kind: Kind, name: str, what: str, code: str, teller: Teller, **more: Any) -> Cause:
    cause = Cause(kind, name, what, code, teller, **more)
    assert cause.what not in {other.what for other in CAUSES}
    CAUSES.append(cause)
    return cause


def _state(name: str, what: str, code: str, teller: Teller = Teller.SERVER) -> Cause:
    return _cause(Kind.STATE, name, what, code, teller)


def _error(name: str, what: str, code: str, teller: Teller = Teller.SERVER, **more: Any) -> Cause:
    return _cause(Kind.ERROR, name, what, code, teller, **more)


def _reason(name: str, what: str, code: str, teller: Teller = Teller.SERVER, **more: Any) -> Cause:
    return _cause(Kind.REASON, name, what, code, teller, **more)


# States. Their code is the wire's `data.state`; where this side knows by itself there is none.

DISCONNECTED = _state("Disconnected", "Nothing has begun, or all is over.", "", Teller.CLIENT)
SEARCHING = _state("SearchingForDigitalPerson", "The server is being called.", "", Teller.CLIENT)
QUEUED = _state(
    "SearchingForDigitalPerson",
    "All places are taken: the visitor waits for one, and is told the place in the queue as it falls.",
    "queued",
)
PREPARING = _state("DownloadingAssets", "There is a place; the avatar is being prepared.", "preparing")
CONNECTING = _state("ConnectingToDigitalPerson", "Picture and sound are being connected.", "connecting")
CONNECTED = _state("Connected", "The avatar is seen and heard.", "connected")

# Errors.

MICROPHONE_REFUSED = _error(
    "noUserMedia",
    "The visitor refuses a device that the app requires.",
    "permission_denied",
    Teller.CLIENT,
    clients=(JAVASCRIPT,),
)
MICROPHONE_MISSING = _error(
    "noUserMedia",
    "A device that the app requires is not there.",
    "no_device",
    Teller.CLIENT,
    python_code="no_user_media",
)
ALL_TAKEN = _error("noScene", "All places are taken, and nobody may queue.", "no_slot")
QUEUE_OVER = _error("noScene", "The server's time for waiting in the queue is over.", "no_slot")
QUEUE_IMPATIENT = _error(
    "noScene", "The app's own time for waiting in the queue is over.", "queue_timeout", Teller.CLIENT
)
LICENSE_FULL = _error("noScene", "The license has as many sessions as it may have.", "license_limit")
UNKNOWN_AVATAR = _error("noScene", "There is no such avatar.", "unknown_avatar")
RATE_LIMITED = _error("noScene", "Too many attempts came from the visitor's address.", "rate_limited")
WRONG_LICENSE = _error("serverConnectionFailed", "The license, or the client token, is not valid.", "invalid_license")
ORIGIN_REFUSED = _error(
    "serverConnectionFailed",
    "The page's origin may not use the license.",
    "origin_not_allowed",
    clients=(JAVASCRIPT,),
)
NO_AVATAR_NAMED = _error("serverConnectionFailed", "The app names no avatar.", "bad_request")
SHUTTING_DOWN = _error("serverConnectionFailed", "The server is being stopped, and takes nobody.", "shutting_down")
STOPPED_WHILE_QUEUED = _error(
    "serverConnectionFailed", "The server is being stopped while the visitor queues.", "normal"
)
NO_TOKEN = _error("serverConnectionFailed", "The app's token provider fails.", "token_failed", Teller.CLIENT)
UNREACHABLE = _error("serverConnectionFailed", "No server is there.", "unreachable", Teller.CLIENT)
SILENT = _error(
    "serverConnectionFailed", "The server takes the connection, and says nothing.", "no_answer", Teller.CLIENT
)
KILLED_AT_START = _error(
    "serverConnectionFailed", "The server dies while the visitor queues or connects.", "connection_lost", Teller.CLIENT
)
NO_GET_USER_MEDIA = _error(
    "notSupported", "The browser has no getUserMedia.", "not_supported", Teller.CLIENT, clients=(JAVASCRIPT,)
)
NO_WEBRTC = _error("notSupported", "The browser has no WebRTC.", "not_supported", Teller.CLIENT, clients=(JAVASCRIPT,))
INSECURE = _error(
    "notSupported",
    "The page asks for devices, and comes by HTTP from another machine.",
    "insecure_context",
    Teller.CLIENT,
    clients=(JAVASCRIPT,),
)
NO_SOUND_LIBRARY = _error(
    "notSupported",
    "The app wants the microphone, and the library for sound devices is not there.",
    "not_supported",
    Teller.CLIENT,
    clients=(PYTHON,),
)
MEDIA_BLOCKED = _error(
    "mediaStreamFailed", "No packet of picture and sound comes through; the server gives up first.", "media_failed"
)
MEDIA_LATE = _error(
    "mediaStreamFailed",
    "No packet of picture and sound comes through; the client gives up first.",
    "media_timeout",
    Teller.CLIENT,
)
START_TOO_LONG = _error("sessionTimeout", "The server's time for the whole start is over.", "session_timeout")
CONNECT_TOO_LONG = _error(
    "sessionTimeout", "The app's own time for connecting is over.", "connect_timeout", Teller.CLIENT
)
MODEL_DEAD = _error("controlFailed", "The avatar's language model cannot be reached at the start.", "control_failed")
AVATAR_BROKEN = _error("controlFailed", "The avatar's files cannot be read.", "backend_error")
NOTHING_TO_RESUME = _error(
    "noSessionToResume",
    "The session that the visitor comes back to is not kept any more; the client forgets it.",
    "no_session_to_resume",
)

# Reasons.

IDLE = _reason("sessionTimeout", "Nobody said anything for too long; a warning came before.", "session_timeout")
LONGEST = _reason("sessionTimeout", "The session has lasted as long as one may.", "session_timeout")
GOODBYE = _reason(
    "conversationEnded",
    "The language model ends the conversation, after its last word was heard.",
    "conversation_ended",
)
MODEL_LOST = _reason(
    "controlDisconnected", "The language model is lost in the middle, and does not come back.", "control_disconnected"
)
SERVER_KILLED = _reason(
    "controlDisconnected", "The server dies, and does not come back.", "connection_lost", Teller.CLIENT
)
HUNG_UP = _reason("normal", "The app disconnects.", "aborted", Teller.CLIENT)
STOPPED = _reason("normal", "The server is being stopped, and its time for running sessions is over.", "normal")
TAKEN_OVER = _reason("normal", "The visitor goes on with the session in another tab or program.", "replaced")
MEDIA_LOST = _reason(
    "normal",
    "Picture and sound stop coming through, and do not come back; the details name `mediaStreamFailed`.",
    "media_failed",
    Teller.CLIENT,
)
