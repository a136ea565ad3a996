"""How patient a call is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The longest waits while a call is being made, in seconds; None: as long as the server lets one wait."""

    answer: float | None = 15.0
    """For the server's first word: ``ServerConnectionFailedError``."""
    queue: float | None = None
    """For a free place: ``NoSceneError``."""
    prepare: float | None = 60.0
    """For the avatar to be prepared: ``ServerConnectionFailedError``."""
    media: float | None = 20.0
    """For picture and sound, once they are offered: ``MediaStreamFailedError``."""
    connect: float | None = None
    """For all of it, further tries included: ``SessionTimeoutError``."""
    stall: float | None = 10.0
    """For the next frame in the middle of a call: the connection counts as lost then. None: for ever."""


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """How often to try again when no avatar is available (``noScene``), except for an avatar that there is not."""

    max_retries: int = 0
    delay: float = 1.0
    """Seconds between two tries."""


@dataclass(frozen=True, slots=True)
class Reconnection:
    """How often to come back to a session whose connection was lost; the delays double from the first to the longest.

    ``attempts`` 0: not at all.
    """

    attempts: int = 8
    first_delay: float = 0.3
    longest_delay: float = 5.0

    def delay(self, attempt: int) -> float:
        """Seconds before an attempt; the first is number 1."""
        return min(self.longest_delay, self.first_delay * 2 ** (attempt - 1))
