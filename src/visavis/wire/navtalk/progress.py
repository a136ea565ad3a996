"""What only clients that ask for states are told: how far their session is, when it will end, what was said before."""

from dataclasses import asdict
from typing import Final

from visavis.conversation.snapshot import Variable
from visavis.session.events import Ending, Expiring, Restored, SessionState, StateChanged
from visavis.wire.navtalk.server_messages import (
    ConnectedExpiring,
    ConnectedResumed,
    ConnectedState,
    ExpiringData,
    PictureData,
    Reason,
    ResumedData,
    ResumedItem,
    StateData,
)
from visavis.wire.navtalk.text import MAX_TEXT, encodable

MAX_RESUMED: Final = MAX_TEXT
"""Characters of the conversation that a returning client is told: as many whole items as fit, the latest."""

_REASONS: Final[dict[Ending, Reason]] = {
    Ending.SESSION_TIMEOUT: "sessionTimeout",
    Ending.CONVERSATION_ENDED: "conversationEnded",
    Ending.CONTROL_FAILED: "controlDisconnected",
    Ending.CONTROL_DISCONNECTED: "controlDisconnected",
    Ending.BACKEND_ERROR: "controlDisconnected",
}
"""The endings that have a reason of their own; all others are normal."""


def state_changed(event: StateChanged) -> ConnectedState | None:
    """The state with its step and percentage; None for the end, which the closing event tells."""
    match event.state:
        case SessionState.QUEUED:
            data = StateData(
                state="queued",
                name="SearchingForDigitalPerson",
                currentStep=1,
                percentageLoaded=25,
                queuePosition=event.position or None,
            )
        case SessionState.PREPARING:
            data = StateData(state="preparing", name="DownloadingAssets", currentStep=2, percentageLoaded=50)
        case SessionState.CONNECTING:
            data = StateData(
                state="connecting",
                name="ConnectingToDigitalPerson",
                currentStep=3,
                percentageLoaded=75,
                picture=PictureData(**asdict(event.picture)) if event.picture else None,
            )
        case SessionState.CONNECTED:
            data = StateData(state="connected", name="Connected", currentStep=4, percentageLoaded=100)
        case SessionState.ENDED:
            return None
    return ConnectedState(data=data)


def expiring(event: Expiring) -> ConnectedExpiring:
    """The warning before the end."""
    text = encodable(event.message)
    reason = _REASONS.get(event.ending, "normal")
    data = ExpiringData(reason=reason, seconds=event.seconds, preventable=event.preventable, message=text)
    return ConnectedExpiring(message=text, data=data)


def restored(event: Restored) -> ConnectedResumed:
    """What was said, without the tools' part in it, and the variables."""
    items: list[ResumedItem] = []
    room = MAX_RESUMED
    for item in reversed(event.snapshot.items):
        if item.role not in ("user", "assistant") or not item.text:
            continue
        room -= len(item.text)
        if room < 0:
            break
        items.append(ResumedItem(role=item.role, content=encodable(item.text)))
    variables = {encodable(name): _variable(value) for name, value in event.snapshot.variables.items()}
    return ConnectedResumed(data=ResumedData(items=items[::-1], variables=variables))


def _variable(value: Variable) -> Variable:
    return encodable(value) if isinstance(value, str) else value
