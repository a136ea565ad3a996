"""What the tests of synthesizers share: an utterance in one piece, and ways to look at it."""

import contextlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from visavis.speech.phoneme import clip_visemes
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk, Synthesizer, Voice, WordMark
from visavis.viseme import TimedViseme, Viseme


@dataclass(frozen=True)
class Utterance:
    """All chunks of a text on one timeline."""

    text: str
    chunks: list[SpeechChunk]
    pcm: Pcm16
    visemes: tuple[TimedViseme, ...]
    words: tuple[WordMark, ...]

    @property
    def duration(self) -> float:
        return len(self.pcm) / SPEECH_RATE

    def level(self, start: float = 0.0, end: float | None = None) -> float:
        """RMS in dB below full scale."""
        part = self.pcm[round(start * SPEECH_RATE) : None if end is None else round(end * SPEECH_RATE)]
        return 10 * np.log10((part.astype(np.float64) ** 2).mean() / 32768**2 + 1e-12)

    def marked(self) -> list[str]:
        """The words that have a mark, as far as the next white space."""
        return [self.text[mark.offset :].split(maxsplit=1)[0] for mark in self.words]


async def speak(synthesizer: Synthesizer, text: str, voice: Voice | None = None) -> Utterance:
    async with contextlib.aclosing(synthesizer.synthesize(text, voice or Voice())) as chunks:
        return joined(text, [chunk async for chunk in chunks])


def joined(text: str, chunks: list[SpeechChunk]) -> Utterance:
    visemes: list[TimedViseme] = []
    words: list[WordMark] = []
    at = 0.0
    for chunk in chunks:
        assert chunk.pcm.dtype == np.int16
        visemes += [viseme.shifted(at) for viseme in chunk.visemes or ()]
        words += [WordMark(mark.offset, mark.at + at, mark.stress and mark.stress + at) for mark in chunk.words]
        at += len(chunk.pcm) / SPEECH_RATE
    pcm = np.concatenate([chunk.pcm for chunk in chunks]) if chunks else np.zeros(0, np.int16)
    return Utterance(text, chunks, pcm, tuple(visemes), tuple(words))


def assert_sound(utterance: Utterance) -> None:
    """It is speech: not silent, not clipped, and its mouth and word marks fit it, chunk by chunk."""
    assert utterance.duration > 0.3
    assert utterance.level() > -35
    assert np.abs(utterance.pcm.astype(int)).max() < 32768 * 10 ** (-1 / 20)
    for chunk in utterance.chunks:
        length = len(chunk.pcm) / SPEECH_RATE
        assert chunk.visemes
        assert abs(chunk.visemes[0].start) < 1e-3
        assert abs(chunk.visemes[-1].end - length) < 1e-3
        for one, next_one in pairwise(chunk.visemes):
            assert abs(one.end - next_one.start) < 1e-3
        assert all(viseme.end > viseme.start for viseme in chunk.visemes)
        assert all(0 <= mark.at <= length for mark in chunk.words)
    assert any(viseme.viseme is not Viseme.SIL for viseme in utterance.visemes)
    offsets = [mark.offset for mark in utterance.words]
    assert offsets == sorted(set(offsets))
    times = [mark.at for mark in utterance.words]
    assert times == sorted(times)


def same_sound(one: Utterance, other: Utterance) -> bool:
    """Whether one voice says one text in both. Engines put noise into their sound and are not exact to the sample."""
    if abs(one.duration - other.duration) > 0.03:
        return False
    # Loudness every 10 ms, which a few samples more or less do not change.
    frames = min(len(one.pcm), len(other.pcm)) // 240
    first, second = (
        np.sqrt((u.pcm[: frames * 240].astype(float).reshape(frames, 240) ** 2).mean(axis=1)) for u in (one, other)
    )
    return float(np.corrcoef(first, second)[0, 1]) > 0.9


def labels(visemes: tuple[TimedViseme, ...], duration: float) -> NDArray[np.str_]:
    """The shape every 10 ms."""
    out = np.full(int(duration * 100), "?", "U3")
    for viseme in clip_visemes(visemes, 0.0, duration):
        out[round(viseme.start * 100) : round(viseme.end * 100)] = viseme.viseme
    return out


def agreement(one: tuple[TimedViseme, ...], other: tuple[TimedViseme, ...], duration: float) -> float:
    """The share of 10 ms frames in which two mouths have the same shape."""
    return float((labels(one, duration) == labels(other, duration)).mean())


def onsets(visemes: tuple[TimedViseme, ...], shape: Viseme) -> list[float]:
    return [v.start for before, v in pairwise((TimedViseme(Viseme.SIL, 0, 0), *visemes)) if v.viseme is shape]
