"""Sessions that a visitor can come back to."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from visavis.conversation.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class SavedSession:
    """A session as it was last; ``key_hash`` is the SHA-256 (hex) of the key with which its visitor comes back."""

    session_id: str
    key_hash: str = field(repr=False)
    license_id: str
    avatar_id: str
    snapshot: Snapshot
    saved_at: datetime
    expires_at: datetime


class SavedSessions(Protocol):
    """Keeps them. Raises ``StoreError`` when it cannot."""

    async def save(self, session: SavedSession) -> None:
        """Write one, over an earlier one of the same id."""
        ...

    async def find(self, key_hash: str) -> SavedSession | None:
        """The session that this key belongs to; None when there is none, or it has expired."""
        ...

    async def delete(self, session_id: str) -> None:
        """Forget one; nothing happens where it is not there."""
        ...

    async def purge(self) -> int:
        """Forget those that have expired; how many they were."""
        ...
