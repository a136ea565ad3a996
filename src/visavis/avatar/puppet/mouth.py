"""The mouth: interior, lower skin, upper skin, painted over the warped picture in a small rectangle."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from visavis.avatar.face import Tongue
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.interior import MouthInterior
from visavis.avatar.puppet.opencv import (
    Floats,
    below_edges,
    channel,
    inverse,
    plus,
    read_at,
    scaled,
    spread,
    times,
    zoomed,
)
from visavis.avatar.puppet.rig import Rig
from visavis.avatar.puppet.warp import SETTLE_ROUNDS, BackwardMap, Drive, Shift, weighted_sum

_FEATHER: Final = 6.0
"""Output pixels over which the rectangle's border is mixed into the picture."""
_SHADOW, _SHADOW_REACH = 0.57, 11.0
"""How much of the light the upper lip takes from the interior behind its edge, and how far down it does; reaches are
canonical pixels at a picture of 768."""
_CONTACT, _CONTACT_REACH = 0.6, 5.0
"""How dark the lower lip is where the upper one touches it, and how far down."""
_CONTACT_OPENED: Final = 9.0
"""How far the lips must have opened for all of that darkness; closed ones have theirs in the picture."""
_CORNER: Final = 4.0
"""Canonical pixels (at 768) over which that darkness fades in from the corners of the lips."""


@dataclass(frozen=True, slots=True)
class Lips:
    """``jaw``: weight of jawOpen. ``opened``: how far the lips are apart, in pixels of a picture of 768.

    ``share``: how opaque the mouth is painted, 0–1.
    """

    jaw: float
    tongue: Tongue
    opened: float
    share: float


