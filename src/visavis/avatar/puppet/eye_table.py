"""The table of eye pictures, made finer: pictures between neighbours by optical flow, so that an iris moves instead of
being seen twice."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from visavis.avatar.manifest import Eyes as EyesManifest
from visavis.avatar.package import EyePictures, Pixels
from visavis.avatar.puppet.opencv import Floats, read_at

STEPS: Final = 4
"""Pictures from one baked picture to the next."""


@dataclass(frozen=True, slots=True, eq=False)
class EyeTable:
    """``blink``: (levels, height, width, 3), from open to closed. ``gaze``: (rows, columns, height, width, 3).

    ``STEPS`` entries lie between two baked ones.
    """

    manifest: EyesManifest
    blink: Pixels
    gaze: Pixels

    def blink_index(self, closed: float) -> int:
        """The blink picture nearest to ``closed``."""
        return round(_place(self.manifest.blink, closed) * STEPS)

    def gaze_index(self, x: float, y: float) -> tuple[int, int]:
        """(row, column) of the gaze picture nearest to a gaze."""
        return round(_place(self.manifest.gaze_y, y) * STEPS), round(_place(self.manifest.gaze_x, x) * STEPS)


def build_eye_table(manifest: EyesManifest, pictures: EyePictures) -> EyeTable:
    """Fill in what lies between a package's eye pictures. Blocks for some tens of milliseconds."""
    rows = [_between(list(row)) for row in pictures.gaze]
    columns = [_between([row[index] for row in rows]) for index in range(len(rows[0]))]
    gaze = np.stack([np.stack(column) for column in columns], 1)
    return EyeTable(manifest, np.stack(_between(list(pictures.blink))), gaze)


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
