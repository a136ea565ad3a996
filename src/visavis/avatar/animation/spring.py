"""Spring: values that follow their goals like a critically damped spring, solved exactly for any step of time."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SETTLED: Final = 4.74
"""Time constants after which a critically damped spring is within 5 % of its goal."""


class Spring:
    """``values``, shape (n,), on their way to goals: no jump, no overshoot from rest, the same at any frame rate."""

    def __init__(self, values: NDArray[np.float32]) -> None:
        self.values = values
        self._speeds = np.zeros_like(values)

    def move(self, goals: NDArray[np.float32], settle: float, seconds: float) -> None:
        """Go on for ``seconds`` towards ``goals``; after ``settle`` seconds, 5 % of the way are left."""
        if seconds <= 0:
            return
        pull = _SETTLED / settle
        decay = math.exp(-pull * seconds)
        offset = self.values - goals
        drive = self._speeds + pull * offset
        self.values = goals + (offset + drive * seconds) * decay
        self._speeds = (self._speeds - pull * drive * seconds) * decay
