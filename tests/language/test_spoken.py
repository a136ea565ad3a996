"""Text made fit to be said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.language.spoken import SpokenText, speakable


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("Plain words stay. 3.5 of 4, you know?", "Plain words stay. 3.5 of 4, you know?"),
        (
            "This is **bold**, *italic*, ***both*** and __under__ _lined_.",
            "This is bold, italic, both and under lined.",
        ),
        ("~~No~~ yes, and `code` too.", "No yes, and code too."),
        ("The snake_case_name is one.", "The snake case name is one."),
        ("5 * 3 is 15, and 5*3 too.", "5 * 3 is 15, and 5*3 too."),
        ("About ~5 minutes.", "About ~5 minutes."),
        ("# Title\nText", "Title\nText"),
        ("### Opening *hours*\n\nTen to six.", "Opening hours\nTen to six."),
        ("- one\n- two\n* three\n+ four\n• five", "one\ntwo\nthree\nfour\nfive"),
        ("1. First\n2. Second", "1. First\n2. Second"),
        ("> quoted\n> - item", "quoted\nitem"),
        ("Above\n---\nBelow\n***\nEnd", "Above\nBelow\nEnd"),
        ("Title\n=====\nText", "Title\nText"),
        ("See [the shop](https://example.com/shop?a=1) now.", "See the shop now."),
        ("See [the wiki](https://en.example.org/wiki/A_(b)) now.", "See the wiki now."),
        ("A picture: ![a red cat](cat.png) here.", "A picture: a red cat here."),
        ("See [**the** 😀 shop](https://example.com) now.", "See the shop now."),
        ("See [this][ref] there.", "See this there."),
        ("He said [sic] so.", "He said [sic] so."),
        ("Go to https://www.example.com/a/b?c=d#e.", "Go to example.com."),
        ("Go to www.example.com/x, or not!", "Go to example.com, or not!"),
        ("(see https://example.com/a)", "(see example.com)"),
        ("<https://example.com/a> or <me@example.com>", "example.com or me@example.com"),
        ("[https://example.com/a](https://example.com/a)", "example.com"),
        ("Hi 😀! Great 👍🏽 👨‍👩‍👧 work 🇩🇪.", "Hi! Great work."),
        ("Yes ✅ it is ➡️ so", "Yes it is so"),
        ("Key 1️⃣ first", "Key 1 first"),
        ("Fish &amp; chips &lt;3 R&D", "Fish & chips <3 R&D"),
        ("a<br>b <b>c</b> 3 < 4", "a b c 3 < 4"),
        (r"\*not bold\* 1\. x", "*not bold* 1. x"),
        ("Look:\n```python\nprint('x')\n```\nDone.", "Look:\nDone."),
        ("Look:\n```\nplain words\n```\nDone.", "Look:\nplain words\nDone."),
        ("```text\n# not a heading? 5 * 3\n```", "# not a heading? 5 * 3"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "a, b,\n1, 2,"),
        ("Too    many \t blanks", "Too many blanks"),
        ("a\n\n\n\nb", "a\nb"),
        ("你好！**世界**😀。", "你好！世界。"),
        ("What? Who! http is a protocol, hw.", "What? Who! http is a protocol, hw."),
        ("It's 10:30 — well, 50% (or $3.20) at 3 p.m.…", "It's 10:30 — well, 50% (or $3.20) at 3 p.m.…"),
        ("-5 degrees", "-5 degrees"),
        ("", ""),
        ("**", ""),
    ],
)
def test_what_is_said(text: str, spoken: str) -> None:
    assert speakable(text) == spoken


def test_a_sentence_and_the_space_behind_it_come_at_once() -> None:
    spoken = SpokenText()
    assert spoken.push("It is **open**.") == "It is open."
    assert spoken.push(" ") == " "
    assert spoken.push("Come") == "Come"


def test_mark_up_is_held_back_until_it_is_certain() -> None:
    spoken = SpokenText()
    assert spoken.push("See [the") == "See"
    assert spoken.push(" shop](https://example") == ""
    assert spoken.push(".com) now") == " the shop now"


def test_what_never_closes_is_said() -> None:
    spoken = SpokenText()
    told = spoken.push("See [the " + "words " * 100)
    assert told.startswith("See [the words")
    assert spoken.push("a < b") + spoken.flush()


def test_after_flush_a_new_text_begins() -> None:
    spoken = SpokenText()
    spoken.push("```python\nx")
    spoken.flush()
    assert spoken.push("Hello") == "Hello"


MARKS = (
    "* ** _ ` ``` ```py [ ] ( ) ! ![a](b) | --- https://example.com/a www. h w < > <b> &amp; & 😀 \u200d \ufe0f "
    "1\ufe0f\u20e3 \\ 5 . ~~ ~ = 。 é word"
)
PIECES = st.lists(st.sampled_from([*MARKS.split(), " ", "\n", "# ", "- ", "> ", ", "]), max_size=60).map("".join)


@settings(max_examples=400, deadline=None)
@given(PIECES, st.lists(st.integers(1, 9), min_size=1, max_size=80))
def test_what_is_said_does_not_depend_on_the_deltas(text: str, sizes: list[int]) -> None:
    whole = SpokenText()
    expected = whole.push(text) + whole.flush()
    spoken = SpokenText()
    out: list[str] = []
    at = 0
    for size in sizes:
        out.append(spoken.push(text[at : at + size]))
        at += size
    out += [spoken.push(text[at:]), spoken.flush()]
    assert "".join(out) == expected
    assert "  " not in expected
    assert "😀" not in expected


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="abc DE.,!?;:\n'0123456789-", max_size=120))
def test_plain_words_are_left_alone(text: str) -> None:
    assert [word for word in speakable(text).split() if word.isalnum()] == [
        word for word in text.split() if word.isalnum()
    ]
