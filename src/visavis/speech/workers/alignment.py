"""The aligning worker: where in a recording each phone of a known text lies.

A process, because pocketsphinx holds the interpreter's lock. Sound comes at ``SPEECH_RATE``. Operations:

* ``missing`` with ``{"words": […]}`` → ``{"missing": […]}``, those that are not in the English dictionary;
* ``align`` with ``{"words": […], "pronunciations": {word: ["P R AH", …]}}`` and the sound as payload →
  ``{"phones": [[name, start, end], …], "words": [start, …]}`` in seconds, one start per word; error when the words are
  not found in the sound;
* ``warp`` with ``{"split": bytes, "times": […]}`` and two recordings of one text as payload, the first ``split`` bytes
  long → ``{"times": […], "distance": how unlike they are}``, where the moments of the first lie in the second.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import numpy as np
import pocketsphinx  # pyright: ignore[reportMissingTypeStubs]
import soxr  # pyright: ignore[reportMissingTypeStubs]

from visavis.speech.acoustics import Floats
from visavis.speech.phoneme import arpabet_shapes
from visavis.speech.ports import LISTEN_RATE, SPEECH_RATE
from visavis.speech.workers.serving import Handler, Request, serve
from visavis.speech.workers.timewarp import warp
from visavis.viseme import Viseme

_FRAME: Final = 0.01
_PADDINGS: Final = (0.1, 0.13, 0.07)
"""Seconds of near-silence around the sound. The second pass fails on some recordings; shifted by a part of a frame, it
mostly succeeds."""

_DITHER: Final = 1e-3
_MAX_ADDED: Final = 5_000
"""Words added to the dictionary before a fresh decoder is taken; it cannot forget them."""

_WEIGHTS: Final = {
    Viseme.AA: 1.5, Viseme.E: 1.4, Viseme.OH: 1.6, Viseme.OU: 1.3, Viseme.IH: 1.1, Viseme.PP: 0.8, Viseme.FF: 1.0,
    Viseme.TH: 0.7, Viseme.DD: 0.6, Viseme.KK: 0.8, Viseme.CH: 1.1, Viseme.SS: 1.1, Viseme.NN: 0.7, Viseme.RR: 0.8,
}  # fmt: skip
"""Typical durations relative to each other, for phones of which only the word's time is known."""

Phone = tuple[str, float, float]


class _Segment(Protocol):
    """A word of the first pass; frames count from 0, the last one inclusive."""

    word: str
    start_frame: int
    end_frame: int


class _Entry(Protocol):
    """A word (which iterates over its phones) or a phone of the second pass, in frames."""

    name: str
    start: int
    duration: int

    def __iter__(self) -> "Iterator[_Entry]": ...


class _Decoder(Protocol):
    """What is used of ``pocketsphinx.Decoder``."""

    def lookup_word(self, word: str) -> str | None: ...
    def add_word(self, word: str, phones: str, update: bool) -> object: ...
    def set_align_text(self, text: str) -> None: ...
    def set_alignment(self) -> None: ...
    def start_utt(self) -> None: ...
    def process_raw(self, data: bytes, no_search: bool, full_utt: bool) -> object: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> object | None: ...
    def seg(self) -> Iterable[_Segment]: ...
    def get_alignment(self) -> Iterable[_Entry]: ...


