"""Phonemes to mouth shapes: the International Phonetic Alphabet, ARPAbet, and Microsoft's viseme numbers.

A phoneme gives none, one or two shapes. Diphthongs give two. The aspirate gives none: the mouth already has the shape
of what follows, which ``timed_visemes`` takes. Silence is ``Viseme.SIL``.

Sources: ARPAbet as in the CMU Pronouncing Dictionary and flite; Microsoft's twenty-two as listed at "Viseme ID" in the
Azure speech documentation; the fifteen shapes after the Oculus lip-sync reference.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from visavis.viseme import TimedViseme, Viseme

Shapes = tuple[Viseme, ...]

FIRST_SHARE: Final = 0.55
"""Part of a phoneme's time that the first of two shapes takes."""

_SIL: Final[Shapes] = (Viseme.SIL,)
_OPEN: Final[Shapes] = (Viseme.AA,)
"""What an unknown symbol gives: it is most likely some vowel, and a mouth that moves is the lesser fault."""

_ARPABET: Final[dict[str, Shapes]] = {
    name: shapes
    for names, shapes in (
        ("p b m em", (Viseme.PP,)),
        ("f v", (Viseme.FF,)),
        ("th dh", (Viseme.TH,)),
        ("t d dx q", (Viseme.DD,)),
        ("k g ng", (Viseme.KK,)),
        ("ch jh sh zh", (Viseme.CH,)),
        ("s z", (Viseme.SS,)),
        ("n l el en", (Viseme.NN,)),
        ("r er axr", (Viseme.RR,)),
        ("aa ah ax ae", (Viseme.AA,)),
        ("ay", (Viseme.AA, Viseme.IH)),
        ("aw", (Viseme.AA, Viseme.OU)),
        ("eh", (Viseme.E,)),
        ("ey", (Viseme.E, Viseme.IH)),
        ("ih iy ix y", (Viseme.IH,)),
        ("ao", (Viseme.OH,)),
        ("ow", (Viseme.OH, Viseme.OU)),
        ("oy", (Viseme.OH, Viseme.IH)),
        ("uh uw w", (Viseme.OU,)),
        ("hh hv", ()),
        ("sil pau ssil brth spn", _SIL),
    )
    for name in names.split()
}

_IPA: Final[dict[str, Shapes]] = {
    symbol: shapes
    for symbols, shapes in (
        ("p b m ɸ β ɓ ʙ", (Viseme.PP,)),
        ("f v ɱ ʋ ⱱ", (Viseme.FF,)),
        ("θ ð", (Viseme.TH,)),
        ("t d ʈ ɖ ɗ ɾ ɽ ʔ c ɟ ʄ", (Viseme.DD,)),
        ("k ɡ g ŋ x ɣ q ɢ χ ʁ ɰ ɠ ɴ ʛ ħ ʕ ʀ", (Viseme.KK,)),
        ("tʃ dʒ ʃ ʒ ɕ ʑ tɕ dʑ ʂ ʐ ɧ", (Viseme.CH,)),
        ("s z ts dz", (Viseme.SS,)),
        ("n l ɫ ɬ ɮ ɭ ɳ ɲ ʎ ʟ ɺ əl ən", (Viseme.NN,)),
        ("ɹ r ɻ ɚ ɝ ɜ", (Viseme.RR,)),
        ("a ɑ ɐ ʌ ə æ ɶ", (Viseme.AA,)),
        ("ɛ e ɘ ɤ", (Viseme.E,)),
        ("i ɪ ɨ ᵻ ɯ j ç ʝ", (Viseme.IH,)),
        ("ɔ ɒ o ø œ ɵ ɞ", (Viseme.OH,)),
        ("ʊ u y ʏ ʉ w ʍ ɥ", (Viseme.OU,)),
        ("əʊ", (Viseme.OH, Viseme.OU)),
        ("h ɦ", ()),
    )
    for symbol in symbols.split()
}
_LONGEST_IPA: Final = max(map(len, _IPA))

_MICROSOFT: Final[tuple[Shapes, ...]] = (
    _SIL,
    (Viseme.AA,),  # æ ə ʌ
    (Viseme.AA,),  # ɑ
    (Viseme.OH,),  # ɔ
    (Viseme.E,),  # ɛ ʊ
    (Viseme.RR,),  # ɝ
    (Viseme.IH,),  # j i ɪ
    (Viseme.OU,),  # w u
    (Viseme.OH,),  # o
    (Viseme.AA, Viseme.OU),  # aʊ
    (Viseme.OH, Viseme.IH),  # ɔɪ
    (Viseme.AA, Viseme.IH),  # aɪ
    (),  # h
    (Viseme.RR,),  # ɹ
    (Viseme.NN,),  # l
    (Viseme.SS,),  # s z
    (Viseme.CH,),  # ʃ tʃ dʒ ʒ
    (Viseme.TH,),  # ð
    (Viseme.FF,),  # f v
    (Viseme.DD,),  # d t n θ
    (Viseme.KK,),  # k ɡ ŋ
    (Viseme.PP,),  # p b m
)

