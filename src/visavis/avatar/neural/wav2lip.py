"""Wav2Lip over onnxruntime: a crop of the face, 0.2 s of mel, and out comes the crop with a mouth that says it.

Inputs and outputs are those of github.com/Rudrabha/Wav2Lip (``inference.py``): ``mel`` (B, 1, 80, 16), ``face``
(B, 6, S, S), the masked crop before the whole one, BGR, 0–1; output (B, 3, S, S), BGR, 0–1. S is 96, or 256 in forks.
"""

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from visavis.avatar.neural.composition import jaw_mask, middle
from visavis.avatar.neural.mel import BANDS, COLUMN, WINDOW, wav2lip_mel
from visavis.avatar.neural.ports import HEARING_RATE, MARGIN, MOUTH_RATE, Floats, NeuralError, Passage, Pixels, Place

_COLUMNS: Final = 16
"""Columns of mel for a mouth: 0.2 s from its time on."""
_LONGEST: Final = 5
"""Mouths of a passage: neighbours share most of their mel."""
_EVEN: Final = 1
"""A sample before the one that the pre-emphasis needs, so that a span begins at an even one."""
_SIDES: Final = (96, 512)
"""Smallest and largest side that is taken."""
_PROVIDERS: Final = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """An avatar's face in each of its pictures: (pictures, side, side, 3), BGR."""

    pixels: Pixels


