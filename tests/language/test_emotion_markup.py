"""The mark-up of emotions, however a model's text is chopped."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.avatar.emotion import Emotion, Feeling
from visavis.language.emotion_markup import MARK, TEACHING, EmotionMarkup, marked, unmarked

HAPPY = Feeling(Emotion.HAPPY)


def read(text: str, cuts: list[int] | None = None) -> tuple[str, list[tuple[int, Feeling]]]:
    """The words, and the feelings with their offsets, of ``text`` handed over in pieces cut at ``cuts``."""
    markup, words, feelings = EmotionMarkup(), "", list[tuple[int, Feeling]]()
    edges = sorted({0, len(text), *(cut for cut in cuts or [] if cut < len(text))})
    parts: list[str | Feeling] = []
    for start, end in pairwise(edges):
        parts += markup.push(text[start:end])
    for part in (*parts, *markup.flush()):
        if isinstance(part, Feeling):
            feelings.append((len(words), part))
        else:
            words += part
    return words, feelings


@pytest.mark.parametrize(
    ("text", "feeling"),
    [
        ("[happy]", HAPPY),
        ("[Happy]", HAPPY),
        ("[ happy ]", HAPPY),
        ("[neutral]", Feeling(Emotion.NEUTRAL)),
        ("[sad 0.6]", Feeling(Emotion.SAD, 0.6)),
        ("[sad .6]", Feeling(Emotion.SAD, 0.6)),
        ("[sad: 0.6]", Feeling(Emotion.SAD, 0.6)),
        ("[stern,1]", Feeling(Emotion.STERN)),
        ("[concerned=0]", Feeling(Emotion.CONCERNED, 0.0)),
        ("[amused 40%]", Feeling(Emotion.AMUSED, 0.4)),
        ("[surprised 7]", Feeling(Emotion.SURPRISED)),
    ],
)
def test_marks(text: str, feeling: Feeling) -> None:
    assert read(f"{text} Well.") == ("Well.", [(0, feeling)])


@pytest.mark.parametrize(
    "text",
    ["[happily] so", "[see below]", "a[0] and b[1]", "[]", "[[", "[happy", "[sad 0.6", "happy]", "[happy\n]", "[1]",
     "[sad very]", "[happy -1]", "[ [x] ]", "two  blanks", " at the edge ", "[ſad] x"],
)  # fmt: skip
def test_other_brackets_are_text(text: str) -> None:
    assert read(text) == (text, [])


@pytest.mark.parametrize(
    ("text", "words", "offsets"),
    [
        ("Hello [happy] there.", "Hello there.", [5]),
        ("Hello. [happy] There.", "Hello. There.", [7]),
        ("Hello.[happy]There.", "Hello. There.", [6]),
        ("Hello [happy].", "Hello.", [5]),
        ("Hello there [happy]", "Hello there", [11]),
        ("[happy][amused] Ha.", "Ha.", [0, 0]),
        ("[happy]\nHa.", "Ha.", [0]),
        ("Line\n[happy] Ha.", "Line\nHa.", [5]),
        ("Well [happy]\nnow.", "Well\nnow.", [4]),
        ("你好。[happy]今天很好。", "你好。今天很好。", [3]),
        ("[[happy] x]", "[x]", [1]),
        ("[hap[happy] x", "[hap x", [4]),
    ],
)
def test_blanks_around_a_mark_become_one(text: str, words: str, offsets: list[int]) -> None:
    said, feelings = read(text)
    assert (said, [offset for offset, _ in feelings]) == (words, offsets)


def test_only_what_may_become_a_mark_is_held_back() -> None:
    markup = EmotionMarkup()
    assert markup.push("Yes. [h") == ["Yes. "]
    assert markup.push("e") == ["[he"]
    assert markup.push(" said [sad 0") == [" said"]
    assert markup.push(".5]") == [Feeling(Emotion.SAD, 0.5)]
    assert markup.push(" no") == [" no"]
    assert markup.flush() == []


PIECES = [
    *("[happy]", "[sad 0.6]", "[amused 50%]", "[happy ", "happy]", "[stern:"),
    *("[", "]", "hap", "py", "sad", " ", "\n", ".", ",", "0.6", "word", "好", "x"),
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@given(TEXTS, st.lists(st.integers(0, 120), max_size=12))
def test_how_it_is_chopped_does_not_matter(text: str, cuts: list[int]) -> None:
    assert read(text, cuts) == read(text) == read(text, list(range(len(text))))


@given(st.text(alphabet="[]hapysd 0.6\n好.,"), st.lists(st.integers(0, 60), max_size=8))
def test_no_mark_is_left_and_nothing_else_is_lost(text: str, cuts: list[int]) -> None:
    words, feelings = read(text, cuts)
    if not feelings:
        assert words == text
    assert MARK.search(words) is None
    assert all(0 <= offset <= len(words) for offset, _ in feelings)


@given(
    st.lists(st.sampled_from(["Well", "no.", "Yes!", "maybe,", "so"]), min_size=1, max_size=8),
    st.lists(
        st.tuples(st.integers(0, 7), st.sampled_from(list(Emotion)), st.sampled_from([1.0, 0.5, 0.25])), max_size=4
    ),
)
def test_what_was_taken_out_can_be_put_back(words: list[str], places: list[tuple[int, Emotion, float]]) -> None:
    text, starts = " ".join(words), [0]
    for word in words[:-1]:
        starts.append(starts[-1] + len(word) + 1)
    feelings = sorted(
        ((starts[at % len(starts)], Feeling(emotion, size)) for at, emotion, size in places), key=lambda one: one[0]
    )
    written = marked(text, feelings)
    said, found = read(written)
    assert said == text == unmarked(written)
    assert [feeling for _, feeling in found] == [feeling for _, feeling in feelings]
    assert [said[offset:].lstrip() for offset, _ in found] == [text[offset:] for offset, _ in feelings]


def test_a_model_is_told_of_every_emotion() -> None:
    assert all(f"[{emotion}]" in TEACHING for emotion in Emotion)
    assert [feeling for _, feeling in read(TEACHING)[1]][-1] == Feeling(Emotion.HAPPY, 0.5)
