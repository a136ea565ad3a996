"""Where in a frame the person can be at all: only there is the picture warped."""

from itertools import pairwise
from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels

BANDS: Final = 8
"""Bands of rows, each with its own left and right end."""

Span = tuple[slice, slice]
"""(rows, columns) of output pixels."""
Spans = tuple[Span, ...]


class PersonSpans:
    """Rectangles that hold all of an alpha plane (size, size), for fields that move it by up to some distance."""

    def __init__(self, alpha: Pixels, grid: int, side: int) -> None:
        self._side = side
        self._size = len(alpha)
        seen = cv2.dilate(np.asarray(alpha > 0, np.float32), np.ones((3, 3), np.uint8))
        cells = cv2.resize(seen, (grid, grid), interpolation=cv2.INTER_AREA)
        self._seen = np.asarray(cells > 0, np.uint8)
        self._known: dict[int, Spans] = {}

    def within(self, reach: float) -> Spans:
        """The rectangles, top to bottom, when nothing moves farther than ``reach`` canonical pixels."""
        nodes = min(len(self._seen), int(reach * len(self._seen) / self._size) + 2)
        if nodes not in self._known:
            self._known[nodes] = self._found(nodes)
        return self._known[nodes]

    def _found(self, nodes: int) -> Spans:
        seen = cv2.dilate(self._seen, np.ones((2 * nodes + 1, 2 * nodes + 1), np.uint8))
        on_pixels = cv2.resize(seen, (self._side, self._side), interpolation=cv2.INTER_NEAREST)
        borders = [round(self._side / 2 * band / BANDS) * 2 for band in range(BANDS + 1)]
        spans: list[Span] = []
        for first, last in pairwise(borders):
            columns = np.flatnonzero(on_pixels[first:last].any(0))
            if len(columns):
                spans.append((slice(first, last), slice(int(columns[0]) // 2 * 2, (int(columns[-1]) // 2 + 1) * 2)))
        return tuple(spans)
