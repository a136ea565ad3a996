"""What is behind the lips, as layers: each part rendered alone, and darkened towards the back of the mouth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats
from bake.smooth import blurred, soft_step

Pixels = NDArray[np.uint8]
Box = tuple[int, int, int, int]

JAW: Final = 0.38
"""jawOpen at which the layers are rendered."""


@dataclass(frozen=True, slots=True)
class Look:
    """How a layer is toned: ``light`` in the middle of the arch, ``tint`` of B, G, R, ``edge`` light at its ends."""

    light: float
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    edge: float = 0.12


TEETH: Final = Look(0.96, (0.95, 0.985, 1.0))
BACK: Final = Look(0.5, (0.85, 0.85, 1.0), 0.05)
LOWER: Final = Look(0.86, (0.95, 0.97, 1.0))


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


def layer(render: Pixels, look: Look, middle: float, half: float) -> Pixels:
    """(height, width, 4), premultiplied BGRA, of a render with straight alpha.

    ``middle``: column of the mouth's middle; ``half``: half the width of the lips, in pixels. The light falls off
    towards the corners, where the cheeks would take it.
    """
    colour = render[..., :3].astype(np.float32) * np.array(look.tint, np.float32) * look.light
    alpha = render[..., 3:].astype(np.float32)
    away = np.abs(np.arange(render.shape[1], dtype=np.float32) - middle) / half
    light = look.edge + (1 - look.edge) * soft_step(1.0, 0.28, away)
    toned = np.minimum(colour * light[None, :, None], 255) * (alpha / 255)
    return np.dstack([toned, alpha]).round().astype(np.uint8)


def shaded_down(premultiplied: Pixels, start: float, end: float, low: float) -> Pixels:
    """The layer with its colour falling from 1 at row ``start`` to ``low`` at row ``end``."""
    rows = np.arange(premultiplied.shape[0], dtype=np.float32)
    light = low + (1 - low) * soft_step(end, start, rows)
    out = premultiplied.astype(np.float32)
    out[..., :3] *= light[:, None, None]
    return out.round().astype(np.uint8)


def softened(premultiplied: Pixels, sigma: float) -> Pixels:
    """The layer a little out of focus, as what lies deeper is."""
    return np.clip(blurred(premultiplied, sigma) + 0.5, 0, 255).astype(np.uint8)
