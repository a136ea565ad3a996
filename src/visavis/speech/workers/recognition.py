"""The recognizing worker: English by pocketsphinx, with up to three language models side by side.

A process, because pocketsphinx holds the interpreter's lock. One decoder knows English at large; two more, made when
the visitors' likely phrases are known, know only those: one the phrases as wholes, one their words in likely orders.
All hear the whole utterance, and the differences of their scores tell what to believe. Operations:

* ``unknown`` with ``{"words": […]}`` → ``{"unknown": […]}``, those that are not in the English dictionary;
* ``utterance`` with ``{"phrases": ["lower case words", …], "pronunciations": {word: "P R AH"}}``, then inputs:
  ``sound`` (16 kHz, 16 bit, as payload), ``partial`` → ``{"text": …, "phrase": bool}`` so far, ``finish`` → the same
  for the whole, and the exchange ends.
"""

import math
import re
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
import pocketsphinx  # pyright: ignore[reportMissingTypeStubs]
from pocketsphinx.lm import ArpaBoLM  # pyright: ignore[reportMissingTypeStubs]

from visavis.speech.ports import LISTEN_RATE
from visavis.speech.workers.serving import Handler, Request, serve

WHOLE_MARGIN: Final = 10.0
"""How much better per frame (in logarithms to base 1.0001) the phrases' two decoders must fit, on average, than English
at large, to believe in a whole phrase. In four voices, at 50 and 25 dB above noise, phrases fit better by 15 and more,
other sentences by 8 at most; a phrase with one word exchanged often passes for the phrase."""

WORDS_MARGIN: Final = 7.0
"""How much better the phrases' words in other orders must fit. Phrases mostly fit better by 9–23, other sentences by
6.2 at most."""

MAX_LEARNT: Final = 8
"""Sets of phrases whose decoders are kept (about 16 MB each); the one used longest ago goes."""

_FLOOR: Final = 20.0
"""Deviation of the noise added to the sound (-64 dB). Microphones behind a noise gate give pure zeros, which the
model never heard. More helps loud voices still, and hurts quiet ones."""

_USUAL_MEAN: Final = np.array([50.8, -1.4, -0.1, 15.1, -8.5, 0.2, -2.4, -8.5, -2.5, -4.3, 2.9, -0.5, -0.4])
"""The cepstrum's mean over people and synthetic voices at usual levels, in a quiet room."""

_LISTENED: Final = 0.4
"""Seconds of an utterance that are heard before its decoding begins, to learn the channel's mean (voice, microphone,
noise): the quiet before the first word and a little of that. The mean is learnt on while the decoders work, from all
that they have heard. Hearing a whole second first understands no better, and has the decoders still at it when a short
question is over."""

_BATCH: Final = 0.1
"""Seconds of sound that are decoded at a time: a fifth less computing than in pieces of 20 ms, as three decoders share
the processor's cache."""

_MOST_PATHS: Final = 5000
"""States of the search for English at large after each frame, at most; the library's 30000 is hardly a bound. A third
less computing, and as many words right (free speech 0.35 wrong either way); with 3000, 0.39."""

_USUAL_WEIGHT: Final = 50
"""How many frames of an utterance the usual mean is worth."""

_LIBRARY_WEIGHT: Final = 500
"""The same in the library (CMN_WIN in its cmn.h)."""

_MOST_AT_ONCE: Final = 2.0
"""Seconds of sound between two looks at the mean, at most: after 3 s (CMN_WIN_HWM) the library begins to forget."""

_WINDOW: Final = 410
_SHIFT: Final = 160
"""Samples of a frame, and between two."""

_SCORE_BASE: Final = math.log(1.0001)


class _Hypothesis(Protocol):
    hypstr: str
    score: float


