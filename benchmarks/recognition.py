"""How well, how fast and at what cost speech is understood by the embedded parts.

    python benchmarks/recognition.py [--voices espeak:en-us flite:rms] [--noise 30] [--sentences 12]

Every sentence is spoken in real time, 20 ms by 20 ms, over white noise this many dB below it. Columns: word error rates
of the avatar's phrases (which the recognizer is told) and of free speech; free sentences taken for phrases; the time
from the end of the sound to the words; computing per second of sound, in the recognizing worker and of the voice
activity detector. The voices are synthetic: people are understood about as well as flite's phrases, and their free
speech worse than flite's.
"""

import argparse
import asyncio
import re
import time
from dataclasses import dataclass, field

import numpy as np
import psutil
import soxr
from rich.console import Console
from rich.table import Table

from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.flite import FliteSynthesizer, flite_installed
from visavis.speech.models import ModelStore
from visavis.speech.pocketsphinx import PocketsphinxRecognizer
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE, VAD_FRAME, Pcm16, RecognitionContext, Synthesizer, Voice
from visavis.speech.silero import SileroVad
from visavis.speech.smart_turn import SmartTurn

PHRASES = (
    "What can you help me with?",
    "Where is the meeting room?",
    "How do I reset my password?",
    "Tell me about the opening hours.",
    "What time do you close on Sunday?",
    "I would like to book a table for two people.",
    "How much does the ticket cost?",
    "Can I bring my dog into the hotel?",
    "Is breakfast included in the price?",
    "Who painted the picture in the hall?",
    "Do you have wireless internet?",
    "Thank you very much, goodbye.",
)
FREE = (
    "My brother works in a small factory near the station.",
    "He never told me why he left the company.",
    "There is a new library on the other side of the town.",
    "The doctor said that I should drink more water.",
    "We are planning a trip to the mountains next summer.",
    "It was raining all day so we stayed at home.",
    "She bought three apples and a loaf of bread.",
    "I have been learning to cook since last year.",
)
PIECE = LISTEN_RATE // 50


@dataclass
class Score:
    """What came out for one voice."""

    errors: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    words: dict[bool, int] = field(default_factory=lambda: {True: 0, False: 0})
    forced: int = 0
    misheard: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    seconds: float = 0.0
    worker: float = 0.0
    detector: float = 0.0


def word_errors(said: str, understood: str) -> tuple[int, int]:
    """Words inserted, missing and exchanged, and words said."""
    expected, heard = (re.findall(r"[a-z'-]+", text.lower()) for text in (said, understood))
    costs = np.arange(len(heard) + 1)
    for row, word in enumerate(expected, 1):
        above, costs = costs, np.concatenate([[row], np.zeros(len(heard), dtype=int)])
        for column, other in enumerate(heard, 1):
            costs[column] = min(above[column] + 1, costs[column - 1] + 1, above[column - 1] + (word != other))
    return int(costs[-1]), len(expected)


