import numpy as np
import pytest
from numpy.typing import NDArray

from visavis.avatar.animation.loudness import LIMIT, Loudness
from visavis.speech.ports import SPEECH_RATE


def tone(seconds: float, level: float, hertz: float = 600.0) -> NDArray[np.int16]:
    time = np.arange(int(seconds * SPEECH_RATE)) / SPEECH_RATE
    return (level * 32767 * np.sin(2 * np.pi * hertz * time)).astype(np.int16)


def test_a_loud_voice_is_louder_than_a_quiet_one_and_silence_is_none() -> None:
    loudness = Loudness()
    loudness.add(np.concatenate([tone(0.5, 0.6), tone(0.5, 0.1), tone(0.5, 0.0)]), 2.0)
    assert loudness.level(2.25) == pytest.approx(1.0, abs=0.03)
    quiet = loudness.level(2.75)
    assert quiet is not None
    assert 0.2 < quiet < 0.5
    assert loudness.level(3.25) == 0
    assert loudness.level(9.0) == 0


def test_no_sound_is_no_knowledge() -> None:
    assert Loudness().level(1.0) is None


def test_hisses_are_not_loud() -> None:
    loudness = Loudness()
    loudness.add(np.concatenate([tone(0.5, 0.5), tone(0.5, 0.5, 6500.0)]), 0.0)
    hiss = loudness.level(0.75)
    assert hiss is not None
    assert hiss < 0.5


def test_pieces_make_the_same_as_the_whole() -> None:
    whole, pieces = Loudness(), Loudness()
    pcm = np.concatenate([tone(0.4, 0.6), tone(0.6, 0.2)])
    whole.add(pcm, 1.0)
    pieces.add(pcm[:9000], 1.0)
    for start in range(9000, len(pcm), 777):
        pieces.add(pcm[start : start + 777], 1.0 + start / SPEECH_RATE)
    for at in np.arange(1.0, 1.95, 0.013):
        assert whole.level(float(at)) == pytest.approx(pieces.level(float(at)), abs=1e-4)


def test_pieces_shorter_than_a_step_are_put_together() -> None:
    whole, pieces = Loudness(), Loudness()
    pcm = tone(0.6, 0.4)
    whole.add(pcm, 1.0)
    for start in range(0, len(pcm), 128):
        pieces.add(pcm[start : start + 128], 1.0 + start / SPEECH_RATE)
    for at in np.arange(1.1, 1.5, 0.013):
        assert whole.level(float(at)) == pytest.approx(pieces.level(float(at)), abs=0.03)


def test_what_comes_after_a_pause_is_where_it_is_heard() -> None:
    loudness = Loudness()
    loudness.add(tone(0.3, 0.5), 1.0)
    loudness.add(tone(0.3, 0.5), 2.0)
    assert loudness.level(1.6) == 0
    assert loudness.level(2.15) == pytest.approx(1.0, abs=0.03)


def test_a_voice_that_begins_anew_forgets_what_was_to_come() -> None:
    loudness = Loudness()
    loudness.add(tone(5.0, 0.5), 1.0)
    loudness.add(tone(0.3, 0.5), 2.0)
    assert loudness.level(2.15) == pytest.approx(1.0, abs=0.03)
    assert loudness.level(4.0) == 0


def test_it_holds_a_bounded_stretch_of_sound() -> None:
    loudness = Loudness()
    for second in range(200):
        loudness.add(tone(1.0, 0.5), float(second))
        loudness.level(max(0.0, second - 10.0))
    assert loudness.seconds <= LIMIT
    for second in range(int(LIMIT) + 5):
        loudness.add(tone(1.0, 0.5), 1000.0 + second)
    assert loudness.seconds <= LIMIT
