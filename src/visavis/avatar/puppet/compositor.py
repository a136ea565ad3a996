"""From the warped person (premultiplied BGRA) to the frame: colour conversion, light, and what lies behind.

Everything is blended in I420, where a picture has one and a half bytes for each pixel instead of four. The person's
planes are those of premultiplied colour, person · a + black · (1 − a), and black is (16, 128, 128); so what is added is
(1 − a) · (background − black).
"""

from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.puppet.placing import Placing
from visavis.avatar.view import View

BLACK: Final = 16
"""Luma of black, and of an alpha of 0."""
_GREY: Final = 128
_RANGE: Final = 219 / 255
"""Luma steps per step of alpha."""


class Compositor:
    """Buffers for frames of one view, of a person with a matte or (``opaque``) without."""

    def __init__(self, view: View, place: Placing, opaque: bool) -> None:
        self._view, self._place, self._opaque = view, place, opaque
        side = place.side
        self._direct = not view.transparent and view.width == view.height
        """The square is the frame."""
        self._yuv = np.empty((0 if self._direct else side * 3 // 2, side), np.uint8)
        blended = 0 if opaque else side
        self._alpha = np.full((blended, side), 255, np.uint8)
        self._clear = np.empty((blended, side), np.uint8)
        self._chroma_clear = np.empty((2, blended // 2, side // 2), np.uint8)
        self._part = np.empty_like(self._clear)
        self._chroma_part = np.empty_like(self._chroma_clear)

    def keep_alpha(self, square: Pixels) -> None:
        """Take the matte from ``square`` (side, side, 4) before the mouth is painted over it."""
        if not self._opaque:
            cv2.extractChannel(square, 3, self._alpha)

    @property
    def alpha(self) -> Pixels | None:
        """(side, side), as it was taken; None: the picture is opaque."""
        return None if self._opaque else self._alpha

    def convert(self, square: Pixels, frame: Pixels) -> Pixels:
        """``square`` as I420 (side * 3 // 2, side), for ``finish``; its luma may be changed before."""
        yuv = frame if self._direct else self._yuv
        cv2.cvtColor(square, cv2.COLOR_BGRA2YUV_I420, dst=yuv)
        return yuv

    def finish(self, yuv: Pixels, backdrop: Pixels | None, frame: Pixels) -> None:
        """Fill ``frame`` with the person and the ``backdrop`` (None where nothing of it is seen)."""
        place = self._place
        person, person_chroma = planes(yuv)
        if not self._opaque and backdrop is not None:
            self._add_behind(person, person_chroma, *in_square(backdrop, place))
        if self._direct:
            return
        luma, chroma = planes(frame)
        if self._view.transparent:
            luma.fill(BLACK)
            chroma.fill(_GREY)
            right = self._view.width + place.left
            self._show_alpha(luma[place.top : place.top + place.side, right : right + place.side])
        elif backdrop is not None:
            np.copyto(frame, backdrop)
        inside, inside_chroma = in_square(frame, place)
        np.copyto(inside, person)
        np.copyto(inside_chroma, person_chroma)

    def _add_behind(self, luma: Pixels, chroma: Pixels, behind: Pixels, behind_chroma: Pixels) -> None:
        """Add (1 − a) · (background − black) to the person's planes."""
        clear, part = self._chroma_clear, self._chroma_part
        cv2.bitwise_not(self._alpha, self._clear)
        cv2.multiply(behind, self._clear, self._part, 1 / 255)
        cv2.add(luma, self._part, luma)
        # OpenCV's chroma is that of the first of four pixels, and so is the alpha that belongs to it.
        clear[:] = self._clear[::2, ::2]
        cv2.multiply(behind_chroma, clear, part, 1 / 255)
        cv2.convertScaleAbs(clear, clear, _GREY / 255)
        cv2.subtract(chroma, clear, chroma)
        cv2.add(chroma, part, chroma)

    def _show_alpha(self, part: Pixels) -> None:
        if self._opaque:
            part.fill(round(BLACK + 255 * _RANGE))
        else:
            cv2.convertScaleAbs(self._alpha, part, _RANGE, BLACK)


def planes(frame: Pixels) -> tuple[Pixels, Pixels]:
    """Views of an I420 frame's luma (height, width) and chroma (2, height // 2, width // 2)."""
    height, width = frame.shape[0] * 2 // 3, frame.shape[1]
    return frame[:height], frame[height:].reshape(2, height // 2, width // 2)


def in_square(frame: Pixels, place: Placing) -> tuple[Pixels, Pixels]:
    """The same of the square in it."""
    luma, chroma = planes(frame)
    left, top = place.left, place.top
    right, bottom = left + place.side, top + place.side
    return luma[top:bottom, left:right], chroma[:, top // 2 : bottom // 2, left // 2 : right // 2]
