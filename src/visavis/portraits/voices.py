"""The voices that a new avatar can be given, as far as the speech provider's are known by name."""

from dataclasses import dataclass

from visavis.speech.flite_voices import PREFIX, VOICES


@dataclass(frozen=True, slots=True)
class VoiceChoice:
    """``name``: the synthesizer's; ``label``: what people choose by."""

    name: str
    label: str


_ESPEAK = (VoiceChoice("en-us+f3", "A woman"), VoiceChoice("en-us+m3", "A man"))


def voices_of(provider: str) -> tuple[VoiceChoice, ...]:
    """The English voices of a speech provider (``speech.provider``); none where only its operator knows them."""
    match provider:
        case "flite" | "auto":
            # On machines without flite, each of its voices has a stand-in.
            return tuple(
                VoiceChoice(PREFIX + name, voice.about[:1].upper() + voice.about[1:]) for name, voice in VOICES.items()
            )
        case "espeak":
            return _ESPEAK
        case _:
            return ()
