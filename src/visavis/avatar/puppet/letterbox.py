"""What lies beside the square picture in a wider or taller frame: its edges, running out into the background."""

import cv2
import numpy as np

from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats

_BLURS = (2.0, 16.0, 36.0, 60.0, 90.0)
"""Standard deviations of the edge's blur from the seam outwards, in output pixels at a side of 720."""


class Letterbox:
    """Puts a square I420 picture into the middle of a frame. ``picture``: the face at rest, BGR."""

    def __init__(self, picture: Pixels, background: tuple[int, int, int], width: int, height: int) -> None:
        side = min(width, height)
        self._side = side
        # Even, so that the chroma planes' borders are the picture's.
        self._left, self._top = (width - side) // 4 * 2, (height - side) // 4 * 2
        square = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        colour = np.array(background[::-1], np.float32)
        if width > height:
            left = _run_out(square[:, :1], self._left, colour)
            right = _run_out(square[:, -1:], width - side - self._left, colour)
            whole = np.concatenate([left[:, ::-1], square, right], 1)
        else:
            turned = square.transpose(1, 0, 2)
            above = _run_out(turned[:, :1], self._top, colour)
            below = _run_out(turned[:, -1:], height - side - self._top, colour)
            whole = np.concatenate([above[:, ::-1], turned, below], 1).transpose(1, 0, 2)
        rounded = np.ascontiguousarray(np.clip(whole + 0.5, 0, 255).astype(np.uint8))
        self._still = np.asarray(cv2.cvtColor(rounded, cv2.COLOR_BGR2YUV_I420), np.uint8)
        self._planes = _planes(width, height)
        self._square_planes = _planes(side, side)

    def paint(self, square: Pixels, frame: Pixels) -> None:
        """Fill ``frame`` (I420) with the background and ``square`` (I420 of side × side)."""
        np.copyto(frame, self._still)
        whole, part = frame.reshape(-1), square.reshape(-1)
        for plane, (start, rows, columns) in enumerate(self._planes):
            shrink = 1 if plane == 0 else 2
            first, side, _ = self._square_planes[plane]
            target = whole[start : start + rows * columns].reshape(rows, columns)
            top, left = self._top // shrink, self._left // shrink
            target[top : top + side, left : left + side] = part[first : first + side * side].reshape(side, side)


def _planes(width: int, height: int) -> tuple[tuple[int, int, int], ...]:
    """(start, rows, columns) of Y, U and V in an I420 frame seen as one row of bytes."""
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return (0, height, width), (luma, *half), (luma + chroma, *half)


def _run_out(edge: Floats, length: int, colour: Floats) -> Floats:
    """(rows, length, 3): ``edge`` (rows, 1, 3) carried outwards, ever more blurred and nearer to ``colour``."""
    rows = len(edge)
    if length == 0:
        return np.empty((rows, 0, 3), np.float32)
    unit = rows / 720
    border = cv2.BORDER_REPLICATE
    kinds = [cv2.GaussianBlur(edge, (1, 0), 0.1, sigmaY=sigma * unit, borderType=border) for sigma in _BLURS]
    levels = np.stack([kind.reshape(rows, 3) for kind in kinds])
    distance = np.arange(1, length + 1, dtype=np.float32) / length
    place = distance * (len(_BLURS) - 1)
    low = np.minimum(place.astype(np.intp), len(_BLURS) - 2)
    share = (place - low)[:, None, None]
    carried = levels[low] * (1 - share) + levels[low + 1] * share
    # Fast at first: what is cut by the edge (a shoulder) must not be drawn out into a streak.
    fade = (1 - (1 - distance) ** 4)[:, None, None]
    return (carried * (1 - fade) + colour * fade).transpose(1, 0, 2).astype(np.float32)
