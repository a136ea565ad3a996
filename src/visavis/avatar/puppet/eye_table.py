"""The table of eye pictures, made finer: pictures between neighbours by optical flow, so that an iris moves instead of
being seen twice."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from visavis.avatar.manifest import Eyes as EyesManifest
from visavis.avatar.package import EyePictures, Pixels
from visavis.avatar.puppet.opencv import Floats, inverse, mix, plus, read_at, times

STEPS: Final = 4
"""Pictures from one baked picture to the next."""


SHARES: Final = 16
"""Mixtures from one picture of the table to the next; two neighbours are too alike for a mixture to show both."""
_SAME, _OTHER = 10, 40
"""Differences up to which two pixels show the same, and from which they do not."""
_LOST: Final = 0.35, 0.7
"""Closedness from which the gaze is seen less, and from which it is not seen."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeTable:
    """``blink``: (levels, height, width, 3), from open to closed. ``gaze``: (rows, columns, height, width, 3).

    ``STEPS`` entries lie between two baked ones. ``uncovered``: (levels, height, width): 255 where a blink's lids leave
    free what the gaze moves; the blinks' own eyes look ahead.
    """

    manifest: EyesManifest
    blink: Pixels
    gaze: Pixels
    uncovered: Pixels

    def blink_place(self, closed: float) -> int:
        """Where ``closed`` lies among the blink pictures, in ``SHARES`` of an entry."""
        return round(_place(self.manifest.blink, closed) * STEPS * SHARES)

    def gaze_place(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of a gaze among the gaze pictures, in ``SHARES`` of an entry."""
        row, column = _place(self.manifest.gaze_y, y), _place(self.manifest.gaze_x, x)
        return round(row * STEPS * SHARES), round(column * STEPS * SHARES)

    def at(self, closed: int, row: int, column: int, part: slice) -> Pixels:
        """(height, columns of ``part``, 3): the eyes at these places; not to be written to."""
        if closed == (len(self.blink) - 1) * SHARES:
            return self.blink[-1, :, part]
        open_eyes = _between_two(
            row, lambda index: _between_two(column, lambda other: self.gaze[index, other, :, part])
        )
        if closed == 0:
            return open_eyes
        lids = _between_two(closed, lambda index: self.blink[index, :, part])
        seen = _between_two(closed, lambda index: self.uncovered[index, :, part])
        seen = np.asarray(cv2.merge((seen, seen, seen)), np.uint8)
        return plus(times(open_eyes, seen), times(lids, inverse(seen)))


def _between_two(place: int, picture: Callable[[int], Pixels]) -> Pixels:
    index, share = divmod(place, SHARES)
    return mix(picture(index), picture(index + 1), share / SHARES) if share else picture(index)


def build_eye_table(manifest: EyesManifest, pictures: EyePictures) -> EyeTable:
    """Fill in what lies between a package's eye pictures. Blocks for some tens of milliseconds."""
    rows = [_between(list(row)) for row in pictures.gaze]
    columns = [_between([row[index] for row in rows]) for index in range(len(rows[0]))]
    gaze = np.stack([np.stack(column) for column in columns], 1)
    blink = np.stack(_between(list(pictures.blink)))
    return EyeTable(manifest, blink, gaze, _uncovered(manifest, blink, pictures.gaze))


def _uncovered(manifest: EyesManifest, blink: Pixels, gaze: Pixels) -> Pixels:
    """(levels, height, width): where lids do not yet cover what a gaze moves; see ``EyeTable``."""
    looks = gaze.reshape(-1, *gaze.shape[2:])
    moves = _ramp((looks.max(0) - looks.min(0)).max(-1), _SAME, _OTHER)
    levels = np.interp(np.arange(len(blink)) / STEPS, np.arange(len(manifest.blink)), manifest.blink)
    open_still = np.asarray(cv2.blur(moves, (5, 5)), np.float32)
    out = np.zeros(blink.shape[:3], np.uint8)
    for index, (picture, closed) in enumerate(zip(blink, levels, strict=True)):
        # In the mean of a few pixels: lashes and the iris' own shadow are no lid.
        difference = np.asarray(cv2.absdiff(picture, blink[0]), np.uint8).max(-1)
        difference = np.asarray(cv2.blur(difference, (7, 7)), np.uint8)
        # What is covered once stays so, even where the lid looks like what it covers.
        open_still = np.minimum(open_still, 1 - _ramp(difference, _SAME, _OTHER))
        nearly_shut = np.clip((closed - _LOST[0]) / (_LOST[1] - _LOST[0]), 0, 1)
        out[index] = cv2.blur(open_still, (5, 5)) * (1 - nearly_shut) * 255 + 0.5
    # A blink begins with what was seen before it.
    out[0] = 255
    return out


def _ramp(values: Pixels, first: float, last: float) -> Floats:
    return np.clip((values.astype(np.float32) - first) / (last - first), 0, 1)


def _between(pictures: list[Pixels]) -> list[Pixels]:
    """The pictures with ``STEPS`` − 1 more between any two."""
    filled = pictures[:1]
    for first, second in pairwise(pictures):
        there, back = _flow(first, second), _flow(second, first)
        for step in range(1, STEPS):
            share = step / STEPS
            from_first = _moved(first, there, share)
            from_second = _moved(second, back, 1 - share)
            filled.append(np.asarray(cv2.addWeighted(from_first, 1 - share, from_second, share, 0), np.uint8))
        filled.append(second)
    return filled


def _flow(first: Pixels, second: Pixels) -> Floats:
    """(height, width, 2): where each point of ``first`` is in ``second``, found at half the size.

    Farnebäck's method: unlike others in OpenCV it takes pictures of any size.
    """
    height, width = first.shape[:2]
    small = (max(1, width // 2), max(1, height // 2))
    grey = [
        cv2.resize(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_BGR2GRAY), small, interpolation=cv2.INTER_AREA)
        for picture in (first, second)
    ]
    flow = np.zeros((small[1], small[0], 2), np.float32)
    # Pyramid scale and levels, window, iterations, polynomial's neighbourhood and sigma, flags.
    cv2.calcOpticalFlowFarneback(grey[0], grey[1], flow, 0.5, 2, 7, 3, 5, 1.1, 0)
    scale = np.array([width / small[0], height / small[1]], np.float32)
    return np.asarray(cv2.resize(flow, (width, height), interpolation=cv2.INTER_LINEAR) * scale, np.float32)


def _moved(picture: Pixels, flow: Floats, share: float) -> Pixels:
    """``picture`` moved by ``share`` of its flow (read where it came from: the flow is smooth)."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return read_at(np.ascontiguousarray(picture), np.asarray(np.dstack([x, y]) - share * flow, np.float32))


def _place(values: tuple[float, ...], value: float) -> float:
    """Where ``value`` lies in the ascending ``values``, as an index with a fraction; held at the ends."""
    if value <= values[0]:
        return 0.0
    if value >= values[-1]:
        return float(len(values) - 1)
    left = bisect_right(values, value) - 1
    return left + (value - values[left]) / (values[left + 1] - values[left])
