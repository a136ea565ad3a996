"""PuppetRenderer: the Renderer that paints an avatar package on a CPU."""

import cv2
import numpy as np

from visavis.avatar.face import FaceFrame
from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.mouth import Lips, Mouth
from visavis.avatar.puppet.opencv import Floats, read_at
from visavis.avatar.puppet.rig import pose_terms, rig_of
from visavis.avatar.puppet.shading import Shading
from visavis.avatar.puppet.warp import SETTLE_ROUNDS, TRACK_ROUNDS, BackwardMap, Drive, weighted_sum
from visavis.avatar.puppet.workspace import stage_of
from visavis.avatar.view import Background, View
from visavis.blendshape import ARKIT_INDEX

_SQUARE = View()
_JAW = ARKIT_INDEX["jawOpen"]
_PARTING, _PARTED = 0.3, 2.0
"""How far lips part, in pixels of a picture of 768, where the mouth's layers begin to show, and where they show fully.

Lips that only move together, as in a smile, are painted by the main warp."""
_OVERLAP = 8.0
"""How far they may be pressed together, or slide sideways, before the layers show all the same."""
_MUCH, _JUMP = 0.35, 2.0
"""Sums of weight changes between two frames beyond which the maps take more rounds, and are found anew."""


class PuppetRenderer:
    """One session's puppet. Not thread-safe: one call at a time, from any thread.

    The face is a square of the smaller of the view's sides (see ``Placing``). What lies behind the person stands still
    while the head moves; a package without a matte is one opaque picture, and there a background only fills what lies
    beside it: in the own and the blurred one, the picture's edges run out into the package's colour.
    What is kept from frame to frame is small; the large buffers are shared by all renderers of a package
    (``Stage``). The package is held, so that the catalogue finds it, and all that was made of it, for the next.
    """

    def __init__(self, package: AvatarPackage, view: View = _SQUARE) -> None:
        self._package = package
        rig = self._rig = rig_of(package)
        self._stage = stage_of(package, view)
        self._width, self._height = view.frame_width, view.height
        side = self._side = self._stage.place.side
        self._wanted = view.background
        self._shown: Background | None = None
        self._backdrop: Pixels | None = None
        self._mouth = Mouth(rig, side)
        self._backward = BackwardMap(rig.nodes, rig.step, (0.5, 0.5))
        self._shading = Shading(rig, side)
        self._last: tuple[Floats, Floats] | None = None

    @property
    def width(self) -> int:
        """Of the frames: twice the view's where it is transparent."""
        return self._width

    @property
    def height(self) -> int:
        return self._height

    def behind(self, background: Background) -> None:
        """See ``Renderer``. What is to be made of it is made with the next picture."""
        self._wanted = background

    def paint(self, face: FaceFrame, frame: Pixels) -> None:
        """Write the picture into ``frame``: I420, shape (height * 3 // 2, width), contiguous; else ``ValueError``."""
        if frame.shape != (self._height * 3 // 2, self._width) or frame.dtype != np.uint8:
            raise ValueError(f"the frame must be uint8 {(self._height * 3 // 2, self._width)}")
        if not frame.flags.c_contiguous:
            raise ValueError("the frame must be contiguous")
        rig = self._rig
        weights = rig.weights(face)
        terms = pose_terms(face)
        drive = Drive(weights, terms, self._rounds(weights, terms))

        with self._stage.lend() as space:
            square = space.square
            space.eyes.paint(face)
            weighted_sum(terms, rig.pose, space.field)
            weighted_sum(weights, rig.shapes, space.face)
            space.field[rig.face] += space.face
            self._backward.solve(space.field, drive.rounds, lively=rig.face)
            source = self._backward.points()
            cv2.resize(source, (self._side, self._side), dst=space.map, interpolation=cv2.INTER_LINEAR)
            spans = self._stage.spans.within(cv2.norm(space.field, cv2.NORM_INF))
            space.clear_beside(spans)
            for part in spans:
                read_at(space.picture, space.map[part], square[part])
            space.compositor.keep_alpha(square)

            opened, pressed = self._parting(weights)
            share = min(1.0, (max(opened, pressed - _OVERLAP) - _PARTING) / (_PARTED - _PARTING))
            if share > 0:
                lips = Lips(float(face.arkit[_JAW]), face.tongue, opened, share)
                self._mouth.paint(square, space.compositor.alpha, drive, lips)
            else:
                self._mouth.forget()

            yuv = space.compositor.convert(square, frame)
            self._shading.apply(weights, self._backward.values, yuv[: self._side])
            space.compositor.finish(yuv, self._behind(), frame)

    def _behind(self) -> Pixels | None:
        wanted = self._wanted
        if self._stage.backdrops is not None and wanted is not self._shown:
            self._backdrop = self._stage.backdrops.of(wanted)
            self._shown = wanted
        return self._backdrop

    def _parting(self, weights: Floats) -> tuple[float, float]:
        """How far the lips open, and how far they are pressed together or slide; pixels of a picture of 768."""
        across, down = np.dot(weights, self._rig.mouth.parting).reshape(2, -1)
        left, right, _, _ = cv2.minMaxLoc(across)
        least, most, _, _ = cv2.minMaxLoc(down)
        return most, max(-least, right, -left)

    def _rounds(self, weights: Floats, terms: Floats) -> int:
        last, self._last = self._last, (weights, terms[:6])
        if last is None:
            return SETTLE_ROUNDS
        change = cv2.norm(weights, last[0], cv2.NORM_L1) + 10 * cv2.norm(self._last[1], last[1], cv2.NORM_L1)
        return SETTLE_ROUNDS if change > _JUMP else TRACK_ROUNDS[change > _MUCH]
