from hypothesis import given
from hypothesis import strategies as st

from visavis.speech.segmentation import LONGEST, speakable, stretches


@given(st.text(max_size=400), st.integers(1, LONGEST))
def test_stretches_say_every_word_once_and_where_it_stands(text: str, wanted: int) -> None:
    clean = speakable(text)
    assert len(clean) == len(text)
    said = list(stretches(text, wanted))
    end = 0
    for stretch in said:
        assert 0 < len(stretch.text) <= LONGEST
        assert clean[stretch.offset : stretch.offset + len(stretch.text)] == stretch.text
        assert stretch.offset >= end
        assert not any(c.isalnum() for c in clean[end : stretch.offset])
        end = stretch.offset + len(stretch.text)
    assert not any(c.isalnum() for c in clean[end:])


def test_a_stretch_is_made_of_whole_sentences() -> None:
    text = "One. Two two. Three three three! Four?"
    assert [s.text for s in stretches(text, 14)] == ["One. Two two.", "Three three three!", "Four?"]
    assert [s.text for s in stretches(text)] == [text]


def test_abbreviations_and_numbers_end_no_sentence() -> None:
    text = "Dr. J. Smith paid 3.50 for it, e.g. in cash. He left."
    assert [s.text for s in stretches(text, 10)] == ["Dr. J. Smith paid 3.50 for it, e.g. in cash.", "He left."]


def test_a_long_sentence_is_cut_after_a_clause_else_between_words() -> None:
    clauses = ", ".join(["a clause of some words"] * 30)
    assert all(s.text.endswith((",", "words")) for s in stretches(clauses))
    words = "word " * 200
    assert all(s.text.endswith("word") for s in stretches(words))
    assert [len(s.text) for s in stretches("字" * (LONGEST + 5))] == [LONGEST, 5]


def test_what_has_no_sound_is_left_out() -> None:
    assert list(stretches("")) == []
    assert list(stretches(" … 😀 \x00\u200d — !")) == []
    assert [s.text.split() for s in stretches("Hi 👩‍🚀 there\x07you ❤️ now.")] == [["Hi", "there", "you", "now."]]
    assert [s.text for s in stretches("می\u200cخواهم")] == ["می\u200cخواهم"]


def test_other_scripts_end_their_sentences_too() -> None:
    assert [s.text for s in stretches("你好。我想喝咖啡！好。", 4)] == ["你好。", "我想喝咖啡！", "好。"]
