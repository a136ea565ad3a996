"""Whatever happens in whatever order, the face stays a face: weights in range, finite, and nothing jumps."""

import math
from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.avatar.animation.animator import Animator
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.blendshape import ARKIT, ArkitFrame
from visavis.speech.ports import SPEECH_RATE
from visavis.viseme import TimedViseme, Viseme

_AHEAD = st.floats(-0.3, 2.0)
_LENGTH = st.floats(0.005, 0.25)
_EVENT = st.one_of(
    st.tuples(st.just("state"), st.sampled_from(FaceState), _AHEAD),
    st.tuples(st.just("feel"), st.builds(Feeling, st.sampled_from(Emotion), st.floats(0, 1)), _AHEAD),
    st.tuples(st.just("hear"), st.booleans(), _AHEAD),
    st.tuples(st.just("speak"), st.lists(st.tuples(st.sampled_from(Viseme), _LENGTH), max_size=12), _AHEAD),
    st.tuples(st.just("follow"), st.integers(0, 2**31), _AHEAD),
    st.tuples(st.just("stress"), st.lists(st.floats(0, 2), max_size=4), _AHEAD),
    st.tuples(st.just("sound"), st.floats(0.01, 1.5), _AHEAD),
    st.tuples(st.just("cut"), st.none(), _AHEAD),
)
_STORY = st.lists(st.tuples(st.integers(0, 30), _EVENT), max_size=25)


def tell(animator: Animator, event: tuple[str, object, float], now: float) -> None:
    what, value, ahead = event
    at = now + ahead
    match what, value:
        case "state", FaceState():
            animator.state(value, at)
        case "feel", Feeling():
            animator.feel(value, at)
        case "hear", bool():
            animator.hear(value, at)
        case "speak", list():
            line: list[TimedViseme] = []
            for viseme, length in value:
                line.append(TimedViseme(viseme, at, at := at + length))
            animator.speak(line)
        case "follow", int():
            draw = np.random.default_rng(value)
            animator.follow(
                [ArkitFrame(at + i / 30, draw.uniform(-0.2, 1.2, len(ARKIT)).astype(np.float32)) for i in range(12)]
            )
        case "stress", list():
            animator.stress(sorted(at + time for time in value))
        case "sound", float():
            noise = np.random.default_rng(1).integers(-20000, 20000, int(value * SPEECH_RATE))
            animator.sound(noise.astype(np.int16), at)
        case _:
            animator.cut(at)


def play(seed: int, story: list[tuple[int, tuple[str, object, float]]], rate: int) -> list[FaceFrame]:
    animator, shown, index = Animator(seed), [], 0
    for wait, event in story:
        for _ in range(wait):
            shown.append(animator.frame(index / rate))
            index += 1
        tell(animator, event, index / rate)
    return shown + [animator.frame((index + after) / rate) for after in range(2 * rate)]


def angles(face: FaceFrame) -> np.ndarray:
    return np.array([face.yaw, face.pitch, face.roll])


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1000), story=_STORY, rate=st.sampled_from([25, 30, 60]))
def test_weights_stay_in_range_and_nothing_jumps(
    seed: int, story: list[tuple[int, tuple[str, object, float]]], rate: int
) -> None:
    frames = play(seed, story, rate)
    for face in frames:
        assert np.isfinite(face.arkit).all()
        assert face.arkit.min() >= 0
        assert face.arkit.max() <= 1
        assert np.isfinite(angles(face)).all()
        assert np.abs(angles(face)).max() < 0.16
        assert max(abs(face.gaze_x), abs(face.gaze_y)) <= 1
        assert 0 <= face.blink <= 1
        assert 0 <= face.breath <= 1
        assert math.hypot(face.tx, face.ty) < 4
    for last, face in pairwise(frames):
        # At most nine a second, and the head less than a turn of two radians in one.
        assert np.abs(face.arkit - last.arkit).max() <= 9.0 / rate + 1e-5
        assert np.abs(angles(face) - angles(last)).max() <= 2.0 / rate


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), story=_STORY)
def test_the_same_story_makes_the_same_face(seed: int, story: list[tuple[int, tuple[str, object, float]]]) -> None:
    for one, other in zip(play(seed, story, 25), play(seed, story, 25), strict=True):
        assert np.array_equal(one.arkit, other.arkit)
        assert np.array_equal(angles(one), angles(other))
        assert (one.gaze_x, one.gaze_y, one.blink) == (other.gaze_x, other.gaze_y, other.blink)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 100),
    line=st.lists(st.tuples(st.sampled_from(Viseme), _LENGTH), min_size=1, max_size=20),
    cut=st.floats(0.0, 3.0),
    emotion=st.sampled_from(Emotion),
)
def test_a_cut_at_any_time_leaves_the_mouth_at_rest(
    seed: int, line: list[tuple[Viseme, float]], cut: float, emotion: Emotion
) -> None:
    def run(spoken: bool) -> FaceFrame:
        animator = Animator(seed)
        animator.feel(Feeling(emotion), 0.0)
        if spoken:
            tell(animator, ("speak", line, 0.5), 0.0)
        for at in np.arange(0.0, cut, 0.02):
            animator.frame(float(at))
        animator.cut(cut)
        return [animator.frame(cut + ahead) for ahead in (0.0, 0.04, 0.08, 0.121)][-1]

    mouth = np.array([name.startswith(("mouth", "jaw", "tongue")) for name in ARKIT])
    assert np.allclose(run(True).arkit[mouth], run(False).arkit[mouth], atol=0.02)
