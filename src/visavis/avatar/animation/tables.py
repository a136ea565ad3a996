"""Tables: how a face speaks, feels and bears itself; the house's own, and with what a package says of its face."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeVar

import numpy as np

from visavis.avatar.animation.emotions import EXPRESSIONS, Expression
from visavis.avatar.animation.states import MANNERS, Manner
from visavis.avatar.animation.visemes import SHAPES, MouthShape
from visavis.avatar.emotion import Emotion
from visavis.avatar.face import FaceState
from visavis.blendshape import ARKIT_INDEX, Weights
from visavis.viseme import Viseme


class FaceOverrides(Protocol):
    """Weights by the name of the shape, for those visemes, emotions and states where a face needs others."""

    @property
    def visemes(self) -> Mapping[Viseme, Mapping[str, float]]: ...

    @property
    def emotions(self) -> Mapping[Emotion, Mapping[str, float]]: ...

    @property
    def states(self) -> Mapping[FaceState, Mapping[str, float]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What an ``Animator`` moves a face by. Every viseme and state has its entry, every emotion but NEUTRAL."""

    visemes: Mapping[Viseme, MouthShape]
    emotions: Mapping[Emotion, Expression]
    states: Mapping[FaceState, Manner]

    def with_overrides(self, overrides: FaceOverrides) -> "Tables":
        """The same with the weights that are named replaced; the others stay."""
        return Tables(
            {key: _replaced(entry, overrides.visemes.get(key)) for key, entry in self.visemes.items()},
            {key: _replaced(entry, overrides.emotions.get(key)) for key, entry in self.emotions.items()},
            {key: _replaced(entry, overrides.states.get(key)) for key, entry in self.states.items()},
        )


HOUSE: Final = Tables(SHAPES, EXPRESSIONS, MANNERS)
"""Tuned by eye on the embedded avatars."""


_Entry = TypeVar("_Entry", MouthShape, Expression, Manner)


def _replaced(entry: _Entry, weights: Mapping[str, float] | None) -> _Entry:
    if not weights:
        return entry
    new: Weights = np.array(entry.weights)
    for name, weight in weights.items():
        new[ARKIT_INDEX[name]] = weight
    return replace(entry, weights=new)
