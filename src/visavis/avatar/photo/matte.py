"""The person apart from what is behind: a matte by the network or by GrabCut, and the background without the person."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, Floats
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.topology import CHIN, OVAL

_CUT_SIDE: Final = 192
_CUT_ROUNDS: Final = 4
_PLATE_SIDE: Final = 128


def matte_of(picture: Pixels, face: Face, networks: FaceNetworks | None) -> Pixels:
    """(size, size): 255 where the person is, 0 behind, between at hair and edges. ``picture``: canonical."""
    coarse = networks.matte(picture) if networks is not None else _cut(picture, face)
    size = picture.shape[0]
    rough = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    guide = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) / np.float32(255), np.float32)
    fine = _guided(guide, np.asarray(rough, np.float32))
    # The network is unsure by a little everywhere.
    share = np.clip((fine - 0.12) / 0.76, 0, 1)
    return np.asarray(share * 255 + 0.5, np.uint8)


def plate_of(picture: Pixels, matte: Pixels) -> Pixels:
    """(size, size, 3): the background as if nobody were there."""
    size = picture.shape[0]
    small = cv2.resize(picture, (_PLATE_SIDE, _PLATE_SIDE), interpolation=cv2.INTER_AREA)
    mask = cv2.resize(matte, (_PLATE_SIDE, _PLATE_SIDE), interpolation=cv2.INTER_AREA)
    hole = cv2.dilate(np.asarray(mask > 8, np.uint8), np.ones((5, 5), np.uint8))
    if hole.all():
        # Nothing of the background is seen; what the border shows has to do.
        hole[0, :] = 0
    filled = cv2.inpaint(small, hole, 5, cv2.INPAINT_TELEA)
    soft = cv2.GaussianBlur(filled, (0, 0), 3.0)
    filled = np.where(hole[..., None] > 0, soft, filled)
    behind = cv2.resize(filled, (size, size), interpolation=cv2.INTER_CUBIC).astype(np.float32)
    near = cv2.GaussianBlur(cv2.dilate(matte, np.ones((15, 15), np.uint8)), (0, 0), 4).astype(np.float32)[..., None]
    share = np.clip(near / 255 * 1.2, 0, 1)
    return np.asarray(np.clip(behind * share + picture * (1 - share) + 0.5, 0, 255), np.uint8)


def _cut(picture: Pixels, face: Face) -> Floats:
    """GrabCut (Rother et al., 2004) from the face's outline and where shoulders are."""
    size, side = picture.shape[0], _CUT_SIDE
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    oval = face.points[list(OVAL), :2] * side / size
    middle = oval.mean(0)
    height = float(np.ptp(oval[:, 1]))
    chin = float(face.points[CHIN, 1]) * side / size
    mask = np.full((side, side), cv2.GC_PR_BGD, np.uint8)
    # Beside the upper half there is background, whatever the hair.
    edge = side // 20
    mask[:edge] = mask[: side // 2, :edge] = mask[: side // 2, -edge:] = cv2.GC_BGD

    def fill(points: np.ndarray[tuple[int, ...], np.dtype[np.float64]], value: int) -> None:
        cv2.fillPoly(mask, [np.asarray(np.rint(points), np.int32)], (value,))

    fill(middle + (oval - middle) * (1.2, 1.3) - (0, 0.08 * height), cv2.GC_PR_FGD)
    shoulders = np.array([(-1.1, 1.0), (-0.3, 0.1), (0.3, 0.1), (1.1, 1.0), (1.1, 3), (-1.1, 3)]) * height
    fill(np.array([middle[0], chin]) + shoulders, cv2.GC_PR_FGD)
    fill(middle + (oval - middle) * 0.92, cv2.GC_FGD)
    # The landmarks end at the hairline; a skull goes on, with hair or without.
    upper = oval[oval[:, 1] < middle[1]]
    fill(middle + (upper - middle) * (1.05, 1.3), cv2.GC_FGD)
    chest = np.array([(-0.15, 0.25), (0.15, 0.25), (0.85, 1.0), (0.85, 3), (-0.85, 3), (-0.85, 1.0)]) * height
    fill(np.array([middle[0], chin]) + chest, cv2.GC_FGD)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, mask, (0, 0, side, side), models[0], models[1], _CUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(person, (0, 0), 1.0), np.float32)


def _guided(guide: Floats, rough: Floats, radius: int = 9, epsilon: float = 2e-4) -> Floats:
    """The matte with the edges of the picture: He, Sun, Tang, "Guided image filtering", 2013."""

    def mean(values: Floats | Doubles) -> Floats:
        return np.asarray(cv2.blur(np.asarray(values, np.float32), (2 * radius + 1, 2 * radius + 1)), np.float32)

    mean_guide, mean_rough = mean(guide), mean(rough)
    variance = mean(guide * guide) - mean_guide * mean_guide
    slope = np.asarray((mean(guide * rough) - mean_guide * mean_rough) / (variance + epsilon), np.float32)
    offset = mean_rough - slope * mean_guide
    return np.asarray(mean(slope) * guide + mean(offset), np.float32)