class ForcedAligner:
    """pocketsphinx with its American English model."""

    def __init__(self) -> None:
        self._decoder = self._fresh()
        self._added = 0

    def missing(self, words: Sequence[str]) -> list[str]:
        """Those of ``words`` that have no pronunciation yet."""
        return [word for word in words if self._decoder.lookup_word(word) is None]

    def learn(self, pronunciations: Mapping[str, Sequence[str]]) -> None:
        """Add words, each with one or more pronunciations. Raises ``RuntimeError`` for phones unknown to the model."""
        if self._added > _MAX_ADDED:
            self._decoder, self._added = self._fresh(), 0
        for word, ways in pronunciations.items():
            if self._decoder.lookup_word(word) is None:
                for number, phones in enumerate(ways, start=1):
                    self._decoder.add_word(word if number == 1 else f"{word}({number})", phones, True)
                self._added += len(ways)

    def align(self, sound: Floats, words: Sequence[str]) -> tuple[list[Phone], list[float]]:
        """The phones, and when each word begins, in ``sound`` (``LISTEN_RATE``).

        Raises ``RuntimeError`` when the words are not in it.
        """
        for padding in _PADDINGS:
            try:
                self._pass_words(sound, words, padding)
            except RuntimeError:
                continue
            starts = [start for _, start, _ in self._word_times(padding)]
            try:
                return self._pass_phones(sound, padding), starts
            except RuntimeError:
                continue
        self._pass_words(sound, words, _PADDINGS[0])
        times = self._word_times(_PADDINGS[0])
        return [phone for word in times for phone in self._spread(*word)], [start for _, start, _ in times]

    def _fresh(self) -> _Decoder:
        make = cast(Callable[..., _Decoder], pocketsphinx.Decoder)  # pyright: ignore[reportUnknownMemberType]
        return make(loglevel="FATAL", lm=None)

    def _pass_words(self, sound: Floats, words: Sequence[str], padding: float) -> None:
        self._decoder.set_align_text(" ".join(words))
        self._decode(sound, padding)
        if self._decoder.hyp() is None or len(self._word_times(padding)) != len(words):
            raise RuntimeError("the words are not in the sound")

    def _pass_phones(self, sound: Floats, padding: float) -> list[Phone]:
        self._decoder.set_alignment()
        self._decode(sound, padding)
        return [
            (phone.name, phone.start * _FRAME - padding, (phone.start + phone.duration) * _FRAME - padding)
            for word in self._decoder.get_alignment()
            for phone in word
        ]

    def _decode(self, sound: Floats, padding: float) -> None:
        silence = np.zeros(round(padding * LISTEN_RATE), np.float32)
        padded = np.concatenate((silence, sound, silence))
        # Digital silence has no logarithm; the same noise each time keeps results repeatable.
        padded += np.random.default_rng(0).standard_normal(len(padded), np.float32) * _DITHER
        pcm = (np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes()
        self._decoder.start_utt()
        self._decoder.process_raw(pcm, False, True)
        self._decoder.end_utt()

    def _word_times(self, padding: float) -> list[tuple[str, float, float]]:
        return [
            (segment.word, segment.start_frame * _FRAME - padding, (segment.end_frame + 1) * _FRAME - padding)
            for segment in self._decoder.seg()
            if segment.word[0] not in "<["
        ]

    def _spread(self, word: str, start: float, end: float) -> list[Phone]:
        """A word's phones over its time, each by its usual share."""
        # "word(2)" is the dictionary's second pronunciation.
        found = self._decoder.lookup_word(word) or self._decoder.lookup_word(re.sub(r"\(\d+\)$", "", word)) or "AH"
        names = found.split()
        weights = [sum(_WEIGHTS[shape] for shape in arpabet_shapes(name)) or 0.5 for name in names]
        cuts = start + np.concatenate(([0.0], np.cumsum(weights))) / sum(weights) * (end - start)
        return [(name, float(cuts[i]), float(cuts[i + 1])) for i, name in enumerate(names)]


def _sound(payload: bytes) -> Floats:
    pcm = np.frombuffer(payload, "<i2").astype(np.float32) / 32768
    return np.asarray(soxr.resample(pcm, SPEECH_RATE, LISTEN_RATE, "HQ"), np.float32)


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """For ``serve``; takes no options."""
    aligner = ForcedAligner()

    def missing(request: Request) -> None:
        request.reply({"missing": aligner.missing(request.data["words"])})

    def align(request: Request) -> None:
        aligner.learn(request.data["pronunciations"])
        phones, words = aligner.align(_sound(request.payload), request.data["words"])
        request.reply({"phones": phones, "words": words})

    def warp_times(request: Request) -> None:
        split = int(request.data["split"])
        matched = warp(_sound(request.payload[:split]), _sound(request.payload[split:]))
        times: Sequence[float] = request.data["times"]
        request.reply({"times": [matched(time) for time in times], "distance": matched.distance})

    return {"missing": missing, "align": align, "warp": warp_times}


if __name__ == "__main__":
    serve(load)
