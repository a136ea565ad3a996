"""Cuts the stream of an answer's words into the pieces that are synthesized one after the other."""

import re
import unicodedata
from typing import Final

MAX_PIECE: Final = 220
"""Characters after which a piece is cut although no sentence has ended."""

FIRST_CLAUSE_WORDS: Final = 4
"""Words that an answer's first clause needs to be spoken before its sentence has ended."""

_TERMINATORS: Final = ".!?…"
_WIDE_TERMINATORS: Final = "。！？｡"
_CLAUSE_MARKS: Final = ",;:—–"
_WIDE_CLAUSE_MARKS: Final = "，、；："
_CLOSERS: Final = "\"'”’)]}»›」』）】》"
_WORD: Final = re.compile(r"[^\W_]+(?:['’.\-][^\W_]+)*")
_LAST_WORD: Final = re.compile(r"(?:[^\W_]|[.'’\-])*$")
_DOTTED_LETTERS: Final = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]?")

# A name or a figure follows these: they end no sentence.
_TITLES: Final = "Mr Mrs Ms Mx Dr Prof St Sr Jr Rev Hon Gen Col Capt Lt Sgt Gov Sen Rep Pres Mt Ft Hr Fr Mme Mlle"
_INNER: Final = "vs cf eg ie e.g i.e z.b d.h bzw fig figs eq ch vol pp ed eds approx ca"
_NEVER_LAST: Final = frozenset(f"{_TITLES} {_INNER} {_INNER.capitalize()} {_INNER.title()}".split())
# These may also stand at a sentence's end: then the next word begins with a capital.
_SOMETIMES_LAST: Final = (
    "etc al inc ltd co corp dept est ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri "
    "sat sun min max sec hrs hr"
)
_MAY_END: Final = frozenset(_SOMETIMES_LAST.split())
_BEFORE_A_FIGURE: Final = frozenset(["no", "nos", "nr", "p"])


class SentenceSplitter:
    """Splits one answer, as it streams, into sentences.

    A piece ends with a sentence (Western or CJK), at a line break, or, when neither comes for ``MAX_PIECE``
    characters, at the last clause or space before that. Only the first piece of an answer may be a mere clause of at
    least ``FIRST_CLAUSE_WORDS`` words, so that speech begins early.

    Pieces keep the white space in front of them: joined, they are the text as pushed (white space at the very end is
    dropped). Where the text is cut does not depend on how it was chopped into deltas.
    """

    def __init__(self) -> None:
        self._held = ""
        self._first = True

    def push(self, delta: str) -> list[str]:
        """Take more text; returns the pieces that became complete."""
        self._held += delta
        return self._pieces(final=False)

    def flush(self) -> list[str]:
        """The text has ended: returns what is left. The splitter is then ready for another answer."""
        pieces = self._pieces(final=True)
        if self._held.strip():
            pieces.append(self._held.rstrip())
        self._held = ""
        self._first = True
        return pieces

    def _pieces(self, *, final: bool) -> list[str]:
        pieces: list[str] = []
        while (end := _first_cut(self._held, first=self._first, final=final)) is not None:
            pieces.append(self._held[:end])
            self._held = self._held[end:]
            self._first = False
        return pieces


def _first_cut(text: str, *, first: bool, final: bool) -> int | None:
    """Where the first piece of ``text`` ends; None while only more text can tell.

    Positions are judged strictly in order and an undecided one stops the search: that makes the outcome independent
    of the deltas.
    """
    start = len(text) - len(text.lstrip())
    at = start
    while at < len(text):
        if at - start >= MAX_PIECE:
            return _soft_cut(text, start)
        char = text[at]
        if char == "\n":
            return len(text[:at].rstrip())
        if char in _TERMINATORS or char in _WIDE_TERMINATORS:
            end = _end_of_marks(text, at)
            if end == len(text) and not final:
                return None
            verdict = _ends_sentence(text, start, at, end, final=final)
            if verdict is None:
                return None
            if verdict:
                return end
            at = end
            continue
        if first and (char in _CLAUSE_MARKS or char in _WIDE_CLAUSE_MARKS):
            if at + 1 == len(text) and not final:
                return None
            if _ends_clause(text, start, at):
                return at + 1
        at += 1
    return None


