"""The mark-up by which a language model chooses what the avatar's face shows: ``[happy]``, ``[sad 0.6]``.

A mark stands in front of the words that are said with it. The number is the feeling's intensity (0–1, or per cent);
without one it is 1. Brackets that name no emotion are text like any other.
"""

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from visavis.avatar.emotion import Emotion, Feeling

TEACHING: Final = (
    "Your face shows what you feel. Write "
    + ", ".join(f"[{emotion}]" for emotion in Emotion if emotion is not Emotion.NEUTRAL)
    + " or [neutral] in front of the words that you say with that feeling, if you like with a strength, as in "
    "[happy 0.5]. Mark a feeling where it changes and where a person would show it, at most once in a sentence. "
    "The marks are not spoken, and you never speak of them."
)
"""What a language model is told of it."""

_NAMES: Final = tuple(emotion.value for emotion in Emotion)
MARK: Final = re.compile(
    rf"\[ ?(?P<name>{'|'.join(_NAMES)})(?:[ :,=] ?(?P<size>\d{{1,3}}(?:\.\d{{1,4}})?|\.\d{{1,4}})(?P<percent>%)?)? ?\]",
    re.IGNORECASE | re.ASCII,
)
_WORD: Final = re.compile(r"\[ ?(?P<word>[a-z]*)", re.IGNORECASE | re.ASCII)
_REST: Final = re.compile(r"[ :,=]? ?[\d.]{0,8}%? ?", re.ASCII)
"""What may follow the name while the mark is not whole."""
_ENDERS: Final = ".!?…:;"
_TIGHT: Final = ",.!?;:)]}…，。！？；："
"""Marks that want no blank before them."""
_OPENERS: Final = '([{"“‘«„¿¡（「『【《'
"""Marks that want no blank behind them."""


class EmotionMarkup:
    """Takes the marks out of one answer as it streams.

    ``push`` and ``flush`` give text and feelings in order: a feeling begins with the word that comes after it. The
    blanks that a mark leaves on both sides become one; all other text stays as it is. What comes out does not depend
    on how the text was chopped into deltas; only what may yet become a mark, and the blanks before it, are held back.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._held = ""
        self._blanks = ""
        self._last = " "
        self._took_out = False

    def push(self, delta: str) -> list[str | Feeling]:
        """Take more text."""
        self._held += delta
        return self._run(final=False)

    def flush(self) -> list[str | Feeling]:
        """The text has ended: what was held back. The filter is then as new."""
        found = self._run(final=True)
        if self._blanks and not self._took_out:
            _add(found, self._blanks)
        self._reset()
        return found

    def _run(self, *, final: bool) -> list[str | Feeling]:
        found: list[str | Feeling] = []
        at = 0
        while at < len(self._held):
            if self._held[at] == "[":
                mark = MARK.match(self._held, at)
                if mark:
                    found.append(_feeling(mark))
                    self._took_out = True
                    at = mark.end()
                    continue
                if not final and _may_become_mark(self._held[at:]):
                    break
            _add(found, self._text(self._held[at]))
            at += 1
        self._held = self._held[at:]
        return found

    def _text(self, char: str) -> str:
        """What goes out for one character of text."""
        if char.isspace():
            if self._took_out and self._last.isspace():
                return ""
            # After a sentence at once, so that it can be spoken.
            if not self._blanks and (self._last in _ENDERS or char == "\n"):
                self._last = char
                return char
            self._blanks += char
            return ""
        blanks, self._blanks = self._blanks, ""
        if self._took_out:
            blanks = self._gap(blanks, char)
        self._took_out = False
        self._last = char
        return blanks + char

    def _gap(self, blanks: str, follower: str) -> str:
        """What divides the text on both sides of a mark that was taken out."""
        if self._last.isspace() or self._last in _OPENERS or follower in _TIGHT:
            return ""
        if "\n" in blanks:
            return "\n"
        return " " if blanks or (follower.isalnum() and not _is_wide(follower)) else ""


def unmarked(text: str) -> str:
    """A whole text without its marks."""
    if "[" not in text:
        return text
    markup = EmotionMarkup()
    return "".join(part for part in (*markup.push(text), *markup.flush()) if isinstance(part, str))


def marked(text: str, feelings: Iterable[tuple[int, Feeling]]) -> str:
    """``text`` with a mark in front of each character at which a feeling begins; offsets in order."""
    parts: list[str] = []
    done = 0
    for offset, feeling in feelings:
        parts += [text[done:offset], f"{_mark(feeling)} "]
        done = max(done, offset)
    return "".join((*parts, text[done:]))


def _add(found: list[str | Feeling], text: str) -> None:
    if not text:
        return
    if found and isinstance(found[-1], str):
        found[-1] += text
    else:
        found.append(text)


def _feeling(mark: re.Match[str]) -> Feeling:
    size = float(mark["size"] or 1) / (100 if mark["percent"] else 1)
    return Feeling(Emotion(mark["name"].lower()), min(1.0, size))


def _mark(feeling: Feeling) -> str:
    return f"[{feeling.emotion}]" if feeling.intensity == 1 else f"[{feeling.emotion} {feeling.intensity:g}]"


def _may_become_mark(held: str) -> bool:
    """Whether more text may make a mark of ``held``, which begins with a bracket and is none yet."""
    found = _WORD.match(held)
    if found is None:
        return False
    word = found["word"].lower()
    if found.end() == len(held):
        return any(name.startswith(word) for name in _NAMES)
    return word in _NAMES and _REST.fullmatch(held, found.end()) is not None


def _is_wide(char: str) -> bool:
    """Whether ``char`` belongs to a script that is written without spaces."""
    return unicodedata.east_asian_width(char) in "WF"
