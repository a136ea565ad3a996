"""Sentences out of a stream of words."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.conversation.sentences import MAX_PIECE, SentenceSplitter


def split(text: str, size: int = 0) -> list[str]:
    """The pieces of ``text`` pushed ``size`` characters at a time (0: at once)."""
    splitter = SentenceSplitter()
    pieces: list[str] = []
    step = size or max(1, len(text))
    for at in range(0, len(text), step):
        pieces += splitter.push(text[at : at + step])
    return pieces + splitter.flush()


def said(text: str) -> list[str]:
    """The pieces without the white space around them."""
    return [piece.strip() for piece in split(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
        ("Mr. Smith met Dr. Jones. They talked.", ["Mr. Smith met Dr. Jones.", "They talked."]),
        ("Pi is 3.14 and e is 2.72. Both go on.", ["Pi is 3.14 and e is 2.72.", "Both go on."]),
        ("Bring fruit, e.g. pears. Thanks.", ["Bring fruit, e.g. pears.", "Thanks."]),
        ("We open at 9 a.m. on Mondays.", ["We open at 9 a.m. on Mondays."]),
        ("We open at 9 a.m. Come early.", ["We open at 9 a.m.", "Come early."]),
        ("He lives in the U.S. now. I do not.", ["He lives in the U.S. now.", "I do not."]),
        ("Ask J. Doe. He knows.", ["Ask J. Doe.", "He knows."]),
        ("So do I. Really.", ["So do I.", "Really."]),
        ("Is it No. 5? No. It is not.", ["Is it No. 5?", "No.", "It is not."]),
        ("Well... maybe later. Or never.", ["Well... maybe later.", "Or never."]),
        ("Well… Maybe later.", ["Well…", "Maybe later."]),
        ('She said "Stop." Then she left.', ['She said "Stop."', "Then she left."]),
        ("(It rains.) We stay.", ["(It rains.)", "We stay."]),
        ("What?! No!", ["What?!", "No!"]),
        ("1. Wash it. 2. Dry it.", ["1. Wash it.", "2. Dry it."]),
        ("In 1990. Then more.", ["In 1990.", "Then more."]),
        ("你好。今天天气很好！你呢？", ["你好。", "今天天气很好！", "你呢？"]),
        ("彼は「はい。」と言った。", ["彼は「はい。」", "と言った。"]),
        ("First line\nSecond line", ["First line", "Second line"]),
        ("Look at example.com for more. Bye.", ["Look at example.com for more.", "Bye."]),
        ("...", ["..."]),
        ("   \n ", []),
        ("", []),
    ],
)
def test_sentences(text: str, pieces: list[str]) -> None:
    assert said(text) == pieces


def test_first_piece_may_be_a_clause_and_no_later_one() -> None:
    text = "On weekdays we are open from nine to five, but on Sundays, as you know, we are closed, sadly. Come then."
    assert said(text) == [
        "On weekdays we are open from nine to five,",
        "but on Sundays, as you know, we are closed, sadly.",
        "Come then.",
    ]


def test_a_short_first_clause_waits() -> None:
    assert said("Yes, of course, gladly. Sit down.") == ["Yes, of course, gladly.", "Sit down."]


def test_figures_do_not_end_a_clause() -> None:
    assert said("It costs about 1,000 dollars at 10:30 in all.") == ["It costs about 1,000 dollars at 10:30 in all."]


def test_a_wide_first_clause() -> None:
    assert said("我们每天早上九点开门，晚上六点关门。欢迎。") == ["我们每天早上九点开门，", "晚上六点关门。", "欢迎。"]


def test_a_sentence_comes_out_with_the_space_behind_it() -> None:
    splitter = SentenceSplitter()
    assert splitter.push("It is open.") == []
    assert splitter.push(" ") == ["It is open."]
    assert splitter.flush() == []


def test_after_flush_a_new_answer_begins() -> None:
    splitter = SentenceSplitter()
    splitter.push("One sentence here. And")
    splitter.flush()
    assert splitter.push("All of our rooms, of course") == ["All of our rooms,"]


def test_a_long_stretch_is_cut_at_a_clause_or_a_space() -> None:
    clauses = "some words that go on, " * 30
    spaces = "word " * 100
    for text, ends in ((clauses, ","), (spaces, "d")):
        pieces = [piece.strip() for piece in split(text)]
        assert len(pieces) > 2
        assert all(len(piece) <= MAX_PIECE for piece in pieces)
        assert all(piece.endswith(ends) for piece in pieces[:-1])


def test_a_stretch_without_any_space_is_cut() -> None:
    pieces = split("x" * 1000)
    assert "".join(pieces) == "x" * 1000
    assert max(map(len, pieces)) <= MAX_PIECE


TEXTS = st.lists(
    st.sampled_from(
        [
            *"abI ,;:—….!?\n\"')。，「」你好5",
            "Mr.",
            "a.m.",
            "e.g.",
            "etc.",
            "No.",
            "word ",
            ". ",
            "... ",
            ", ",
            "3.14",
            "é",
            "  ",
        ]
    ),
    max_size=400,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.lists(st.integers(1, 40), min_size=1, max_size=60))
def test_pieces_do_not_depend_on_the_deltas_and_lose_nothing(text: str, sizes: list[int]) -> None:
    splitter = SentenceSplitter()
    pieces: list[str] = []
    at = 0
    for size in sizes:
        pieces += splitter.push(text[at : at + size])
        at += size
    pieces += splitter.push(text[at:])
    pieces += splitter.flush()
    assert pieces == split(text) == split(text, 1)
    assert "".join(pieces) == text.rstrip()
    assert all(piece.strip() for piece in pieces)
    assert all(
        len(piece.strip()) <= MAX_PIECE + len(max(re.findall(r"[.!?…\"')。」]+", piece), key=len, default=""))
        for piece in pieces
    )
