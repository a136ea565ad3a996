"""A session's record while it is being written."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from visavis.conversation.events import AnswerDone, ToolRequested, UserTranscript
from visavis.session.events import Ending, SessionEvent, SessionState
from visavis.session.metrics import SessionMetrics
from visavis.session.records import SessionRecord, StateEntry

_STATES = 64
_ANSWERS = 100


class Dossier:
    """Keeps one session's record up to date, and hands each version of it to ``save``.

    It is the conversation's observer: what it hears goes to ``metrics``, too.
    """

    def __init__(self, record: SessionRecord, save: Callable[[SessionRecord], None], metrics: SessionMetrics) -> None:
        self.record = record
        self._save = save
        self._metrics = metrics
        self._open = True

    def enter(self, state: SessionState) -> None:
        """The session is in ``state`` from now on."""
        entry = StateEntry(state, datetime.now(UTC))
        self._keep(replace(self.record, states=(*self.record.states, entry)[-_STATES:]))

    def note(self, event: SessionEvent) -> None:
        """Count what the visitor is told."""
        counts = self.record.counts
        match event:
            case UserTranscript(text=text) if text:
                counts = replace(counts, user_turns=counts.user_turns + 1)
            case AnswerDone():
                counts = replace(counts, answers=counts.answers + 1)
            case ToolRequested():
                counts = replace(counts, tool_calls=counts.tool_calls + 1)
            case _:
                return
        self._keep(replace(self.record, counts=counts))

    def typed(self) -> None:
        """The visitor typed something to be answered."""
        counts = self.record.counts
        self._keep(replace(self.record, counts=replace(counts, user_turns=counts.user_turns + 1)))

    def connected(self, seconds: float) -> None:
        """Media came up so long after the session had its slot."""
        self._metrics.connected(seconds)
        self._keep(replace(self.record, connect_seconds=round(seconds, 3)))

    def end(self, ending: Ending, message: str) -> None:
        """The session is over; nothing is written any more."""
        self.enter(SessionState.ENDED)
        self._keep(replace(self.record, ended_at=datetime.now(UTC), ending=ending, message=message))
        self.close()

    def close(self) -> None:
        """Write nothing any more."""
        self._open = False

    def failure(self, part: str) -> None:
        """See ``ConversationObserver``."""
        self._metrics.failure(part)
        counts = self.record.counts
        self._keep(replace(self.record, counts=replace(counts, failures=counts.failures + 1)))

    def answered(self, seconds: float) -> None:
        """See ``ConversationObserver``."""
        self._metrics.answered(seconds)
        answers = (*self.record.answer_seconds, round(seconds, 3))
        self._keep(replace(self.record, answer_seconds=answers[-_ANSWERS:]))

    def thought(self, seconds: float) -> None:
        """See ``ConversationObserver``."""
        self._metrics.thought(seconds)

    def interrupted(self) -> None:
        """See ``ConversationObserver``."""
        self._metrics.interrupted()
        counts = self.record.counts
        self._keep(replace(self.record, counts=replace(counts, interruptions=counts.interruptions + 1)))

    def _keep(self, record: SessionRecord) -> None:
        if self._open:
            self.record = record
            self._save(record)


def resumed(record: SessionRecord) -> SessionRecord:
    """The record of a session that its visitor came back to."""
    return replace(record, resumptions=record.resumptions + 1, ended_at=None, ending=None, message="")
