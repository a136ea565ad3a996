"""Which words of a sentence the voice stresses, and when: what the head's beats go with.

Of the words, those that carry meaning are stressed; of two that follow each other quickly, the later one, which bears
the nuclear stress of its phrase in English and its relatives.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from visavis.speech.ports import WordMark
from visavis.viseme import TimedViseme, Viseme

_CLOSE: Final = 0.3
"""Seconds between the stressed vowels of two words below which only the later one counts."""
_REACH: Final = 0.6
"""How far behind a word's beginning its stressed vowel is looked for."""
_ONSET: Final = 0.06
"""From a word's beginning to its vowel, where nothing is known of it."""
_LONG: Final = 5
"""Letters from which a word counts as one that carries meaning, in languages without a list."""
_VOWELS: Final = frozenset([Viseme.AA, Viseme.E, Viseme.IH, Viseme.OH, Viseme.OU])
_WORD: Final = re.compile(r"\S+")
_EDGES: Final = re.compile(r"^[\W_]+|[\W_]+$")

_LISTED: Final = """
a an the this that these those some any each every both either neither such much many more most few less least enough
i me my mine we us our ours you your yours he him his she her hers it its they them their theirs myself yourself himself
herself itself ourselves yourselves themselves who whom whose which what when where why how there here one ones
someone somebody something anyone anybody anything everyone everybody everything
and or but nor so yet for if then than as because although though while whereas unless until since whether
of to in on at by with from into onto about over under after before between through during without within upon off out
up down around against among across behind beyond near along toward towards per via
am is are was were be been being do does did done doing have has had having can could may might must shall should will
would ought need let lets get gets got
just also too very quite rather really even still only well oh ah um please like
"""
_SMALL: Final = frozenset(_LISTED.split())
"""English words that mostly go unstressed: articles, pronouns, prepositions, conjunctions, auxiliaries, particles."""
_ENDING: Final = re.compile(r"['’](?:s|re|ve|ll|d|m)$")


def stresses(
    text: str, words: Iterable[WordMark], visemes: Sequence[TimedViseme] = (), language: str = "en"
) -> list[float]:
    """When the stressed words of ``text`` bear their stress, in order.

    ``words`` and ``visemes`` in seconds on one timeline, in which the result is too. A word without a known stress is
    stressed on the longest of its first two vowels.
    """
    marks = sorted(words, key=lambda mark: mark.at)
    # Of other languages the voice knows more than a rule.
    by_voice = not _is_english(language) and any(mark.stress is not None for mark in marks)
    found: list[float] = []
    for index, mark in enumerate(marks):
        if not (mark.stress is not None if by_voice else carries_meaning(text, mark.offset, language)):
            continue
        at = mark.stress
        if at is None:
            end = min([mark.at + _REACH, *(after.at for after in marks[index + 1 : index + 2])])
            at = _vowel(visemes, mark.at, end)
        if found and at - found[-1] < _CLOSE:
            found.pop()
        found.append(at)
    return found


def carries_meaning(text: str, offset: int, language: str = "en") -> bool:
    """Whether the word at ``offset`` of ``text`` is likely to be stressed."""
    match = _WORD.match(text, offset)
    word = _EDGES.sub("", match.group()) if match else ""
    if not word:
        return False
    if any(char.isdigit() for char in word):
        return True
    if _is_english(language):
        return _ENDING.sub("", word.casefold()) not in _SMALL
    starts = text[:offset].rstrip()
    named = word[0].isupper() and bool(starts) and starts[-1] not in ".!?…:"
    return named or len(word) >= _LONG or (len(word) >= 2 and word.lower() == word.upper())


def _is_english(language: str) -> bool:
    return language.casefold().replace("_", "-").partition("-")[0] in ("", "en")


def _vowel(visemes: Sequence[TimedViseme], start: float, end: float) -> float:
    vowels = [viseme for viseme in visemes if viseme.viseme in _VOWELS and start <= viseme.start < end][:2]
    if not vowels:
        return start + _ONSET
    return max(vowels, key=lambda viseme: viseme.end - viseme.start).start