def _end_of_marks(text: str, at: int) -> int:
    """The index after the terminators that begin at ``at`` and the closing quotes and brackets behind them."""
    end = at
    while end < len(text) and (text[end] in _TERMINATORS or text[end] in _WIDE_TERMINATORS):
        end += 1
    while end < len(text) and text[end] in _CLOSERS:
        end += 1
    return end


def _ends_sentence(text: str, start: int, at: int, end: int, *, final: bool) -> bool | None:
    """Whether the marks ``text[at:end]`` end a sentence; None while only more text can tell."""
    if not any(char.isalnum() for char in text[start:at]):
        return False  # marks alone are no piece
    if text[at] in _WIDE_TERMINATORS or end == len(text):
        return True
    if not text[end].isspace():
        return _is_wide(text[end]) and text[end - 1] not in "."
    if text[end] == "\n":
        return True
    marks = text[at:end].rstrip(_CLOSERS)
    if "!" in marks or "?" in marks:
        return True
    if marks != ".":  # an ellipsis
        return _starts_upper(text, end, final=final)
    found = _LAST_WORD.search(text, start, at)
    word = found.group().strip("'’-.") if found else ""
    if word.isdigit() and not text[start:at].strip().removesuffix(word):
        return False  # the number of a list's item
    key = word.casefold()
    if word in _NEVER_LAST or (len(word) == 1 and word.isupper() and word != "I"):
        return False
    if key in _BEFORE_A_FIGURE:
        follower = _follower(text, end)
        return (None if not final else True) if follower is None else not follower.isdigit()
    if key in _MAY_END or _DOTTED_LETTERS.fullmatch(word):
        return _starts_upper(text, end, final=final)
    return True


def _starts_upper(text: str, at: int, *, final: bool) -> bool | None:
    """Whether the word after the white space at ``at`` may begin a sentence; None while it is not there yet."""
    follower = _follower(text, at)
    if follower is None:
        return True if final else None
    return not follower.islower() and not follower.isdigit()


def _follower(text: str, at: int) -> str | None:
    """The first character after ``at`` that is not a blank; a line break counts as one."""
    for char in text[at:]:
        if char == "\n" or not char.isspace():
            return char
    return None


def _ends_clause(text: str, start: int, at: int) -> bool:
    """Whether the mark at ``at`` ends a clause long enough to be spoken by itself."""
    spoken = text[start:at]
    wide = sum(_is_wide(char) for char in spoken)
    if text[at] not in _WIDE_CLAUSE_MARKS and at + 1 < len(text) and not text[at + 1].isspace() and text[at] != "—":
        return False
    words = len(_WORD.findall(spoken)) if not wide else wide // 2  # two characters are about a word
    return words >= FIRST_CLAUSE_WORDS


def _soft_cut(text: str, start: int) -> int:
    """Where to cut a stretch of ``MAX_PIECE`` characters without a sentence's end."""
    limit = start + MAX_PIECE
    for marks, least in ((_CLAUSE_MARKS, MAX_PIECE // 3), ("", MAX_PIECE // 3)):
        for at in range(limit - 1, start + least, -1):
            if text[at].isspace() and (not marks or text[at - 1] in marks):
                return len(text[:at].rstrip())
            if marks and text[at - 1] in _WIDE_CLAUSE_MARKS:
                return at
    while limit > start + 1 and unicodedata.combining(text[limit]):
        limit -= 1
    return limit


def _is_wide(char: str) -> bool:
    """Whether ``char`` belongs to a script that is written without spaces."""
    return unicodedata.east_asian_width(char) in "WF"
