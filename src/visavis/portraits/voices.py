"""The voices that a new avatar can be given, as far as the speech provider's are known by name."""

from dataclasses import dataclass

from visavis.speech.flite import flite_installed


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """``name``: the synthesizer's; ``label``: what people choose by."""

    name: str
    label: str


_FLITE = (
    VoiceChoice("flite:slt", "A woman’s voice"),
    VoiceChoice("flite:rms", "A man’s voice"),
    VoiceChoice("flite:awb", "A man’s voice, Scottish"),
)
_ESPEAK = (VoiceChoice("en-us+f3", "A woman’s voice"), VoiceChoice("en-us+m3", "A man’s voice"))


def voices_of(provider: str) -> tuple[VoiceChoice, ...]:
    """The English voices of a speech provider (``speech.provider``); none where only its operator knows them."""
    match provider:
        case "flite":
            return _FLITE
        case "auto":
            return _FLITE if flite_installed() else _ESPEAK
        case "espeak":
            return _ESPEAK
        case _:
            return ()
