"""Records and saved sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any

from visavis.conversation.snapshot import Snapshot
from visavis.language.ports import ChatMessage
from visavis.session.records import SessionRecord
from visavis.session.saved import SavedSession

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(id: str = "session-1", **changes: Any) -> SessionRecord:
    return SessionRecord(**{"id": id, "avatar_id": "vera", "license_id": "lic_1", "started_at": NOON, **changes})


def saved(id: str = "session-1", words: str = "Hello", **changes: Any) -> SavedSession:
    values = {
        "session_id": id,
        "key_hash": f"hash of {id}",
        "license_id": "lic_1",
        "avatar_id": "vera",
        "snapshot": Snapshot(items=(ChatMessage("user", words),), variables={"seat": 12}, greeted=True),
        "saved_at": NOON,
        "expires_at": NOON + timedelta(hours=1),
    }
    return SavedSession(**{**values, **changes})
