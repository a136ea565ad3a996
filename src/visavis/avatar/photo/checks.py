"""Whether a found face can become an avatar. Thresholds were set by eye on portraits and on covered ones."""

import math
from typing import Final

import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.errors import Covered, EyesClosed, FaceTooSmall, TurnedAway
from visavis.avatar.photo.geometry import Doubles, sample
from visavis.avatar.photo.lab import lab_of
from visavis.avatar.photo.landmarks import Face, Pose
from visavis.avatar.photo.topology import (
    LOWER_INNER,
    LOWER_LIDS,
    LOWER_LIP,
    MOUTH_SURROUND,
    SKIN,
    UNDER_EYES,
    UPPER_INNER,
    UPPER_LIDS,
    UPPER_LIP,
)

MIN_HEIGHT: Final = 90
"""Pixels from the forehead to the chin below which a face is refused …"""
SOFT_HEIGHT: Final = 250
"""… and below which its avatar looks soft."""
MAX_YAW, MAX_PITCH, MAX_ROLL = math.radians(24), math.radians(22), math.radians(35)
_SHUT: Final = 0.10
"""Height of an eye's opening, in its widths, below which it is shut."""


def check_size(face: Face) -> None:
    """Raises ``FaceTooSmall``."""
    if face.height < MIN_HEIGHT:
        raise FaceTooSmall(
            f"the face is {face.height:.0f} pixels high; at least {MIN_HEIGHT} are needed, {SOFT_HEIGHT} are good"
        )


def check_pose(pose: Pose) -> None:
    """Raises ``TurnedAway``."""
    for angle, most, way in (
        (pose.yaw, MAX_YAW, "to the side"),
        (pose.pitch, MAX_PITCH, "up or down"),
        (pose.roll, MAX_ROLL, "over the shoulder"),
    ):
        if abs(angle) > most:
            raise TurnedAway(
                f"the face is turned {math.degrees(abs(angle)):.0f}° {way}; at most {math.degrees(most):.0f}° work: "
                "look into the camera"
            )


def check_seen(picture: Pixels, face: Face) -> None:
    """Whether eyes and mouth are bare. Raises ``Covered``, ``EyesClosed``."""
    lab = lab_of(picture)
    points = face.points[:, :2]
    skin = np.median(_at(lab, points[list(SKIN)]), 0)
    if _eyes_hidden(lab, face, skin):
        raise Covered("eyes", "the eyes cannot be seen; take off sunglasses and keep hands and hair from them")
    for upper, lower in zip(UPPER_LIDS.values(), LOWER_LIDS.values(), strict=True):
        width = float(np.hypot(*(points[upper[-1]] - points[upper[0]])))
        across: Doubles = points[list(lower[3:6])] - points[list(upper[3:6])]
        opened = float(np.hypot(across[:, 0], across[:, 1]).mean())
        if opened < _SHUT * width:
            raise EyesClosed("an eye is shut; take a photo with open eyes")
    if _mouth_hidden(lab, points, skin):
        raise Covered("mouth", "the mouth cannot be seen; take off the mask and keep hands and things from it")


def _at(lab: Doubles, points: Doubles) -> Doubles:
    """(N, 3): the colour around points."""
    return np.asarray(sample(lab.astype(np.float32), points[None, :, 0], points[None, :, 1])[0], np.float64)


def _eyes_hidden(lab: Doubles, face: Face, skin: Doubles) -> bool:
    """Dark glass takes the light from the lids as from the eyes; a hand or a bar leaves no dark iris."""
    points = face.points[:, :2]
    hidden = 0
    for side, iris in zip(("right", "left"), face.irises, strict=True):
        inner, outer = points[UPPER_LIDS[side][0]], points[UPPER_LIDS[side][-1]]
        width = float(np.hypot(*(outer - inner)))
        under = float(np.median(_at(lab, points[list(UNDER_EYES[side])])[:, 0]))
        pupil = float(_at(lab, iris[None, :2])[0, 0])
        middle = iris[:2]
        around = np.array([middle + width * np.array([x, 0.0]) for x in (-0.36, -0.28, 0.28, 0.36)])
        white = float(_at(lab, around)[:, 0].max())
        contrast = max(white, under) - pupil
        dark = under < 0.5 * skin[0] or (under < 0.7 * skin[0] and contrast < 0.3 * skin[0])
        hidden += dark or contrast < 0.12 * skin[0]
    return hidden == 2


def _mouth_hidden(lab: Doubles, points: Doubles, skin: Doubles) -> bool:
    """What covers a mouth shows no lips, neither their red nor the dark between them."""
    around = _at(lab, points[list(MOUTH_SURROUND)])
    lips = _at(lab, points[[i for row in (UPPER_LIP[1], UPPER_LIP[2], LOWER_LIP[1], LOWER_LIP[2]) for i in row[2:-2]]])
    width = float(np.hypot(*(points[61] - points[291])))
    redness = float(np.median(lips[:, 1]) - np.median(around[:, 1]))
    line = (points[list(UPPER_INNER[2:-2])] + points[list(LOWER_INNER[2:-2])]) / 2
    heights = np.linspace(-0.09, 0.09, 13) * width
    columns = np.stack([_at(lab, line + np.array([0.0, dy]))[:, 0] for dy in heights])
    # The dark between the lips is a narrow valley of light in every column.
    valley = float(np.median(np.median(columns, 0) - columns.min(0)))
    spread = float(np.median(np.hypot(*(around[:, 1:] - skin[1:]).T)))
    strange = spread > 16
    bare = redness > 4 or valley > 0.16 * skin[0]
    plain = redness < 2.5 and valley < 0.09 * skin[0]
    return plain or (strange and not bare)
