"""Why a connection ended, and what the app is told of it: one table for errors and for reasons."""

from collections.abc import Mapping
from dataclasses import dataclass

from websockets.frames import Close

from visavis.client.errors import (
    CallEndedError,
    CallError,
    ControlFailedError,
    DisconnectReason,
    MediaStreamFailedError,
    NoSceneError,
    NoSessionToResumeError,
    NotSupportedError,
    NoUserMediaError,
    ServerConnectionFailedError,
    SessionTimeoutError,
)
from visavis.client.events import Disconnection, Message

_NORMAL = DisconnectReason.NORMAL
_LOST = DisconnectReason.CONTROL_DISCONNECTED

_TOLD: Mapping[str, tuple[type[CallError], DisconnectReason]] = {
    # The server's codes.
    "invalid_license": (ServerConnectionFailedError, _NORMAL),
    "bad_request": (ServerConnectionFailedError, _NORMAL),
    "origin_not_allowed": (ServerConnectionFailedError, _NORMAL),
    "shutting_down": (ServerConnectionFailedError, _NORMAL),
    "no_credit": (ServerConnectionFailedError, _NORMAL),
    "unknown_avatar": (NoSceneError, _NORMAL),
    "license_limit": (NoSceneError, _NORMAL),
    "no_slot": (NoSceneError, _NORMAL),
    "rate_limited": (NoSceneError, _NORMAL),
    "backend_error": (ControlFailedError, _LOST),
    "control_failed": (ControlFailedError, _LOST),
    "control_disconnected": (ControlFailedError, _LOST),
    "media_failed": (MediaStreamFailedError, _NORMAL),
    "session_timeout": (SessionTimeoutError, DisconnectReason.SESSION_TIMEOUT),
    "conversation_ended": (ServerConnectionFailedError, DisconnectReason.CONVERSATION_ENDED),
    "normal": (ServerConnectionFailedError, _NORMAL),
    "replaced": (ServerConnectionFailedError, _NORMAL),
    "no_session_to_resume": (NoSessionToResumeError, _LOST),
    # This client's own.
    "refused": (ServerConnectionFailedError, _NORMAL),
    "unreachable": (ServerConnectionFailedError, _LOST),
    "no_answer": (ServerConnectionFailedError, _LOST),
    "connection_lost": (ServerConnectionFailedError, _LOST),
    "bad_protocol": (ServerConnectionFailedError, _LOST),
    "token_failed": (ServerConnectionFailedError, _LOST),
    "queue_timeout": (NoSceneError, _NORMAL),
    "connect_timeout": (SessionTimeoutError, DisconnectReason.SESSION_TIMEOUT),
    "media_timeout": (MediaStreamFailedError, _NORMAL),
    "no_user_media": (NoUserMediaError, _NORMAL),
    "not_supported": (NotSupportedError, _NORMAL),
    "aborted": (CallEndedError, _NORMAL),
    "app_failed": (CallEndedError, _NORMAL),
}
"""The error before the call is connected, and the reason after it, for each code."""

_ORDINARY = frozenset({"aborted", "normal", "replaced", "shutting_down", "conversation_ended", "app_failed"})

_BY_TYPE: Mapping[str, str] = {
    "conversation.connected.fail": "refused",
    "conversation.connected.close": "normal",
    "conversation.connected.insufficient_balance": "no_credit",
    "conversation.connected.connection_limit_exceeded": "license_limit",
    "conversation.connected.gpu_full": "no_slot",
    "conversation.connected.backend_error": "backend_error",
    "realtime.session.gpu_full": "no_slot",
    "realtime.session.insufficient_balance": "no_credit",
}
"""What the last words of a server mean that says no more."""

_DELIBERATE = frozenset({1000, 1008, 1009})
"""Close codes (RFC 6455 §7.4) of a server that means it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a connection, or the whole call, is over.

    ``lost``: nobody meant it, and the session may be there still. ``cause``: what a callback of the app raised.
    """

    code: str
    message: str
    lost: bool = False
    cause: Exception | None = None

    @property
    def _told(self) -> tuple[type[CallError], DisconnectReason]:
        # A token provider of the app may raise errors of its own making.
        return _TOLD.get(self.code, (ServerConnectionFailedError, _NORMAL))

    def error(self) -> Exception:
        """What the attempt to connect raises."""
        if self.cause:
            return self.cause
        return self._told[0](self.message, self.code)

    def disconnection(self, session_id: str) -> Disconnection:
        """What the app of a connected call is told."""
        error, reason = self._told
        name = "" if self.code in _ORDINARY else error.name
        return Disconnection(session_id, reason, self.code, self.message, name)

    def ended(self) -> CallEndedError:
        """What using the call from now on raises."""
        error = CallEndedError(self.message, self.code, self._told[1])
        error.__cause__ = self.cause
        return error


HUNG_UP = Outcome("aborted", "Hung up.")


def app_failed(error: Exception) -> Outcome:
    """The end of a call of which a callback raised ``error``."""
    return Outcome("app_failed", f"The app's own code failed: {type(error).__name__}: {error}", cause=error)


def is_farewell(message: Message) -> bool:
    """Whether it is the server's last word, which the close of the socket follows."""
    return message.type in _BY_TYPE


def verdict(farewell: Message | None, close: Close | None) -> Outcome:
    """Why the server ended a connection: by its last word, by the reason of the close, by the close code.

    ``close`` is None where the socket broke, or was not closed after the last word.
    """
    if farewell:
        told = str(farewell.data.get("code", ""))
        reason = close.reason if close else ""
        code = next((code for code in (told, reason) if code in _TOLD), _BY_TYPE[farewell.type])
        # Its media may be lost while the visitor's network is: the session is kept for a while.
        return Outcome(code, farewell.told, lost=code == "media_failed")
    if close and close.reason in _TOLD:
        return Outcome(close.reason, f"The server closed the connection: {close.reason}.")
    if close and close.code == 1000:
        return Outcome("normal", "The server closed the connection.")
    code = close.code if close else 1006
    why = f" {close.reason}" if close and close.reason else ""
    return Outcome("connection_lost", f"The connection was lost ({code}{why}).", lost=code not in _DELIBERATE)


def outcome_of(error: Exception) -> Outcome:
    """The end of a call that could not be connected for ``error``."""
    return Outcome(error.code, str(error)) if isinstance(error, CallError) else app_failed(error)
