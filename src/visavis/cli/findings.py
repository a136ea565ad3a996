"""What a check of ``visavis doctor`` found out."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    """Works, but not for everyone or not at its best."""
    FAIL = "fail"
    """Does not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the report: what was looked at, what was seen, and what to do about it."""

    level: Level
    subject: str
    seen: str
    advice: str = ""


def ok(subject: str, seen: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, seen)


def warn(subject: str, seen: str, advice: str) -> Finding:
    """It works, but not for everyone or not at its best."""
    return Finding(Level.WARN, subject, seen, advice)


def bad(subject: str, seen: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, subject, seen, advice)
