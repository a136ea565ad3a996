"""What counts as the avatar's falling silent, and how failures are told."""

import pytest

from visavis.bench.measures import Times, time_to_silence
from visavis.bench.report import _times


def sound(*spans: tuple[float, float]) -> list[tuple[float, float]]:
    """Pieces of 20 ms from 0 to 10 s, loud within ``spans``."""
    times = [number / 50 for number in range(500)]
    return [(at, 3000.0 if any(first <= at < last for first, last in spans) else 1.0) for at in times]


def test_the_last_sound_before_the_silence_counts() -> None:
    assert time_to_silence(sound((1.0, 4.2)), 4.0, 6.0) == pytest.approx(0.18)


def test_a_pause_within_the_answer_is_no_silence() -> None:
    assert time_to_silence(sound((1.0, 4.1), (4.3, 4.6)), 4.0, 6.0) == pytest.approx(0.58)


def test_sound_after_the_interruption_is_the_next_answer() -> None:
    assert time_to_silence(sound((1.0, 4.2), (6.5, 9.0)), 4.0, 6.0) == pytest.approx(0.18)


def test_an_avatar_that_speaks_on_did_not_fall_silent() -> None:
    assert time_to_silence(sound((1.0, 9.0)), 4.0, 6.0) is None
    assert time_to_silence(sound((1.0, 4.2), (5.0, 9.0)), 4.0, 6.0) is None


def test_nothing_to_talk_into() -> None:
    assert time_to_silence(sound(), 4.0, 6.0) is None
    assert time_to_silence(sound((1.0, 3.0)), 4.0, 6.0) is None
    assert time_to_silence(sound((4.1, 4.3)), 4.0, 6.0) is None


def test_the_table_tells_how_many_succeeded() -> None:
    assert _times(Times((0.2, 0.1, 0.3), 5), (200, None)) == ("p50 200, p95 290 ms (n = 3 of 5)", "≤ 200 ms")
    assert _times(Times((), 5), (500, 800)) == ("none (n = 0 of 5)", "p50 ≤ 500, p95 ≤ 800 ms")