_SUPRASEGMENTAL: Final = re.compile(r"[ˈˌːˑ‿|_:!.ʰʲʷˠˤʼ˞˥˦˧˨˩\d^-]")


def ipa_shapes(phoneme: str) -> Shapes:
    """The shapes of one phoneme in IPA, as espeak-ng writes it; stress, length, tone and diacritics are ignored.

    A symbol that is not in the table is taken apart into its longest known beginnings (``aɪ`` is ``a`` and ``ɪ``).
    Empty text is a pause.
    """
    # Decomposed, nasal and syllabic marks are characters of their own; but the cedilla belongs to its letter.
    letters = unicodedata.normalize("NFD", unicodedata.normalize("NFC", phoneme).replace("ç", "ʝ"))
    rest = _SUPRASEGMENTAL.sub("", "".join(mark for mark in letters if not unicodedata.combining(mark))).strip()
    if not rest:
        return _SIL
    parts: list[Viseme] = []
    while rest:
        known = next((rest[:n] for n in range(_LONGEST_IPA, 0, -1) if rest[:n] in _IPA), None)
        shapes = _OPEN if known is None else _IPA[known]
        parts += [shape for shape in shapes if shape not in parts[-1:]]
        rest = rest[len(known or rest) :]
    return tuple(parts[:2])


def arpabet_shapes(phoneme: str) -> Shapes:
    """The shapes of one ARPAbet phone in either case, with or without its stress digit."""
    return _ARPABET.get(phoneme.lower().rstrip("012"), _OPEN)


def microsoft_shapes(viseme_id: int) -> Shapes:
    """The shapes of one of Microsoft's visemes (0–21). Raises ``ValueError`` for any other number."""
    if not 0 <= viseme_id < len(_MICROSOFT):
        raise ValueError(f"no such viseme: {viseme_id}")
    return _MICROSOFT[viseme_id]


@dataclass(frozen=True, slots=True)
class TimedPhoneme:
    """The shapes of one phoneme and when it begins, in seconds."""

    shapes: Shapes
    start: float


def timed_visemes(phonemes: Sequence[TimedPhoneme], start: float, end: float) -> tuple[TimedViseme, ...]:
    """The mouth from ``start`` to ``end`` without gaps, neighbours of one shape merged.

    ``phonemes`` in order of their beginnings; each lasts until the next one. Before the first one the mouth is at
    rest. Times are seconds on one timeline.
    """
    pieces: list[TimedViseme] = []
    if phonemes and phonemes[0].start > start:
        pieces.append(TimedViseme(Viseme.SIL, start, phonemes[0].start))
    elif not phonemes:
        pieces.append(TimedViseme(Viseme.SIL, start, end))
    for index, phoneme in enumerate(phonemes):
        until = phonemes[index + 1].start if index + 1 < len(phonemes) else end
        shapes = phoneme.shapes or _following_shape(phonemes, index)
        cut = until if len(shapes) == 1 else phoneme.start + FIRST_SHARE * (until - phoneme.start)
        pieces.append(TimedViseme(shapes[0], phoneme.start, cut))
        if len(shapes) > 1:
            pieces.append(TimedViseme(shapes[1], cut, until))
    return clip_visemes(pieces, start, end)


def clip_visemes(visemes: Iterable[TimedViseme], start: float, end: float) -> tuple[TimedViseme, ...]:
    """What of ``visemes`` lies from ``start`` to ``end``, neighbours of one shape merged; times stay as they are."""
    merged: list[TimedViseme] = []
    for piece in visemes:
        low, high = max(piece.start, start), min(piece.end, end)
        if high <= low:
            continue
        if merged and merged[-1].viseme is piece.viseme and merged[-1].end >= low:
            merged[-1] = TimedViseme(piece.viseme, merged[-1].start, high)
        else:
            merged.append(TimedViseme(piece.viseme, low, high))
    return tuple(merged)


def _following_shape(phonemes: Sequence[TimedPhoneme], index: int) -> Shapes:
    for phoneme in phonemes[index + 1 :]:
        if phoneme.shapes:
            return _OPEN if phoneme.shapes == _SIL else phoneme.shapes[:1]
    return _OPEN
