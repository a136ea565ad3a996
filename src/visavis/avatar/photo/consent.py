"""The statement of the person shown, kept beside the face that was made of their photograph."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import AwareDatetime, BaseModel, ConfigDict

CONSENT_FILE: Final = "consent.json"
STATEMENT: Final = (
    "I am the person in this photo, or that person has allowed me to make a talking avatar of it. "
    "Those who talk with the avatar will be told that it is an AI avatar."
)
"""What has to be agreed to."""
MAX_LENGTH: Final = 2000


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    statement: str
    given: AwareDatetime


@dataclass(frozen=True, slots=True)
class Consent:
    """``statement``: in the words of who gave it; ``given``: when, UTC. Raises ``ValueError`` for an empty one."""

    statement: str
    given: datetime

    def __post_init__(self) -> None:
        if not self.statement.strip():
            raise ValueError("the statement of consent is empty")
        if len(self.statement) > MAX_LENGTH:
            raise ValueError(f"the statement of consent is longer than {MAX_LENGTH} characters")

    @staticmethod
    def now(statement: str) -> "Consent":
        """Consent given at this moment. Raises ``ValueError``."""
        return Consent(statement.strip(), datetime.now(UTC))

    @staticmethod
    def parse(content: bytes) -> "Consent":
        """What ``write`` wrote. Raises ``ValueError``, for wrong fields pydantic's ``ValidationError``."""
        read = _File.model_validate_json(content)
        return Consent(read.statement, read.given.astimezone(UTC))

    def write(self, folder: Path) -> None:
        """Write ``consent.json`` into ``folder``. Blocks."""
        content = {"statement": self.statement, "given": self.given.isoformat(timespec="seconds")}
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / CONSENT_FILE).write_text(text + "\n", encoding="utf-8")
