"""The shelf: where drafts lie while they are made: inside the avatars' folder, so that saving is a mere renaming."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Final

import structlog

log = structlog.get_logger(__name__)

SHELF: Final = ".portraits"
"""The folder's name; the catalogue passes over names that begin with a dot."""
_LOCK: Final = "lock"
_STALE: Final = 60.0
"""Seconds after which a folder without a lock is no longer taken for one that is being made."""


class Shelf:
    """A folder of this process's own in ``avatars/.portraits``, held by a lock on a file as long as the process lives.

    It is made with the first draft. What a server left behind that ended without tidying up holds no lock: the next
    one that starts sweeps it away. All methods block.
    """

    def __init__(self, avatars: Path) -> None:
        self._avatars = avatars
        self._folder: Path | None = None
        self._lock: int | None = None
        self._closed = False
        self._changing = threading.Lock()

    def sweep(self) -> None:
        """Remove the shelves that nobody holds."""
        sweep(self._avatars / SHELF)

    def _open(self) -> Path:
        if self._closed:
            raise OSError("the shelf is closed")
        if self._folder is not None:
            return self._folder
        root = self._avatars / SHELF
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="shelf-", dir=root))
        self._lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._folder = folder
        return folder

    def place(self) -> Path:
        """A new folder for a draft, whose name tells nothing of it, as logs show files' names. Raises ``OSError``."""
        with self._changing:
            return Path(tempfile.mkdtemp(prefix="draft-", dir=self._open()))

    def clear(self, place: Path) -> None:
        """Remove a draft's folder with all that is in it."""
        shutil.rmtree(place, ignore_errors=True)

    def close(self) -> None:
        """Remove everything; there are no more places then. Idempotent."""
        with self._changing:
            self._closed = True
        folder, self._folder = self._folder, None
        lock, self._lock = self._lock, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
            # Another server's shelf may stand in the same place.
            with contextlib.suppress(OSError):
                folder.parent.rmdir()
        if lock is not None:
            os.close(lock)


def sweep(root: Path) -> None:
    """Remove the shelves in ``root`` that no living process holds. Blocks."""
    for folder in sorted(root.glob("shelf-*")):
        if _abandoned(folder):
            shutil.rmtree(folder, ignore_errors=True)
            log.info("drafts of a server that has ended were removed", folder=folder.name)


def _abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        # Its owner may be about to lock it.
        with contextlib.suppress(OSError):
            return time.time() - folder.stat().st_mtime > _STALE
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True
