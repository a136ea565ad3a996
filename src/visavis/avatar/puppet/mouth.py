"""The mouth: interior, lower skin, upper skin, painted over the warped picture in a small rectangle."""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.face import Tongue
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.interior import MouthInterior
from visavis.avatar.puppet.opencv import Floats, blend, read_at
from visavis.avatar.puppet.rig import Rig
from visavis.avatar.puppet.warp import (
    SETTLE_ROUNDS,
    BackwardMap,
    Drive,
    add_weighted,
    hat_matrix,
    numbered,
    read_at_pixels,
)

_FEATHER: Final = 6.0
"""Output pixels over which the rectangle's border is mixed into the picture."""
_SHADOW, _SHADOW_REACH = 0.57, 11.0
"""How much of the light the upper lip takes from the interior behind its edge, and how far down it does; reaches are
canonical pixels at a picture of 768."""
_CONTACT, _CONTACT_REACH = 0.6, 5.0
"""How dark the lower lip is where the upper one touches it, and how far down."""
_CORNER: Final = 4.0
"""Canonical pixels (at 768) over which that darkness fades in from the corners of the lips."""


class Mouth:
    """One session's mouth, for a square picture of ``side`` pixels."""

    def __init__(self, rig: Rig, side: int) -> None:
        self._rig = rig
        self._side = side
        self._scale = rig.size / side
        mouth, box = rig.mouth, rig.manifest.mouth.box
        self._upper = BackwardMap(mouth.nodes, mouth.step)
        self._lower = BackwardMap(mouth.nodes, mouth.step)
        self._pose = np.zeros_like(mouth.nodes)
        self._field = np.zeros_like(mouth.nodes)
        self._width = min(side, round(box.width / self._scale))
        self._height = min(side, round(box.height / self._scale))
        self._edge = _feather(self._height, self._width)
        self._nothing = np.zeros((self._height, self._width, 4), np.uint8)
        self._interior = MouthInterior(rig)
        self._settled = False
        unit = rig.size / 768
        self._shadow_rows = max(3, int(_SHADOW_REACH * unit / self._scale) | 1)
        self._contact_rows = max(3, int(_CONTACT_REACH * unit / self._scale) | 1)
        self._corner = _CORNER * unit

    def forget(self) -> None:
        """The mouth was not painted for a frame: do not trust the last one's maps."""
        self._settled = False

    def paint(self, target: Pixels, drive: Drive, jaw: float, tongue: Tongue, share: float) -> None:
        """Paint over ``target`` (side, side, 4), opaque to the degree of ``share``; ``jaw``: weight of jawOpen."""
        rig, mouth, scale = self._rig, self._rig.mouth, self._scale
        shift = drive.terms @ mouth.pose_centre
        box = rig.manifest.mouth.box
        left = int(np.clip((box.left + shift[0]) / scale, 0, self._side - self._width))
        top = int(np.clip((box.top + shift[1]) / scale, 0, self._side - self._height))
        x = (left + np.arange(self._width, dtype=np.float32) + 0.5) * scale
        y = (top + np.arange(self._height, dtype=np.float32) + 0.5) * scale
        columns = hat_matrix((x - mouth.nodes[0, 0, 0] - shift[0]) / mouth.step, mouth.nodes.shape[1])
        rows = hat_matrix((y - mouth.nodes[0, 0, 1] - shift[1]) / mouth.step, mouth.nodes.shape[0])

        self._pose.fill(0)
        add_weighted(self._pose, mouth.pose, numbered(drive.terms))
        rounds = drive.rounds if self._settled else SETTLE_ROUNDS
        skins: list[Pixels] = []
        for backward, shapes, skin in (
            (self._upper, mouth.shapes_upper, mouth.skin_upper),
            (self._lower, mouth.shapes_lower, mouth.skin_lower),
        ):
            np.copyto(self._field, self._pose)
            add_weighted(self._field, shapes, drive.active)
            backward.solve(self._field, rounds, shift)
            source = read_at_pixels(backward.points(mouth.skin_left + 0.5, mouth.skin_top + 0.5), columns, rows)
            skins.append(read_at(skin, source))
        self._settled = True

        upper, lower = skins
        over_upper, over_lower = (skin[..., 3] * np.float32(1 / 255) for skin in skins)
        contact = np.asarray(cv2.blur(over_upper, (1, self._contact_rows), anchor=(0, self._contact_rows - 1)))
        touched = 1 - _CONTACT * self._between_corners(x) * contact * contact
        painted = blend(lower, self._nothing, np.asarray(over_lower * touched, np.float32))
        self._interior.move_tongue(tongue)
        seen = (1 - over_lower) * (1 - over_upper)
        if (part := _bounds(seen > 1 / 255)) is not None:
            inside = self._interior.paint(x[part[1]], y[part[0]], shift, drive.terms, jaw)
            shade = np.asarray(cv2.blur(over_upper, (1, self._shadow_rows), anchor=(0, self._shadow_rows - 1)))
            light = np.asarray((1 - _SHADOW * shade[part]) * (1 - over_lower[part]), np.float32)
            behind = painted[part]
            cv2.add(behind, blend(inside, self._nothing[part], light), dst=behind)
        painted = blend(upper, painted, over_upper)
        region = target[top : top + self._height, left : left + self._width]
        region[...] = blend(painted, region, self._edge if share == 1 else self._edge * np.float32(share))

    def _between_corners(self, x: Floats) -> Floats:
        """(len(x),): 1 between the corners of the lips, 0 beside them. The field must be one of this frame."""
        mouth = self._rig.mouth
        left, right = (float(mouth.nodes[node][0] + self._field[node][0]) for node in mouth.corners)
        inwards = np.clip((x - left) / self._corner, 0, 1) * np.clip((right - x) / self._corner, 0, 1)
        return np.asarray(inwards, np.float32)


def _bounds(mask: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> tuple[slice, slice] | None:
    """The smallest (rows, columns) that hold all of ``mask``; None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _feather(height: int, width: int) -> Floats:
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    return np.clip(np.minimum(rows, columns) / _FEATHER, 0, 1).astype(np.float32)
