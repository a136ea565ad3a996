"""What is kept of every session, for whoever looks into it later."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from visavis.session.events import Ending, SessionState


@dataclass(frozen=True, slots=True)
class StateEntry:
    """When a session came into a state (UTC)."""

    state: SessionState
    at: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """How often what happened in a session."""

    user_turns: int = 0
    answers: int = 0
    interruptions: int = 0
    tool_calls: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session, over all its resumptions. Nothing that was said is in it, and no key.

    ``states`` has the latest 64 entries, ``answer_seconds`` (end of the user's speech → first sound of the answer) the
    latest 100. ``ending`` and ``ended_at`` are None while it runs.
    """

    id: str
    avatar_id: str
    license_id: str
    started_at: datetime
    license_name: str = ""
    model: str = ""
    origin: str = ""
    states: tuple[StateEntry, ...] = ()
    ended_at: datetime | None = None
    ending: Ending | None = None
    message: str = ""
    resumptions: int = 0
    counts: Counts = field(default_factory=Counts)
    connect_seconds: float | None = None
    answer_seconds: tuple[float, ...] = ()


class SessionRecords(Protocol):
    """Keeps the records. Raises ``StoreError`` when it cannot."""

    async def save(self, record: SessionRecord) -> None:
        """Write a record, over an earlier one of the same id."""
        ...

    async def find(self, session_id: str) -> SessionRecord | None:
        """The record of a session."""
        ...

    async def latest(
        self, limit: int = 50, *, license_id: str | None = None, before: datetime | None = None
    ) -> Sequence[SessionRecord]:
        """The records that started last, newest first; of one license, and before a time, where these are given."""
        ...


class StoreError(Exception):
    """The store cannot be read or written."""
