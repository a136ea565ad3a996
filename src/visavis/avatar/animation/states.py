"""The five states of a face: how each holds the head, brows, lids and eyes, and how lively it is."""

from dataclasses import dataclass
from typing import Final

from visavis.avatar.animation.visemes import shape
from visavis.avatar.face import FaceState
from visavis.blendshape import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Manner:
    """How the face is in one state.

    Angles in radians as in ``FaceFrame``. ``yaw_drift`` … are amplitudes of the slow wander. ``blink_every``: mean
    seconds between blinks. ``look_away``: how likely the eyes go to ``away`` (mirrored at will with ``either_side``)
    when they move, rather than to the visitor. They rest there for ``away_for`` seconds, on the visitor for
    ``hold_for``; with ``returns`` they go back to the visitor from every glance. ``settle``: seconds in which the
    face takes it on.
    """

    weights: Weights
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    yaw_drift: float = 0.03
    pitch_drift: float = 0.018
    roll_drift: float = 0.012
    blink_every: float = 4.0
    look_away: float = 0.0
    away: tuple[float, float] = (0.0, 0.0)
    away_spread: float = 0.08
    either_side: bool = True
    returns: bool = True
    hold_for: tuple[float, float] = (1.0, 3.0)
    away_for: tuple[float, float] = (0.5, 1.0)
    settle: float = 0.32


MANNERS: Final[dict[FaceState, Manner]] = {
    FaceState.IDLE: Manner(
        shape(mouthSmile=0.20, cheekSquint=0.16, browInnerUp=0.06),
        look_away=0.5,
        away=(0.3, 0.0),
        away_spread=0.18,
        away_for=(0.7, 2.0),
    ),
    FaceState.LISTENING: Manner(
        shape(mouthSmile=0.30, cheekSquint=0.22, browInnerUp=0.36, browOuterUp=0.26, eyeWide=0.12),
        pitch=0.025,
        roll=0.065,
        yaw_drift=0.014,
        pitch_drift=0.008,
        roll_drift=0.008,
        look_away=0.15,
        away=(0.2, 0.0),
        hold_for=(1.2, 3.5),
        away_for=(0.35, 0.8),
        blink_every=4.5,
    ),
    FaceState.THINKING: Manner(
        shape(
            browInnerUp=0.10,
            browOuterUpLeft=0.70,
            browDownRight=0.50,
            mouthPress=0.30,
            mouthLeft=0.30,
            mouthRollLower=0.12,
            eyeSquint=0.22,
        ),
        yaw=0.08,
        pitch=-0.04,
        roll=-0.05,
        yaw_drift=0.016,
        look_away=0.88,
        away=(0.45, 0.36),
        away_spread=0.09,
        either_side=False,
        returns=False,
        hold_for=(0.4, 0.9),
        away_for=(0.6, 1.5),
        blink_every=6.0,
    ),
    FaceState.SPEAKING: Manner(
        shape(mouthSmile=0.14, cheekSquint=0.12, browInnerUp=0.16, browOuterUp=0.06),
        yaw_drift=0.036,
        pitch_drift=0.022,
        roll_drift=0.02,
        look_away=0.65,
        away=(0.26, 0.02),
        away_spread=0.1,
        hold_for=(1.1, 3.0),
        away_for=(0.4, 1.0),
        blink_every=3.2,
    ),
    FaceState.INTERRUPTED: Manner(
        shape(browInnerUp=0.80, browOuterUp=0.70, eyeWide=0.60),
        pitch=-0.035,
        yaw_drift=0.006,
        pitch_drift=0.004,
        roll_drift=0.004,
        blink_every=5.0,
        settle=0.18,
    ),
}

STARTLED: Final = 0.9
"""Seconds after which an interrupted face listens, if nothing else is said by then."""
