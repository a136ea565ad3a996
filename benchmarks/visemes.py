"""How well the mouth fits the sound: every way to find visemes, measured against what the engines say of themselves.

    python benchmarks/visemes.py [--sentences 24]

Columns: the share of 10 ms frames with the same of fifteen shapes; the error of a shape's beginning, median and 90th
percentile, over the shapes found in both; precision and recall of closed lips as one figure (F1); the same of an open
jaw as a correlation; computing in milliseconds per second of sound (this process and its workers).

The net never heard ``flite:rms``. ``espeak:…`` rows flatter the rendering, which comes from the same engine.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from visavis.speech.alignment import SpeechAligner
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.phoneme import clip_visemes
from visavis.speech.ports import SPEECH_RATE, Pcm16, Voice
from visavis.viseme import TimedViseme, Viseme

Mouth = tuple[TimedViseme, ...]
Method = Callable[[Pcm16, str], Awaitable[Mouth]]

VOICES = ("flite:slt", "flite:rms", "flite:awb", "espeak:en-us+f3", "espeak:en-gb-scotland+m3")
SENTENCES = (
    "Good morning, and welcome to the house of music.",
    "Please bring me a big bowl of soup and a spoon.",
    "We have fourteen rooms with a view of the mountains.",
    "Bob moved his piano to the basement last summer.",
    "She sells fresh fish and vegetables near the harbour.",
    "Would you like to know more about our prices?",
    "The weather in Berlin is rather mild for March.",
    "I am afraid that I do not know the answer.",
    "Turn left at the church, then walk for five minutes.",
    "Both brothers thought that the path was smooth.",
    "My phone battery is almost empty, could you help me?",
    "This jacket matches those blue shoes perfectly.",
    "How many people work for your company?",
    "Young children usually enjoy yellow balloons.",
    "The judge changed her mind about the charge.",
    "Put the cup back on the top shelf, please.",
    "They were waiting for the train to Vienna.",
    "Our kitchen closes at a quarter past nine.",
    "What a wonderful view over the river!",
    "He wrote a very long letter to his father.",
    "Do you prefer coffee or a pot of green tea?",
    "Nothing is as simple as it first appears.",
    "Maybe we should meet again next week.",
    "Thank you for your visit, and goodbye.",
)
JAW = dict.fromkeys(Viseme, 0.2) | {
    Viseme.SIL: 0.0, Viseme.PP: 0.0, Viseme.FF: 0.1, Viseme.SS: 0.12, Viseme.AA: 0.9, Viseme.E: 0.6, Viseme.IH: 0.4,
    Viseme.OH: 0.65, Viseme.OU: 0.35,
}  # fmt: skip


def frames(mouth: Mouth, count: int) -> list[Viseme]:
    shapes = [Viseme.SIL] * count
    for piece in clip_visemes(mouth, 0.0, count / 100):
        first, last = round(piece.start * 100), round(piece.end * 100)
        shapes[first:last] = [piece.viseme] * (min(last, count) - first)
    return shapes


def onset_errors(found: Mouth, truth: Mouth) -> list[float]:
    """Milliseconds between the beginnings of shapes that an edit-distance match of the two sequences pairs."""
    a, b = (clip_visemes(mouth, 0.0, 1e9) for mouth in (found, truth))
    cost = np.zeros((len(a) + 1, len(b) + 1))
    cost[:, 0], cost[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            change = 0.0 if one.viseme is other.viseme else 1.5
            cost[i + 1, j + 1] = min(cost[i, j] + change, cost[i, j + 1] + 1, cost[i + 1, j] + 1)
    errors: list[float] = []
    i, j = len(a), len(b)
    while i and j:
        same = a[i - 1].viseme is b[j - 1].viseme
        if cost[i, j] == cost[i - 1, j - 1] + (0.0 if same else 1.5):
            i, j = i - 1, j - 1
            if same and a[i].viseme is not Viseme.SIL:
                errors.append(abs(a[i].start - b[j].start) * 1000)
        elif cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return errors


def smooth(values: list[float]) -> NDArray[np.float64]:
    window = np.hanning(9)
    return np.convolve(values, window / window.sum(), "same")


class Score:
    """One method on one voice."""

    def __init__(self) -> None:
        self.agreements: list[float] = []
        self.errors: list[float] = []
        self.jaws: list[float] = []
        self.closed = np.zeros(3)
        self.sound = self.computing = 0.0
        self.failed = 0

    def add(self, found: Mouth, truth: Mouth, seconds: float) -> None:
        p, t = (frames(mouth, int(seconds * 100)) for mouth in (found, truth))
        self.agreements.append(float(np.mean([x is y for x, y in zip(p, t, strict=True)])))
        self.errors += onset_errors(found, truth)
        self.jaws.append(float(np.corrcoef(smooth([JAW[x] for x in p]), smooth([JAW[x] for x in t]))[0, 1]))
        both = sum(x is y is Viseme.PP for x, y in zip(p, t, strict=True))
        self.closed += (both, p.count(Viseme.PP), t.count(Viseme.PP))

    def row(self) -> list[str]:
        both, found, true = self.closed
        return [
            f"{np.mean(self.agreements):.2f}",
            f"{np.median(self.errors):.0f} / {np.percentile(self.errors, 90):.0f}",
            f"{2 * both / max(1, found + true):.2f}",
            f"{np.mean(self.jaws):.2f}",
            f"{1000 * self.computing / self.sound:.0f}",
            str(self.failed or ""),
        ]


def computing() -> float:
    """Seconds of processor time of this process and its children."""
    total = time.process_time()
    for child in psutil.Process(os.getpid()).children(recursive=True):
        used = child.cpu_times()
        total += used.user + used.system
    return total


async def by_net(pcm: Pcm16, text: str) -> Mouth:
    estimator = NetVisemeEstimator()
    shapes = [shape for start in range(0, len(pcm), 480) for shape in estimator.push(pcm[start : start + 480])]
    return (*shapes, *estimator.flush())


async def by_loudness(pcm: Pcm16, text: str) -> Mouth:
    """The floor to compare with: open when loud."""
    count = len(pcm) // 240
    loud = np.sqrt((pcm[: count * 240].astype(float).reshape(count, 240) ** 2).mean(axis=1))
    shapes = [Viseme.AA if level > 0.3 * loud.max() else Viseme.SIL for level in loud]
    return tuple(TimedViseme(shape, i / 100, (i + 1) / 100) for i, shape in enumerate(shapes))


async def main(sentences: int) -> None:
    voices = AutoSynthesizer()
    await voices.start()
    aligner = SpeechAligner(voices.espeak)
    await aligner.start()

    async def by_phones(pcm: Pcm16, text: str) -> Mouth:
        return (await aligner.align_to_phones(pcm, text)).visemes

    async def by_rendering(pcm: Pcm16, text: str) -> Mouth:
        return (await aligner.align_to_rendering(pcm, text, "en-us")).visemes

    methods: dict[str, Method] = {
        "forced alignment (English, text known)": by_phones,
        "warped rendering (text known)": by_rendering,
        "streaming net (sound alone)": by_net,
        "loudness (for comparison)": by_loudness,
    }
    table = Table("voice", "method", "agreement", "onset ms p50 / p90", "closed lips F1", "jaw r", "ms per s", "failed")
    for name in VOICES if voices.has_flite else [v for v in VOICES if v.startswith("espeak")]:
        scores = {method: Score() for method in methods}
        for text in SENTENCES[:sentences]:
            chunks = [chunk async for chunk in voices.synthesize(text, Voice(name))]
            pcm = np.concatenate([chunk.pcm for chunk in chunks])
            starts = np.concatenate(([0], np.cumsum([len(chunk.pcm) for chunk in chunks]))) / SPEECH_RATE
            truth = tuple(v.shifted(at) for chunk, at in zip(chunks, starts, strict=False) for v in chunk.visemes or ())
            for method, find in methods.items():
                score, before = scores[method], computing()
                try:
                    found = await find(pcm, text)
                except Exception as error:
                    print(f"{name}: {method}: {error}")
                    score.failed += 1
                    continue
                score.computing += computing() - before
                score.sound += len(pcm) / SPEECH_RATE
                score.add(found, truth, len(pcm) / SPEECH_RATE)
        for method, score in scores.items():
            table.add_row(name, method, *score.row())
        table.add_section()
    await aligner.close()
    await voices.close()
    Console(width=150).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="how many of the sentences to speak")
    asyncio.run(main(parser.parse_args().sentences))
