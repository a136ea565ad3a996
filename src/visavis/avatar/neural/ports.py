"""AudioRenderer: the port of faces that are drawn from sound; and MouthEngine, the port of the networks behind it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
import soxr
from numpy.typing import NDArray

from visavis.avatar.face import Sized
from visavis.speech.ports import SPEECH_RATE, Pcm16

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

MOUTH_RATE: Final = 25
"""Mouths per second of media time: both networks were trained at it. Mouth n is of media time n / MOUTH_RATE."""

HEARING_RATE: Final = 16_000
"""Hz of the sound that the networks hear."""

MARGIN: Final = 160
"""Samples at ``HEARING_RATE`` (10 ms) on both sides of a passage's sound, so that resampling has no edge inside."""

S = TypeVar("S")
"""What a network keeps of an avatar's pictures."""
S_contra = TypeVar("S_contra", contravariant=True)


class NeuralError(Exception):
    """A network or an avatar's pictures cannot be used; the message names the file and says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mouth that was drawn for media time ``at`` (seconds). ``pixels`` are of interest to its renderer alone."""

    at: float
    pixels: Pixels


class AudioRenderer(Sized, Protocol):
    """Paints one session's face from the sound of its voice, on the media clock.

    ``push``, ``clear`` and ``frames`` are called on the event loop and return at once; ``paint`` in a pool thread.
    """

    @property
    def latency(self) -> float:
        """Seconds between ``push`` and the first sample's sounding that this face needs for its first picture."""
        ...

    def push(self, pcm: Pcm16, at: float) -> None:
        """Sound (``SPEECH_RATE``) whose first sample will be heard at media time ``at`` (seconds)."""
        ...

    def clear(self) -> None:
        """The voice was cut: forget all sound, all work that is queued and all mouths that are ready."""
        ...

    def frames(self) -> Iterator[Drawn]:
        """The mouths that got ready since the last call, in the order of their time. Never waits."""
        ...

    def paint(self, at: float, drawn: Drawn | None, share: float, frame: Pixels) -> None:
        """Write the face at media time ``at`` as I420 into ``frame`` (height * 3 // 2, width).

        ``share`` 0–1: how far the mouth that was drawn covers the one that the pictures have of their own.
        """
        ...

    def close(self) -> None:
        """Give everything back. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a face is in a picture, in pixels: its middle line, the height of its eyes and of its closed lips."""

    x: float
    eyes: float
    lips: float


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels, right and bottom outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top


@dataclass(frozen=True, slots=True, eq=False)
class Passage(Generic[S]):
    """A few mouths in a row that one session asks for.

    ``sound`` (``SPEECH_RATE``) covers ``MouthEngine.span(first, count)`` with a margin on both sides; ``sources``: for
    each mouth the number of the picture it goes into; ``due``: the worker's time by which the first of them is needed.
    """

    owner: object
    first: int
    sound: Pcm16
    sources: tuple[int, ...]
    face: S
    due: float
    deliver: Callable[[int, Pixels], None]
    """Takes ``first`` and the mouths (count, side, side, 3), BGR. Called on the worker's thread."""

    @property
    def count(self) -> int:
        return len(self.sources)

    def heard(self) -> Floats:
        """The sound as the network hears it: ``HEARING_RATE``, −1…1, without the margins."""
        scaled = self.sound.astype(np.float32) / 32768
        return np.asarray(soxr.resample(scaled, SPEECH_RATE, HEARING_RATE)[MARGIN:-MARGIN], np.float32)


class MouthEngine(Protocol[S]):
    """A network that draws mouths. ``prepare`` from any thread, ``draw`` on one thread."""

    @property
    def side(self) -> int:
        """Pixels of a mouth picture's side."""
        ...

    @property
    def after(self) -> float:
        """Seconds of sound behind a mouth's own time that it depends on."""
        ...

    @property
    def before(self) -> float:
        """The same, ahead of its time."""
        ...

    @property
    def longest(self) -> int:
        """Most mouths of one passage."""
        ...

    def span(self, first: int, count: int) -> tuple[int, int]:
        """The sound that mouths ``first`` … need: first sample at ``HEARING_RATE``, and how many.

        Both even; the first may be negative.
        """
        ...

    def rect(self, place: Place) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the part of the picture that the network is shown."""
        ...

    def mask(self) -> Floats:
        """(side, side), 0–1: which part of a drawn mouth goes into the picture."""
        ...

    def prepare(self, crops: Pixels) -> S:
        """What is needed of an avatar's pictures. ``crops``: (pictures, side, side, 3), BGR. Blocks."""
        ...

    def draw(self, passages: Sequence[Passage[S]]) -> Pixels:
        """The mouths of all passages, one after the other: (sum of counts, side, side, 3), BGR. Blocks."""
        ...

    def close(self) -> None:
        """Free the network. Idempotent."""
        ...
