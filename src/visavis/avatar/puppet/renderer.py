"""PuppetRenderer: the Renderer that paints an avatar package on a CPU."""

import cv2
import numpy as np

from visavis.avatar.face import ARKIT_INDEX, FaceFrame
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.eyes import Eyes
from visavis.avatar.puppet.letterbox import Letterbox
from visavis.avatar.puppet.mouth import Mouth
from visavis.avatar.puppet.opencv import Floats, read_at
from visavis.avatar.puppet.rig import pose_terms, rig_of
from visavis.avatar.puppet.shading import Shading
from visavis.avatar.puppet.warp import SETTLE_ROUNDS, TRACK_ROUNDS, BackwardMap, add_weighted, numbered

_JAW = ARKIT_INDEX["jawOpen"]
_NOTHING = 0.004
"""Weights below this are not painted."""
_PARTING, _PARTED = 0.3, 2.0
"""Canonical pixels (of a picture of 768) of parting lips at which the mouth's layers begin to show, and show fully."""
_JUMP = 0.35
"""Sum of weight changes between two frames beyond which the maps are found anew."""


class PuppetRenderer:
    """One session's puppet. Not thread-safe: one call at a time, from any thread.

    ``width`` and ``height`` are even and at least 64; the face is a square of the smaller of them, in the middle.
    All large buffers are made here, once: about 20 bytes per painted pixel and 4 per pixel of the package's picture.
    """

    def __init__(self, package: AvatarPackage, width: int = 512, height: int = 512) -> None:
        if width % 2 or height % 2 or min(width, height) < 64:
            raise ValueError(f"{width} × {height}: width and height must be even and at least 64")
        rig = self._rig = rig_of(package)
        self._width, self._height = width, height
        side = self._side = min(width, height)
        self._picture: Pixels = rig.picture.copy()
        self._eyes = Eyes(rig, self._picture)
        self._mouth = Mouth(rig, side)
        self._backward = BackwardMap(rig.nodes, rig.step)
        self._field = np.zeros_like(rig.nodes)
        self._source = np.empty_like(rig.nodes)
        self._map = np.empty((side, side, 2), np.float32)
        self._square = np.empty((side, side, 4), np.uint8)
        self._yuv = None if width == height else np.empty((side * 3 // 2, side), np.uint8)
        self._shading = Shading(rig, side)
        self._letterbox: Letterbox | None = None
        if width != height:
            manifest = rig.manifest
            self._letterbox = Letterbox(rig.picture[..., :3], manifest.background, width, height)
        self._last: Floats | None = None

    @property
    def width(self) -> int:
        return self._width

    @property
    def height(self) -> int:
        return self._height

    def paint(self, face: FaceFrame, frame: Pixels) -> None:
        """Write the picture into ``frame``: I420, shape (height * 3 // 2, width), contiguous; else ``ValueError``."""
        if frame.shape != (self._height * 3 // 2, self._width) or frame.dtype != np.uint8:
            raise ValueError(f"the frame must be uint8 {(self._height * 3 // 2, self._width)}")
        if not frame.flags.c_contiguous:
            raise ValueError("the frame must be contiguous")
        rig = self._rig
        weights = rig.weights(face)
        terms = pose_terms(face)
        active = [(int(i), float(weights[i])) for i in np.nonzero(np.abs(weights) > _NOTHING)[0]]
        rounds = self._rounds(weights, terms)

        self._eyes.paint(face)
        self._field.fill(0)
        add_weighted(self._field, rig.pose, numbered(terms))
        add_weighted(self._field[rig.face], rig.shapes, active)
        self._backward.solve(self._field, rounds)
        np.subtract(self._backward.values, 0.5, out=self._source)
        cv2.resize(self._source, (self._side, self._side), dst=self._map, interpolation=cv2.INTER_LINEAR)
        read_at(self._picture, self._map, self._square)

        parting = float(np.abs(weights) @ rig.mouth.parting) * 768 / rig.size
        if parting > _PARTING:
            share = min(1.0, (parting - _PARTING) / (_PARTED - _PARTING))
            jaw = float(face.arkit[_JAW])
            self._mouth.paint(self._square, active, terms, rounds, jaw, face.tongue, share)
        else:
            self._mouth.forget()

        yuv = frame if self._yuv is None else self._yuv
        cv2.cvtColor(self._square, cv2.COLOR_BGRA2YUV_I420, dst=yuv)
        self._shading.apply(weights, self._backward.values, yuv[: self._side])
        if self._letterbox is not None:
            self._letterbox.paint(yuv, frame)

    def _rounds(self, weights: Floats, terms: Floats) -> int:
        last, self._last = self._last, np.concatenate([weights, terms[:6] * 10])
        if last is None or float(np.abs(self._last - last).sum()) > _JUMP:
            return SETTLE_ROUNDS
        return TRACK_ROUNDS
