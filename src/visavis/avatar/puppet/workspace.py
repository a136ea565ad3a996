"""The large buffers that one picture is painted in: as many as are painted at a time, not as there are sessions."""

import threading
import weakref
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import numpy as np

from visavis.avatar.package import AvatarPackage, Pixels
from visavis.avatar.puppet.eyes import Eyes
from visavis.avatar.puppet.letterbox import Letterbox
from visavis.avatar.puppet.rig import Rig, rig_of


class Workspace:
    """What is needed to paint a frame of ``width`` × ``height`` and holds nothing of a session afterwards.

    About 14 bytes per painted pixel and 4 per pixel of the package's picture.
    """

    def __init__(self, rig: Rig, width: int, height: int) -> None:
        side = min(width, height)
        self.picture: Pixels = rig.picture.copy()
        """BGRA, with the eyes that ``eyes`` painted last."""
        self.eyes = Eyes(rig, self.picture)
        self.field = np.empty_like(rig.nodes)
        self.source = np.empty_like(rig.nodes)
        self.map = np.empty((side, side, 2), np.float32)
        self.square = np.empty((side, side, 4), np.uint8)
        self.yuv: Pixels | None = None
        self.letterbox: Letterbox | None = None
        """Both None where the frame is the square."""
        if width != height:
            self.yuv = np.empty((side * 3 // 2, side), np.uint8)
            self.letterbox = Letterbox(rig.picture[..., :3], rig.manifest.background, width, height)


class Workspaces:
    """The workspaces of one package and size. Thread-safe."""

    def __init__(self, rig: Rig, width: int, height: int) -> None:
        self._rig = rig
        self._size = (width, height)
        self._idle = deque([Workspace(rig, width, height)])

    @contextmanager
    def lend(self) -> Generator[Workspace]:
        """One for the time of a painting: the one used last (it is still in the processor's cache), or a new one."""
        try:
            workspace = self._idle.pop()
        except IndexError:
            workspace = Workspace(self._rig, *self._size)
        try:
            yield workspace
        finally:
            self._idle.append(workspace)


# Like rigs, workspaces never hold their package, so that they go when it does.
_pools: "weakref.WeakKeyDictionary[AvatarPackage, dict[tuple[int, int], Workspaces]]" = weakref.WeakKeyDictionary()
_pools_lock = threading.Lock()


def workspaces_of(package: AvatarPackage, width: int, height: int) -> Workspaces:
    """The workspaces that all renderers of ``package`` at this size share. Thread-safe."""
    rig = rig_of(package)
    with _pools_lock:
        pools = _pools.setdefault(package, {})
        if (width, height) not in pools:
            pools[width, height] = Workspaces(rig, width, height)
        return pools[width, height]
