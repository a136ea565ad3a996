"""Mouth shapes from sound alone, as it streams: a small neural net on log-mel frames.

The net (60 000 weights, data/viseme_net.npz: ``weight1`` … ``bias3`` as 16-bit floats) is this project's own. It was
trained on 81 minutes of espeak-ng, flite and Festival speech whose phoneme times are known, altered in pitch, formants,
tilt and noise. It sees 80 ms back and 40 ms ahead and gives a probability to each shape every 10 ms; a hidden Markov
model that prefers to stay, looked at 20 ms further on, makes steady shapes of them.
"""

from functools import cache
from importlib.resources import files
from typing import Final

import numpy as np
import soxr  # pyright: ignore[reportMissingTypeStubs]

from visavis.speech.acoustics import BANDS, HOP, Floats, LogMelStream
from visavis.speech.phoneme import clip_visemes
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE, Pcm16
from visavis.viseme import TimedViseme, Viseme

_SHAPES: Final = tuple(Viseme)
"""In the order of the net's outputs, which is that of the reference."""

_PAST: Final = 8
_AHEAD: Final = 4
_LAG: Final = 2
"""Frames (10 ms) of history, of look-ahead, and by which the shape is decided later."""

_STAY: Final = 0.88
"""Probability that the next frame has the same shape."""

_FRAME: Final = HOP / LISTEN_RATE

LOOK_AHEAD: Final = (_AHEAD + _LAG + 1) * _FRAME + 0.0125 + 0.006
"""Seconds of sound after an instant that are needed to tell its shape, with half a window and the resampler's share."""


@cache
def _layers() -> tuple[tuple[Floats, Floats], ...]:
    with files("visavis.speech").joinpath("data/viseme_net.npz").open("rb") as source:
        arrays = np.load(source, allow_pickle=False)
        return tuple(
            (arrays[f"weight{layer}"].astype(np.float32), arrays[f"bias{layer}"].astype(np.float32))
            for layer in (1, 2, 3)
        )


def _probabilities(inputs: Floats) -> Floats:
    """(n, 15) for (n, 13 * ``BANDS``)."""
    (w1, b1), (w2, b2), (w3, b3) = _layers()
    hidden = np.maximum(np.maximum(inputs @ w1 + b1, 0) @ w2 + b2, 0)
    scores = hidden @ w3 + b3
    likely = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(likely / likely.sum(axis=1, keepdims=True), np.float32)


class _Level:
    """Makes frames independent of loudness: subtracts the loudest band of late, which sinks by 0.4 per second."""

    def __init__(self) -> None:
        self._level = -6.0

    def __call__(self, frames: Floats) -> Floats:
        levels = np.empty((len(frames), 1), np.float32)
        for index, loudest in enumerate(frames.max(axis=1) if len(frames) else ()):
            self._level = max(float(loudest), self._level - 0.004)
            levels[index] = self._level
        return (frames - levels) / np.float32(4)


class _Smoother:
    """The hidden Markov model: probabilities in, shapes out, ``_LAG`` frames later."""

    def __init__(self) -> None:
        self._forward: list[Floats] = []
        self._seen: list[Floats] = []

    def push(self, probabilities: Floats) -> list[int]:
        decided: list[int] = []
        for seen in probabilities:
            state = seen if not self._forward else _step(self._forward[-1]) * seen
            self._forward.append(state / state.sum())
            self._seen.append(seen)
            if len(self._seen) > _LAG:
                decided.append(self._decide())
        return decided

    def flush(self) -> list[int]:
        decided: list[int] = []
        while self._seen:
            decided.append(self._decide())
        return decided

    def _decide(self) -> int:
        """The oldest frame's shape, in the light of the ones after it."""
        backward = np.ones(len(_SHAPES), np.float32)
        for seen in reversed(self._seen[1:]):
            backward = _step(backward * seen)
        shape = int((self._forward[0] * backward).argmax())
        del self._forward[0], self._seen[0]
        return shape


def _step(state: Floats) -> Floats:
    """One move of the model, which is symmetric and so the same forwards and backwards."""
    leave = (1 - _STAY) / (len(_SHAPES) - 1)
    return ((_STAY - leave) * state + leave * state.sum()).astype(np.float32)


class NetVisemeEstimator:
    """A ``VisemeEstimator`` by the net. About 5 ms of computing per second of sound; knows nothing of languages.

    Shapes come ``LOOK_AHEAD`` seconds late, without gaps; a shape that goes on is told again, piece by piece.
    """

    def __init__(self) -> None:
        self._begin()

    def push(self, pcm: Pcm16) -> tuple[TimedViseme, ...]:
        """Take sound at ``SPEECH_RATE``; the shapes that became certain, in seconds from the first sample."""
        self._samples += len(pcm)
        sound = self._resampler.resample_chunk(pcm.astype(np.float32) / 32768)
        return self._timed(self._smoother.push(self._look(self._level(self._mel.push(sound)))))

    def flush(self) -> tuple[TimedViseme, ...]:
        """The shapes still held back, up to the last sample; the estimator is then as new."""
        sound = self._resampler.resample_chunk(np.zeros(0, np.float32), last=True)
        frames = [self._level(part) for part in (self._mel.push(sound), self._mel.flush())]
        decided = self._smoother.push(self._look(np.concatenate(frames), last=True)) + self._smoother.flush()
        end = self._samples / SPEECH_RATE
        pieces = list(self._timed(decided))
        told = pieces[-1].end if pieces else self._decided * _FRAME
        if told < end:
            pieces.append(TimedViseme(pieces[-1].viseme if pieces else Viseme.SIL, told, end))
        self._begin()
        return clip_visemes(pieces, 0.0, end)

    def _begin(self) -> None:
        self._resampler = soxr.ResampleStream(SPEECH_RATE, LISTEN_RATE, 1, dtype="float32", quality="LQ")
        self._mel = LogMelStream()
        self._level = _Level()
        self._smoother = _Smoother()
        self._frames = np.zeros((0, BANDS), np.float32)
        self._samples = 0
        self._decided = 0

    def _look(self, frames: Floats, *, last: bool = False) -> Floats:
        """The net's probabilities for every frame of which enough on both sides is known."""
        if len(self._frames) == 0 and len(frames):
            self._frames = np.repeat(frames[:1], _PAST, axis=0)
        held = np.concatenate((self._frames, frames))
        if last and len(held):
            held = np.concatenate((held, np.repeat(held[-1:], _AHEAD, axis=0)))
        width = _PAST + _AHEAD + 1
        count = len(held) - width + 1
        if count <= 0:
            self._frames = held
            return np.zeros((0, len(_SHAPES)), np.float32)
        self._frames = held[count:]
        windows = np.lib.stride_tricks.sliding_window_view(held, width, axis=0)
        return _probabilities(windows.transpose(0, 2, 1).reshape(count, -1))

    def _timed(self, decided: list[int]) -> tuple[TimedViseme, ...]:
        first, self._decided = self._decided, self._decided + len(decided)
        pieces = (
            TimedViseme(_SHAPES[shape], index * _FRAME, (index + 1) * _FRAME)
            for index, shape in enumerate(decided, start=first)
        )
        return clip_visemes(pieces, 0.0, self._decided * _FRAME)
