"""Finding one of espeak-ng's voices by its name or by a language tag."""

from dataclasses import dataclass
from typing import Final

from visavis.speech.ports import SpeechError

_PREFERRED: Final = {
    "en": "en-us",
    "zh": "cmn",
    "zh-hk": "yue",
    "zh-mo": "yue",
    "nn": "nb",
    "tl": "id",
    "iw": "he",
    "in": "id",
    "sr-latn": "hr",
    "es-us": "es-419",
    "es-ar": "es-419",
    "es-co": "es-419",
}
"""Tags that the library does not list, or of which it lists several voices."""


@dataclass(frozen=True, slots=True)
class EspeakVoice:
    """A voice: the library's ``identifier`` (``gmw/en-US``), its ``name``, and the tags that it speaks, best first."""

    identifier: str
    name: str
    languages: tuple[str, ...]


class EspeakVoices:
    """The installed voices and the ``variants`` that can be put on any of them (``f3``, ``m1``, …)."""

    def __init__(self, voices: tuple[EspeakVoice, ...], variants: tuple[str, ...]) -> None:
        self.voices = voices
        self.variants = variants
        self._by_tag: dict[str, str] = {}
        self._by_name: dict[str, str] = {}
        for voice in voices:
            for name in (voice.identifier, voice.identifier.rpartition("/")[2], voice.name):
                self._by_name[name.casefold()] = voice.identifier
            # A voice's first tag is what it is; the others are what it can stand in for.
            if voice.languages:
                self._by_tag[voice.languages[0].casefold()] = voice.identifier
        for voice in voices:
            for tag in voice.languages[1:]:
                self._by_tag.setdefault(tag.casefold(), voice.identifier)
        self._variants = {variant.casefold(): variant for variant in variants}

    def named(self, name: str) -> str | None:
        """What to select for ``name``: a voice's tag, name or identifier, with ``+variant`` or without.

        None when there is no such voice; a variant that does not exist is left out.
        """
        base, _, variant = name.partition("+")
        key = base.strip().casefold()
        identifier = self._by_tag.get(key) or self._by_name.get(key)
        return None if identifier is None else self._varied(identifier, variant)

    def find(self, name: str, language: str) -> str:
        """What to select for a voice ``name`` (may be empty, unknown or only ``+variant``) and a BCP 47 ``language``.

        Raises ``SpeechError`` when no voice speaks the language and none has the name.
        """
        if (found := self.named(name)) is not None:
            return found
        tag = language.casefold().replace("_", "-")
        while tag:
            if (identifier := self._by_tag.get(_PREFERRED.get(tag, tag))) is not None:
                return self._varied(identifier, name.partition("+")[2] if name.startswith("+") else "")
            tag = tag.rpartition("-")[0]
        raise SpeechError(f"espeak-ng has no voice for the language {language!r}")

    def _varied(self, identifier: str, variant: str) -> str:
        known = self._variants.get(variant.strip().casefold())
        return identifier if known is None else f"{identifier}+{known}"
