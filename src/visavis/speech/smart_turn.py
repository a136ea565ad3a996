"""smart-turn v3.2: a small network that hears in the last 8 s whether the speaker has finished.

The file (8.7 MB, BSD-2) comes by ``visavis models pull``. Its input is what Whisper's feature extractor makes of 8 s:
80 log-mel bands × 800 frames; its output, although called logits, is a probability. Ask it once per pause, after about
0.2 s of silence: longer silence blurs its judgement.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from visavis.speech.network import Network
from visavis.speech.ports import LISTEN_RATE, Pcm16, SpeechError

SAMPLES: Final = 8 * LISTEN_RATE
"""What the network hears."""

BANDS: Final = 80
FRAMES: Final = 800

_WINDOW: Final = 400
_HOP: Final = 160
_BLOCK: Final = 16
"""Frames multiplied at a time: small enough that BLAS does not wake its threads, which would then spin."""

Features = NDArray[np.float32]
T = TypeVar("T")


class SmartTurn:
    """The network, for all conversations of the process. Runs on a thread of its own.

    ``waiting``: how many questions may be under way or in line; further ones are refused, as their answer would come
    after the pause that they are about.
    """

    def __init__(self, path: Path, *, waiting: int = 4) -> None:
        self._path = path
        self._waiting = waiting
        self._under_way = 0
        self._network: Network | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="smart-turn")

    async def start(self) -> None:
        """Load the file. Raises ``SpeechError``."""
        await self._run(self._load)

    async def close(self) -> None:
        """End the thread. Idempotent."""
        await asyncio.to_thread(self._thread.shutdown)

    async def finished(self, audio: Pcm16) -> float:
        """The probability (0–1) that the speaker of ``audio`` (16 kHz; its last 8 s count) is done.

        Raises ``SpeechError``.
        """
        if self._under_way >= self._waiting:
            raise SpeechError("too many questions to smart-turn at once")
        self._under_way += 1
        try:
            return await self._run(lambda: self._judge(audio))
        finally:
            self._under_way -= 1

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except RuntimeError as error:
            raise SpeechError("smart-turn was closed") from error

    def _load(self) -> None:
        network = Network(self._path)
        if [shape[1:] for shape in network.inputs.values()] != [(BANDS, FRAMES)]:
            raise SpeechError(f"{self._path} is not the smart-turn v3 network: its input has another shape")
        self._network = network

    def _judge(self, audio: Pcm16) -> float:
        if self._network is None:
            raise SpeechError("smart-turn was not started")
        (name,) = self._network.inputs
        (probability,) = self._network.run({name: log_mel(audio)[np.newaxis]})
        return float(probability.ravel()[0])


def log_mel(audio: Pcm16) -> Features:
    """Whisper's features, ``BANDS`` × ``FRAMES``, of the last 8 s of ``audio`` (16 kHz; silence stands before less).

    The method of the Whisper paper (Radford et al. 2022, section 2.2) in its usual form: the signal scaled to mean 0
    and variance 1; power spectra by Hann windows of 25 ms every 10 ms, mirrored at the ends; Slaney's mel bands;
    the logarithm to base 10, at most 8 below the maximum; then (x + 4) / 4.
    """
    sound = np.zeros(SAMPLES, dtype=np.float32)
    last = audio[-SAMPLES:]
    sound[SAMPLES - len(last) :] = last.astype(np.float32) / 32768
    sound = (sound - sound.mean()) / np.sqrt(sound.var() + np.float32(1e-7))
    framed = sliding_window_view(np.pad(sound, _WINDOW // 2, mode="reflect"), _WINDOW)[::_HOP][:FRAMES]
    power = np.square(np.abs(np.fft.rfft(framed * _HANN, axis=1))).astype(np.float32)
    bands = np.concatenate([power[at : at + _BLOCK] @ _MEL for at in range(0, FRAMES, _BLOCK)])
    logarithm = np.log10(np.maximum(bands, 1e-10)).T
    return ((np.maximum(logarithm, logarithm.max() - 8) + 4) / 4).astype(np.float32)


def mel_filters() -> Features:
    """Triangular filters of equal area on Slaney's mel scale, 0–8 kHz: (bins of the spectrum) × ``BANDS``.

    The scale is linear (3 mel per 200 Hz) up to 1 kHz and logarithmic (27 mel per factor of 6.4) above.
    """
    top = 15 + 27 * np.log(LISTEN_RATE / 2 / 1000) / np.log(6.4)
    mels: NDArray[np.float64] = np.arange(BANDS + 2) * (top / (BANDS + 1))
    linear, logarithmic = mels[mels < 15], mels[mels >= 15]
    corners = np.concatenate([linear * 200 / 3, 1000 * np.exp((logarithmic - 15) * np.log(6.4) / 27)])
    low, centre, high = corners[:-2], corners[1:-1], corners[2:]
    bins = np.linspace(0, LISTEN_RATE / 2, _WINDOW // 2 + 1)[:, np.newaxis]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)


_HANN: Final = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)).astype(np.float32)
_MEL: Final = mel_filters()
