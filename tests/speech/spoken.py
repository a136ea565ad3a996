"""Speech to listen to: sentences by the embedded synthesizers, at the recognizers' rate."""

import asyncio
import re
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

import numpy as np
import soxr

from tests.speech.utterances import speak
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.flite import FliteSynthesizer, flite_installed
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE, Pcm16, Synthesizer, Voice

T = TypeVar("T")


class Speaker:
    """Speaks any sentence in any voice (``espeak:en-us+f3``, ``flite:slt``); remembers what it has said."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="speaker")
        self._thread.start()
        self._said: dict[tuple[str, str], Pcm16] = {}
        self._engines: dict[str, Synthesizer] = {"espeak": EspeakSynthesizer()}
        if flite_installed():
            self._engines["flite"] = FliteSynthesizer()
        for engine in self._engines.values():
            self._run(engine.start())

    @property
    def voices(self) -> list[str]:
        """A few unlike ones."""
        return ["espeak:en-us", "espeak:en-us+f3", *(["flite:slt", "flite:rms"] if "flite" in self._engines else [])]

    @property
    def best(self) -> str:
        """The most human one."""
        return self.voices[-1]

    def say(self, text: str, voice: str = "espeak:en-us") -> Pcm16:
        """The bare sentence at 16 kHz."""
        if (text, voice) not in self._said:
            engine = self._engines[voice.partition(":")[0]]
            pcm = self._run(speak(engine, text, Voice(name=voice))).pcm
            self._said[text, voice] = soxr.resample(pcm, SPEECH_RATE, LISTEN_RATE)
        return self._said[text, voice]

    def close(self) -> None:
        for engine in self._engines.values():
            self._run(engine.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)


def recorded(
    sentence: Pcm16, *, before: float = 0.3, after: float = 0.5, noise: float = 10.0, gain: float = 1.0
) -> Pcm16:
    """As a microphone hears it: seconds of quiet around it, over white noise of the deviation ``noise``."""
    sound = np.concatenate(
        [np.zeros(round(before * LISTEN_RATE)), sentence * gain, np.zeros(round(after * LISTEN_RATE))]
    )
    sound += np.random.default_rng(1).normal(0, noise, len(sound))
    return np.clip(np.rint(sound), -32768, 32767).astype(np.int16)


def word_errors(said: str, understood: str) -> int:
    """Words inserted, missing and exchanged; case and punctuation do not count."""
    expected, heard = (re.findall(r"[a-z'-]+", text.lower()) for text in (said, understood))
    costs = list(range(len(heard) + 1))
    for row, word in enumerate(expected, 1):
        diagonal, costs[0] = costs[0], row
        for column, other in enumerate(heard, 1):
            diagonal, costs[column] = (
                costs[column],
                min(costs[column] + 1, costs[column - 1] + 1, diagonal + (word != other)),
            )
    return costs[-1]
