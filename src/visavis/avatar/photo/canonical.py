"""The canonical picture: a square of head and shoulders, upright, at the size that the puppet works at."""

from typing import Final

import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, warp_affine
from visavis.avatar.photo.landmarks import Face, Pose

SIZE: Final = 768
_UNIT: Final = 245.0
"""Pixels per decimetre: the embedded avatars' faces are about as large."""
_EYES: Final = (0.5, 0.435)
"""Where the middle between the eyes comes, in shares of the picture."""
_KEPT_ROLL: Final = np.radians(5)
"""A head may be tilted a little; what is more is turned back."""
_RISE: Final = 0.1
"""How far the picture may move up, in its sides, where the photograph ends below."""


def canonical_matrix(face: Face, pose: Pose, height: int) -> Doubles:
    """2 × 3: from a photograph of ``height`` pixels to the canonical picture."""
    scale = _UNIT / pose.scale
    angle = float(np.clip(pose.roll, -_KEPT_ROLL, _KEPT_ROLL)) - pose.roll
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    eyes = face.irises[:, :2].mean(0)
    # The middle of a turned face is not between its eyes.
    middle = np.array([(face.points[:, 0].min() + face.points[:, 0].max()) / 2, eyes[1]])
    goal = np.array(_EYES) * SIZE
    bottom = middle[1] + (SIZE - goal[1]) / scale
    goal[1] += float(np.clip((bottom - height) * scale, 0, _RISE * SIZE))
    return np.column_stack([turn, goal - turn @ middle])


def canonical(photo: Pixels, matrix: Doubles) -> Pixels:
    """(SIZE, SIZE, 3): where the photograph ends, its border goes on."""
    return warp_affine(photo, matrix, SIZE, SIZE)
