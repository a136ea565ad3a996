"""From the phonemes that espeak-ng gives for a word to the phones of the CMU Pronouncing Dictionary.

English recognizers and aligners know their words by the 39 phones of that dictionary; a word that is not in it gets
its pronunciation from a synthesizer. Sounds that English lacks become their nearest neighbours.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_PHONES: Final[dict[str, tuple[str, ...]]] = {
    symbol: tuple(phones.split())
    for symbols, phones in (
        ("p", "P"), ("b β ɓ", "B"), ("t ʈ ʔ c", "T"), ("d ɖ ɟ ɗ", "D"), ("ɾ", "T"), ("k q", "K"), ("ɡ g ɢ ɣ", "G"),
        ("x χ", "K"), ("f ɸ", "F"), ("v ʋ", "V"), ("θ", "TH"), ("ð", "DH"), ("s", "S"), ("z", "Z"),
        ("ʃ ɕ ʂ ç", "SH"), ("ʒ ʑ ʐ", "ZH"), ("tʃ tɕ", "CH"), ("dʒ dʑ", "JH"), ("ts", "T S"), ("dz", "D Z"),
        ("m ɱ", "M"), ("n ɲ ɳ", "N"), ("ŋ", "NG"), ("l ɫ ɬ ɭ ʎ", "L"), ("ɹ r ɻ ʁ ʀ", "R"), ("w ʍ", "W"),
        ("j ʝ", "Y"), ("h ɦ ħ", "HH"), ("əl", "AH L"), ("ən", "AH N"),
        ("ɑ ɒ", "AA"), ("a", "AA"), ("æ", "AE"), ("ʌ ə ɐ", "AH"), ("ɔ", "AO"), ("aʊ au", "AW"), ("aɪ ai", "AY"),
        ("ɛ œ", "EH"), ("e", "EY"), ("ɚ ɝ ɜ", "ER"), ("eɪ ei", "EY"), ("ɪ ᵻ ɨ", "IH"), ("i", "IY"), ("o ø", "OW"),
        ("oʊ əʊ ou", "OW"), ("ɔɪ oɪ", "OY"), ("ʊ", "UH"), ("u ʉ y ʏ ɯ", "UW"), ("ɛɹ eɹ", "EH R"), ("ɪɹ iɹ", "IH R"),
        ("ɔɹ oɹ", "AO R"), ("ʊɹ uɹ", "UH R"), ("ɑɹ", "AA R"), ("aɪɚ", "AY ER"), ("aɪə", "AY AH"), ("iə", "IY AH"),
    )
    for symbol in symbols.split()
}  # fmt: skip
_LONGEST: Final = max(map(len, _PHONES))
_MARKS: Final = re.compile(r"[^\w]|[ˈˌːˑʰʲʷˠˤ\d_]")


def arpabet_from_ipa(phonemes: Iterable[str]) -> tuple[str, ...]:
    """The dictionary's phones for ``phonemes`` in IPA; stress and length are dropped, unknown symbols too."""
    phones: list[str] = []
    for phoneme in phonemes:
        # ç is a letter of its own; every other mark (nasal, syllabic) goes.
        syllabic = "\u0329" in phoneme
        rest = "".join(
            c
            for c in unicodedata.normalize("NFD", unicodedata.normalize("NFC", phoneme).replace("ç", "ʃ"))
            if not unicodedata.combining(c)
        )
        rest = _MARKS.sub("", rest)
        if syllabic:
            phones.append("AH")
        while rest:
            size = next((n for n in range(_LONGEST, 0, -1) if rest[:n] in _PHONES), 0)
            phones += _PHONES.get(rest[:size], ())
            rest = rest[size or 1 :]
    return tuple(phones)
