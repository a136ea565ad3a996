"""The picture of a call: what is asked for, what the server sends, and transparent frames put together."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Emotion = Literal["neutral", "happy", "sad", "surprised", "concerned", "stern", "amused"]
"""What an avatar's face can show to feel."""

_WORDS: Final = re.compile(r"#?[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MOST_BYTES: Final = 2 * 1024 * 1024
_NOISE: Final = 8
"""Of 255: what of the opacity is the codec's, at both ends."""


@dataclass(frozen=True, slots=True)
class Picture:
    """What the server sends: ``width`` and ``height`` in pixels, as it is to be seen.

    ``transparent``: there is nothing behind the person (``VideoFrame.rgba``). ``backgrounds``: whether what lies
    behind the person can be chosen.
    """

    width: int
    height: int
    transparent: bool
    backgrounds: bool


def check_background(background: str | bytes) -> None:
    """Raises ``ValueError`` for what no server takes: neither words of the protocol, nor a picture's file."""
    if isinstance(background, bytes):
        if not 0 < len(background) <= _MOST_BYTES:
            raise ValueError(f"a picture for the background has {_MOST_BYTES} bytes at most")
    elif not _WORDS.fullmatch(background):
        raise ValueError(f"no background: {background!r}")


def check_emotion(emotion: str, intensity: float) -> None:
    """Raises ``ValueError`` for what no face can show."""
    if emotion not in get_args(Emotion):
        raise ValueError(f"no emotion: {emotion!r}; there are {', '.join(get_args(Emotion))}")
    if not 0 <= intensity <= 1:
        raise ValueError(f"the intensity {intensity!r} does not lie between 0 and 1")


def size_text(size: tuple[int, int] | None) -> str | None:
    """A size as the protocol has it. Raises ``ValueError``."""
    if size is None:
        return None
    width, height = size
    if min(width, height) <= 0:
        raise ValueError(f"no size of a picture: {size}")
    return f"{width}x{height}"


def together(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A transparent frame put together: (height, 2 · width, 3) in any order of colours to (height, width, 4).

    On the left are premultiplied colours, on the right the opacity in grey; what is returned is not premultiplied.
    """
    width = frame.shape[1] // 2
    seen = frame[:, width:, 1].astype(np.float32)
    alpha = np.clip((seen - _NOISE) / (255 - 2 * _NOISE), 0, 1)
    result = np.zeros((frame.shape[0], width, 4), np.uint8)
    colours = frame[:, :width] / np.maximum(alpha, 1e-6)[..., None]
    result[..., :3] = np.where(alpha[..., None] > 0, np.clip(np.rint(colours), 0, 255), 0)
    result[..., 3] = np.rint(255 * alpha)
    return result