class Mouth:
    """One session's mouth, for a square picture of ``side`` pixels."""

    def __init__(self, rig: Rig, side: int) -> None:
        self._rig = rig
        self._side = side
        self._scale = rig.size / side
        mouth, box = rig.mouth, rig.manifest.mouth.box
        rows, columns = mouth.nodes.shape[:2]
        corner = mouth.skin_left + 0.5, mouth.skin_top + 0.5
        self._maps = [BackwardMap(mouth.nodes, mouth.step, corner) for _ in range(2)]
        self._pose = np.zeros_like(mouth.nodes)
        self._fields = np.zeros((2, *mouth.nodes.shape), np.float32)
        # The window's nodes, scaled up to output pixels, begin half a step before the first; the rectangle lies in it.
        self._zoom = mouth.step / self._scale
        self._origin = [float(first) - mouth.step / 2 for first in mouth.nodes[0, 0]]
        left, right = _within(self._zoom, columns, side, (box.left, box.right), self._origin[0], self._scale)
        top, bottom = _within(self._zoom, rows, side, (box.top, box.bottom), self._origin[1], self._scale)
        self._part = slice(top, bottom), slice(left, right)
        self._across = np.arange(right - left, dtype=np.float32)
        self._down = np.arange(bottom - top, dtype=np.float32)
        self._edge = spread(_feather(bottom - top, right - left))
        self._interior = MouthInterior(rig)
        self._settled = False
        unit = rig.size / 768
        self._shadow_rows = max(3, int(_SHADOW_REACH * unit / self._scale) | 1)
        self._contact_rows = max(3, int(_CONTACT_REACH * unit / self._scale) | 1)
        self._corner = _CORNER * unit

    def forget(self) -> None:
        """The mouth was not painted for a frame: do not trust the last one's maps."""
        self._settled = False

    def paint(self, target: Pixels, alpha: Pixels | None, drive: Drive, lips: Lips) -> None:
        """Paint over ``target`` (side, side, 4). ``alpha`` (side, side): how much of the person is seen; None: all."""
        mouth, scale = self._rig.mouth, self._scale
        # The pose carries the rectangle, by whole output pixels.
        carried = np.dot(drive.terms, mouth.pose_centre)
        left, top = (
            max(0, min(self._side - part.stop + part.start, round((by + origin) / scale) + part.start))
            for by, origin, part in zip(carried.tolist(), self._origin, reversed(self._part), strict=True)
        )
        upper, lower = self._skins(drive, left, top)
        x = (left + 0.5 + self._across) * scale
        y = (top + 0.5 + self._down) * scale

        over_upper, over_lower = channel(upper, 3), channel(lower, 3)
        under_upper, under_lower = inverse(over_upper), inverse(over_lower)
        painted = times(lower, spread(self._untouched(over_upper, x, lips.opened)))
        self._interior.move_tongue(lips.tongue)
        column, row, columns, rows = cv2.boundingRect(times(under_upper, under_lower))
        if columns:
            hole = slice(row, row + rows), slice(column, column + columns)
            inside = self._interior.paint(x[hole[1]], y[hole[0]], carried, drive.terms, lips.jaw)
            shade = inverse(scaled(below_edges(over_upper, self._shadow_rows)[hole], _SHADOW))
            light = times(shade, under_lower[hole])
            behind = painted[hole]
            cv2.add(behind, times(inside, spread(light)), behind)
        painted = plus(upper, times(painted, spread(under_upper)))
        region = slice(top, top + len(y)), slice(left, left + len(x))
        if alpha is not None and alpha[region].min() < 255:
            painted = times(painted, spread(alpha[region]))
        edge = self._edge if lips.share == 1 else scaled(self._edge, lips.share)
        below = times(target[region], inverse(edge))
        cv2.add(times(painted, edge), below, target[region])

    def _skins(self, drive: Drive, left: int, top: int) -> tuple[Pixels, Pixels]:
        """The skin above the lips' line and below it, as the rectangle at (``left``, ``top``) shows them."""
        rows, columns = self._part
        first = (left - columns.start) * self._scale, (top - rows.start) * self._scale
        shift = first[0] - self._origin[0], first[1] - self._origin[1]
        mouth = self._rig.mouth
        weighted_sum(drive.terms, mouth.pose, self._pose)
        weighted_sum(drive.weights, mouth.shapes, self._fields)
        rounds = drive.rounds if self._settled else SETTLE_ROUNDS
        self._settled = True
        return (
            self._skin(self._maps[0], self._fields[0], mouth.skin_upper, rounds, shift),
            self._skin(self._maps[1], self._fields[1], mouth.skin_lower, rounds, shift),
        )

    def _skin(self, backward: BackwardMap, field: Floats, skin: Pixels, rounds: int, shift: Shift) -> Pixels:
        cv2.add(field, self._pose, field)
        backward.solve(field, rounds, shift)
        return read_at(skin, zoomed(backward.points(), self._zoom)[self._part])

    def _untouched(self, over_upper: Pixels, x: Floats, opened: float) -> Pixels:
        """How much light the lower lip keeps beside the upper one; x: canonical columns."""
        strength = _CONTACT * min(1.0, opened / _CONTACT_OPENED)
        if strength <= 0:
            return np.full_like(over_upper, 255)
        contact = below_edges(over_upper, self._contact_rows)
        corners = self._rig.mouth.corners
        left, right = (float(self._rig.mouth.nodes[node][0] + self._fields[1][node][0]) for node in corners)
        inside = (left, left + self._corner, right - self._corner, right)
        between = np.empty_like(contact)
        between[:] = np.interp(x, inside, (0, 255, 255, 0))
        return inverse(times(times(contact, contact), between, strength))


def _within(zoom: float, nodes: int, side: int, box: tuple[int, int], origin: float, scale: float) -> tuple[int, int]:
    """First and last of the scaled-up window's pixels that a box's extent (canonical pixels) takes."""
    whole = min(round(nodes * zoom), side)
    first = int(np.clip(round((box[0] - origin) / scale), 0, whole - 2))
    return first, int(np.clip(round((box[1] - origin) / scale), first + 2, whole))


def _feather(height: int, width: int) -> Pixels:
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    return (255 * np.clip(np.minimum(rows, columns) / _FEATHER, 0, 1)).astype(np.uint8)
