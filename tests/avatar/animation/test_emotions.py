import numpy as np
import pytest

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.emotions import EXPRESSIONS, FADE, HOLD, SETTLE
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.manifest import Overrides
from visavis.blendshape import ARKIT_INDEX
from visavis.viseme import TimedViseme, Viseme

FELT = [emotion for emotion in Emotion if emotion is not Emotion.NEUTRAL]


def feeling(*feelings: tuple[Feeling, float]) -> Animator:
    animator = Animator(5)
    animator.frame(0.0)
    for felt, at in feelings:
        animator.feel(felt, at)
    return animator


def play(animator: Animator, start: float, stop: float) -> list[FaceFrame]:
    return [animator.frame(float(at)) for at in np.arange(start, stop, 0.04)]


def distance(face: FaceFrame, other: FaceFrame) -> float:
    return float(np.abs(face.arkit - other.arkit).max())


@pytest.mark.parametrize("emotion", FELT)
def test_an_emotion_settles_holds_and_fades(emotion: Emotion) -> None:
    shown = play(feeling((Feeling(emotion), 1.0)), 0.0, 1.0 + HOLD + FADE + 3)
    plain = play(feeling(), 0.0, 1.0 + HOLD + FADE + 3)
    far = [distance(a, b) for a, b in zip(shown, plain, strict=True)]
    assert max(far[:25]) == 0
    assert far[25 + round(SETTLE * 25)] > 0.85 * max(far)
    assert far[25 + round(HOLD * 25) - 2] > 0.95 * max(far)
    assert far[25 + round((HOLD + FADE / 2) * 25)] < 0.6 * max(far)
    assert far[-1] < 0.02
    assert max(np.abs(np.diff(far))) < 0.2


def test_half_the_intensity_is_milder() -> None:
    plain = play(feeling(), 0.0, 3.0)[-1]
    for emotion in FELT:
        whole = distance(play(feeling((Feeling(emotion, 1.0), 0.5)), 0.0, 3.0)[-1], plain)
        half = distance(play(feeling((Feeling(emotion, 0.5), 0.5)), 0.0, 3.0)[-1], plain)
        assert 0.3 * whole < half < 0.7 * whole


def test_every_two_emotions_differ() -> None:
    looks = {emotion: play(feeling((Feeling(emotion), 0.5)), 0.0, 3.0)[-1] for emotion in Emotion}
    for a in Emotion:
        for b in Emotion:
            if a is not b:
                assert distance(looks[a], looks[b]) > 0.3, (a, b)


def test_an_emotion_stays_as_long_as_the_voice_it_comes_with() -> None:
    animator = feeling((Feeling(Emotion.SAD), 1.0))
    animator.speak([TimedViseme(Viseme.AA, 1.0 + i * 0.5, 1.5 + i * 0.5) for i in range(40)])
    later = play(animator, 0.0, 21.0 + HOLD - 0.2)[-1]
    assert float(later.arkit[ARKIT_INDEX["browInnerUp"]]) > 0.9
    over = play(animator, 21.0 + HOLD, 21.0 + HOLD + FADE + 2)[-1]
    assert float(over.arkit[ARKIT_INDEX["browInnerUp"]]) < 0.3


def test_neutral_ends_an_emotion_and_a_new_one_takes_its_place() -> None:
    plain = play(feeling(), 0.0, 4.0)[-1]
    ended = play(feeling((Feeling(Emotion.STERN), 0.5), (Feeling(Emotion.NEUTRAL), 2.0)), 0.0, 4.0)[-1]
    assert distance(ended, plain) < 0.02
    changed = play(feeling((Feeling(Emotion.STERN), 0.5), (Feeling(Emotion.HAPPY), 2.0)), 0.0, 4.0)[-1]
    happy = play(feeling((Feeling(Emotion.HAPPY), 2.0)), 0.0, 4.0)[-1]
    assert distance(changed, happy) < 0.02


def test_a_renewed_emotion_holds_on() -> None:
    renewed = feeling((Feeling(Emotion.SAD), 1.0), (Feeling(Emotion.SAD), HOLD))
    assert float(play(renewed, 0.0, 2 * HOLD - 0.5)[-1].arkit[ARKIT_INDEX["browInnerUp"]]) > 0.9


def test_the_head_goes_with_the_emotion() -> None:
    plain = play(feeling(), 0.0, 3.0)[-1]
    sad = play(feeling((Feeling(Emotion.SAD), 0.5)), 0.0, 3.0)[-1]
    surprised = play(feeling((Feeling(Emotion.SURPRISED), 0.5)), 0.0, 3.0)[-1]
    amused = play(feeling((Feeling(Emotion.AMUSED), 0.5)), 0.0, 3.0)[-1]
    assert sad.pitch > plain.pitch + 0.03
    assert surprised.pitch < plain.pitch - 0.03
    assert abs(amused.roll - plain.roll) > 0.04


def test_a_package_may_replace_single_weights() -> None:
    overrides = Overrides(
        visemes={Viseme.AA: {"jawOpen": 0.2}},
        emotions={Emotion.SAD: {"browInnerUp": 0.4}},
        states={FaceState.THINKING: {"mouthLeft": 0.0}},
    )
    tables = HOUSE.with_overrides(overrides)
    jaw, brow = ARKIT_INDEX["jawOpen"], ARKIT_INDEX["browInnerUp"]
    assert tables.visemes[Viseme.AA].weights[jaw] == pytest.approx(0.2)
    assert np.array_equal(tables.visemes[Viseme.OH].weights, HOUSE.visemes[Viseme.OH].weights)
    frown = ARKIT_INDEX["mouthFrownLeft"]
    assert tables.emotions[Emotion.SAD].weights[frown] == EXPRESSIONS[Emotion.SAD].weights[frown]
    assert HOUSE.emotions[Emotion.SAD].weights[brow] != tables.emotions[Emotion.SAD].weights[brow]

    def brows(animator: Animator) -> float:
        animator.feel(Feeling(Emotion.SAD), 0.5)
        return float(play(animator, 0.0, 3.0)[-1].arkit[brow])

    assert brows(Animator(5, tables)) < brows(Animator(5)) - 0.4
