"""Which words are stressed, and when."""

import pytest

from visavis.conversation.stress import carries_meaning, stresses
from visavis.speech.ports import WordMark
from visavis.viseme import TimedViseme, Viseme


def marks(text: str, every: float = 0.5) -> list[WordMark]:
    found: list[WordMark] = []
    offset = 0
    for word in text.split():
        offset = text.index(word, offset)
        found.append(WordMark(offset, len(found) * every))
        offset += len(word)
    return found


def stressed(text: str, language: str = "en") -> list[str]:
    return [text[mark.offset :].split()[0] for mark in marks(text) if carries_meaning(text, mark.offset, language)]


@pytest.mark.parametrize(
    ("text", "language", "words"),
    [
        ("I would like to show you the garden.", "en", ["show", "garden."]),
        ("It's what I've been doing since 1995, you know.", "en-GB", ["1995,", "know."]),
        ('"Never!" she said, and (quietly) left.', "en", ['"Never!"', "said,", "(quietly)", "left."]),
        ("Das ist der Garten, in dem ich oft sitze.", "de", ["Garten,", "sitze."]),
        ("Je vais à Rome en train.", "fr", ["Rome", "train."]),
        ("-- ... !", "en", []),
    ],
)
def test_words_that_carry_meaning(text: str, language: str, words: list[str]) -> None:
    assert stressed(text, language) == words


def test_the_stress_is_where_the_voice_says() -> None:
    text = "about gardens"
    assert stresses(text, [WordMark(0, 0.1, 0.2), WordMark(6, 0.5, 0.57)]) == [0.57]


def test_else_it_is_on_the_longest_of_the_first_vowels() -> None:
    shapes = [Viseme.KK, Viseme.AA, Viseme.DD, Viseme.E, Viseme.NN, Viseme.OU, Viseme.SS, Viseme.AA]
    times = [0.0, 0.08, 0.16, 0.22, 0.36, 0.4, 0.6, 0.7, 0.9]
    visemes = [TimedViseme(*one) for one in zip(shapes, times[:-1], times[1:], strict=True)]
    assert stresses("garden saw", [WordMark(0, 0.0), WordMark(7, 0.62)], visemes) == [0.22, 0.7]


def test_without_shapes_it_comes_soon_after_the_word_begins() -> None:
    (at,) = stresses("garden", [WordMark(0, 1.0)])
    assert 1.0 < at < 1.15


def test_of_two_close_stresses_the_later_one_counts() -> None:
    text = "big red house"
    assert len(stresses(text, marks(text, every=0.2))) == 1
    assert len(stresses(text, marks(text, every=0.5))) == 3
