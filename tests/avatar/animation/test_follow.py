import numpy as np
import pytest

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.follow import FADE, LIMIT, Follower
from visavis.avatar.animation.visemes import shape
from visavis.avatar.face import FaceFrame, FaceState
from visavis.blendshape import ARKIT_INDEX, ArkitFrame
from visavis.viseme import TimedViseme, Viseme


def weight(face: FaceFrame, name: str) -> float:
    return float(face.arkit[ARKIT_INDEX[name]])


def frames(start: float, seconds: float, rate: float = 60.0, **weights: float) -> list[ArkitFrame]:
    return [ArkitFrame(start + i / rate, shape(**weights)) for i in range(round(seconds * rate) + 1)]


def following(frames_: list[ArkitFrame]) -> Animator:
    animator = Animator(1)
    animator.state(FaceState.SPEAKING, 0.0)
    animator.frame(0.0)
    animator.follow(frames_)
    return animator


def test_frames_are_resampled_between_their_times() -> None:
    follower = Follower()
    follower.add([ArkitFrame(1.0 + i / 10, shape(jawOpen=0.1 * i)) for i in range(6)])
    follower.pose(0.9)
    assert follower.pose(1.25).weights[ARKIT_INDEX["jawOpen"]] == pytest.approx(0.25)
    assert follower.pose(1.31).weights[ARKIT_INDEX["jawOpen"]] == pytest.approx(0.31)


def test_frames_take_the_place_of_the_visemes_and_give_it_back() -> None:
    animator = following(frames(1.0, 1.0, jawOpen=0.2, mouthPucker=0.6))
    animator.speak([TimedViseme(Viseme.AA, 0.6, 2.6)])
    at = 0.0
    seen: dict[int, FaceFrame] = {}
    for index in range(66):
        at = index / 25
        seen[index] = animator.frame(at)
    assert weight(seen[24], "mouthPucker") < 0.02
    assert weight(seen[24], "jawOpen") > 0.3
    for index in range(28, 50):
        assert weight(seen[index], "mouthPucker") == pytest.approx(0.6, abs=0.02)
        assert weight(seen[index], "jawOpen") == pytest.approx(0.2, abs=0.02)
    assert weight(seen[54], "mouthPucker") < 0.02
    assert weight(seen[54], "jawOpen") > 0.3


def test_a_cut_fades_what_is_followed() -> None:
    animator = following(frames(0.5, 3.0, jawOpen=0.5))
    for index in range(101):
        animator.frame(index / 100)
    animator.cut(1.0)
    after = [weight(animator.frame(1.0 + index / 100), "jawOpen") for index in range(60)]
    assert after[1] > 0.4
    assert max(after[13:]) == 0
    assert max(abs(np.diff(after))) < 0.1


def test_frames_that_stop_and_come_again_fade_out_and_in() -> None:
    animator = following(frames(0.5, 0.5, jawOpen=0.4) + frames(1.8, 0.5, jawOpen=0.4))
    jaws = [weight(animator.frame(index / 100), "jawOpen") for index in range(240)]
    assert jaws[90] == pytest.approx(0.4, abs=0.01)
    assert max(jaws[int(100 + 100 * FADE) + 3 : 179]) == 0
    assert jaws[200] == pytest.approx(0.4, abs=0.01)


def test_eyes_are_theirs_only_where_the_frames_move_them() -> None:
    def looks(**weights: float) -> list[FaceFrame]:
        animator = following(frames(0.5, 20.0, 30.0, **weights))
        return [animator.frame(index / 25) for index in range(500)][25:]

    without, with_eyes = looks(jawOpen=0.3), looks(jawOpen=0.3, eyeLookOutLeft=0.4, eyeLookInRight=0.4)
    assert max(face.blink for face in without) > 0.9
    assert max(face.blink for face in with_eyes) == 0
    assert weight(with_eyes[100], "eyeLookOutLeft") == pytest.approx(0.4, abs=1e-3)
    # Only the turn of our own head is left.
    assert np.std([f.gaze_x + f.yaw / np.radians(26) for f in with_eyes]) < 1e-3
    assert np.std([f.yaw for f in with_eyes]) > 1e-3


def test_a_frame_has_a_weight_for_every_shape() -> None:
    with pytest.raises(ValueError, match="52 weights"):
        ArkitFrame(1.0, np.zeros(51, np.float32))


def test_bad_frames_are_left_out_and_the_future_is_bounded() -> None:
    follower = Follower()
    bad = shape(jawOpen=0.5)
    bad[3] = np.nan
    follower.add([ArkitFrame(1.0, bad), ArkitFrame(2.0, shape()), ArkitFrame(1.5, shape(jawOpen=1.0))])
    assert len(follower) == 1
    follower.add([ArkitFrame(np.inf, shape()), ArkitFrame(np.nan, shape())])
    assert len(follower) == 1
    follower.add([ArkitFrame(3.0 + i / 60, shape()) for i in range(2 * LIMIT)])
    assert len(follower) == LIMIT
    follower.pose(3.0 + LIMIT / 60 + 1)
    follower.pose(3.0 + LIMIT / 60 + 2)
    assert len(follower) <= 1
