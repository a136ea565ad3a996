"""Lines: what is spoken in one go, and the feelings in it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.avatar.emotion import Emotion, Feeling
from visavis.conversation.lines import Line, Lines

HAPPY, SAD = Feeling(Emotion.HAPPY), Feeling(Emotion.SAD, 0.6)


def lines(text: str, cuts: list[int] | None = None) -> list[Line]:
    maker, found = Lines(), list[Line]()
    edges = sorted({0, len(text), *(cut for cut in cuts or [] if cut < len(text))})
    for start, end in pairwise(edges):
        found += maker.push(text[start:end])
    return [*found, *maker.flush()]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "[happy] Hello there! [sad 0.6] I must go.",
            [Line("Hello there!", ((0, HAPPY),)), Line(" I must go.", ((1, SAD),))],
        ),
        ("That is good, [happy] is it not?", [Line("That is good, is it not?", ((14, HAPPY),))]),
        ("Well.[happy] Now then. [sad 0.6]", [Line("Well."), Line(" Now then.", ((1, HAPPY),)), Line("", ((0, SAD),))]),
        ("[happy]", [Line("", ((0, HAPPY),))]),
        ("**[happy]** *Great* [see](http://x.org/a) it!", [Line("Great see it!", ((0, HAPPY),))]),
        ("[happy](laughs) Ha.", [Line("(laughs) Ha.", ((0, HAPPY),))]),
        ("[happy][sad 0.6] Oh.", [Line("Oh.", ((0, SAD),))]),
        ("[happy]" * 5000 + "[sad 0.6]", [Line("", ((0, SAD),))]),
        ("Oh![happy] Ha.", [Line("Oh!"), Line(" Ha.", ((1, HAPPY),))]),
        ("- one\n- [happy] two", [Line("one"), Line(" two", ((1, HAPPY),))]),
        ("See [note].", [Line("See [note].")]),
        ("", []),
    ],
)
def test_feelings_stand_in_front_of_their_words(text: str, wanted: list[Line]) -> None:
    assert lines(text) == wanted


PIECES = ["[happy]", "[sad 0.6]", "[", "]", "(", ")", " ", "\n", ".", "!", "Mr.", "*", "- ", "word", "Word", "5",
          "https://a.org/b ", "好。"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.lists(st.integers(0, 90), max_size=10))
def test_how_it_is_chopped_does_not_matter(text: str, cuts: list[int]) -> None:
    whole = lines(text)
    assert lines(text, cuts) == whole == lines(text, list(range(len(text))))
    for line in whole:
        offsets = [offset for offset, _ in line.feelings]
        assert offsets == sorted(offsets)
        assert all(not line.text or not line.text[offset].isspace() for offset in offsets)
        assert line.text or line is whole[-1]
