"""A person's skin as the camera sees it: the rendered, subdivided mesh and its blendshapes in canonical pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats, Grid, Seen, see


@dataclass(frozen=True, slots=True)
class Projection:
    """V vertices, K shapes.

    ``points`` (V, 2): canonical pixels at rest; ``depth`` (V,): towards the camera, dm; ``triangles`` (T, 3);
    ``moves`` (K, V, 2): pixels at weight 1; ``inner`` (V,): 1 inside the mouth, 0 on the skin outside.
    """

    size: int
    points: Floats
    depth: Floats
    triangles: NDArray[np.int32]
    names: tuple[str, ...]
    moves: Floats
    inner: Floats

    def see(self, grid: Grid) -> Seen:
        """What of it is seen at each point of a grid."""
        return see(self.points, self.depth, self.triangles, grid)


def triangles_of(faces: NDArray[np.integer]) -> NDArray[np.int32]:
    """(2 F, 3) of quadrilaterals (F, 4)."""
    return np.concatenate([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]]).astype(np.int32)
