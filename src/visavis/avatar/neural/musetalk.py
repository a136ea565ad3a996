"""MuseTalk 1.5: the lower half of a face, painted in the latent space of a picture coder as the sound says.

Inputs and outputs are those of github.com/TMElyralab/MuseTalk (``scripts/realtime_inference.py``, version v15): the
latents of the crop whose lower half is black and of the whole one, (B, 8, 32, 32); for each mouth ten steps of all
hidden states of Whisper's encoder, two pictures' worth to either side, (B, 50, 384), with sine positions.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.neural.composition import jaw_mask, middle
from visavis.avatar.neural.mel import whisper_mel
from visavis.avatar.neural.ports import HEARING_RATE, MARGIN, MOUTH_RATE, Floats, NeuralError, Passage, Pixels, Place

SIDE: Final = 256
LATENT: Final = SIDE // 8
STEP: Final = HEARING_RATE // 50
"""Samples between two of the encoder's steps."""
LAYERS: Final = 5
"""Hidden states of Whisper tiny's encoder: what goes in, and after each of its four blocks."""

_LONGEST: Final = 8
_STEPS: Final = 10
"""Steps of the encoder that a mouth is drawn from; four of them before its own time."""
_EARLIER: Final = 4
_CONTEXT: Final = 100
"""Steps (2 s) that the encoder hears before those: it was trained on speech, not on scraps of it."""
_REACH: Final = 560
"""Samples behind a step's time that go into it: two columns of mel, and half of what a column looks at."""
_ENCODED_AT_ONCE: Final = 8


class MuseTalkNetworks(Protocol):
    """The three networks, on whatever they run."""

    width: int
    """Of Whisper's hidden states; 384."""

    def encode(self, pictures: Floats) -> Floats:
        """Latents (N, 4, 32, 32), scaled, of pictures (N, 3, 256, 256), RGB, −1…1."""
        ...

    def listen(self, mel: Floats, steps: int) -> Floats:
        """The first ``steps`` of the hidden states, (B, steps, LAYERS, width), of mel (B, 80, 3000)."""
        ...

    def draw(self, latents: Floats, sound: Floats) -> Floats:
        """Pictures (B, 3, 256, 256), RGB, −1…1, of latents (B, 8, 32, 32) and sound (B, 50, width)."""
        ...

    def close(self) -> None:
        """Free them. Idempotent."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Latents:
    """An avatar's face in each of its pictures: float16 (pictures, 8, 32, 32)."""

    values: NDArray[np.float16]


