"""What is behind the lips, as layers: each part rendered alone, in the light that the head lets in."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats
from bake.smooth import blurred

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

JAW: Final = 0.38
"""jawOpen at which the layers are rendered."""


RETRACTED: Final = {
    "jawOpen": JAW,
    "mouthUpperUpLeft": 0.9,
    "mouthUpperUpRight": 0.9,
    "mouthLowerDownLeft": 0.9,
    "mouthLowerDownRight": 0.9,
    "mouthStretchLeft": 0.4,
    "mouthStretchRight": 0.4,
}
"""The pose of the head that keeps the light out, unseen: lips drawn back, for they show more in some shapes."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a layer is toned: shadows lifted by the exponent ``lift``, times ``light`` and ``tint`` (B, G, R).

    Between the lips, light is red from the skin around it; the part rendered alone does not know that.
    """

    light: float = 1.0
    lift: float = 0.8
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


TEETH: Final = Look(1.0, 0.78, (0.95, 0.965, 1.03))
BACK: Final = Look(0.9, 0.85)
LOWER: Final = Look(0.66, 0.88, (0.95, 0.965, 1.02))
TONGUE_OUT: Final = Look(0.9, 0.82, (0.95, 0.965, 1.02))


def interior_box(line: Floats, drop: float, size: int) -> Box:
    """Around the lips' ``line`` (points, 2) and as far down as the teeth go; ``drop``: pixels at jawOpen 1."""
    width = float(line[-1, 0] - line[0, 0])
    x, y = line.mean(0)
    across = 0.62 * width
    return (
        max(0, int(x - across)),
        max(0, int(y - 0.45 * width)),
        min(size, int(x + across) + 1),
        min(size, int(y + 0.42 * width + JAW * drop) + 1),
    )


def layer(render: Pixels, look: Look) -> Pixels:
    """(height, width, 4), premultiplied BGRA, of a render with straight alpha."""
    colour = (
        (render[..., :3].astype(np.float32) / 255) ** look.lift * (255 * look.light) * np.array(look.tint, np.float32)
    )
    alpha = render[..., 3:].astype(np.float32)
    toned = np.minimum(colour, 255) * (alpha / 255)
    return np.dstack([toned, alpha]).round().astype(np.uint8)


def softened(premultiplied: Pixels, sigma: float) -> Pixels:
    """The layer a little out of focus, as what lies deeper is."""
    return np.clip(blurred(premultiplied, sigma) + 0.5, 0, 255).astype(np.uint8)
