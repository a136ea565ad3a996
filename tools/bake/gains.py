"""Shading gains: how much lighter or darker the skin becomes where a shape moves it, seen on the face at rest."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake.raster import Floats
from bake.smooth import blurred, soft_step

Box = tuple[int, int, int, int]


_MOST: Final = 0.4
"""Largest change of light that is believed."""


@dataclass(frozen=True, slots=True)
class GainPass:
    """Shapes rendered together at one weight; ``strength`` is what the light's change is multiplied by."""

    shapes: tuple[str, ...]
    weight: float = 1.0
    strength: float = 1.0


def _pair(name: str, weight: float = 1.0, strength: float = 1.0) -> GainPass:
    return GainPass((f"{name}Left", f"{name}Right"), weight, strength)


PASSES: Final[tuple[GainPass, ...]] = (
    GainPass(("jawOpen",), 0.6),
    GainPass(("mouthFunnel",)),
    GainPass(("mouthPucker",)),
    _pair("mouthSmile", 0.8),
    _pair("mouthFrown"),
    _pair("mouthStretch"),
    _pair("cheekSquint"),
    _pair("noseSneer"),
    _pair("browDown", strength=1.35),
    GainPass(("browInnerUp",), strength=1.25),
    _pair("browOuterUp", strength=1.2),
    _pair("eyeSquint"),
)
"""What is rendered, once each, symmetrically; pairs are taken apart in the middle of the face.

The other shapes change the light little, or only where the lips roll in, which no gain can show."""


@dataclass(frozen=True, slots=True)
class GainMap:
    """``values`` (rows, columns): relative change of luminance when all ``shapes`` have weight 1."""

    shapes: tuple[str, ...]
    values: Floats


def gain_map(rest: Floats, moved: Floats, upper: Floats, lower: Floats, line: Floats, skin: Floats) -> Floats:
    """(rows, columns): luminance of ``moved`` beside ``rest`` (both (rows, columns), display values 0–1).

    ``upper``/``lower`` (rows, columns, 2): where the two skins went, in these pixels; ``line`` (columns,): row of the
    lips' line; ``skin`` (rows, columns): 1 on skin that may be compared, 0 elsewhere.
    """
    rows, columns = rest.shape
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    here = np.dstack([x, y])
    rest = blurred(rest, 1.2)
    moved = blurred(moved, 1.2)
    above, below = (
        cv2.remap(
            moved, (here + skin_moved).astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        for skin_moved in (upper, lower)
    )
    ratio = np.where(y < line[None], above, below) / np.maximum(rest, 0.03)
    change = _MOST * np.tanh((ratio - 1) / _MOST)
    lips = np.exp(-(((y - line[None]) / 3.0) ** 2))
    allowed = skin * (1 - lips)
    # A normalized blur: what is not compared takes the light of its neighbourhood instead of pulling it to zero.
    weight = blurred(allowed, 1.6)
    return (blurred(change * allowed, 1.6) / np.maximum(weight, 0.25) * soft_step(0, 0.6, weight)).astype(np.float32)


def halves(one: GainPass, values: Floats, middle: float) -> list[GainMap]:
    """The maps of one pass. ``middle``: the column between the face's halves; pairs are cut there, softly."""
    scaled = values * np.float32(one.strength / one.weight)
    scaled = np.where(np.abs(scaled) < 0.004, 0, scaled).astype(np.float32)
    if len(one.shapes) == 1:
        return [GainMap(one.shapes, scaled)]
    columns = np.arange(values.shape[1])
    softness = 0.07 * values.shape[1]
    # The avatar's left is on the image's right.
    right = soft_step(middle - softness, middle + softness, columns)[None]
    of_left, of_right = one.shapes
    return [GainMap((of_left,), scaled * right), GainMap((of_right,), scaled * (1 - right))]


def luminance(picture: NDArray[np.uint8], backdrop: float = 0.3) -> Floats:
    """(rows, columns) 0–1 of a picture BGRA with straight alpha, over a grey backdrop."""
    alpha = picture[..., 3].astype(np.float32) / 255
    grey = picture[..., :3].astype(np.float32) @ np.array([0.114, 0.587, 0.299], np.float32) / 255
    return grey * alpha + backdrop * (1 - alpha)
