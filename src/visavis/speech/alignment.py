"""Mouth shapes and word marks for sound whose text is known, from wherever it came.

English is aligned to its phones by pocketsphinx (median error 10 ms); any other language that espeak-ng speaks is
rendered by it, and the rendering's known times are warped onto the sound (20–40 ms).
"""

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.phoneme import TimedPhoneme, arpabet_shapes, clip_visemes, timed_visemes
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechError, Voice, WordMark
from visavis.speech.worker import WorkerProcess
from visavis.viseme import TimedViseme, Viseme

MAX_SOUND: Final = 40.0
"""Seconds of sound that are aligned at most: the work grows with the square of it."""

_REFERENCES: Final = ("", "+f3")
"""espeak-ng's voices for renderings: the language's own, and the same as a woman's."""

_WORD: Final = re.compile(r"[^\s\-–—/…]+")
_YEAR: Final = re.compile(r"([12]\d)(\d\d)")
_PRICE: Final = re.compile(r"([$€£])(\d+)(?:\.(\d\d))?")
_CURRENCIES: Final = {"$": "dollar", "€": "euro", "£": "pound"}
_EDGES: Final = ".,;:!?\"'“”‘’()[]{}<>*_«»¿¡|~`^"


@dataclass(frozen=True, slots=True)
class Alignment:
    """The mouth over the whole of a sound, and when each word of its text begins, in seconds from its first sample."""

    visemes: tuple[TimedViseme, ...]
    words: tuple[WordMark, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    offset: int


class SpeechAligner:
    """Aligns in a worker process of its own.

    ``espeak`` says how words outside the dictionary are pronounced and renders other languages; it is started here if
    it was not, and closed by whoever made it.
    """

    def __init__(self, espeak: EspeakSynthesizer) -> None:
        self._espeak = espeak
        self._worker = WorkerProcess("visavis.speech.workers.alignment")

    async def start(self) -> None:
        """Load the acoustic model. Raises ``SpeechError``."""
        await self._espeak.start()
        await self._worker.start()

    async def close(self) -> None:
        """End the worker. Idempotent."""
        await self._worker.close()

    async def align(self, pcm: Pcm16, text: str, language: str) -> Alignment:
        """What ``pcm`` (``SPEECH_RATE``), which says ``text``, looks like.

        Raises ``SpeechError`` when it cannot tell.
        """
        if language.casefold().replace("_", "-").partition("-")[0] != "en":
            return await self.align_to_rendering(pcm, text, language)
        try:
            return await self.align_to_phones(pcm, text)
        except SpeechError as error:
            failure = error
        try:
            return await self.align_to_rendering(pcm, text, language)
        except SpeechError:
            raise failure from None

    async def align_to_phones(self, pcm: Pcm16, text: str) -> Alignment:
        """English by forced alignment. Raises ``SpeechError``."""
        words, duration = _words(text), _duration(pcm)
        if not words:
            raise SpeechError("there is nothing to align")
        spoken = [word.text for word in words]
        reply = await self._worker.call("missing", {"words": list(dict.fromkeys(spoken))})
        missing: list[str] = list(reply.data["missing"])
        readings = {word: [word, *_other_readings(word)] for word in missing}
        spelled = await self._espeak.phonemes([one for ways in readings.values() for one in ways], "en-us")
        pronunciations = {
            word: list(dict.fromkeys(spelled[one] for one in ways if one in spelled)) for word, ways in readings.items()
        }
        silent = {word for word, ways in pronunciations.items() if not ways}
        words = [word for word in words if word.text not in silent]
        data = {"words": [word.text for word in words], "pronunciations": pronunciations}
        reply = await self._worker.call("align", data, pcm.astype("<i2").tobytes())
        phones: list[tuple[str, float, float]] = reply.data["phones"]
        marks = zip(words, reply.data["words"], strict=True)
        return Alignment(
            _phone_visemes(phones, duration),
            tuple(WordMark(word.offset, min(max(at, 0.0), duration)) for word, at in marks),
        )

    async def align_to_rendering(self, pcm: Pcm16, text: str, language: str) -> Alignment:
        """Any language of espeak-ng by its rendering of ``text``, warped onto the sound. Raises ``SpeechError``.

        A man's and a woman's voice are tried: warping from the wrong one is twice as far off.
        """
        tries = [await self._warp(pcm, text, Voice(variant, language)) for variant in _REFERENCES]
        return min(tries, key=lambda tried: tried[0])[1]

    async def _warp(self, pcm: Pcm16, text: str, voice: Voice) -> tuple[float, Alignment]:
        """How unlike the rendering by ``voice`` is, and the alignment by it."""
        duration = _duration(pcm)
        shapes: list[TimedViseme] = []
        marks: list[WordMark] = []
        rendered: list[Pcm16] = []
        at = 0.0
        async for chunk in self._espeak.synthesize(text, voice):
            shapes += [viseme.shifted(at) for viseme in chunk.visemes or ()]
            marks += [WordMark(mark.offset, mark.at + at) for mark in chunk.words]
            rendered.append(chunk.pcm)
            at += len(chunk.pcm) / SPEECH_RATE
        if not 0 < at <= MAX_SOUND:
            raise SpeechError(f"a rendering of {at:.0f} s cannot be aligned")
        reference = np.concatenate(rendered).astype("<i2").tobytes()
        times = [shape.start for shape in shapes] + [mark.at for mark in marks]
        data = {"split": len(reference), "times": times}
        reply = await self._worker.call("warp", data, reference + pcm.astype("<i2").tobytes())
        warped: list[float] = [min(max(0.0, time), duration) for time in reply.data["times"]]
        starts = [0.0, *warped[1 : len(shapes)], duration]
        visemes = (TimedViseme(shape.viseme, *starts[index : index + 2]) for index, shape in enumerate(shapes))
        return float(reply.data["distance"]), Alignment(
            clip_visemes(visemes, 0.0, duration),
            tuple(WordMark(mark.offset, at) for mark, at in zip(marks, warped[len(shapes) :], strict=True)),
        )


def _duration(pcm: Pcm16) -> float:
    duration = len(pcm) / SPEECH_RATE
    if duration < 0.05:
        raise SpeechError("there is nothing to align")
    if duration > MAX_SOUND:
        raise SpeechError(f"{duration:.0f} s of sound are too much to align")
    return duration


def _words(text: str) -> list[_Word]:
    """The words as the dictionary writes them; numbers and signs stay as they are, for espeak-ng to pronounce."""
    found: list[_Word] = []
    for match in _WORD.finditer(text.replace("’", "'")):
        left = match.group().lstrip(_EDGES)
        word = left.rstrip(_EDGES).lower()
        if any(c.isalnum() for c in word):
            found.append(_Word(word, match.end() - len(left)))
    return found


def _other_readings(word: str) -> list[str]:
    """How else than espeak-ng does a number is read: "1995" as 19 95, "$3.50" as 3 dollars (and) 50 (cents).

    The sound decides between them.
    """
    if year := _YEAR.fullmatch(word):
        return [f"{year[1]} {year[2]}"] if year[2] != "00" else []
    if price := _PRICE.fullmatch(word):
        unit = _CURRENCIES[price[1]]
        whole = f"{price[2]} {unit}{'' if price[2] == '1' else 's'}"
        return (
            [whole]
            if not price[3]
            else [f"{whole} {price[3]}{end}" for end in ("", " cents")] + [f"{whole} and {price[3]} cents"]
        )
    return []


def _phone_visemes(phones: list[tuple[str, float, float]], duration: float) -> tuple[TimedViseme, ...]:
    timed: list[TimedPhoneme] = []
    end = 0.0
    for name, start, until in phones:
        # Between words the aligner may leave time to nobody.
        if start - end > 0.005:
            timed.append(TimedPhoneme((Viseme.SIL,), end))
        timed.append(TimedPhoneme(arpabet_shapes(name), start))
        end = until
    if end < duration:
        timed.append(TimedPhoneme((Viseme.SIL,), end))
    return timed_visemes([TimedPhoneme(p.shapes, max(p.start, 0.0)) for p in timed], 0.0, duration)
