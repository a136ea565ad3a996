"""Teeth and tongue behind the lips: the lender's in the photograph's light, or the person's own teeth."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.manifest import Interior
from visavis.avatar.package import InteriorPictures, Pixels
from visavis.avatar.photo.geometry import Doubles, pixel_centres, sample, smooth_step
from visavis.avatar.photo.lab import lab_of
from visavis.avatar.photo.landmarks import Face, Pose
from visavis.avatar.photo.lender import Lender
from visavis.avatar.photo.lips import Lips
from visavis.avatar.photo.topology import CHEEKS

_SHOWN: Final = 0.05
"""Gap between the lips, in widths of the mouth, that shows teeth worth keeping."""
_WARM: Final = np.array([0.96, 0.98, 1.1])
_WARM_OWN: Final = np.array([0.88, 0.97, 1.08])
"""Teeth lie in the shadow of the lips, among red: B, G, R. A flash that lit them did not know that."""
_BRIGHT: Final = 0.72
"""Light of teeth, as a share of the cheeks'."""


def interior_of(
    picture: Pixels, face: Face, lips: Lips, pose: Pose, lender: Lender
) -> tuple[Interior, InteriorPictures]:
    """The manifest's part and the pictures. ``picture``: canonical, as the photograph shows the mouth.

    ``face``, ``lips``: with the lips closed.
    """
    place, pictures, theirs = lender.place, lender.pictures, lender.line
    scale = pose.scale / lender.unit
    # Teeth are as large as heads are; a wide mouth shows more of them, within reason.
    widths = lips.width / float(theirs[-1, 0] - theirs[0, 0])
    scale *= float(np.clip(widths / scale, 0.92, 1.12))
    tint = _tint(picture, face, lender)
    corner = lips.line.mean(0) - scale * (theirs.mean(0) - (place.left, place.top))
    manifest = Interior(
        left=round(float(corner[0]), 2),
        top=round(float(corner[1]), 2),
        scale=round(place.scale * scale, 4),
        width=place.width,
        height=place.height,
        jaw_travel=round(place.jaw_travel * pose.scale / lender.unit, 3),
        jaw_offset=round(place.jaw_offset * scale, 3),
        cavity=place.cavity,
    )
    teeth = _tinted(pictures.teeth, tint * _WARM)
    if _own_teeth_show(picture, face, lips):
        teeth = _tinted(_own_teeth(picture, lips, manifest), _WARM_OWN)
    lower = np.stack([_tinted(layer, tint) for layer in pictures.lower])
    return manifest, InteriorPictures(_tinted(pictures.back, tint), teeth, lower)


def _tint(picture: Pixels, face: Face, lender: Lender) -> Doubles:
    """(3,): the photograph's light beside the lender's, by their cheeks; half of the colour is the skin's own."""
    at = face.points[None, list(CHEEKS)]
    cheeks = sample(picture, at[..., 0], at[..., 1])[0].astype(np.float64).mean(0)
    ratio = np.clip(cheeks / np.maximum(lender.cheeks, 1), 0.45, 1.5)
    return 0.4 * ratio + 0.6 * ratio.mean()


def _tinted(layer: Pixels, tint: Doubles) -> Pixels:
    out = layer.copy()
    # Premultiplied: no colour beyond its alpha.
    out[..., :3] = np.clip(np.minimum(layer[..., :3] * tint, layer[..., 3:]), 0, 255).astype(np.uint8)
    return out


def _own_teeth_show(picture: Pixels, face: Face, lips: Lips) -> bool:
    if lips.gap < _SHOWN * lips.width:
        return False
    lab = lab_of(picture).astype(np.float32)
    middle = (lips.open_upper + lips.open_lower)[20:-20] / 2
    inside = sample(lab, middle[None, :, 0], middle[None, :, 1])[0]
    cheeks = sample(lab, face.points[None, list(CHEEKS), 0], face.points[None, list(CHEEKS), 1])[0]
    return float(np.median(inside[:, 0])) > _BRIGHT * float(np.median(cheeks[:, 0]))


def _own_teeth(picture: Pixels, lips: Lips, place: Interior) -> Pixels:
    """(height, width, 4): what the photograph shows between the lips, premultiplied."""
    u, v = pixel_centres(0, 0, place.width, place.height)
    x, y = u * place.scale + place.left, v * place.scale + place.top
    upper = np.interp(x, lips.open_upper[:, 0], lips.open_upper[:, 1])
    lower = np.interp(x, lips.open_lower[:, 0], lips.open_lower[:, 1])
    unit = lips.width / 130
    inner = np.clip(y, upper + 2 * unit, np.maximum(lower - 1.5 * unit, upper + 2 * unit))
    colour = sample(picture, x, inner)
    # A little of the teeth goes on behind the upper lip, which may rise.
    share = smooth_step(0, 3 * unit, y - upper + 9 * unit) * smooth_step(0, 3 * unit, lower - 0.5 * unit - y)
    ends = np.minimum(x - lips.open_upper[0, 0], lips.open_upper[-1, 0] - x)
    share = share * smooth_step(2 * unit, 8 * unit, ends)
    alpha = np.asarray(cv2.GaussianBlur(share.astype(np.float32), (0, 0), 0.7))[..., None]
    layer = np.concatenate([np.clip(colour, 0, 255) * alpha, alpha * 255], -1)
    return np.asarray(np.clip(layer + 0.5, 0, 255), np.uint8)
