"""The flite worker.

A process and not a thread: the library ends the whole process (``exit``) on an error, and holds a voice's settings in
global state.

Operations: ``speak`` with ``{"text", "voice": one of flite_voices.py, "rate"}`` → chunks (workers/utterance.py).
Structures and functions after ``cst_wave.h``, ``cst_voice.h``, ``cst_item.h`` of flite 2.2.
"""

import bisect
import ctypes
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from visavis.speech.flite_voices import SPEAKERS, VOICES, FliteVoice
from visavis.speech.phoneme import arpabet_shapes
from visavis.speech.ports import Pcm16
from visavis.speech.workers.serving import Handler, Request, serve
from visavis.speech.workers.utterance import UtteranceWriter

LEADING_PAUSE: Final = 0.04
"""Seconds of silence left before the first word."""

_VOWEL_LETTERS: Final = "aeiou"
"""What the names of flite's vowels begin with, and no others."""

_REPLACED: Final = {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": " - ", "…": "...", "ß": "ss", "æ": "ae",
    "œ": "oe", "ø": "o", "ł": "l", "đ": "d", "€": "euro", "£": "pounds", "°": " degrees", "×": " times "}  # fmt: skip


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


class _Voice(ctypes.Structure):
    """Only the beginning of the structure."""

    _fields_ = (("name", ctypes.c_char_p), ("features", ctypes.c_void_p))


class Utterance:
    """What flite made of a text: ``pcm`` at ``rate`` Hz, ``phones`` as (ARPAbet, end in s), and ``words``.

    ``size``: how much faster than its own rate the sound is to be played.

    A word is (position, s, s): its token's last byte, when it begins, and when its stressed vowel does (None: it has
    none).
    """

    def __init__(self, library: ctypes.CDLL, handle: int, size: float) -> None:
        wave = library.utt_wave(handle).contents
        self.rate = round(wave.sample_rate * size)
        factor = wave.sample_rate / self.rate
        self.pcm: Pcm16 = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).copy()
        self.phones: list[tuple[str, float]] = []
        self.words: list[tuple[int, float, float | None]] = []
        segment, start, last_word = library.relation_head(library.utt_relation(handle, b"Segment")), 0.0, None
        while segment:
            end = float(library.item_feat_float(segment, b"end")) * factor
            phone = library.item_feat_string(segment, b"name").decode()
            syllable = _syllable_of(library, segment)
            word = library.item_parent(syllable) if syllable else None
            if word is not None and word != last_word:
                last_word = word
                if (position := _last_byte(library, word)) is not None:
                    self.words.append((position, start, None))
            if syllable and phone[0] in _VOWEL_LETTERS and library.item_feat_string(syllable, b"stress") == b"1":
                self._stress(start)
            self.phones.append((phone, end))
            segment, start = library.item_next(segment), end

    def _stress(self, at: float) -> None:
        if self.words and self.words[-1][2] is None:
            self.words[-1] = (*self.words[-1][:2], at)


def _syllable_of(library: ctypes.CDLL, segment: int) -> int | None:
    """The syllable that a segment belongs to; None for a pause."""
    in_syllable = library.item_as(segment, b"SylStructure")
    return library.item_parent(in_syllable) if in_syllable else None


def _last_byte(library: ctypes.CDLL, word: int) -> int | None:
    in_token = library.item_as(word, b"Token")
    token = library.item_parent(in_token) if in_token else None
    # The tokenizer notes where it stood after the token and the white space character that ended it.
    return library.item_feat_int(token, b"file_pos") - 2 if token else None


