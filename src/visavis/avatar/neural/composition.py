"""SpeakingFace: a FaceLoop with what a network needs of it, and how a drawn mouth is put into its pictures."""

from typing import Final, Generic

import cv2
import numpy as np

from visavis.avatar.neural.pictures import FaceLoop
from visavis.avatar.neural.ports import Floats, MouthEngine, NeuralError, Pixels, Place, Rect, S

_SMALLEST: Final = 48
"""Pixels of the smallest side of a face's rectangle."""


class SpeakingFace(Generic[S]):
    """What all sessions of an avatar share. Not written to after creation, which blocks."""

    def __init__(self, loop: FaceLoop, engine: MouthEngine[S]) -> None:
        self.loop = loop
        self._rects = tuple(_even(engine.rect(place), loop.width, loop.height) for place in loop.places)
        crops = [_crop(picture, rect, engine.side) for picture, rect in zip(loop.pictures, self._rects, strict=True)]
        self.prepared = engine.prepare(np.stack(crops))
        self._mask = engine.mask()
        self._masks: dict[tuple[int, int], tuple[Floats, Floats]] = {}

    def rect(self, picture: int) -> Rect:
        """The part of a picture that is drawn."""
        return self._rects[picture]

    def paint(self, picture: int, mouth: Pixels | None, share: float, frame: Pixels) -> None:
        """Write a picture of the loop into ``frame`` (I420), ``mouth`` (side, side, 3; BGR) over it by ``share``."""
        np.copyto(frame, self.loop.pictures[picture])
        if mouth is None or share <= 0:
            return
        rect = self._rects[picture]
        bgr = cv2.resize(mouth, (rect.width, rect.height), interpolation=cv2.INTER_LINEAR)
        drawn = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
        luma, chroma = self._scaled(rect.width, rect.height)
        whole, part = _planes(frame, self.loop.width, self.loop.height), _planes(drawn, rect.width, rect.height)
        for plane, (target, new) in enumerate(zip(whole, part, strict=True)):
            shrink, mask = (1, luma) if plane == 0 else (2, chroma)
            rows = slice(rect.top // shrink, rect.bottom // shrink)
            columns = slice(rect.left // shrink, rect.right // shrink)
            weight = mask if share >= 1 else mask * np.float32(share)
            old = np.ascontiguousarray(target[rows, columns])
            target[rows, columns] = cv2.blendLinear(np.ascontiguousarray(new), old, weight, 1 - weight)

    def _scaled(self, width: int, height: int) -> tuple[Floats, Floats]:
        """The mask at a rectangle's size and at half of it; remembered for the few sizes that a loop has."""
        if (width, height) not in self._masks:
            sizes = (width, height), (width // 2, height // 2)
            luma, chroma = (np.asarray(cv2.resize(self._mask, size), np.float32) for size in sizes)
            self._masks[width, height] = luma, chroma
        return self._masks[width, height]


def _even(edges: tuple[float, float, float, float], width: int, height: int) -> Rect:
    """The rectangle inside the picture, its edges even, so that it is whole in the chroma planes too."""
    left, top, right, bottom = (round(edge / 2) * 2 for edge in edges)
    rect = Rect(max(0, left), max(0, top), min(width, right), min(height, bottom))
    if min(rect.width, rect.height) < _SMALLEST:
        raise NeuralError(f"the face takes {rect.width} × {rect.height} pixels of the picture, which is too few")
    return rect


def _crop(picture: Pixels, rect: Rect, side: int) -> Pixels:
    bgr = cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420)[rect.top : rect.bottom, rect.left : rect.right]
    return np.asarray(cv2.resize(bgr, (side, side), interpolation=cv2.INTER_LANCZOS4), np.uint8)


def _planes(frame: Pixels, width: int, height: int) -> tuple[Pixels, Pixels, Pixels]:
    """Y, U and V of an I420 frame."""
    flat = frame.reshape(-1)
    luma, chroma = width * height, width * height // 4
    half = (height // 2, width // 2)
    return (
        flat[:luma].reshape(height, width),
        flat[luma : luma + chroma].reshape(half),
        flat[luma + chroma :].reshape(half),
    )


def jaw_mask(side: int, top: float, reach: float, soft: float) -> Floats:
    """(side, side), 0–1: the half-ellipse of a jaw, from ``top`` (0–1 of the height) down, blurred at its edge.

    ``reach``: half its width, 0–0.5 of the side; ``soft``: standard deviation of the blur, of the side.
    """
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    depth = np.maximum(0.0, (y - top) / (0.96 - top))
    inside = (y >= top) & ((np.abs(x - 0.5) / reach) ** 2.5 + depth**2.5 <= 1)
    blurred = np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), soft * side), np.float32)
    # Nothing is left at the very edge: there the drawn picture ends.
    edge = np.minimum(np.minimum(x, 1 - x), np.minimum(y, 1 - y)) * side / 4
    return (blurred * np.clip(edge, 0, 1)).astype(np.float32)


def middle(place: Place) -> float:
    """From the eyes' height to the lips', the measure of a face, in pixels."""
    if place.lips <= place.eyes:
        raise NeuralError("the lips must lie below the eyes")
    return place.lips - place.eyes
