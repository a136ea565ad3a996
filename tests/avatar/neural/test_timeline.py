import numpy as np
import pytest

from visavis.avatar.neural.timeline import LIMIT, VoiceTimeline
from visavis.speech.ports import SPEECH_RATE


def test_sound_lies_where_it_will_be_heard() -> None:
    timeline = VoiceTimeline()
    timeline.place(np.full(240, 5, np.int16), 1.0)
    timeline.place(np.full(240, 7, np.int16), 1.02)
    window = timeline.window(24000 - 10, 740)
    assert window.tolist() == [0] * 10 + [5] * 240 + [0] * 240 + [7] * 240 + [0] * 10
    assert timeline.window(-5, 10).tolist() == [0] * 10
    assert timeline.end == pytest.approx(1.03)


def test_stretches_with_short_gaps_are_one_sound() -> None:
    timeline = VoiceTimeline()
    for at in (1.0, 1.15, 3.0):
        timeline.place(np.ones(2400, np.int16), at)
    assert timeline.sound_from(0.0, 0.1) == pytest.approx((1.0, 1.25))
    assert timeline.sound_from(1.3, 0.1) == pytest.approx((1.15, 1.25))
    assert timeline.sound_from(1.4, 0.1) == pytest.approx((3.0, 3.1))
    assert timeline.sound_from(3.3, 0.1) is None


def test_the_past_is_forgotten() -> None:
    timeline = VoiceTimeline()
    timeline.place(np.ones(2400, np.int16), 0.0)
    timeline.place(np.ones(2400, np.int16), 5.0)
    timeline.forget(1.0)
    assert not timeline.window(0, 2400).any()
    assert timeline.window(5 * SPEECH_RATE, 2400).all()
    timeline.clear()
    assert timeline.end == float("-inf")
    assert not timeline.window(5 * SPEECH_RATE, 2400).any()


def test_it_is_bounded() -> None:
    timeline = VoiceTimeline()
    for second in range(int(LIMIT) + 20):
        timeline.place(np.ones(SPEECH_RATE, np.int16), float(second))
    held = [second for second in range(int(LIMIT) + 20) if timeline.window(second * SPEECH_RATE, 10).any()]
    assert len(held) <= LIMIT + 1
    assert held[-1] == LIMIT + 19


def test_wrong_sound_is_refused() -> None:
    timeline = VoiceTimeline()
    with pytest.raises(ValueError, match="int16"):
        timeline.place(np.ones(10, np.float32), 0.0)  # type: ignore[arg-type]
    timeline.place(np.ones(2400, np.int16), 1.0)
    with pytest.raises(ValueError, match="order"):
        timeline.place(np.ones(2400, np.int16), 1.05)
