"""flite's three speakers, and the voices that are made of them.

A speaker sounds smaller or larger when the samples are played faster or slower, as that moves the resonances of the
vocal tract; pitch and pace, which it moves too, are given to the engine the other way round. So nothing is done to the
sound itself, and its times are known as exactly as before.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class FliteVoice:
    """One voice. ``speaker``: ``slt``, ``rms`` or ``awb``.

    ``size``: factor on the resonances, above 1 for a smaller person. ``pitch``: mean of the fundamental in Hz; None:
    what it is by ``size``, the only possibility with ``rms``, whose model of it is another. ``pace``: factor.
    ``gain``: in dB, to espeak-ng's loudness of −20 dBFS RMS while speaking. ``stand_in``: the espeak-ng voice for
    machines without flite.
    """

    speaker: str
    about: str
    size: float = 1.0
    pitch: float | None = None
    pace: float = 1.0
    gain: float = 0.0
    stand_in: str = "en-us"


PREFIX: Final = "flite:"
"""What may stand before a voice's name to say which engine is meant."""

SPEAKERS: Final = ("slt", "rms", "awb")

VOICES: Final[dict[str, FliteVoice]] = {
    "slt": FliteVoice("slt", "a woman from the United States", gain=-5.0, stand_in="en-us+f3"),
    "rms": FliteVoice("rms", "a man from the United States", stand_in="en-us+m3"),
    "awb": FliteVoice("awb", "a man from Scotland", gain=-0.8, stand_in="en-gb-scotland+m2"),
    "slt-warm": FliteVoice("slt", "a woman with a warm voice", 0.97, 160.0, gain=-4.4, stand_in="en-us+f2"),
    "slt-bright": FliteVoice("slt", "a young woman", 1.03, 198.0, 1.02, gain=-6.1, stand_in="en-us+f4"),
    "slt-old": FliteVoice("slt", "an older woman", 0.94, 150.0, 0.92, gain=-4.0, stand_in="en-us+f5"),
    "rms-deep": FliteVoice("rms", "a man with a deep voice", 0.96, pace=1.06, stand_in="en-us+m7"),
    "rms-light": FliteVoice("rms", "a younger man", 1.06, pace=1.08, stand_in="en-us+m4"),
    "awb-old": FliteVoice(
        "awb", "an older man from Scotland", 0.96, 108.0, 0.92, gain=-1.3, stand_in="en-gb-scotland+m8"
    ),
}

DEFAULT: Final = "slt"


def voice_name(name: str) -> str:
    """``name`` as ``VOICES`` would have it: without the prefix, in lower case."""
    return name.removeprefix(PREFIX).casefold()


def flite_voice(name: str) -> FliteVoice | None:
    """The voice of this name, with or without the prefix; None for names of other engines."""
    return VOICES.get(voice_name(name))