class MuseTalk:
    """See ``MouthEngine``. ``cache``: a folder where avatars' latents are kept from one start to the next.

    ``weights``: a name for the networks' files; latents of others are not taken.
    """

    side = SIDE
    longest = _LONGEST
    before = ((_EARLIER + _CONTEXT) * STEP + MARGIN) / HEARING_RATE
    after = ((_STEPS - _EARLIER - 1) * STEP + _REACH + MARGIN) / HEARING_RATE

    def __init__(self, networks: MuseTalkNetworks, *, cache: Path | None = None, weights: str = "") -> None:
        self._networks = networks
        self._cache = cache
        self._weights = weights
        self._positions = sine_positions(_STEPS * LAYERS, networks.width)

    def span(self, first: int, count: int) -> tuple[int, int]:
        """See ``MouthEngine``."""
        start = _first_step(first) - _CONTEXT
        end = _first_step(first + count - 1) + _STEPS - 1
        return start * STEP, (end - start) * STEP + _REACH

    def rect(self, place: Place) -> tuple[float, float, float, float]:
        """As high above the nose's bridge as the chin lies below it; a little room under the chin (v15)."""
        unit = middle(place)
        nose, chin = place.eyes + 0.42 * unit, place.lips + 0.72 * unit
        return place.x - 0.95 * unit, 2 * nose - chin, place.x + 0.95 * unit, chin + 0.1 * unit

    def mask(self) -> Floats:
        """The jaw from half of the height down, in place of the face parser's outline."""
        return jaw_mask(SIDE, top=0.5, reach=0.42, soft=0.04)

    def prepare(self, crops: Pixels) -> Latents:
        """See ``MouthEngine``. Raises ``NeuralError`` when the networks give what is not latents."""
        if crops.shape[1:] != (SIDE, SIDE, 3) or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 (pictures, {SIDE}, {SIDE}, 3), not {crops.shape}")
        kept = None if self._cache is None else self._cache / f"{self._digest(crops)}.npy"
        if kept is not None and (values := _read(kept, len(crops))) is not None:
            return Latents(values)
        parts = [self._latents(crops[at : at + _ENCODED_AT_ONCE]) for at in range(0, len(crops), _ENCODED_AT_ONCE)]
        values = np.concatenate(parts).astype(np.float16)
        if kept is not None:
            _write(kept, values)
        return Latents(values)

    def draw(self, passages: Sequence[Passage[Latents]]) -> Pixels:
        """See ``MouthEngine``."""
        steps = max(self.span(passage.first, passage.count)[1] for passage in passages) // STEP + 1
        mel = np.stack([whisper_mel(passage.heard()) for passage in passages])
        states = self._networks.listen(mel, steps)
        sound = np.concatenate([self._sounds(passage, heard) for passage, heard in zip(passages, states, strict=True)])
        latents = np.concatenate([passage.face.values[list(passage.sources)] for passage in passages])
        out = self._networks.draw(latents.astype(np.float32), sound)
        if out.shape != (len(latents), 3, SIDE, SIDE):
            raise NeuralError(f"MuseTalk gives {out.shape}, not {(len(latents), 3, SIDE, SIDE)}")
        pixels = np.clip((out + 1) * 127.5 + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)[..., ::-1])

    def close(self) -> None:
        """See ``MouthEngine``."""
        self._networks.close()

    def _latents(self, crops: Pixels) -> Floats:
        """(pictures, 8, 32, 32): first of the upper half alone, then of the whole."""
        whole = crops[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
        upper = whole.copy()
        upper[:, :, SIDE // 2 :] = -1
        values = np.concatenate([self._networks.encode(upper), self._networks.encode(whole)], 1)
        if values.shape != (len(crops), 8, LATENT, LATENT):
            raise NeuralError(f"MuseTalk's picture coder gives {values.shape}, not {(len(crops), 8, LATENT, LATENT)}")
        return values

    def _sounds(self, passage: Passage[Latents], states: Floats) -> Floats:
        """(count, 50, width)."""
        start = _first_step(passage.first) - _CONTEXT
        starts = [_first_step(passage.first + offset) - start for offset in range(passage.count)]
        clips = np.stack([states[at : at + _STEPS].reshape(_STEPS * LAYERS, -1) for at in starts])
        return clips + self._positions

    def _digest(self, crops: Pixels) -> str:
        return hashlib.sha256(self._weights.encode() + b"\0" + crops.tobytes()).hexdigest()[:32]


def sine_positions(length: int, width: int) -> Floats:
    """(length, width): sines and cosines in turn, of wavelengths from 2π to 10000 · 2π (Vaswani et al., 2017, §3.5)."""
    angles = np.arange(length)[:, None] * np.exp(np.arange(0, width, 2) * (-np.log(10000.0) / width))
    out = np.empty((length, width), np.float32)
    out[:, 0::2], out[:, 1::2] = np.sin(angles), np.cos(angles)[:, : width // 2]
    return out


def _first_step(number: int) -> int:
    return number * (HEARING_RATE // STEP) // MOUTH_RATE - _EARLIER


def _read(path: Path, count: int) -> NDArray[np.float16] | None:
    """Latents that were kept; None where there are none or they are of another shape."""
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        # Not there, or cut off while it was written: it is made again.
        return None
    fits = values.shape == (count, 8, LATENT, LATENT) and values.dtype == np.float16
    return np.asarray(values, np.float16) if fits else None


def _write(path: Path, values: NDArray[np.float16]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    with unfinished.open("wb") as file:
        np.save(file, values)
    unfinished.replace(path)
