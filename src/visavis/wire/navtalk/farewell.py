"""How a call is refused or ended: the event that says why, and the close code (RFC 6455 §7.4) that follows it."""

from dataclasses import dataclass
from typing import Final

from visavis.session.events import Ended, Ending, Refusal, RefusalKind
from visavis.wire.navtalk.server_messages import ClosingType, ConnectedClosing, ToldData
from visavis.wire.navtalk.text import encodable

NORMAL: Final = 1000
POLICY: Final = 1008
INTERNAL: Final = 1011
TRY_LATER: Final = 1013

OUT_OF_CREDIT: Final = "Insufficient points"
"""Close reason that clients compare literally."""

_REFUSALS: Final[dict[RefusalKind, tuple[ClosingType, int]]] = {
    RefusalKind.INVALID_LICENSE: ("conversation.connected.fail", POLICY),
    RefusalKind.UNKNOWN_AVATAR: ("conversation.connected.fail", POLICY),
    RefusalKind.BAD_REQUEST: ("conversation.connected.fail", POLICY),
    RefusalKind.LICENSE_LIMIT: ("conversation.connected.connection_limit_exceeded", POLICY),
    RefusalKind.NO_CREDIT: ("conversation.connected.insufficient_balance", POLICY),
    RefusalKind.NO_SLOT: ("conversation.connected.gpu_full", TRY_LATER),
    RefusalKind.ORIGIN_NOT_ALLOWED: ("conversation.connected.fail", POLICY),
    RefusalKind.RATE_LIMITED: ("conversation.connected.fail", TRY_LATER),
    RefusalKind.NO_SESSION_TO_RESUME: ("conversation.connected.fail", POLICY),
    RefusalKind.BACKEND_ERROR: ("conversation.connected.backend_error", INTERNAL),
    RefusalKind.SHUTTING_DOWN: ("conversation.connected.fail", TRY_LATER),
}

_ENDINGS: Final[dict[Ending, tuple[ClosingType, int]]] = {
    Ending.NORMAL: ("conversation.connected.close", NORMAL),
    Ending.SESSION_TIMEOUT: ("conversation.connected.close", NORMAL),
    Ending.CONVERSATION_ENDED: ("conversation.connected.close", NORMAL),
    Ending.REPLACED: ("conversation.connected.close", NORMAL),
    Ending.NO_SLOT: ("conversation.connected.gpu_full", TRY_LATER),
    Ending.MEDIA_FAILED: ("conversation.connected.fail", INTERNAL),
    Ending.CONTROL_FAILED: ("conversation.connected.backend_error", INTERNAL),
    Ending.CONTROL_DISCONNECTED: ("conversation.connected.backend_error", INTERNAL),
    Ending.BACKEND_ERROR: ("conversation.connected.backend_error", INTERNAL),
}

_OLDER_NAMES: Final[dict[ClosingType, ClosingType]] = {
    "conversation.connected.gpu_full": "realtime.session.gpu_full",
    "conversation.connected.insufficient_balance": "realtime.session.insufficient_balance",
}


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last messages, and how the socket is closed after them."""

    messages: tuple[ConnectedClosing, ...]
    code: int
    reason: str


def farewell(cause: Refusal | Ended, *, states: bool = False) -> Farewell:
    """What is said and done when a call is refused or has ended.

    Some events are told twice: some clients know only the name that an older version gave them. ``states``: the client
    asks for states, and is told the kind of refusal or the ending too.
    """
    text = encodable(cause.message)
    if isinstance(cause, Refusal):
        told = cause.kind.value
        name, code = _REFUSALS[cause.kind]
        reason = OUT_OF_CREDIT if cause.kind is RefusalKind.NO_CREDIT else told
    else:
        reason = told = cause.ending.value
        name, code = _ENDINGS[cause.ending]
    names = (name, _OLDER_NAMES[name]) if name in _OLDER_NAMES else (name,)
    data = ToldData(message=text, code=told if states else None)
    return Farewell(tuple(ConnectedClosing(type=name, message=text, data=data) for name in names), code, reason)
