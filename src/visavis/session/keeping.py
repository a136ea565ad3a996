"""Keeping a session for the visitor who may come back to it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from visavis.conversation.snapshot import Snapshot
from visavis.session.archive import Archive
from visavis.session.events import Ending
from visavis.session.saved import SavedSession


@dataclass(frozen=True, slots=True)
class Windows:
    """How long sessions are kept, in seconds: after any visitor's leaving, and after a lost connection (0: not)."""

    resume: float = 86_400.0
    reconnect: float = 30.0


def new_key() -> str:
    """A key to come back with: 192 random bits."""
    return f"resume_{secrets.token_urlsafe(24)}"


def hash_of(key: str) -> str:
    """What the store knows of a key."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class Keeping:
    """One session's place in the archive.

    ``persistent``: it is kept for whoever left it; else only for one who lost the connection. ``life``: the longest
    time that it may run, in seconds: a server that dies meanwhile leaves it there for so long.
    """

    def __init__(
        self,
        archive: Archive,
        session_id: str,
        key: str,
        *,
        license_id: str,
        avatar_id: str,
        windows: Windows,
        persistent: bool,
        life: float,
    ) -> None:
        self.key = key
        self._key_hash = hash_of(key)
        self._archive = archive
        self._session_id = session_id
        self._license_id = license_id
        self._avatar_id = avatar_id
        self._window = windows.resume if persistent else windows.reconnect
        self.persistent = persistent
        self._life = life
        self._open = True

    def save(self, snapshot: Snapshot) -> None:
        """Keep the session as it is now."""
        self._write(snapshot, self._window + self._life)

    def left(self, snapshot: Snapshot, ending: Ending, *, lost: bool) -> None:
        """The session ended so; ``lost``: its visitor did not mean to go."""
        stays = self.persistent or lost or ending is Ending.MEDIA_FAILED
        if stays and ending is not Ending.CONVERSATION_ENDED:
            self._write(snapshot, self._window)
        elif self._open:
            self._archive.delete_session(self._session_id)
        self._open = False

    def close(self) -> None:
        """Write nothing any more: another session goes on with this one's place."""
        self._open = False

    def _write(self, snapshot: Snapshot, seconds: float) -> None:
        if not self._open:
            return
        now = datetime.now(UTC)
        self._archive.save_session(
            SavedSession(
                session_id=self._session_id,
                key_hash=self._key_hash,
                license_id=self._license_id,
                avatar_id=self._avatar_id,
                snapshot=snapshot,
                saved_at=now,
                expires_at=now + timedelta(seconds=seconds),
            )
        )
