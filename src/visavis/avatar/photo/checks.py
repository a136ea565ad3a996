"""Whether a found face can become an avatar. Thresholds were set by eye on portraits and on covered ones."""

import math
from typing import Final

import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.errors import Covered, CutOff, EyesClosed, FaceTooSmall, TurnedAway
from visavis.avatar.photo.geometry import Doubles, sample
from visavis.avatar.photo.lab import lab_of
from visavis.avatar.photo.landmarks import Face, Pose
from visavis.avatar.photo.topology import (
    BROWS,
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
_OUTSIDE: Final = 0.04
"""How far a face may go on beyond the photograph's edge, in its heights: the outline is not known better."""
_EYE_CONTRAST, _BOTH_EYES_CONTRAST = 0.07, 0.12
"""How much lighter an eye must be beside its pupil than there, in shares of the skin's light; one, and both."""
_LIP_DOUBT: Final = 0.018
"""How far apart the networks' looks may see bare lips, in distances of the eyes' outer corners."""
_DARK: Final = 22.0
"""Lightness (CIE L*) of the skin below which a photograph is too dark to look good."""
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


def check_inside(picture: Pixels, face: Face) -> None:
    """Whether the face from its brows to its chin lies on the photograph. Raises ``CutOff``."""
    height, width = picture.shape[:2]
    lowest = face.points[[i for row in BROWS.values() for i in row], 1].min()
    needed = face.points[face.points[:, 1] >= lowest, :2]
    margin = _OUTSIDE * face.height
    low, high = needed.min(0), needed.max(0)
    if min(low[0], low[1], width - high[0], height - high[1]) < -margin:
        raise CutOff("a part of the face lies beyond the edge of the photo; take one with the whole head on it")


def light_warnings(picture: Pixels, face: Face) -> list[str]:
    """What the light of the photograph will do to the avatar's looks."""
    skin = np.median(_at(lab_of(picture), face.points[list(SKIN), :2]), 0)
    if skin[0] < _DARK:
        return ["the photo is dark; one in daylight will look better"]
    return []


def check_seen(picture: Pixels, face: Face) -> None:
    """Whether eyes and mouth are bare. Raises ``Covered``, ``EyesClosed``."""
    lab = lab_of(picture)
    points = face.points[:, :2]
    skin = np.median(_at(lab, points[list(SKIN)]), 0)
    # What is black all over shows no eyes either.
    skin[0] = max(skin[0], 1.0)
    if _eyes_hidden(lab, face, skin):
        raise Covered("eyes", "the eyes cannot be seen; take off sunglasses and keep hands and hair from them")
    for upper, lower in zip(UPPER_LIDS.values(), LOWER_LIDS.values(), strict=True):
        width = float(np.hypot(*(points[upper[-1]] - points[upper[0]])))
        across: Doubles = points[list(lower[3:6])] - points[list(upper[3:6])]
        opened = float(np.hypot(across[:, 0], across[:, 1]).mean())
        if opened < _SHUT * width:
            raise EyesClosed("an eye is shut; take a photo with open eyes")
    if _mouth_hidden(lab, face, skin):
        raise Covered("mouth", "the mouth cannot be seen; take off the mask and keep hands and things from it")


def _at(lab: Doubles, points: Doubles) -> Doubles:
    """(N, 3): the colour around points."""
    return np.asarray(sample(lab.astype(np.float32), points[None, :, 0], points[None, :, 1])[0], np.float64)


def _eyes_hidden(lab: Doubles, face: Face, skin: Doubles) -> bool:
    """Dark glass takes the light from the lids as from the eyes; a hand or a bar leaves no dark iris."""
    points = face.points[:, :2]
    hidden = plain = 0
    for side, iris in zip(("right", "left"), face.irises, strict=True):
        inner, outer = points[UPPER_LIDS[side][0]], points[UPPER_LIDS[side][-1]]
        width = float(np.hypot(*(outer - inner)))
        under = float(np.median(_at(lab, points[list(UNDER_EYES[side])])[:, 0]))
        pupil = float(_at(lab, iris[None, :2])[0, 0])
        middle = iris[:2]
        around = np.array([middle + width * np.array([x, 0.0]) for x in (-0.36, -0.28, 0.28, 0.36)])
        white = float(_at(lab, around)[:, 0].max())
        contrast = (white - pupil) / skin[0]
        lit = (max(white, under) - pupil) / skin[0]
        dark = under < 0.5 * skin[0] or (under < 0.7 * skin[0] and lit < 0.3)
        hidden += dark or contrast < _BOTH_EYES_CONTRAST
        plain += contrast < _EYE_CONTRAST
    # Irises that were only guessed may lie beside the pupils.
    return hidden == 2 or (face.found and plain > 0)


def _mouth_hidden(lab: Doubles, face: Face, skin: Doubles) -> bool:
    """What covers a mouth shows no lips, neither their red nor the dark between them.

    Behind fingers, which may look like both, every look of the networks guesses the lips elsewhere.
    """
    points = face.points[:, :2]
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
    doubt = float(face.doubts[[i for row in (*UPPER_LIP, *LOWER_LIP) for i in row]].mean())
    return plain or (strange and not bare) or (doubt > _LIP_DOUBT and redness < 4)