class Flite:
    """The library with its voices. Raises ``OSError`` when it is not installed."""

    def __init__(self) -> None:
        # Its parts find each other's symbols only when they are global.
        library, *_ = (
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            for name in ("libflite.so.1", "libflite_usenglish.so.1", "libflite_cmulex.so.1")
        )
        pointer = ctypes.c_void_p
        for name, result, arguments in (
            ("flite_synth_text", pointer, [ctypes.c_char_p, pointer]),
            ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
            ("utt_relation", pointer, [pointer, ctypes.c_char_p]),
            ("relation_head", pointer, [pointer]),
            ("item_next", pointer, [pointer]),
            ("item_as", pointer, [pointer, ctypes.c_char_p]),
            ("item_parent", pointer, [pointer]),
            ("item_feat_string", ctypes.c_char_p, [pointer, ctypes.c_char_p]),
            ("item_feat_float", ctypes.c_float, [pointer, ctypes.c_char_p]),
            ("item_feat_int", ctypes.c_int, [pointer, ctypes.c_char_p]),
            ("feat_set_float", None, [pointer, ctypes.c_char_p, ctypes.c_float]),
            ("feat_remove", ctypes.c_int, [pointer, ctypes.c_char_p]),
            ("delete_utterance", None, [pointer]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        library.flite_init()
        self._library = library
        self._speakers = {name: _register(name) for name in SPEAKERS}

    def speak(self, text: bytes, voice: FliteVoice, rate: float) -> Utterance:
        """Render ASCII ``text``. Raises ``RuntimeError``."""
        address = self._speakers[voice.speaker]
        features = ctypes.cast(address, ctypes.POINTER(_Voice)).contents.features
        stretch = voice.size / (voice.pace * min(2.0, max(0.5, rate)))
        self._library.feat_set_float(features, b"duration_stretch", stretch)
        if voice.pitch is None:
            self._library.feat_remove(features, b"int_f0_target_mean")
        else:
            self._library.feat_set_float(features, b"int_f0_target_mean", voice.pitch / voice.size)
        # Ended by a space, every token's position is counted alike.
        handle = self._library.flite_synth_text(text + b" ", address)
        if not handle:
            raise RuntimeError("flite made nothing of the text")
        try:
            return Utterance(self._library, handle, voice.size)
        finally:
            self._library.delete_utterance(handle)


def _register(name: str) -> int:
    library = ctypes.CDLL(f"libflite_cmu_us_{name}.so.1", mode=ctypes.RTLD_GLOBAL)
    register = getattr(library, f"register_cmu_us_{name}")
    register.restype, register.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    return register(None)


def ascii_text(text: str) -> tuple[bytes, list[int]]:
    """``text`` in the only characters that flite reads, and for each byte the character of ``text`` it stems from.

    Accents are dropped, typographic signs replaced, everything else is left out.
    """
    out, origins = bytearray(), list[int]()
    for index, character in enumerate(text):
        plain = _REPLACED.get(character.lower(), unicodedata.normalize("NFKD", character))
        data = plain.encode("ascii", "ignore") if character.strip() else b" "
        out += data
        origins += [index] * len(data)
    return bytes(out), origins


def _token_starts(text: bytes) -> Iterator[int]:
    for index, byte in enumerate(text):
        if byte != 0x20 and (index == 0 or text[index - 1] == 0x20):
            yield index


def _needless_pause(utterance: Utterance) -> float:
    """Seconds at the beginning that only make the listener wait: the voices breathe for 0.2 s before they speak."""
    phone, end = utterance.phones[0] if utterance.phones else ("", 0.0)
    return max(0.0, end - LEADING_PAUSE) if phone == "pau" else 0.0


def _say(flite: Flite, request: Request) -> None:
    voice = VOICES[str(request.data["voice"])]
    text, origins = ascii_text(str(request.data["text"]))
    utterance = flite.speak(text, voice, float(request.data["rate"]))
    writer = UtteranceWriter(request, utterance.rate, 10 ** (voice.gain / 20))
    skipped = _needless_pause(utterance)
    start = 0.0
    for phone, end in utterance.phones:
        writer.phoneme(arpabet_shapes(phone), max(0.0, start - skipped))
        start = end
    starts = list(_token_starts(text))
    for position, at, stress in utterance.words:
        if (token := bisect.bisect_right(starts, position)) > 0:
            writer.word(origins[starts[token - 1]], max(0.0, at - skipped))
            if stress is not None:
                writer.stress(max(0.0, stress - skipped))
    writer.sound(utterance.pcm[round(skipped * utterance.rate) :])
    writer.finish()


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """For ``serve``; takes no options."""
    try:
        flite = Flite()
    except OSError as error:
        raise RuntimeError(f"flite is not installed ({error}); on Debian: apt install libflite1") from error
    return {"speak": lambda request: _say(flite, request)}


if __name__ == "__main__":
    serve(load)
