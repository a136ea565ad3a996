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
    RefusalKind.BACKEND_ERROR: ("conversation.connected.backend_error", INTERNAL),
    RefusalKind.SHUTTING_DOWN: ("conversation.connected.fail", TRY_LATER),
}

_ENDINGS: Final[dict[Ending, tuple[ClosingType, int]]] = {
    Ending.NORMAL: ("conversation.connected.close", NORMAL),
    Ending.SESSION_TIMEOUT: ("conversation.connected.close", NORMAL),
    Ending.CONVERSATION_ENDED: ("conversation.connected.close", NORMAL),
    Ending.MEDIA_FAILED: ("conversation.connected.fail", INTERNAL),
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


def farewell(cause: Refusal | Ended) -> Farewell:
    """What is said and done when a call is refused or has ended.

    Two refusals are told twice: some clients know only the name that an older version gave them.
    """
    text = encodable(cause.message)
    if isinstance(cause, Refusal):
        kind, code = _REFUSALS[cause.kind]
        reason = OUT_OF_CREDIT if cause.kind is RefusalKind.NO_CREDIT else cause.kind.value
    else:
        kind, code = _ENDINGS[cause.ending]
        reason = cause.ending.value
    names = (kind, _OLDER_NAMES[kind]) if kind in _OLDER_NAMES else (kind,)
    return Farewell(tuple(_closing(name, text) for name in names), code, reason)


def _closing(kind: ClosingType, text: str) -> ConnectedClosing:
    return ConnectedClosing(type=kind, message=text, data=ToldData(message=text))