class Wav2Lip:
    """See ``MouthEngine``. ``model``: the ONNX file; ``device``: ``cpu`` or ``cuda``; ``threads``: on a CPU.

    The inputs are told apart by their shapes, their names do not matter; the batch may be free or fixed. Blocks while
    it loads. Raises ``NeuralError`` for a file that is missing, is no such network, or a device that is not there.
    """

    def __init__(self, model: Path, *, device: str = "cpu", threads: int = 0) -> None:
        if device not in _PROVIDERS:
            raise NeuralError(f"Wav2Lip runs on {' or '.join(_PROVIDERS)}, not on {device!r}")
        # It has no types of its own.
        runtime: Any = importlib.import_module("onnxruntime")
        provider = _PROVIDERS[device]
        if provider not in runtime.get_available_providers():
            raise NeuralError(f"this onnxruntime has no {provider}: install onnxruntime-gpu in its place")
        if not model.is_file():
            raise NeuralError(f"{model}: there is no such file; docs/neural.md says where Wav2Lip comes from")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        # Idle threads that spin would take the renderers' processor.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            session: Any = runtime.InferenceSession(str(model), options, providers=[provider])
        except Exception as error:
            raise NeuralError(f"{model}: onnxruntime cannot load it: {error}") from error
        if provider not in session.get_providers():
            raise NeuralError(f"onnxruntime cannot use {provider} here: its libraries are not found")
        shapes: dict[str, list[Any]] = {put.name: list(put.shape) for put in session.get_inputs()}
        self._mel = _named(model, shapes, lambda shape: shape[1:] == [1, BANDS, _COLUMNS], "mel (B, 1, 80, 16)")
        self._face = _named(model, shapes, lambda shape: len(shape) == 4 and shape[1] == 6, "face (B, 6, S, S)")
        if len(shapes) != 2:
            raise NeuralError(f"{model}: Wav2Lip has two inputs, this has {len(shapes)}: {_told(shapes)}")
        side = shapes[self._face][2]
        if not isinstance(side, int) or shapes[self._face][3] != side or not _SIDES[0] <= side <= _SIDES[1]:
            raise NeuralError(f"{model}: the face must be a square of a fixed side, not {_told(shapes)}")
        for put in session.get_inputs():
            if put.type != "tensor(float)":
                raise NeuralError(f"{model}: input {put.name} is {put.type}; it must be tensor(float)")
        batch = shapes[self._face][0]
        self._batch = batch if isinstance(batch, int) else None
        self.side = side
        self._session: Any = session
        self._try(model)

    longest = _LONGEST
    before = (COLUMN + WINDOW // 2 + MARGIN) / HEARING_RATE
    after = (COLUMN * (_COLUMNS - 1) + WINDOW // 2 + MARGIN) / HEARING_RATE

    def span(self, first: int, count: int) -> tuple[int, int]:
        """See ``MouthEngine``."""
        last = _column(first + count - 1) + _COLUMNS - 1
        start = _column(first) * COLUMN - WINDOW // 2 - 1 - _EVEN
        return start, last * COLUMN + WINDOW // 2 - start

    def rect(self, place: Place) -> tuple[float, float, float, float]:
        """A detector's box: from the middle of the forehead to below the chin, from ear to ear."""
        unit = middle(place)
        return place.x - unit, place.eyes - 0.85 * unit, place.x + unit, place.lips + 0.95 * unit

    def mask(self) -> Floats:
        """See ``MouthEngine``."""
        return jaw_mask(self.side, top=0.5, reach=0.4, soft=0.035)

    def prepare(self, crops: Pixels) -> Crops:
        """See ``MouthEngine``."""
        if crops.shape[1:] != (self.side, self.side, 3) or crops.dtype != np.uint8:
            raise ValueError(f"crops must be uint8 (pictures, {self.side}, {self.side}, 3), not {crops.shape}")
        return Crops(crops)

    def draw(self, passages: Sequence[Passage[Crops]]) -> Pixels:
        """See ``MouthEngine``."""
        mel = np.concatenate([self._mels(passage) for passage in passages])
        pixels = np.concatenate([passage.face.pixels[list(passage.sources)] for passage in passages])
        face = np.empty((len(pixels), 6, self.side, self.side), np.float32)
        face[:, 3:] = pixels.transpose(0, 3, 1, 2) / np.float32(255)
        face[:, :3] = face[:, 3:]
        face[:, :3, self.side // 2 :] = 0
        out = self._run(mel, face)
        pixels = np.clip(out * 255, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))

    def close(self) -> None:
        """See ``MouthEngine``."""
        self._session = None

    def _mels(self, passage: Passage[Crops]) -> Floats:
        """(count, 1, 80, 16)."""
        mel = wav2lip_mel(passage.heard()[_EVEN:])
        origin = _column(passage.first)
        starts = [_column(passage.first + offset) - origin for offset in range(passage.count)]
        return np.stack([mel[None, :, start : start + _COLUMNS] for start in starts])

    def _run(self, mel: Floats, face: Floats) -> Floats:
        if self._batch is None:
            return self._forward(mel, face)
        parts: list[Floats] = []
        for start in range(0, len(mel), self._batch):
            part = slice(start, start + self._batch)
            short = self._batch - len(mel[part])
            fill = ((0, short), (0, 0), (0, 0), (0, 0))
            parts.append(self._forward(np.pad(mel[part], fill), np.pad(face[part], fill))[: self._batch - short])
        return np.concatenate(parts)

    def _forward(self, mel: Floats, face: Floats) -> Floats:
        if self._session is None:
            raise RuntimeError("the network is closed")
        return np.asarray(self._session.run(None, {self._mel: mel, self._face: face})[0], np.float32)

    def _try(self, model: Path) -> None:
        """Run it once on nothing: what is wrong with a network shows here and not in a call."""
        count = self._batch or 1
        mel = np.zeros((count, 1, BANDS, _COLUMNS), np.float32)
        try:
            out = self._forward(mel, np.zeros((count, 6, self.side, self.side), np.float32))
        except Exception as error:
            raise NeuralError(f"{model}: it fails on a first try: {error}") from error
        if out.shape != (count, 3, self.side, self.side):
            raise NeuralError(f"{model}: it gives {out.shape}, not {(count, 3, self.side, self.side)}")


def _column(number: int) -> int:
    """The first column of mel of a mouth."""
    return number * (HEARING_RATE // COLUMN) // MOUTH_RATE


def _named(model: Path, shapes: dict[str, list[Any]], fits: Callable[[list[Any]], bool], wanted: str) -> str:
    names = [name for name, shape in shapes.items() if fits(shape)]
    if len(names) != 1:
        raise NeuralError(f"{model}: no input is Wav2Lip's {wanted}; its inputs are {_told(shapes)}")
    return names[0]


def _told(shapes: dict[str, list[Any]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
