"""How far a connection is: five states, with the numbers that a progress bar shows."""

from dataclasses import dataclass
from enum import StrEnum


class ConnectionStateType(StrEnum):
    """The states, in the order in which a connection goes through them."""

    DISCONNECTED = "Disconnected"
    SEARCHING = "SearchingForDigitalPerson"
    """Reaching the server, and waiting there for a free place."""
    DOWNLOADING_ASSETS = "DownloadingAssets"
    """There is a place; the server is preparing the avatar."""
    CONNECTING = "ConnectingToDigitalPerson"
    """The avatar is there; picture and sound are being connected."""
    CONNECTED = "Connected"


STEPS = tuple(ConnectionStateType)
TOTAL_STEPS = len(STEPS)


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """A state as it is shown. The numbers are an estimate of progress and nothing to be relied on otherwise."""

    name: ConnectionStateType
    current_step: int
    """0 … 4."""
    total_steps: int
    """5, the state without a connection counted."""
    percentage_loaded: int
    """0, 25, 50, 75 or 100."""
    queue_position: int | None = None
    """The place among those who wait for a free place (1: next); None for one who does not wait."""


def connection_state(name: ConnectionStateType, queue_position: int | None = None) -> ConnectionState:
    """The state of that name, with its numbers."""
    step = STEPS.index(name)
    return ConnectionState(name, step, TOTAL_STEPS, 100 * step // (TOTAL_STEPS - 1), queue_position)
