"""How well the face speaks: lips against sound, over sentences that the embedded engines say.

    python benchmarks/animation.py [--sentences 24] [--avatar vera]

Each sentence is spoken by five voices at three paces and animated twice: by the engine's own timing, and by the shapes
that the streaming net hears in the sound. Lips are measured by the package's fields: how far the lower lip is from the
upper one, along their line, in pixels of a picture of 768.

Columns: sentences; the share of P, B and M at which a frame shows closed lips (at most 0.5 pixels apart) between 60 ms
before the sound and its end, on the frame clocks of 25 and 30 a second; the correlation of the opening with the energy
of the vowels (250–3000 Hz, amplitude, while the engine says that a vowel sounds; both smoothed over 100 ms), and with
all energy of that band; by how much the lips lead (the lag of the best correlation with the vowels), median and the
10th and 90th percentile; the fastest change of a weight from one frame to the next at 25 a second; microseconds of
computing per frame.
"""

import argparse
import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

import visavis.avatar
from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.visemes import SHAPES
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.package import AvatarPackage, load_package
from visavis.avatar.puppet.rig import rig_of
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.ports import SPEECH_RATE, Pcm16, Voice
from visavis.viseme import TimedViseme, Viseme
from visemes import SENTENCES, VOICES, by_net

PACES = (0.85, 1.0, 1.15)
FINE = 200
"""Frames a second at which movement is looked at."""
BEFORE = 1.0
"""Seconds of silence before the voice."""
CLOSED = 0.5
EARLY = 0.06
BAND = (250, 3000)
SMOOTH = 20
Floats = NDArray[np.float64]


class Lips:
    """How far a package's lips part under given weights."""

    def __init__(self, package: AvatarPackage) -> None:
        rig = rig_of(package)
        self._weights = rig.weights
        # Across at all points, then down.
        self._parting = np.split(rig.mouth.parting, 2, axis=1)[1]

    def gap(self, frames: Sequence[FaceFrame]) -> Floats:
        """(frames,): pixels of a picture of 768."""
        weights = np.stack([self._weights(frame) for frame in frames])
        return np.maximum((weights @ self._parting).max(1), 0)


