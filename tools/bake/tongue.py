"""Where the tongue goes for sounds that show it: to the ridge behind the teeth, or out between them."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np

from bake.basemesh import Points

Position = Literal["rest", "up", "out"]
_RISE: Final = 0.09
"""How far the tip rises to the closed mouth's ridge, dm …"""
_JAW: Final = 0.30
"""… and per weight of jawOpen, to meet it there."""
_OUT: Final = 0.30
"""How far the tip comes forward, dm …"""
_FLAT: Final = 0.45
"""… and how much flatter it becomes, on the height of …"""
_EDGE: Final = 0.58
"""… this share of the tongue's own height: that of the lower teeth's edge."""


def moved_tongue(tongue: Points, position: Position, jaw: float) -> Points:
    """The tongue's vertices (n, 3; MakeHuman axes, dm) in a mouth open by ``jaw``; the root stays, the tip goes."""
    if position == "rest":
        return tongue
    back, front = tongue[:, 2].min(), tongue[:, 2].max()
    tip = ((tongue[:, 2] - back) / (front - back)) ** 1.5
    out = tongue.copy()
    if position == "up":
        out[:, 1] += tip * (_RISE + _JAW * jaw)
    else:
        out[:, 2] += tip * _OUT
        edge = tongue[:, 1].min() + _EDGE * np.ptp(tongue[:, 1])
        out[:, 1] += (edge - out[:, 1]) * _FLAT * tip
    return out
