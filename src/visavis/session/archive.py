"""Where sessions leave what is kept of them."""

from typing import Protocol

from visavis.session.records import SessionRecord
from visavis.session.saved import SavedSession


class Archive(Protocol):
    """Takes what is to be written, without making a session wait for it."""

    def save_record(self, record: SessionRecord) -> None:
        """Write a record, over an earlier one of the same session."""
        ...

    def save_session(self, session: SavedSession) -> None:
        """Keep a session, over an earlier state of it."""
        ...

    def delete_session(self, session_id: str) -> None:
        """Keep a session no more."""
        ...

    async def flush(self) -> None:
        """Until all that was taken so far is written, or could not be."""
        ...
