"""The person apart from what is behind: a matte by the network or by GrabCut, and the person's own colours at its edge.

References: Rother et al., "GrabCut", 2004; He, Sun, Tang, "Guided image filtering", 2013; Forte, "Approximate fast
foreground colour estimation", 2021.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.package import Pixels
from visavis.avatar.photo.geometry import Doubles, Floats, pixel_centres, smooth_step, warp_affine
from visavis.avatar.photo.landmarks import Face
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.topology import CHIN, OVAL

_CUT_SIDE: Final = 384
_CUT_ROUNDS: Final = 4
_FEWEST: Final = 64
"""Pixels of the person and of what is behind that it needs for their colours."""
_LOOKS: Final = ((1.0, 0.0, 0.0), (1.16, 0.0, 0.04), (1.08, 0.05, 0.0), (1.08, -0.05, 0.0))
"""Crops that the network looks at: side and shift, in sides of the picture; each is seen mirrored, too."""
_BAND: Final = 0.016
"""Half the width of the band around the person's outline that is looked at closely, in sides of the picture."""
_BLEED: Final = 20
"""How far the person's colours go on beyond the outline, in canonical pixels."""


def matte_of(picture: Pixels, face: Face, networks: FaceNetworks | None) -> Pixels:
    """(size, size): 255 where the person is, 0 behind, between at hair and edges. ``picture``: canonical."""
    size = picture.shape[0]
    known = _looked(picture, networks) if networks is not None else None
    if known is not None and _front(_known_mask(known)).sum() < _FEWEST:
        # There is a face, whatever the network does not see.
        known = None
    share = _cut(picture, face, known)
    fine = _guided(picture, cv2.resize(share, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32))
    if known is not None:
        # Where the network is sure, and away from the outline, the colours do not count.
        rough = cv2.GaussianBlur(known, (0, 0), 0.3 * _BAND * size)
        fine = np.where(rough > 0.97, 1, np.where(rough < 0.03, 0, fine)).astype(np.float32)
    return np.asarray(np.clip((fine - 0.08) / 0.84, 0, 1) * 255 + 0.5, np.uint8)


def own_colours(picture: Pixels, matte: Pixels) -> Pixels:
    """(size, size, 3): the person's colours without those behind, going on a little way beyond the outline."""
    image = picture.astype(np.float32)
    alpha = np.asarray(matte[..., None] / np.float32(255), np.float32)
    front, behind = image, image
    for radius in (45, 8):
        weight = _mean(alpha, radius)[..., None]
        # Out of reach of the person the wider mean stays.
        near = np.clip(weight / 0.02, 0, 1)
        front_mean = near * _mean(front * alpha, radius) / (weight + 1e-5) + (1 - near) * front
        behind_mean = _mean(behind * (1 - alpha), radius) / (1 - weight + 1e-5)
        mixed = alpha * front_mean + (1 - alpha) * behind_mean
        front = np.asarray(np.clip(front_mean + alpha * (image - mixed), 0, 255), np.float32)
        behind = np.asarray(np.clip(behind_mean, 0, 255), np.float32)
    # Inside the picture is as it was, far outside, too.
    solid = smooth_step(0.9, 1.0, alpha.astype(np.float64))
    around = np.asarray(matte > 2, np.uint8)
    reach = cv2.GaussianBlur(cv2.dilate(around, _disc(_BLEED)).astype(np.float32), (0, 0), 3)[..., None]
    out = front * (1 - solid) + image * solid
    return np.asarray(np.clip(out * reach + image * (1 - reach) + 0.5, 0, 255), np.uint8)


def _mean(values: Floats | Doubles, radius: int) -> Floats:
    """The mean in a square of 2 · radius + 1 pixels around each."""
    side = (2 * radius + 1, 2 * radius + 1)
    return np.asarray(cv2.blur(np.asarray(values, np.float32), side), np.float32)


def _disc(radius: int) -> Pixels:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), np.uint8)


