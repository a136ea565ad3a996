"""Cutting a text into the stretches that a synthesizer speaks one after the other.

One stretch is what a worker is busy with and what waits in memory, so its length is bounded; and where an engine
renders a stretch as a whole, the first one decides when sound begins.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 320
"""Characters of a stretch at most, about 20 s of speech."""

_SENTENCE_END: Final = re.compile(r"[.!?…]+[\"'”’)\]]*(?=\s)|[。！？]+[」』”]?|\n")
_CLAUSE_END: Final = re.compile(r"[,;:–—](?=\s)|[、，；：]")
_SPACE: Final = re.compile(r"\s")
_ABBREVIATION: Final = re.compile(r"\b(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|No|vs|etc|e\.g|i\.e|[Cc]a|bzw|z\.B)\.$")
_UNSPOKEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Me"})
"""Unicode categories of control characters, emoji and their modifiers."""

_JOINERS: Final = "\u200c\u200d\u00ad"
"""Inside words of some scripts they matter, or are at least no gap; among emoji they are part of the picture."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a text; ``text`` begins at character ``offset`` of it."""

    text: str
    offset: int


def speakable(text: str) -> str:
    """``text`` with everything that has no sound (control characters, emoji) as spaces; of the same length."""
    return "".join(" " if _is_unspoken(text, index) else character for index, character in enumerate(text))


def _is_unspoken(text: str, index: int) -> bool:
    character = text[index]
    if character in _JOINERS and index and unicodedata.category(text[index - 1])[0] in "LM":
        return False
    return unicodedata.category(character) in _UNSPOKEN or "\ufe00" <= character <= "\ufe0f"


def stretches(text: str, wanted: int = LONGEST) -> Iterator[Stretch]:
    """The stretches of ``text``, in order, without those in which there is no letter and no digit.

    A stretch holds as many whole sentences as fit into ``wanted`` characters, at least one. A sentence of more than
    ``LONGEST`` characters is cut after a clause, else between words, else anywhere.
    """
    clean = speakable(text)
    start = 0
    while start < len(clean):
        end = start + _length(clean[start:], wanted)
        piece = clean[start:end]
        if any(c.isalnum() for c in piece):
            indent = len(piece) - len(piece.lstrip())
            yield Stretch(piece.strip(), start + indent)
        start = end


def _length(text: str, wanted: int) -> int:
    ends = [m.end() for m in _SENTENCE_END.finditer(text) if not _ABBREVIATION.search(text[: m.end()])]
    ends = [end for end in [*ends, len(text)] if end <= LONGEST]
    if ends:
        return max((end for end in ends if end <= wanted), default=ends[0])
    for pattern in (_CLAUSE_END, _SPACE):
        cuts = [m.end() for m in pattern.finditer(text, 0, LONGEST)]
        if cuts:
            return cuts[-1]
    return LONGEST
