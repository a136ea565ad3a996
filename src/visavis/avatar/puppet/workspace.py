"""The large buffers that one picture is painted in: as many as are painted at a time, not as there are sessions."""

import threading
import weakref
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.backdrop import Backdrops
from visavis.avatar.puppet.compositor import Compositor
from visavis.avatar.puppet.cutout import premultiplied, side_fade
from visavis.avatar.puppet.eyes import Eyes
from visavis.avatar.puppet.placing import Placing, placing
from visavis.avatar.puppet.rig import Rig, rig_of
from visavis.avatar.puppet.spans import PersonSpans, Spans
from visavis.avatar.view import View


class Workspace:
    """What is needed to paint a frame and holds nothing of a session afterwards.

    About 18 bytes per painted pixel and 4 per pixel of the package's picture.
    """

    def __init__(self, rig: Rig, picture: Pixels, view: View, place: Placing) -> None:
        self.picture = picture.copy()
        """BGRA, with the eyes that ``eyes`` painted last."""
        self.eyes = Eyes(rig, self.picture)
        self.field = np.empty_like(rig.nodes)
        self.face = np.empty(rig.shapes.shape[1:], np.float32)
        self.map = np.empty((place.side, place.side, 2), np.float32)
        self.square = np.empty((place.side, place.side, 4), np.uint8)
        self._beside: Spans | None = None
        self.compositor = Compositor(view, place, opaque=not rig.cut_out)

    def clear_beside(self, spans: Spans) -> None:
        """Make the square clear wherever ``spans`` are not, for all of them to be painted."""
        if spans is not self._beside:
            self.square.fill(0)
            self._beside = spans


class Stage:
    """What all renderers of one package in one size share. Thread-safe."""

    def __init__(self, package: AvatarPackage, view: View) -> None:
        rig = self._rig = rig_of(package)
        self._view = view
        self.place = placing(package, view)
        self._picture = rig.picture
        if rig.cut_out and view.width > view.height:
            # The frame goes on where the picture ends.
            self._picture = premultiplied(rig.picture, side_fade(rig.size))
        self.spans = PersonSpans(np.ascontiguousarray(self._picture[..., 3]), rig.manifest.grid, self.place.side)
        self.backdrops = None
        if not view.transparent and (rig.cut_out or view.width != view.height):
            self.backdrops = Backdrops(package, view)
        """None where nothing is seen of them."""
        self._idle = deque([Workspace(rig, self._picture, view, self.place)])

    @contextmanager
    def lend(self) -> Generator[Workspace]:
        """One for the time of a painting: the one used last (it is still in the processor's cache), or a new one."""
        try:
            workspace = self._idle.pop()
        except IndexError:
            workspace = Workspace(self._rig, self._picture, self._view, self.place)
        try:
            yield workspace
        finally:
            self._idle.append(workspace)


# Like rigs, stages never hold their package, so that they go when it does.
_Size = tuple[int, int, bool]
_stages: "weakref.WeakKeyDictionary[AvatarPackage, dict[_Size, Stage]]" = weakref.WeakKeyDictionary()
_stages_lock = threading.Lock()


def stage_of(package: AvatarPackage, view: View) -> Stage:
    """What all renderers of ``package`` at this size share, transparent or not. Thread-safe."""
    rig_of(package)
    size = view.width, view.height, view.transparent
    with _stages_lock:
        stages = _stages.setdefault(package, {})
        if size not in stages:
            # Without its background: that is each session's own.
            stages[size] = Stage(package, View(view.width, view.height, transparent=view.transparent))
        return stages[size]
