from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.speech import phoneme
from visavis.speech.phoneme import (
    TimedPhoneme,
    arpabet_shapes,
    clip_visemes,
    ipa_shapes,
    microsoft_shapes,
    timed_visemes,
)
from visavis.viseme import TimedViseme, Viseme

SHAPES = st.lists(st.sampled_from(Viseme), max_size=2).map(tuple)


@pytest.mark.parametrize(
    ("symbol", "shapes"),
    [
        ("p", "PP"), ("m", "PP"), ("v", "FF"), ("θ", "TH"), ("ɾ", "DD"), ("ŋ", "kk"), ("tʃ", "CH"), ("ts", "SS"),
        ("z", "SS"), ("n̩", "nn"), ("ɹ", "RR"), ("ɜː", "RR"), ("ˈæ", "aa"), ("ɛ", "E"), ("ˌiː", "ih"), ("uː", "ou"),
        ("ɔ̃", "oh"), ("ç", "ih"), ("c\u0327", "ih"), ("y-", "ou"), ("", "sil"), ("ˈ", "sil"), ("əl", "nn"),
        ("kh", "kk"), ("tʲ", "DD"), ("5", "sil"), ("ɐ", "aa"),
    ],
)  # fmt: skip
def test_single_sounds_of_ipa(symbol: str, shapes: str) -> None:
    assert ipa_shapes(symbol) == (Viseme(shapes),)


@pytest.mark.parametrize(
    ("symbol", "first", "second"),
    [
        ("aɪ", "aa", "ih"), ("ˈaʊ", "aa", "ou"), ("eɪ", "E", "ih"), ("oʊ", "oh", "ou"), ("əʊ", "oh", "ou"),
        ("ɔɪ", "oh", "ih"), ("ɛɹ", "E", "RR"), ("ɑːɹ", "aa", "RR"), ("iə", "ih", "aa"), ("ɐ̃ʊ", "aa", "ou"),
        ("aɪɚ", "aa", "ih"), ("æi", "aa", "ih"), ("ˈɑu", "aa", "ou"),
    ],
)  # fmt: skip
def test_diphthongs_of_ipa_have_two_shapes(symbol: str, first: str, second: str) -> None:
    assert ipa_shapes(symbol) == (Viseme(first), Viseme(second))


def test_the_aspirate_has_no_shape_of_its_own() -> None:
    assert ipa_shapes("h") == arpabet_shapes("HH") == microsoft_shapes(12) == ()
    timed = timed_visemes([TimedPhoneme((), 0.0), TimedPhoneme((Viseme.OU,), 0.1)], 0.0, 0.3)
    assert timed == (TimedViseme(Viseme.OU, 0.0, 0.3),)


def test_the_three_alphabets_agree() -> None:
    for ipa, arpabet, microsoft in (
        ("b", "B", 21), ("f", "F", 18), ("ð", "DH", 17), ("t", "T", 19), ("k", "K", 20), ("ʃ", "SH", 16),
        ("s", "S", 15), ("l", "L", 14), ("ɹ", "R", 13), ("æ", "AE1", 1), ("ɛ", "EH0", 4), ("i", "IY2", 6),
        ("u", "UW", 7), ("ɔ", "AO", 3), ("aɪ", "AY1", 11), ("aʊ", "AW", 9), ("ɔɪ", "OY", 10), ("", "SIL", 0),
    ):  # fmt: skip
        assert ipa_shapes(ipa) == arpabet_shapes(arpabet) == microsoft_shapes(microsoft), ipa


@pytest.mark.parametrize("number", [-1, 22, 1000])
def test_microsoft_knows_twenty_two(number: int) -> None:
    with pytest.raises(ValueError, match="no such viseme"):
        microsoft_shapes(number)


@given(st.text(max_size=8))
def test_any_symbol_has_at_most_two_shapes(symbol: str) -> None:
    for shapes in (ipa_shapes(symbol), arpabet_shapes(symbol)):
        assert len(shapes) <= 2
        assert all(isinstance(shape, Viseme) for shape in shapes)


@given(st.sampled_from(sorted(phoneme._IPA)), st.sampled_from(["", "ˈ", "ˌ"]), st.sampled_from(["", "ː", "ˑ", "̃", "ʲ"]))
def test_marks_never_change_a_shape(symbol: str, before: str, after: str) -> None:
    assert ipa_shapes(before + symbol + after) == ipa_shapes(symbol) == phoneme._IPA[symbol]


def test_every_shape_can_be_reached() -> None:
    every = set(Viseme)
    assert {shape for shapes in phoneme._IPA.values() for shape in shapes} | {Viseme.SIL} == every
    assert {shape for shapes in phoneme._ARPABET.values() for shape in shapes} == every
    assert {shape for number in range(22) for shape in microsoft_shapes(number)} == every


@given(st.lists(st.tuples(SHAPES, st.floats(0, 10)), max_size=20), st.floats(0, 5), st.floats(0.01, 5))
def test_timed_visemes_cover_the_stretch_without_gaps(
    told: list[tuple[tuple[Viseme, ...], float]], start: float, length: float
) -> None:
    phonemes = [TimedPhoneme(shapes, at) for shapes, at in sorted(told, key=lambda item: item[1])]
    end = start + length
    timed = timed_visemes(phonemes, start, end)
    assert timed[0].start == start
    assert timed[-1].end == end
    for one, next_one in pairwise(timed):
        assert one.end == next_one.start
        assert one.viseme is not next_one.viseme
        assert one.end > one.start


def test_a_diphthong_moves_within_its_time() -> None:
    timed = timed_visemes([TimedPhoneme((Viseme.AA, Viseme.IH), 0.2), TimedPhoneme((Viseme.PP,), 0.4)], 0.0, 0.5)
    assert [viseme.viseme for viseme in timed] == [Viseme.SIL, Viseme.AA, Viseme.IH, Viseme.PP]
    assert 0.2 < timed[1].end < 0.4


def test_clipping_keeps_what_lies_inside() -> None:
    mouth = (TimedViseme(Viseme.PP, 0.0, 0.1), TimedViseme(Viseme.AA, 0.1, 0.4), TimedViseme(Viseme.SS, 0.4, 0.5))
    assert clip_visemes(mouth, 0.2, 0.45) == (TimedViseme(Viseme.AA, 0.2, 0.4), TimedViseme(Viseme.SS, 0.4, 0.45))
    assert clip_visemes(mouth, 0.5, 0.9) == ()
