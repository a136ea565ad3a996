"""The consent that an avatar of a photograph needs: of the person shown."""

from datetime import UTC, datetime
from typing import Final

from visavis.avatar.manifest import MAX_STATEMENT, Consent

STATEMENT: Final = (
    "I am the person in this photo, or that person has allowed me to make a talking avatar of it. "
    "Those who talk with the avatar will be told that it is an AI avatar."
)
"""What has to be agreed to."""


def consent_now(statement: str) -> Consent:
    """Consent given at this moment, in these words. Raises ``ValueError``."""
    statement = statement.strip()
    if not statement:
        raise ValueError("the statement of consent is empty")
    if len(statement) > MAX_STATEMENT:
        raise ValueError(f"the statement of consent is longer than {MAX_STATEMENT} characters")
    return Consent(statement=statement, given=datetime.now(UTC).replace(microsecond=0))
