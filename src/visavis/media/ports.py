"""What the media layer asks of those above it."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class VideoSource(Protocol):
    """Where one session's pictures come from: posed on the event loop, painted in the render pool."""

    @property
    def width(self) -> int:
        """Pixels across; even."""
        ...

    @property
    def height(self) -> int:
        """Pixels down; even."""
        ...

    def pose(self, at: float) -> Any:
        """What is to be seen at media time ``at`` (seconds). On the event loop, in well under a millisecond."""
        ...

    def paint(self, pose: Any, frame: NDArray[np.uint8]) -> None:
        """Write ``pose`` as I420 into ``frame`` (height * 3 // 2, width). In a pool thread, one call at a time."""
        ...
