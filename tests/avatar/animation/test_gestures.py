import random

import numpy as np
import pytest

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.gestures import BEAT_GAP, STRESS_LEAD, Attention, Beats, Move
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.viseme import TimedViseme, Viseme

VOWELS = [TimedViseme(Viseme.AA, 1.0 + 0.3 * i, 1.15 + 0.3 * i) for i in range(40)]


def due(beats: Beats, until: float = 15.0) -> list[Move]:
    return [move for at in np.arange(0, until, 0.04) for move in beats.due(float(at))]


def test_beats_lead_their_stress_and_keep_their_distance() -> None:
    beats = Beats(1)
    times = [1.0 + 0.2 * i for i in range(50)]
    beats.stress(times)
    moves = due(beats)
    starts = np.array([move.start for move in moves])
    assert len(moves) > 10
    assert np.diff(starts).min() >= BEAT_GAP - 1e-9
    assert all(any(abs(start + STRESS_LEAD - time) < 1e-9 for time in times) for start in starts)
    assert len({round(move.pitch, 4) for move in moves}) > 5


def test_long_vowels_stand_in_where_no_stress_is_told() -> None:
    told, untold = Beats(2), Beats(2)
    untold.speak(VOWELS)
    told.speak(VOWELS)
    told.stress([2.1, 5.1, 8.1, 11.1])
    assert len(due(untold)) > 8
    # A stress that is told keeps the vowels around it still.
    assert all(any(abs(m.start + STRESS_LEAD - t) < 1e-9 for t in (2.1, 5.1, 8.1, 11.1)) for m in due(told))


def test_it_does_not_matter_in_which_pieces_the_voice_comes() -> None:
    whole, pieces = Beats(3), Beats(3)
    whole.speak(VOWELS)
    pieces.speak(VOWELS[:7])
    moves = [move for at in np.arange(0, 2.5, 0.04) for move in pieces.due(float(at))]
    pieces.speak(VOWELS[7:])
    assert moves + [m for at in np.arange(2.5, 15, 0.04) for m in pieces.due(float(at))] == due(whole)


def test_a_cut_voice_beats_no_more() -> None:
    beats = Beats(1)
    beats.stress([1.0, 2.0, 3.0])
    beats.speak([v.shifted(5) for v in VOWELS])
    beats.cut(0.5)
    assert not due(beats)


def test_brows_move_now_and_then_while_the_visitor_speaks() -> None:
    attention = Attention(random.Random(1))
    attention.hear(True, 1.0)
    moves = [move for at in np.arange(1, 21, 0.04) for move in attention.due(float(at))]
    assert 4 <= len(moves) <= 16
    assert all(move.brows > 0 and move.pitch == 0 for move in moves)
    attention.hear(False, 21.0)
    attention.due(21.35)
    assert not attention.due(40.0)


def listening(speaks: bool) -> list[FaceFrame]:
    animator = Animator(4)
    animator.state(FaceState.IDLE, 0.0)
    if speaks:
        animator.hear(True, 0.5)
    return [animator.frame(i / 25) for i in range(1500)][50:]


def towards(frames: list[FaceFrame]) -> float:
    """The share of time for which the eyes rest on the visitor, the head's turn added again."""
    return float(np.mean([abs(f.gaze_x + f.yaw / np.radians(26)) < 0.1 for f in frames]))


def test_the_eyes_stay_on_a_visitor_who_speaks() -> None:
    assert towards(listening(True)) > 0.9
    assert towards(listening(False)) < 0.88


def test_a_speaker_looks_away_and_comes_back_within_moments() -> None:
    animator = Animator(9)
    animator.state(FaceState.SPEAKING, 0.0)
    frames = [animator.frame(i / 25) for i in range(3000)][50:]
    assert 0.6 < towards(frames) < 0.95
    away = longest = 0
    for frame in frames:
        away = away + 1 if abs(frame.gaze_x + frame.yaw / np.radians(26)) > 0.12 else 0
        longest = max(longest, away)
    assert 5 <= longest <= 28


@pytest.mark.parametrize("seed", range(6))
def test_a_turn_often_ends_with_a_blink(seed: int) -> None:
    animator = Animator(seed)
    animator.state(FaceState.SPEAKING, 0.0)
    blinks = 0
    for turn in range(12):
        at = 5.0 * turn
        animator.state(FaceState.SPEAKING, at)
        animator.state(FaceState.LISTENING, at + 3.0)
        shut = [animator.frame(at + i / 25).blink for i in range(125)]
        blinks += max(shut[75:84]) > 0.8
    assert blinks >= 5


def test_moods_move_the_head_less_or_more() -> None:
    def travel(emotion: Emotion) -> float:
        animator = Animator(6)
        animator.state(FaceState.SPEAKING, 0.0)
        animator.feel(Feeling(emotion), 0.0)
        animator.stress([1.0 + 0.6 * i for i in range(15)])
        animator.speak(VOWELS)
        return float(np.abs(np.diff([animator.frame(i / 25).pitch for i in range(50, 250)])).sum())

    assert travel(Emotion.SAD) < travel(Emotion.NEUTRAL) < travel(Emotion.HAPPY)
