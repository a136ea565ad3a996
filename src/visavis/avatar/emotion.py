"""Emotions: what an avatar's face may show to feel, and how strongly."""

from dataclasses import dataclass
from enum import StrEnum


class Emotion(StrEnum):
    """One of the feelings that every avatar can show; the value is its name in mark-up and on the wire."""

    NEUTRAL = "neutral"
    HAPPY = "happy"
    SAD = "sad"
    SURPRISED = "surprised"
    CONCERNED = "concerned"
    STERN = "stern"
    AMUSED = "amused"


@dataclass(frozen=True, slots=True)
class Feeling:
    """An emotion and its ``intensity``, 0–1. Raises ``ValueError`` for another intensity."""

    emotion: Emotion = Emotion.NEUTRAL
    intensity: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.intensity <= 1:
            raise ValueError(f"the intensity {self.intensity!r} does not lie between 0 and 1")