async def spoken(engine: Synthesizer, text: str, voice: str, noise: float) -> Pcm16:
    """``text`` at 16 kHz with 0.3 s before and 0.5 s after it, in noise ``noise`` dB below it."""
    pcm = np.concatenate([chunk.pcm async for chunk in engine.synthesize(text, Voice(name=voice))])
    sound = soxr.resample(pcm.astype(np.float64), SPEECH_RATE, LISTEN_RATE)
    level = sound.std() * 10 ** (-noise / 20)
    sound = np.concatenate([np.zeros(LISTEN_RATE * 3 // 10), sound, np.zeros(LISTEN_RATE // 2)])
    sound += np.random.default_rng(0).normal(0, level, len(sound))
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def computing(pids: tuple[int, ...]) -> float:
    """Seconds of processor time that the processes have used."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(each.user + each.system for each in times)


async def measure(recognizer: PocketsphinxRecognizer, sound: Pcm16, said: str, phrase: bool, score: Score) -> None:
    """Speak one sentence to the recognizer."""
    before = computing(recognizer.pids)
    stream = recognizer.open(RecognitionContext("en", PHRASES))
    start = time.perf_counter()
    for at in range(0, len(sound), PIECE):
        await asyncio.sleep(start + (at + PIECE) / LISTEN_RATE - time.perf_counter())
        stream.push(sound[at : at + PIECE])
    ended = time.perf_counter()
    text = (await stream.finish()).text
    score.waits.append(time.perf_counter() - ended)
    score.worker += computing(recognizer.pids) - before
    score.seconds += len(sound) / LISTEN_RATE
    errors, words = word_errors(said, text)
    score.errors[phrase] += errors
    if errors and phrase:
        score.misheard.append(f"{said} → {text}")
    score.words[phrase] += words
    score.forced += not phrase and text in PHRASES
    detector = SileroVad()
    begun = time.thread_time()
    for at in range(0, len(sound) - VAD_FRAME, VAD_FRAME):
        detector.probability(sound[at : at + VAD_FRAME])
    score.detector += time.thread_time() - begun


async def turn_detection(console: Console, sound: Pcm16) -> None:
    """How long smart-turn takes for an answer."""
    path = ModelStore().find("smart-turn")
    if path is None:
        console.print("smart-turn is not here: visavis models pull smart-turn")
        return
    turn = SmartTurn(path)
    await turn.start()
    waits: list[float] = []
    begun = time.process_time()
    for _ in range(20):
        asked = time.perf_counter()
        await turn.finished(sound)
        waits.append(time.perf_counter() - asked)
    cost = (time.process_time() - begun) / len(waits)
    await turn.close()
    console.print(
        f"smart-turn: {np.median(waits) * 1e3:.0f} ms for an answer (median), {cost * 1e3:.0f} ms of computing"
    )


async def run(voices: list[str], noises: list[float], count: int) -> None:
    console = Console()
    engines: dict[str, Synthesizer] = {"espeak": EspeakSynthesizer()}
    if flite_installed():
        engines["flite"] = FliteSynthesizer()
    recognizer = PocketsphinxRecognizer(workers=1)
    for part in (*engines.values(), recognizer):
        await part.start()
    table = Table(
        "voice", "noise dB", "WER phrases", "WER free", "forced", "wait ms (median, 95 %)", "worker s/s", "VAD ms/s"
    )
    sound = np.zeros(LISTEN_RATE, np.int16)
    misheard: list[str] = []
    try:
        for voice in voices:
            engine = engines.get(voice.partition(":")[0])
            if engine is None:
                console.print(f"{voice} is not installed")
                continue
            for noise in noises:
                score = Score()
                sentences = [(text, True) for text in PHRASES[:count]] + [(text, False) for text in FREE[:count]]
                for text, phrase in sentences:
                    sound = await spoken(engine, text, voice, noise)
                    await measure(recognizer, sound, text, phrase, score)
                misheard += [f"{voice}, {noise:g} dB: {line}" for line in score.misheard]
                table.add_row(
                    voice,
                    f"{noise:g}",
                    *(f"{score.errors[kind] / max(1, score.words[kind]):.2f}" for kind in (True, False)),
                    str(score.forced),
                    f"{np.median(score.waits) * 1e3:.0f}, {np.percentile(score.waits, 95) * 1e3:.0f}",
                    f"{score.worker / score.seconds:.2f}",
                    f"{score.detector / score.seconds * 1e3:.1f}",
                )
        console.print(table)
        console.print("\n".join(misheard))
        await turn_detection(console, sound)
    finally:
        for part in (*engines.values(), recognizer):
            await part.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=["espeak:en-us", "espeak:en-us+f3", "flite:slt", "flite:rms"])
    parser.add_argument("--noise", nargs="+", type=float, default=[50.0, 25.0], help="dB that the noise lies below")
    parser.add_argument("--sentences", type=int, default=len(PHRASES), help="of each kind, at most")
    chosen = parser.parse_args()
    asyncio.run(run(chosen.voices, chosen.noise, chosen.sentences))
