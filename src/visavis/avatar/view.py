"""View: how one session sees its avatar: the picture's size, what lies behind the person, and transparency."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

MIN_SIDE: Final = 64
"""Smallest width and height, in pixels."""


@dataclass(frozen=True, slots=True)
class OwnBackground:
    """What the avatar's package brings."""


@dataclass(frozen=True, slots=True)
class BlurredBackground:
    """What the package brings, out of focus."""


@dataclass(frozen=True, slots=True)
class ColourBackground:
    """One colour, each part 0–255; else ``ValueError``."""

    red: int
    green: int
    blue: int

    def __post_init__(self) -> None:
        if not all(0 <= part <= 255 for part in (self.red, self.green, self.blue)):
            raise ValueError(f"{self.red}, {self.green}, {self.blue}: each part of a colour must be 0–255")


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class PictureBackground:
    """A picture (height, width, 3), BGR; it fills the frame, what does not fit is cut off on both sides.

    Not to be written to. Sessions that are given the same object share what is made of it. Raises ``ValueError`` for
    another shape or type.
    """

    pixels: NDArray[np.uint8]

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] != 3 or min(shape) < 1 or self.pixels.dtype != np.uint8:
            raise ValueError(f"a background's picture must be uint8 (height, width, 3), not {shape}")


Background = OwnBackground | BlurredBackground | ColourBackground | PictureBackground


@dataclass(frozen=True, slots=True)
class View:
    """``width`` × ``height`` pixels, both even and at least ``MIN_SIDE``; else ``ValueError``.

    ``transparent``: frames are twice as wide: on the left the person in front of black (premultiplied), on the right
    how much of it is seen, as luma (16: nothing, 235: all). The background is then left out.
    """

    width: int = 512
    height: int = 512
    background: Background = field(default_factory=OwnBackground)
    transparent: bool = False

    def __post_init__(self) -> None:
        if self.width % 2 or self.height % 2 or min(self.width, self.height) < MIN_SIDE:
            raise ValueError(f"{self.width} × {self.height}: both must be even and at least {MIN_SIDE}")

    @property
    def frame_width(self) -> int:
        """Pixels across of the frames that are painted."""
        return 2 * self.width if self.transparent else self.width
