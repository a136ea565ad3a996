"""The espeak-ng worker: the only program that loads the library, which is under the GPL-3.

Operations (see workers/serving.py):

* ``voices`` → one reply: ``{"voices": [[identifier, name, [tag, …]], …], "variants": [name, …]}``;
* ``speak`` with ``{"text", "voice": identifier or identifier+variant, "rate"}`` → chunks (workers/utterance.py);
* ``phonemes`` with ``{"words": […], "voice"}`` → one reply: ``{"ipa": [[phoneme, …], …]}``, in the words' order.

Constants and structures after ``speak_lib.h`` of espeak-ng 1.52.
"""

import ctypes
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import espeakng_loader  # pyright: ignore[reportMissingTypeStubs]
import numpy as np

from visavis.speech.phoneme import ipa_shapes
from visavis.speech.ports import Pcm16
from visavis.speech.workers.serving import Handler, Request, RequestCancelled, serve
from visavis.speech.workers.utterance import UtteranceWriter

WORDS_PER_MINUTE: Final = 165
"""Pace at rate 1.0; the library takes 80–450."""

_SYNCHRONOUS: Final = 2
_BUFFER_MS: Final = 60
_PHONEME_EVENTS, _PHONEME_IPA, _DONT_EXIT = 0x0001, 0x0002, 0x8000
_EVENT_END, _EVENT_WORD, _EVENT_PHONEME = 0, 1, 7
_CHARS_UTF8: Final = 1
_POS_CHARACTER: Final = 1
_PARAMETER_RATE: Final = 1
_IPA_SEPARATED: Final = 0x02 | (ord("_") << 8)
_PRIMARY_STRESS: Final = "ˈ"
_LANGUAGE_SWITCH: Final = re.compile(r"^\(.*\)$")
"""In a word of another language the phonemes are preceded by its tag, which has no sound."""


class _Id(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    )


class _Voice(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_void_p),
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("xx1", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class Espeak:
    """The library. There is one per process, and it says one thing at a time."""

    def __init__(self) -> None:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_Initialize.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_int]
        library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        library.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        library.espeak_ListVoices.argtypes = [ctypes.c_void_p]
        library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self._library = library
        self.data_path = Path(espeakng_loader.get_data_path())
        options = _PHONEME_EVENTS | _PHONEME_IPA | _DONT_EXIT
        self.rate: int = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, str(self.data_path).encode(), options)
        if self.rate <= 0:
            raise RuntimeError(f"espeak-ng did not find its data (error {self.rate})")
        self._callback = _Callback(self._hear)
        library.espeak_SetSynthCallback(self._callback)
        self._voice = ""
        self._sink: Callable[[Pcm16, list[_Event]], None] | None = None
        self._error: BaseException | None = None

    def voices(self) -> list[tuple[str, str, list[str]]]:
        """Identifier, name and language tags of every voice."""
        found: list[tuple[str, str, list[str]]] = []
        listed = self._library.espeak_ListVoices(None)
        for index in range(10_000):
            if not listed[index]:
                break
            voice = listed[index].contents
            found.append((voice.identifier.decode(), voice.name.decode(), _language_tags(voice.languages)))
        return found

    def variants(self) -> list[str]:
        """Names that may follow a voice's identifier after a plus sign."""
        return sorted(path.name for path in (self.data_path / "voices" / "!v").iterdir())

    def select(self, voice: str) -> None:
        """Use ``voice`` from now on. Raises ``ValueError`` when there is none of that name."""
        if voice != self._voice:
            self._voice = ""
            if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise ValueError(f"espeak-ng has no voice {voice!r}")
            self._voice = voice

    def speak(self, text: str, rate: float, sink: Callable[[Pcm16, list[_Event]], None]) -> None:
        """Say ``text``; ``sink`` gets sound with the events in it and stops the engine by raising."""
        pace = min(450, max(80, round(WORDS_PER_MINUTE * rate)))
        self._library.espeak_SetParameter(_PARAMETER_RATE, pace, 0)
        self._sink, self._error = sink, None
        data = text.encode()
        status = self._library.espeak_Synth(data, len(data) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None)
        self._sink = None
        if self._error is not None:
            raise self._error
        if status != 0:
            raise RuntimeError(f"espeak-ng failed (error {status})")

    def phonemes(self, text: str) -> list[str]:
        """The phonemes of ``text`` in IPA with stress marks."""
        rest = ctypes.c_char_p(text.encode())
        found: list[str] = []
        # Each call takes one clause and moves the pointer on.
        while rest.value:
            clause: bytes = self._library.espeak_TextToPhonemes(ctypes.byref(rest), _CHARS_UTF8, _IPA_SEPARATED)
            found += [p for p in re.split(r"[_\s]+", clause.decode()) if p and not _LANGUAGE_SWITCH.match(p)]
        return found

    def _hear(self, samples: Any, count: int, events: Any) -> int:
        """Called by the library; what it returns says whether to stop."""
        if self._sink is None:
            return 1
        heard: list[_Event] = []
        while events[len(heard)].type != _EVENT_END:
            heard.append(events[len(heard)])
        # Copied: the buffer is the library's and is written again after this call.
        pcm = np.ctypeslib.as_array(samples, (count,)).copy() if samples and count else np.zeros(0, np.int16)
        try:
            self._sink(pcm, heard)
        except BaseException as error:
            # An exception cannot cross the library's frames: it waits in _error for speak().
            self._error = error
            return 1
        return 0


def _language_tags(address: int) -> list[str]:
    """Of a list of (priority byte, zero-ended tag), ended by a zero priority."""
    tags: list[str] = []
    while ctypes.string_at(address, 1) != b"\0":
        tag = ctypes.string_at(address + 1)
        tags.append(tag.decode())
        address += len(tag) + 2
    return tags


def _begins_word(text: str, offset: int) -> bool:
    """Whether a word event is of use: those for the later words of a number point into the middle of its digits."""
    if not text[offset : offset + 1].strip():
        return False
    before = text[offset - 1 : offset] if offset else " "
    return before.isspace() or not before.isascii()


def _say(espeak: Espeak, request: Request) -> None:
    text = str(request.data["text"])
    espeak.select(str(request.data["voice"]))
    writer = UtteranceWriter(request, espeak.rate)

    def take(pcm: Pcm16, events: list[_Event]) -> None:
        if request.cancelled:
            raise RequestCancelled
        for event in events:
            at = event.audio_position / 1000
            if event.type == _EVENT_PHONEME:
                symbol = event.id.string.decode(errors="ignore")
                if not _LANGUAGE_SWITCH.match(symbol):
                    writer.phoneme(ipa_shapes(symbol), at)
                    if _PRIMARY_STRESS in symbol:
                        writer.stress(at)
            elif event.type == _EVENT_WORD and _begins_word(text, event.text_position - 1):
                writer.word(event.text_position - 1, at)
        writer.sound(pcm)

    espeak.speak(text, float(request.data["rate"]), take)
    writer.finish()


def load(options: Mapping[str, Any]) -> Mapping[str, Handler]:
    """For ``serve``; takes no options."""
    espeak = Espeak()

    def voices(request: Request) -> None:
        request.reply({"voices": espeak.voices(), "variants": espeak.variants()})

    def phonemes(request: Request) -> None:
        espeak.select(str(request.data["voice"]))
        request.reply({"ipa": [espeak.phonemes(str(word)) for word in request.data["words"]]})

    return {"voices": voices, "speak": lambda request: _say(espeak, request), "phonemes": phonemes}


if __name__ == "__main__":
    serve(load)
