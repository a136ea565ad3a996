"""The Piper worker: the only program that loads the package, which is under the GPL-3.

Operations: ``speak`` with ``{"text", "model": path of the .onnx file, "speaker": number or null, "rate"}`` → chunks
(workers/utterance.py), one utterance per sentence. A voice whose model tells no durations gives no visemes.
"""

import re
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any, Final, Protocol

from visavis.speech.phoneme import ipa_shapes
from visavis.speech.ports import Pcm16
from visavis.speech.workers.serving import Handler, Request, serve
from visavis.speech.workers.utterance import UtteranceWriter
from visavis.viseme import Viseme

MAX_LOADED: Final = 4
"""Voices kept in memory, about 120 MB each; of more, the one not heard for longest goes."""

_GAIN: Final = 0.7
"""Piper's sound is scaled to full amplitude; this brings it near the loudness of the other engines."""

_PAUSE: Final = 0.12
"""Seconds that the space between two words must last to be a pause; a shorter one is part of the next word."""

_WORD: Final = re.compile(r"\S*\w\S*")
_EDGE: Final = frozenset("_^$")
"""Padding, and the marks at a sentence's beginning and end."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What lies between two spaces: when it begins, and its first vowel with the primary stress."""

    start: float
    stress: float | None = None


class _Aligned(Protocol):
    phoneme: str
    num_samples: int


class _Sentence(Protocol):
    """What is used of ``piper.AudioChunk``."""

    sample_rate: int
    phoneme_alignments: Sequence[_Aligned] | None

    @property
    def audio_int16_array(self) -> Pcm16: ...


class _Config(Protocol):
    length_scale: float


class _PiperVoice(Protocol):
    """What is used of ``piper.PiperVoice``."""

    config: _Config

    def synthesize(self, text: str, syn_config: object, include_alignments: bool) -> Iterable[_Sentence]: ...


class Piper:
    """The loaded voices. Raises ``ImportError`` when the package is missing."""

    def __init__(self) -> None:
        package = import_module("piper")
        self._load: Callable[..., _PiperVoice] = package.PiperVoice.load
        self._settings: Callable[..., object] = package.SynthesisConfig
        self._voices: OrderedDict[str, _PiperVoice] = OrderedDict()

    def speak(self, text: str, model: str, speaker: int | None, rate: float) -> Iterable[_Sentence]:
        """The sentences of ``text``, each rendered when it is asked for."""
        voice = self.voice(model)
        settings = self._settings(speaker_id=speaker, length_scale=voice.config.length_scale / rate)
        return voice.synthesize(text, settings, include_alignments=True)

    def voice(self, model: str) -> _PiperVoice:
        """The voice of the file ``model``, loaded when it is not. Raises ``OSError`` and whatever onnxruntime does."""
        voice = self._voices.get(model)
        if voice is None:
            voice = self._voices[model] = self._load(model, include_alignments=True)
            while len(self._voices) > MAX_LOADED:
                self._voices.popitem(last=False)
        self._voices.move_to_end(model)
        return voice


def _say(piper: Piper, request: Request) -> None:
    text = str(request.data["text"])
    writer: UtteranceWriter | None = None
    groups: list[_Group] = []
    pieces: list[Pcm16] = []
    at = 0.0
    for sentence in piper.speak(text, request.data["model"], request.data["speaker"], float(request.data["rate"])):
        writer = writer or UtteranceWriter(request, sentence.sample_rate, _GAIN)
        pcm = sentence.audio_int16_array
        groups += _tell_phonemes(writer, sentence.phoneme_alignments or (), at, sentence.sample_rate)
        pieces.append(pcm)
        at += len(pcm) / sentence.sample_rate
    if writer is None:
        return
    _tell_words(writer, text, groups)
    for pcm in pieces:
        writer.sound(pcm)
    writer.finish()


def _tell_phonemes(writer: UtteranceWriter, aligned: Sequence[_Aligned], start: float, rate: int) -> list[_Group]:
    """The phonemes of a sentence that begins at ``start``; returns its groups between spaces.

    Piper takes IPA apart into single characters, each with a time of its own, marks and spaces among them.
    """
    groups: list[_Group] = []
    at, new_group, stressed = start, True, False
    for item in aligned:
        symbol, length = item.phoneme, item.num_samples / rate
        kind = unicodedata.category(symbol[0])
        if symbol in _EDGE or kind.startswith("P") or (kind == "Zs" and length > _PAUSE):
            writer.phoneme((Viseme.SIL,), at)
        elif kind == "Zs" or symbol in "ˈˌ":
            # Not a sound: the mouth is on its way to the next one.
            writer.phoneme((), at)
        elif kind not in ("Lm", "Mn", "Sk"):
            writer.phoneme(ipa_shapes(symbol), at)
        if kind == "Zs":
            new_group, stressed = True, False
        elif kind.startswith("L") and symbol not in _EDGE:
            if new_group:
                groups.append(_Group(at))
                new_group = False
            if symbol == "ˈ":
                stressed = True
            elif stressed:
                groups[-1] = replace(groups[-1], stress=at if groups[-1].stress is None else groups[-1].stress)
                stressed = False
        at += length
    return groups


def _tell_words(writer: UtteranceWriter, text: str, groups: Sequence[_Group]) -> None:
    """Words to groups of phonemes: one to one where they are as many; numbers and contractions shift them a little."""
    words = [match.start() for match in _WORD.finditer(text)]
    for index, offset in enumerate(words):
        if groups:
            group = groups[index * len(groups) // len(words)]
            writer.word(offset, group.start)
            if group.stress is not None:
                writer.stress(group.stress)


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """For ``serve``; ``{"preload": [model, …]}`` are loaded before it is ready."""
    piper = Piper()
    for model in options.get("preload", ()):
        piper.voice(model)
    return {"speak": lambda request: _say(piper, request)}


if __name__ == "__main__":
    serve(load)