class _Decoder(Protocol):
    """What is used of ``pocketsphinx.Decoder``."""

    def lookup_word(self, word: str) -> str | None: ...
    def set_cmn(self, text: str) -> None: ...
    def get_cmn(self, update: bool) -> str: ...
    def start_utt(self) -> None: ...
    def process_raw(self, data: bytes, no_search: bool, full_utt: bool) -> object: ...
    def end_utt(self) -> None: ...
    def hyp(self) -> _Hypothesis | None: ...
    def n_frames(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Ears:
    """The decoders for utterances that are likely to be one of some phrases."""

    english: _Decoder
    whole: _Decoder | None = None
    words: _Decoder | None = None


class Utterance:
    """One utterance on its way through the decoders. ``close`` it before the next."""

    def __init__(self, ears: Ears) -> None:
        self._ears = ears
        self._decoders = [decoder for decoder in (ears.english, ears.whole, ears.words) if decoder is not None]
        self._noise = np.random.default_rng(0)
        self._channel = _Channel()
        self._held = b""
        self._begun: list[_Decoder] = []
        self._decoding = False

    def push(self, sound: bytes) -> None:
        """Hear more, 16 bit at 16 kHz."""
        samples = np.frombuffer(sound, np.int16)
        audible = np.clip(np.rint(samples + self._noise.normal(0, _FLOOR, len(samples))), -32768, 32767)
        self._held += audible.astype(np.int16).tobytes()
        if len(self._held) >= 2 * LISTEN_RATE * (_BATCH if self._begun else _LISTENED):
            self._decode()

    def finish(self) -> dict[str, Any]:
        """What was said."""
        self._decode()
        self.close()
        return self.outcome()

    def close(self) -> None:
        """Make the decoders ready for the next utterance. Idempotent."""
        while self._begun:
            self._begun.pop().end_utt()

    def outcome(self) -> dict[str, Any]:
        """What was said so far, and whether it is made of the phrases."""
        ears = self._ears
        if not self._decoding:  # the decoders still have the words of the utterance before
            return {"text": "", "phrase": False}
        if ears.whole is not None and ears.words is not None:
            english = _score(ears.english)
            whole, words = _score(ears.whole) - english, _score(ears.words) - english
            if (text := _text(ears.whole)) and (whole + words) / 2 > WHOLE_MARGIN:
                return {"text": text, "phrase": True}
            if (text := _text(ears.words)) and words > WORDS_MARGIN:
                return {"text": text, "phrase": True}
        return {"text": _text(ears.english), "phrase": False}

    def _decode(self) -> None:
        most = 2 * round(LISTEN_RATE * _MOST_AT_ONCE)
        while self._held:
            sound, self._held = self._held[:most], self._held[most:]
            first = not self._decoding
            if first:
                self._decoding = True
                self._channel.listen(self._ears.english, sound)
            self._channel.tell(self._decoders)
            if first:
                for decoder in self._decoders:
                    decoder.start_utt()
                    self._begun.append(decoder)
            for decoder in self._decoders:
                decoder.process_raw(sound, False, False)
            if not first:
                self._channel.learn(self._ears.english, sound)


class _Channel:
    """The cepstrum's mean over what was heard of an utterance, drawn to the usual one while that is little."""

    def __init__(self) -> None:
        self._sum = _USUAL_MEAN * _USUAL_WEIGHT
        self._weight = _USUAL_WEIGHT
        self._samples = 0
        self._told = _USUAL_MEAN

    def tell(self, decoders: Sequence[_Decoder]) -> None:
        """Have the decoders take the mean off what they hear next."""
        self._told = np.round(self._sum / self._weight, 3)
        text = ",".join(f"{value:.3f}" for value in self._told)
        for decoder in decoders:
            decoder.set_cmn(text)

    def listen(self, decoder: _Decoder, sound: bytes) -> None:
        """Learn from an utterance's first sound, by a decoder that is between two utterances."""
        self.tell((decoder,))
        decoder.start_utt()
        decoder.process_raw(sound, True, False)
        self.learn(decoder, sound)
        decoder.end_utt()

    def learn(self, decoder: _Decoder, sound: bytes) -> None:
        """Learn from ``sound``, all that the decoder has heard since it was told the mean."""
        before = _frames(self._samples)
        self._samples += len(sound) // 2
        frames = _frames(self._samples) - before
        # The library has mixed what it heard with what it was told; take the latter out.
        mixed = np.array([float(value) for value in decoder.get_cmn(True).split(",")])
        self._sum = self._sum + mixed * (_LIBRARY_WEIGHT + frames) - self._told * _LIBRARY_WEIGHT
        self._weight += frames


def _frames(samples: int) -> int:
    return 1 + (samples - _WINDOW) // _SHIFT if samples >= _WINDOW else 0


class Listener:
    """The decoders of one worker."""

    def __init__(self) -> None:
        self._english = _decoder(maxhmmpf=_MOST_PATHS)
        self._learnt: OrderedDict[tuple[str, ...], Ears] = OrderedDict()

    def unknown(self, words: Sequence[str]) -> list[str]:
        """Those of ``words`` that have no pronunciation."""
        return [word for word in words if self._english.lookup_word(word) is None]

    def ears(self, phrases: Sequence[str], pronunciations: Mapping[str, str]) -> Ears:
        """Decoders for an utterance that is likely to be one of ``phrases`` (lower-case words)."""
        key = tuple(phrases)
        if key not in self._learnt:
            self._learnt[key] = self._learn(key, pronunciations)
            if len(self._learnt) > MAX_LEARNT:
                self._learnt.popitem(last=False)
        self._learnt.move_to_end(key)
        return self._learnt[key]

    def _learn(self, phrases: Sequence[str], pronunciations: Mapping[str, str]) -> Ears:
        spoken = {word: list(self._entries(word, pronunciations)) for phrase in phrases for word in phrase.split()}
        known = [phrase for phrase in phrases if all(spoken[word] for word in phrase.split())]
        if not known:
            return Ears(self._english)
        # The dictionary has the phrases' words only: with all of English, the decoder takes seconds to begin.
        dictionary = "".join(f"{entry} {phones}\n" for entries in spoken.values() for entry, phones in entries)
        with tempfile.TemporaryDirectory(prefix="visavis-phrases-") as folder:
            lexicon, grammar, words = (Path(folder, name) for name in ("phrases.dict", "phrases.jsgf", "phrases.arpa"))
            lexicon.write_text(dictionary, encoding="utf-8")
            rule = " | ".join(known)
            grammar.write_text(f"#JSGF V1.0 UTF-8;\ngrammar phrases;\npublic <phrase> = {rule} ;\n", encoding="utf-8")
            # Of the builder's ways to give unseen orders some probability, little of it separates best.
            model: Any = ArpaBoLM(text="\n".join(known), add_start=True, discount_mass=0.1)
            model.compute()
            with words.open("w", encoding="utf-8") as file:
                model.write(file)
            return Ears(
                self._english,
                # The search for a better path at the end would also take phrases that were not said to their end. Wider
                # beams than the library's: what sounds odd at first may be the right phrase, and there are few words.
                _decoder(jsgf=str(grammar), dict=str(lexicon), bestpath=False, beam=1e-64, pbeam=1e-64, wbeam=1e-40),
                _decoder(lm=str(words), dict=str(lexicon)),
            )

    def _entries(self, word: str, pronunciations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """All pronunciations: ``word``, ``word(2)``, … of the English dictionary, or the given one."""
        entry, count = word, 1
        while phones := self._english.lookup_word(entry):
            yield entry, phones
            count += 1
            entry = f"{word}({count})"
        if count == 1 and word in pronunciations:
            yield word, pronunciations[word]


def _decoder(**settings: str | bool | float) -> _Decoder:
    make = cast(Callable[..., _Decoder], pocketsphinx.Decoder)  # pyright: ignore[reportUnknownMemberType]
    # The second pass over the words costs a quarter of the time and a tenth of a second at the end, and gains nothing.
    return make(loglevel="FATAL", fwdflat=False, **settings)


def _text(decoder: _Decoder) -> str:
    hypothesis = decoder.hyp()
    # Alternative pronunciations are numbered.
    return re.sub(r"\(\d+\)", "", hypothesis.hypstr) if hypothesis else ""


def _score(decoder: _Decoder) -> float:
    """The logarithm (base 1.0001) of the best path's score per frame."""
    hypothesis, frames = decoder.hyp(), decoder.n_frames()
    if hypothesis is None or hypothesis.score <= 0 or frames == 0:
        return -math.inf
    return math.log(hypothesis.score) / _SCORE_BASE / frames


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """The worker's operations. No options."""
    listener = Listener()

    def unknown(request: Request) -> None:
        request.reply({"unknown": listener.unknown(request.data["words"])})

    def utterance(request: Request) -> None:
        heard = Utterance(listener.ears(request.data["phrases"], request.data["pronunciations"]))
        try:
            for message in request.inputs():
                if message.operation == "sound":
                    heard.push(message.payload)
                elif message.operation == "partial":
                    request.reply(heard.outcome())
                else:
                    request.reply(heard.finish())
                    return
        finally:
            # Also when it was cancelled: a decoder begins nothing before it has ended.
            heard.close()

    return {"unknown": unknown, "utterance": utterance}


if __name__ == "__main__":
    serve(load)
