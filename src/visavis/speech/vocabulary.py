"""Written phrases as a recognizer needs them: plain words, pronunciations for those that no dictionary has."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

_TOKEN: Final = re.compile(r"\d+|[^\W\d_]+(?:['-][^\W\d_]+)*|[%&+@]")
_SYMBOLS: Final[Mapping[str, str]] = {"%": "percent", "&": "and", "+": "plus", "@": "at"}
_ONES: Final = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
)
_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_ACRONYM: Final = re.compile(r"\b[A-Z]{2,5}\b")


def words_of(phrase: str) -> tuple[str, ...]:
    """``phrase`` in lower-case words as they are spoken: no punctuation, numbers in words, ``&`` as "and".

    Apostrophes and hyphens within words stay.
    """
    text = unicodedata.normalize("NFC", phrase).replace("’", "'").lower()
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        words.extend(number_words(token) if token.isdecimal() else [_SYMBOLS.get(token, token)])
    return tuple(words)


def number_words(digits: str) -> list[str]:
    """A whole number in words, American; long or zero-led ones digit by digit."""
    number = int(digits)
    if len(digits) > 6 or (digits[0] == "0" and len(digits) > 1):
        return [_ONES[int(digit)] for digit in digits]
    if number < 20:
        return [_ONES[number]]
    if number < 100:
        return [_TENS[number // 10], *([_ONES[number % 10]] if number % 10 else [])]
    size, name = (100, "hundred") if number < 1000 else (1000, "thousand")
    rest = number_words(str(number % size)) if number % size else []
    return [*number_words(str(number // size)), name, *rest]


def acronyms(phrases: Iterable[str]) -> frozenset[str]:
    """The words, in lower case, that ``phrases`` write in capitals only: read letter by letter."""
    mixed = [phrase for phrase in phrases if not phrase.isupper()]
    return frozenset(match.lower() for phrase in mixed for match in _ACRONYM.findall(phrase))


def written(words: str) -> str:
    """Recognized lower-case words as a person would begin to write them: first letter and "I" in capitals."""
    text = re.sub(r"\bi\b", "I", words.strip())
    return text[:1].upper() + text[1:]


_LETTERS: Final[Mapping[str, str]] = {
    "a": "EY", "b": "B IY", "c": "S IY", "d": "D IY", "e": "IY", "f": "EH F", "g": "JH IY", "h": "EY CH", "i": "AY",
    "j": "JH EY", "k": "K EY", "l": "EH L", "m": "EH M", "n": "EH N", "o": "OW", "p": "P IY", "q": "K Y UW",
    "r": "AA R", "s": "EH S", "t": "T IY", "u": "Y UW", "v": "V IY", "w": "D AH B AH L Y UW", "x": "EH K S",
    "y": "W AY", "z": "Z IY",
}  # fmt: skip

_SPELLINGS: Final[tuple[tuple[str, str], ...]] = (
    ("tion", "SH AH N"), ("sion", "ZH AH N"), ("ough", "AO"), ("augh", "AO"), ("eigh", "EY"), ("tch", "CH"),
    ("igh", "AY"), ("sch", "SH"), ("eau", "OW"), ("dge", "JH"), ("ch", "CH"), ("ck", "K"), ("sh", "SH"), ("th", "TH"),
    ("ph", "F"), ("wh", "W"), ("qu", "K W"), ("ng", "NG"), ("gh", "G"), ("kn", "N"), ("wr", "R"), ("ee", "IY"),
    ("ea", "IY"), ("oo", "UW"), ("ou", "AW"), ("ow", "OW"), ("oi", "OY"), ("oy", "OY"), ("ai", "EY"), ("ay", "EY"),
    ("au", "AO"), ("aw", "AO"), ("ie", "IY"), ("ei", "AY"), ("ey", "IY"), ("oa", "OW"), ("ue", "UW"), ("ew", "UW"),
    ("ar", "AA R"), ("er", "ER"), ("ir", "ER"), ("or", "AO R"), ("ur", "ER"), ("ce", "S"), ("ci", "S IH"),
    ("cy", "S IY"), ("ge", "JH"), ("a", "AE"), ("b", "B"), ("c", "K"), ("d", "D"), ("e", "EH"), ("f", "F"), ("g", "G"),
    ("h", "HH"), ("i", "IH"), ("j", "JH"), ("k", "K"), ("l", "L"), ("m", "M"), ("n", "N"), ("o", "AA"), ("p", "P"),
    ("q", "K"), ("r", "R"), ("s", "S"), ("t", "T"), ("u", "AH"), ("v", "V"), ("w", "W"), ("x", "K S"), ("y", "IY"),
    ("z", "Z"),
)  # fmt: skip


def spelled(word: str) -> str:
    """The names of a word's letters in ARPAbet; empty when it has none of a–z."""
    return " ".join(_LETTERS[letter] for letter in _plain(word))


def sounded(word: str) -> str:
    """A rough pronunciation in ARPAbet by the commonest sound of each group of letters; empty without any of a–z.

    Good enough for a recognizer whose phrases leave little choice; a synthesizer's pronunciation is better.
    """
    rest = re.sub(r"(.)\1", r"\1", _plain(word).replace("ee", "E").replace("oo", "O"))
    rest = rest.replace("E", "ee").replace("O", "oo")
    # A silent e at the end.
    rest = re.sub(r"(?<=[^aeiou])e$", "", rest) if len(rest) > 3 else rest
    phones: list[str] = []
    while rest:
        group, sound = next(pair for pair in _SPELLINGS if rest.startswith(pair[0]))
        phones.append(sound)
        rest = rest[len(group) :]
    return " ".join(phones)


def _plain(word: str) -> str:
    decomposed = unicodedata.normalize("NFD", word.lower())
    return "".join(letter for letter in decomposed if letter in _LETTERS)
