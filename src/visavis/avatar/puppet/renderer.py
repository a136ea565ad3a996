"""PuppetRenderer: the Renderer that paints an avatar package on a CPU."""

import cv2
import numpy as np

from visavis.avatar.face import FaceFrame
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.mouth import Mouth
from visavis.avatar.puppet.opencv import Floats, read_at
from visavis.avatar.puppet.rig import pose_terms, rig_of
from visavis.avatar.puppet.shading import Shading
from visavis.avatar.puppet.warp import SETTLE_ROUNDS, TRACK_ROUNDS, BackwardMap, Drive, add_weighted, numbered
from visavis.avatar.puppet.workspace import workspaces_of
from visavis.blendshape import ARKIT_INDEX

_JAW = ARKIT_INDEX["jawOpen"]
_NOTHING = 0.004
"""Weights below this are not painted."""
_PARTING, _PARTED = 0.3, 2.0
"""How far lips part, in pixels of a picture of 768, where the mouth's layers begin to show, and where they show fully.

Lips that only move together, as in a smile, are painted by the main warp."""
_OVERLAP = 8.0
"""How far they may be pressed together, or slide sideways, before the layers show all the same."""
_MUCH, _JUMP = 0.35, 2.0
"""Sums of weight changes between two frames beyond which the maps take more rounds, and are found anew."""


class PuppetRenderer:
    """One session's puppet. Not thread-safe: one call at a time, from any thread.

    ``width`` and ``height`` are even and at least 64; the face is a square of the smaller of them, in the middle.
    What is kept from frame to frame is small; the large buffers are shared by all renderers of a package
    (``Workspaces``). The package is held, so that the catalogue finds it, and all that was made of it, for the next.
    """

    def __init__(self, package: AvatarPackage, width: int = 512, height: int = 512) -> None:
        if width % 2 or height % 2 or min(width, height) < 64:
            raise ValueError(f"{width} × {height}: width and height must be even and at least 64")
        self._package = package
        rig = self._rig = rig_of(package)
        self._workspaces = workspaces_of(package, width, height)
        self._width, self._height = width, height
        side = self._side = min(width, height)
        self._mouth = Mouth(rig, side)
        self._backward = BackwardMap(rig.nodes, rig.step)
        self._shading = Shading(rig, side)
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
        drive = Drive(active, terms, self._rounds(weights, terms))

        with self._workspaces.lend() as space:
            space.eyes.paint(face)
            space.field.fill(0)
            add_weighted(space.field, rig.pose, numbered(terms))
            add_weighted(space.field[rig.face], rig.shapes, active)
            self._backward.solve(space.field, drive.rounds)
            self._backward.points(0.5, 0.5, space.source)
            cv2.resize(space.source, (self._side, self._side), dst=space.map, interpolation=cv2.INTER_LINEAR)
            read_at(space.picture, space.map, space.square)

            share = self._apart(weights)
            if share > 0:
                jaw = float(face.arkit[_JAW])
                self._mouth.paint(space.square, drive, jaw, face.tongue, share)
            else:
                self._mouth.forget()

            yuv = frame if space.yuv is None else space.yuv
            cv2.cvtColor(space.square, cv2.COLOR_BGRA2YUV_I420, dst=yuv)
            self._shading.apply(weights, self._backward.values, yuv[: self._side])
            if space.letterbox is not None:
                space.letterbox.paint(yuv, frame)

    def _apart(self, weights: Floats) -> float:
        """How far the mouth is to be painted in layers, 0–1."""
        moves = np.tensordot(weights, self._rig.mouth.parting, 1)
        opened = float(moves[:, 1].max())
        pressed = max(-float(moves[:, 1].min()), float(np.abs(moves[:, 0]).max())) - _OVERLAP
        return min(1.0, max(0.0, (max(opened, pressed) - _PARTING) / (_PARTED - _PARTING)))

    def _rounds(self, weights: Floats, terms: Floats) -> int:
        last, self._last = self._last, np.concatenate([weights, terms[:6] * 10])
        if last is None:
            return SETTLE_ROUNDS
        change = float(np.abs(self._last - last).sum())
        return SETTLE_ROUNDS if change > _JUMP else TRACK_ROUNDS[change > _MUCH]