def _looked(picture: Pixels, networks: FaceNetworks) -> Floats:
    """(size, size): how surely each pixel is the person, by several looks of the network."""
    size = picture.shape[0]
    total, count = np.zeros((size, size), np.float32), np.zeros((size, size), np.float32)
    for scale, right, down in _LOOKS:
        crop_side = 256
        zoom = crop_side / (scale * size)
        left, top = ((1 - scale) / 2 + right) * size, ((1 - scale) / 2 + down) * size
        crop = warp_affine(picture, np.array([[zoom, 0, -left * zoom], [0, zoom, -top * zoom]]), crop_side, crop_side)
        mirrored = networks.matte(np.ascontiguousarray(crop[:, ::-1]))[:, ::-1]
        share = (networks.matte(crop) + mirrored) / 2
        x, y = pixel_centres(0, 0, size, size)
        at_x, at_y = ((x - left) * zoom - 0.5).astype(np.float32), ((y - top) * zoom - 0.5).astype(np.float32)
        seen = (at_x > -0.5) & (at_x < crop_side - 0.5) & (at_y > -0.5) & (at_y < crop_side - 0.5)
        total += np.where(seen, cv2.remap(share, at_x, at_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), 0)
        count += seen
    return np.asarray(total / np.maximum(count, 1), np.float32)


def _cut(picture: Pixels, face: Face, known: Floats | None) -> Floats:
    """(side, side) 0 or 1 by GrabCut: around the outline that is ``known``, else from the face and where bodies are."""
    side = _CUT_SIDE
    small = np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    mask = _guessed_mask(picture, face) if known is None else _known_mask(known)
    if (~_front(mask)).sum() < _FEWEST:
        return np.ones((side, side), np.float32)
    cv2.setRNGSeed(1)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small, mask, (0, 0, side, side), models[0], models[1], _CUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    person = _front(mask).astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(person, (0, 0), 1.2), np.float32)
    if known is None:
        return soft
    # In doubt the two meet halfway: colours alone take a dark hat for the dark behind it.
    network = np.asarray(cv2.resize(known, (side, side), interpolation=cv2.INTER_AREA), np.float64)
    return np.asarray(np.maximum(0.5 * soft + 0.5 * network, smooth_step(0.6, 0.8, network)), np.float32)


def _front(mask: Pixels) -> NDArray[np.bool_]:
    return np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD))


def _known_mask(known: Floats) -> Pixels:
    side = _CUT_SIDE
    share = cv2.resize(known, (side, side), interpolation=cv2.INTER_AREA)
    reach = _disc(max(1, round(_BAND * side)))
    inner = cv2.erode(np.asarray(share > 0.9, np.uint8), reach)
    outer = cv2.dilate(np.asarray(share > 0.1, np.uint8), reach)
    mask = np.where(share > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[inner > 0] = cv2.GC_FGD
    mask[outer == 0] = cv2.GC_BGD
    return np.asarray(mask, np.uint8)


def _guessed_mask(picture: Pixels, face: Face) -> Pixels:
    size, side = picture.shape[0], _CUT_SIDE
    oval = face.points[list(OVAL), :2] * side / size
    middle = oval.mean(0)
    height = float(np.ptp(oval[:, 1]))
    chin = float(face.points[CHIN, 1]) * side / size
    mask = np.full((side, side), cv2.GC_PR_BGD, np.uint8)
    # Beside the upper half there is background, whatever the hair.
    edge = side // 20
    mask[:edge] = mask[: side // 2, :edge] = mask[: side // 2, -edge:] = cv2.GC_BGD

    def fill(points: Doubles, value: int) -> None:
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
    return mask


def _guided(picture: Pixels, rough: Floats, radius: int = 7, epsilon: float = 4e-4) -> Floats:
    """``rough`` with the edges of the coloured ``picture``: in every window it is a linear function of B, G, R."""
    guide = picture / np.float32(255)
    middle, level = _mean(guide, radius), _mean(rough, radius)
    covariance = _mean(guide * rough[..., None], radius) - middle * level[..., None]
    pairs = np.empty((*rough.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            product = _mean(guide[..., i] * guide[..., j], radius)
            pairs[..., i, j] = pairs[..., j, i] = product - middle[..., i] * middle[..., j]
    pairs += epsilon * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(pairs, covariance[..., None])[..., 0]
    offset = level - (slope * middle).sum(-1)
    return np.asarray((_mean(slope, radius) * guide).sum(-1) + _mean(offset, radius), np.float32)
