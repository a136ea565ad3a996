"""Backdrops: what stands still in a frame: the background behind the person, or beside a picture without a matte."""

import threading
import weakref
from typing import Final

import cv2
import numpy as np

from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.compositor import BLACK, in_square
from visavis.avatar.puppet.opencv import Floats
from visavis.avatar.puppet.placing import placing
from visavis.avatar.view import (
    Background,
    BlurredBackground,
    ColourBackground,
    OwnBackground,
    PictureBackground,
    View,
)

_RUN_OUT: Final = (2.0, 16.0, 36.0, 60.0, 90.0)
"""Standard deviations of an edge's blur from the seam outwards, in output pixels at a side of 720."""
_OUT_OF_FOCUS: Final = 0.035
"""Standard deviation of a blurred background, as a share of the square's side."""
_NEAR: Final = 4
"""Pixels beyond the frame's edge that are more than bicubic interpolation takes part in."""


class Backdrops:
    """The backdrops of one package in one size, shared by the sessions that show them.

    Those of the package are kept; those of pictures as long as somebody shows them; colours are not shared.
    Thread-safe. Holds parts of the package, never the package, so that it goes when the package does.
    """

    def __init__(self, package: AvatarPackage, view: View) -> None:
        self._view = view
        self._place = placing(package, view)
        self._matte = package.matte is not None
        self._plate = package.plate if self._matte else package.picture
        self._colour = package.manifest.background
        self._lock = threading.Lock()
        self._kept: dict[type, Pixels] = {}
        self._pictures: weakref.WeakKeyDictionary[PictureBackground, weakref.ref[Pixels]] = weakref.WeakKeyDictionary()

    def of(self, background: Background) -> Pixels:
        """I420 of the view's size (height * 3 // 2, width), not to be written to. Blocks for some milliseconds.

        Where a person with a matte stands before it, its luma is lowered by that of black (see ``compositor``).
        """
        with self._lock:
            match background:
                case OwnBackground() | BlurredBackground():
                    kind = type(background)
                    if kind not in self._kept:
                        self._kept[kind] = self._ready(self._own(blurred=kind is BlurredBackground))
                    return self._kept[kind]
                case ColourBackground(red, green, blue):
                    return self._ready(self._filled((red, green, blue)))
                case PictureBackground(pixels):
                    known = self._pictures.get(background)
                    shown = known() if known is not None else None
                    if shown is None:
                        shown = self._ready(covering(pixels, self._view.width, self._view.height))
                        self._pictures[background] = weakref.ref(shown)
                    return shown

    def _own(self, blurred: bool) -> Pixels:
        if self._plate is None:
            return self._filled(self._colour)
        place, view = self._place, self._view
        colour = np.array(self._colour[::-1], np.float32)
        side = (place.side, place.side)
        square = cv2.resize(self._plate, side, interpolation=cv2.INTER_AREA).astype(np.float32)
        left = _run_out(square[:, :1], place.left, colour)
        right = _run_out(square[:, -1:], view.width - place.side - place.left, colour)
        whole = np.concatenate([left[:, ::-1], square, right], 1).transpose(1, 0, 2)
        above = _run_out(whole[:, :1], place.top, colour)
        below = _run_out(whole[:, -1:], view.height - place.side - place.top, colour)
        whole = np.concatenate([above[:, ::-1], whole, below], 1).transpose(1, 0, 2)
        if blurred:
            whole = _blurred(whole, _OUT_OF_FOCUS * place.side)
        return np.ascontiguousarray(np.clip(whole + 0.5, 0, 255).astype(np.uint8))

    def _ready(self, picture: Pixels) -> Pixels:
        out = to_i420(picture)
        if self._matte:
            luma, _ = in_square(out, self._place)
            luma -= BLACK
        return out

    def _filled(self, colour: tuple[int, int, int]) -> Pixels:
        return np.full((self._view.height, self._view.width, 3), colour[::-1], np.uint8)


def covering(picture: Pixels, width: int, height: int) -> Pixels:
    """(height, width, 3): ``picture`` as large as fills all of it, cut off evenly on both sides."""
    rows, columns = picture.shape[:2]
    scale = max(width / columns, height / rows)
    if scale < 1:
        # The cut first: a panorama is not made smaller as a whole.
        kept_columns, kept_rows = min(columns, round(width / scale)), min(rows, round(height / scale))
        left, top = (columns - kept_columns) // 2, (rows - kept_rows) // 2
        kept = picture[top : top + kept_rows, left : left + kept_columns]
        return np.asarray(cv2.resize(kept, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    # Most of a strip is not seen, and OpenCV warps none that is longer than 32767 pixels.
    left, top = (max(0, int(beyond / 2) - _NEAR) for beyond in (columns - width / scale, rows - height / scale))
    picture = picture[top : rows - top, left : columns - left]
    rows, columns = picture.shape[:2]
    to_source = np.array(
        [[1 / scale, 0, (columns - width / scale) / 2], [0, 1 / scale, (rows - height / scale) / 2]], np.float64
    )
    # Pixels' centres lie at halves.
    to_source[:, 2] += 0.5 / scale - 0.5
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(picture, to_source, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.uint8)


def _blurred(picture: Floats, sigma: float) -> Floats:
    """Blurred at a quarter of the size, where it costs a hundredth."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / 4, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)


def to_i420(picture: Pixels) -> Pixels:
    """BGR to I420, each chroma sample the mean of its four pixels (OpenCV's takes the first of them)."""
    height, width = picture.shape[:2]
    out = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2YUV_I420), np.uint8)
    small = cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    doubled = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    out[height:] = cv2.cvtColor(doubled, cv2.COLOR_BGR2YUV_I420)[height:]
    return out


def _run_out(edge: Floats, length: int, colour: Floats) -> Floats:
    """(rows, length, 3): ``edge`` (rows, 1, 3) carried outwards, ever more blurred and nearer to ``colour``."""
    rows = len(edge)
    if length == 0:
        return np.empty((rows, 0, 3), np.float32)
    unit = rows / 720
    border = cv2.BORDER_REPLICATE
    kinds = [cv2.GaussianBlur(edge, (1, 0), 0.1, sigmaY=sigma * unit, borderType=border) for sigma in _RUN_OUT]
    levels = np.stack([kind.reshape(rows, 3) for kind in kinds])
    distance = np.arange(1, length + 1, dtype=np.float32) / length
    place = distance * (len(_RUN_OUT) - 1)
    low = np.minimum(place.astype(np.intp), len(_RUN_OUT) - 2)
    share = (place - low)[:, None, None]
    carried = levels[low] * (1 - share) + levels[low + 1] * share
    # Fast at first: what is cut by the edge (a shoulder) must not be drawn out into a streak.
    fade = (1 - (1 - distance) ** 4)[:, None, None]
    return (carried * (1 - fade) + colour * fade).transpose(1, 0, 2).astype(np.float32)