@dataclass
class Score:
    """One way to find visemes, on one voice."""

    sentences: int = 0
    closed: int = 0
    closures: int = 0
    vowels: list[float] = field(default_factory=list[float])
    sound: list[float] = field(default_factory=list[float])
    leads: list[float] = field(default_factory=list[float])
    fastest: float = 0.0
    seconds: float = 0.0
    frames: int = 0

    def add(self, other: "Score") -> None:
        for name in ("sentences", "closed", "closures", "seconds", "frames"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("vowels", "sound", "leads"):
            getattr(self, name).extend(getattr(other, name))
        self.fastest = max(self.fastest, other.fastest)

    def row(self) -> list[str]:
        low, lead, high = np.percentile(self.leads, (10, 50, 90))
        return [
            str(self.sentences),
            f"{100 * self.closed / self.closures:.1f} % of {self.closures}",
            f"{np.mean(self.vowels):.2f}",
            f"{np.mean(self.sound):.2f}",
            f"{lead:.0f} ({low:.0f} … {high:.0f})",
            f"{self.fastest:.2f}",
            f"{1e6 * self.seconds / self.frames:.0f}",
        ]


def smoothed(values: Floats) -> Floats:
    window = np.hanning(SMOOTH + 2)
    return np.convolve(values, window / window.sum(), "same")


def energy(pcm: Pcm16, vowels: Sequence[TimedViseme] | None = None) -> Floats:
    """Amplitude at ``FINE`` a second; 0 outside of ``vowels``."""
    spectrum = np.fft.rfft(pcm / 32768)
    frequencies = np.fft.rfftfreq(len(pcm), 1 / SPEECH_RATE)
    spectrum[(frequencies < BAND[0]) | (frequencies > BAND[1])] = 0
    hop = SPEECH_RATE // FINE
    count = len(pcm) // hop
    power = (np.fft.irfft(spectrum, len(pcm))[: count * hop].reshape(count, hop) ** 2).mean(1)
    if vowels is not None:
        sounding = np.zeros(count)
        for viseme in vowels:
            sounding[round(viseme.start * FINE) : round(viseme.end * FINE)] = 1
        power *= sounding
    return np.sqrt(np.maximum(0, smoothed(power)))


def closures(truth: Sequence[TimedViseme]) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for viseme in truth:
        if viseme.viseme is not Viseme.PP:
            continue
        if found and viseme.start - found[-1][1] < 0.01:
            found[-1] = found[-1][0], viseme.end
        else:
            found.append((viseme.start, viseme.end))
    return found


def correlations(gap: Floats, sound: Floats) -> list[float]:
    """For leads of 0, 5 … 100 ms, and 50 ms the other way first."""
    count = len(gap)
    return [
        float(np.corrcoef(gap[20 : count - 20], np.roll(sound, -lag)[20 : count - 20])[0, 1]) for lag in range(-10, 21)
    ]


def play(animator: Animator, times: Floats) -> list[FaceFrame]:
    return [animator.frame(float(at)) for at in times]


def measure(
    lips: Lips, seed: int, pcm: Pcm16, truth: Sequence[TimedViseme], shapes: Sequence[TimedViseme], feeling: Feeling
) -> Score:
    def animator() -> Animator:
        new = Animator(seed)
        new.state(FaceState.SPEAKING, 0.0)
        new.feel(feeling, 0.0)
        new.frame(0.0)
        new.sound(pcm, BEFORE)
        new.speak([shape.shifted(BEFORE) for shape in shapes])
        return new

    score = Score(sentences=1)
    end = BEFORE + len(pcm) / SPEECH_RATE + 0.2
    for rate in (25, 30):
        # Where frames fall differs from sentence to sentence.
        times = np.arange(0.0, end, 1 / rate) + (seed * 7 % 13) / 13 / rate
        begun = time.process_time()
        frames = play(animator(), times)
        score.seconds += time.process_time() - begun
        score.frames += len(frames)
        gap = lips.gap(frames)
        for start, stop in closures(truth):
            shown = (times >= BEFORE + start - EARLY) & (times <= BEFORE + stop)
            score.closures += 1
            score.closed += bool((gap[shown] <= CLOSED).any())
        if rate == 25:
            steps = [np.abs(b.arkit - a.arkit).max() for a, b in pairwise(frames)]
            score.fastest = float(max(steps))
    lead_in = 0.2
    gap = smoothed(lips.gap(play(animator(), np.arange(BEFORE - lead_in, end, 1 / FINE))))
    vowels = [viseme for viseme in truth if SHAPES[viseme.viseme].vowel]
    for kept, loudness in ((score.vowels, energy(pcm, vowels)), (score.sound, energy(pcm))):
        aligned = np.zeros(len(gap))
        first = round(lead_in * FINE)
        aligned[first : first + len(loudness)] = loudness
        found = correlations(gap, aligned)
        # What leads by up to 60 ms is in time.
        kept.append(max(found[10:23]))
        if kept is score.vowels:
            score.leads.append(1000 / FINE * (int(np.argmax(found)) - 10))
    return score


async def main(sentences: int, avatar: str) -> None:
    embedded = Path(visavis.avatar.__file__).parent / "embedded"
    lips = Lips(load_package(embedded / avatar / "face"))
    voices = AutoSynthesizer()
    await voices.start()
    table = Table(
        "voice", "shapes by", "sentences", "lips closed on P B M", "r vowels", "r sound", "lead ms", "step", "µs"
    )
    totals: dict[str, Score] = {}
    spoken = []
    for name in VOICES if voices.has_flite else [v for v in VOICES if v.startswith("espeak")]:
        rows = {"engine": Score(), "streaming net": Score()}
        for number, text in enumerate(SENTENCES[:sentences]):
            voice = Voice(name, rate=PACES[number % len(PACES)])
            chunks = [chunk async for chunk in voices.synthesize(text, voice)]
            pcm = np.concatenate([chunk.pcm for chunk in chunks])
            starts = np.concatenate(([0], np.cumsum([len(chunk.pcm) for chunk in chunks]))) / SPEECH_RATE
            truth = [
                v.shifted(float(at)) for chunk, at in zip(chunks, starts, strict=False) for v in chunk.visemes or ()
            ]
            for way, shapes in (("engine", truth), ("streaming net", await by_net(pcm, text))):
                rows[way].add(measure(lips, number, pcm, truth, shapes, Feeling()))
            spoken.append((number, pcm, truth))
        for way, score in rows.items():
            table.add_row(name, way, *score.row())
            totals.setdefault(way, Score()).add(score)
        table.add_section()
    await voices.close()
    for way, score in totals.items():
        table.add_row("all", way, *score.row())
    table.add_section()
    for emotion in Emotion:
        score = Score()
        for number, pcm, truth in spoken[::5]:
            score.add(measure(lips, number, pcm, truth, truth, Feeling(emotion)))
        table.add_row("some", f"engine, {emotion}", *score.row())
    Console(width=150).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many of the sentences to speak")
    parser.add_argument("--avatar", default="vera", help="whose lips are measured: a folder of the embedded avatars")
    options = parser.parse_args()
    asyncio.run(main(options.sentences, options.avatar))
