import itertools
import random

import numpy as np
import pytest

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.gestures import NOD_AFTER
from visavis.avatar.animation.idle import Blinks, breath
from visavis.avatar.animation.speech import CLOSING, LEAD, LIMIT, SpeechMotion
from visavis.avatar.animation.states import MANNERS
from visavis.avatar.animation.visemes import SHAPES
from visavis.avatar.emotion import Feeling
from visavis.avatar.face import FaceFrame, FaceState, Tongue
from visavis.blendshape import ARKIT_INDEX
from visavis.viseme import TimedViseme, Viseme

V = Viseme
JAW = ARKIT_INDEX["jawOpen"]


def line(visemes: list[tuple[Viseme, float]], start: float = 1.0) -> list[TimedViseme]:
    out: list[TimedViseme] = []
    for viseme, seconds in visemes:
        out.append(TimedViseme(viseme, start, start + seconds))
        start += seconds
    return out


def weight(face: FaceFrame, name: str) -> float:
    return float(face.arkit[ARKIT_INDEX[name]])


def mouth(face: FaceFrame) -> np.ndarray:
    names = [n for n in ARKIT_INDEX if n.startswith(("jaw", "mouth"))]
    return face.arkit[[ARKIT_INDEX[n] for n in names]]


def speaking(visemes: list[TimedViseme], seed: int = 1) -> Animator:
    animator = Animator(seed)
    animator.state(FaceState.SPEAKING, 0.0)
    animator.speak(visemes)
    return animator


def play(animator: Animator, until: float, rate: float = 25.0, start: float = 0.0) -> list[FaceFrame]:
    return [animator.frame(start + index / rate) for index in range(round((until - start) * rate))]


def random_speech(seed: int, seconds: float, start: float = 0.5) -> list[TimedViseme]:
    draw = random.Random(seed)
    out: list[TimedViseme] = []
    while start < seconds:
        length = draw.uniform(0.04, 0.2)
        out.append(TimedViseme(draw.choice(list(Viseme)), start, start + length))
        start += length
    return out


@pytest.mark.parametrize("length", [0.04, 0.07, 0.12])
@pytest.mark.parametrize("neighbour", [V.AA, V.OH, V.E, V.SIL])
@pytest.mark.parametrize("phase", [0.0, 0.013, 0.026, 0.039])
def test_bilabials_close_the_lips_at_any_phase_of_the_frames(neighbour: Viseme, length: float, phase: float) -> None:
    visemes = line([(neighbour, 0.15), (V.PP, length), (neighbour, 0.15)])
    animator = speaking(visemes)
    frames = [animator.frame(0.6 + phase + index / 25) for index in range(40)]
    centre = (visemes[1].start + visemes[1].end) / 2 - LEAD
    near = [f for i, f in enumerate(frames) if abs(0.6 + phase + i / 25 - centre) <= 0.021]
    assert near
    assert min(weight(f, "jawOpen") for f in near) < 0.01
    assert max(weight(f, "mouthRollLower") for f in near) > 0.25


@pytest.mark.parametrize("vowel", [v for v in Viseme if SHAPES[v].vowel])
def test_vowels_open_the_jaw(vowel: Viseme) -> None:
    visemes = line([(V.DD, 0.07), (vowel, 0.16), (V.DD, 0.07)])
    animator = speaking(visemes)
    peak = max(weight(f, "jawOpen") for f in play(animator, 2.0))
    assert peak > 0.8 * float(SHAPES[vowel].weights[JAW])


def test_f_raises_the_upper_lip_over_a_nearly_closed_jaw() -> None:
    visemes = line([(V.AA, 0.15), (V.FF, 0.09), (V.AA, 0.15)])
    face = next(speaking(visemes).frame(at) for at in (visemes[1].start + 0.045 - LEAD,))
    assert weight(face, "jawOpen") < 0.15
    assert weight(face, "mouthUpperUpLeft") > 0.4
    assert weight(face, "mouthRollLower") > 0.15


@pytest.mark.parametrize(("viseme", "tongue"), [(V.TH, Tongue.OUT), (V.NN, Tongue.UP), (V.AA, Tongue.REST)])
def test_the_tongue_goes_where_the_sound_needs_it(viseme: Viseme, tongue: Tongue) -> None:
    visemes = line([(V.SIL, 0.1), (viseme, 0.12), (V.SIL, 0.1)])
    assert speaking(visemes).frame(visemes[1].start + 0.06 - LEAD).tongue is tongue


def test_round_lips_come_before_a_round_vowel() -> None:
    visemes = line([(V.SS, 0.12), (V.OU, 0.15)])
    round_early = speaking(visemes).frame(visemes[1].start - LEAD)
    flat = speaking(line([(V.SS, 0.12), (V.IH, 0.15)])).frame(visemes[1].start - LEAD)
    assert weight(round_early, "mouthPucker") > weight(flat, "mouthPucker") + 0.2


def test_the_lips_lead_the_sound() -> None:
    visemes = line([(V.SIL, 0.3), (V.AA, 0.16), (V.SIL, 0.3)])
    animator = speaking(visemes)
    jaws = [(weight(animator.frame(1.0 + index / 200), "jawOpen"), 1.0 + index / 200) for index in range(140)]
    middle = (visemes[1].start + visemes[1].end) / 2
    peak = np.mean([at for jaw, at in jaws if jaw > 0.98 * max(jaws)[0]])
    assert 0.03 <= middle - peak <= 0.07


def test_the_mouth_rests_when_speech_is_over() -> None:
    visemes = line([(V.AA, 0.2), (V.OU, 0.2)])
    animator = speaking(visemes)
    play(animator, 1.4)
    silent = Animator(1)
    silent.state(FaceState.SPEAKING, 0.0)
    assert np.allclose(mouth(animator.frame(1.9)), mouth(play(silent, 1.9 + 0.04)[-1]), atol=0.01)


@pytest.mark.parametrize("at", [1.1, 1.23, 1.4, 1.61])
def test_a_cut_closes_the_mouth_within_120_ms(at: float) -> None:
    animator = speaking(line([(V.AA, 0.3), (V.OH, 0.3), (V.AA, 0.3), (V.PP, 0.1), (V.AA, 1.0)]))
    before = play(animator, at + 1e-6, 100)[-1]
    assert weight(before, "jawOpen") > 0.1
    animator.cut(at)
    after = [animator.frame(at + index / 100) for index in range(200)]
    assert weight(after[12], "jawOpen") == 0
    assert max(weight(f, "jawOpen") for f in after[12:]) == 0
    assert max(abs(weight(a, "jawOpen") - weight(b, "jawOpen")) for a, b in itertools.pairwise(after)) < 0.1


def test_speech_after_a_cut_is_shown_in_full() -> None:
    animator = speaking(line([(V.AA, 2.0)]))
    play(animator, 1.5)
    animator.cut(1.5)
    animator.speak([TimedViseme(V.AA, 1.55, 1.95)])
    assert weight(animator.frame(1.7), "jawOpen") > 0.35
    assert weight(play(animator, 3.0, start=1.7)[-1], "jawOpen") == 0


def test_speech_in_pieces_is_the_same_as_at_once() -> None:
    visemes = random_speech(3, 6.0)
    whole, pieces = speaking(visemes), speaking(visemes[:20])
    shown = play(pieces, 1.0)
    pieces.speak(visemes[20:])
    shown += play(pieces, 7.0, start=1.0)
    for a, b in zip(play(whole, 7.0), shown, strict=True):
        assert np.array_equal(a.arkit, b.arkit)


def test_the_same_seed_gives_the_same_face_and_another_one_does_not() -> None:
    def run(seed: int) -> list[FaceFrame]:
        animator = speaking(random_speech(5, 8.0), seed)
        animator.state(FaceState.INTERRUPTED, 6.0)
        return play(animator, 10.0)

    first, again, other = run(4), run(4), run(9)
    assert all(np.array_equal(a.arkit, b.arkit) and a.yaw == b.yaw for a, b in zip(first, again, strict=True))
    assert [f.blink for f in first] == [f.blink for f in again]
    assert [f.yaw for f in first] != [f.yaw for f in other]


def test_what_is_shown_does_not_depend_on_the_frame_rate() -> None:
    def run(rate: int) -> FaceFrame:
        animator = speaking(random_speech(5, 8.0), 2)
        animator.state(FaceState.LISTENING, 3.3)
        return play(animator, 6.0 + 1 / rate, rate)[-1]

    slow, fast = run(10), run(50)
    assert np.allclose(slow.arkit, fast.arkit, atol=2e-3)
    assert slow.yaw == pytest.approx(fast.yaw, abs=1e-3)
    assert (slow.gaze_x, slow.blink) == pytest.approx((fast.gaze_x, fast.blink), abs=1e-3)


def settled(state: FaceState, seed: int = 2) -> list[FaceFrame]:
    """The face in a state, from the time it is taken on."""
    animator = Animator(seed)
    animator.state(state, 0.0)
    frames = play(animator, 0.9 if state is FaceState.INTERRUPTED else 20.0)
    return frames[10:]


def look(frames: list[FaceFrame]) -> np.ndarray:
    eyes = [float(np.mean([abs(f.gaze_x) for f in frames])), float(np.mean([f.gaze_y for f in frames]))]
    pose = [6 * float(np.mean([getattr(f, name) for f in frames])) for name in ("yaw", "pitch", "roll")]
    return np.concatenate([np.mean([f.arkit for f in frames], 0), eyes, pose])


def test_every_two_states_look_different() -> None:
    looks = {state: look(settled(state)) for state in FaceState}
    for a in FaceState:
        for b in FaceState:
            if a is not b:
                assert np.abs(looks[a] - looks[b]).max() > 0.07, (a, b)


def test_thinking_looks_away_and_listening_looks_at_the_visitor() -> None:
    def towards(frames: list[FaceFrame]) -> float:
        # Where the eyes point, the head's turn added again.
        return float(np.mean([abs(f.gaze_x + f.yaw / np.radians(26)) < 0.15 for f in frames]))

    assert towards(settled(FaceState.LISTENING)) > 0.8
    assert towards(settled(FaceState.THINKING)) < 0.35


def nods(animator: Animator, until: float) -> list[float]:
    """When the head goes down fast."""
    pitches = [f.pitch for f in play(animator, until)]
    return [i / 25 for i in range(2, len(pitches)) if pitches[i] - pitches[i - 2] > 0.015]


def test_nods_come_in_the_visitors_pauses_and_not_while_they_speak_on() -> None:
    animator = Animator(1)
    animator.state(FaceState.LISTENING, 0.0)
    for turn in range(10):
        animator.hear(True, 1.0 + 4 * turn)
        animator.hear(False, 3.5 + 4 * turn)
    found = nods(animator, 42.0)
    assert len({int((at - 1.0) / 4) for at in found}) >= 4
    assert all((at - 1.0) % 4 >= 2.5 + NOD_AFTER for at in found)


@pytest.mark.parametrize(("speech", "pause"), [(0.5, 2.0), (1.5, 0.2)])
def test_no_nod_after_a_word_or_in_a_short_pause(speech: float, pause: float) -> None:
    animator = Animator(1)
    animator.state(FaceState.LISTENING, 0.0)
    for turn in range(10):
        animator.hear(True, 1.0 + turn * (speech + pause))
        animator.hear(False, 1.0 + turn * (speech + pause) + speech)
    animator.hear(True, 1.0 + 10 * (speech + pause))
    assert not nods(animator, 20.0)


def test_stressed_vowels_carry_head_beats() -> None:
    visemes = line([(V.DD, 0.1), (V.AA, 0.2), (V.NN, 0.1), (V.OH, 0.25)] * 8)
    spoken, silent = speaking(visemes, 3), speaking([], 3)
    moves = [a.pitch - b.pitch for a, b in zip(play(spoken, 6.0), play(silent, 6.0), strict=True)]
    assert max(moves) > 0.015


def test_interrupted_raises_the_brows_and_then_listens() -> None:
    animator = speaking(line([(V.AA, 5.0)]))
    before = play(animator, 2.0)[-1]
    animator.cut(2.0)
    animator.state(FaceState.INTERRUPTED, 2.0)
    startled = play(animator, 2.4, start=2.0)[-1]
    assert weight(startled, "browInnerUp") > weight(before, "browInnerUp") + 0.3
    assert weight(startled, "jawOpen") == 0
    listening = Animator(1)
    listening.state(FaceState.LISTENING, 0.0)
    later = play(animator, 4.5, start=2.4)[-1]
    assert weight(later, "browInnerUp") == pytest.approx(MANNERS[FaceState.LISTENING].weights[2], abs=0.11)
    assert weight(later, "eyeWideLeft") < 0.15


def test_a_state_asked_for_while_interrupted_stays() -> None:
    animator = Animator(1)
    animator.state(FaceState.INTERRUPTED, 1.0)
    animator.state(FaceState.THINKING, 1.3)
    last = play(animator, 5.0)[-1]
    assert weight(last, "browOuterUpLeft") > 0.4


def test_no_flood_of_feelings_takes_a_state_away() -> None:
    animator = Animator(1)
    animator.frame(0.0)
    animator.state(FaceState.INTERRUPTED, 1.0)
    for index in range(500):
        animator.feel(Feeling(), 1.1 + index / 1000)
    brows = [float(animator.frame(index / 25).arkit[ARKIT_INDEX["browInnerUp"]]) for index in range(40)]
    assert brows[24] < 0.3
    assert max(brows[25:]) > 0.6


def test_states_ahead_of_time_wait_and_are_cut() -> None:
    animator = Animator(1)
    animator.state(FaceState.THINKING, 2.0)
    assert weight(play(animator, 1.9)[-1], "mouthPressLeft") == 0
    animator.cut(1.9)
    assert weight(play(animator, 4.0, start=1.9)[-1], "mouthPressLeft") == 0


@pytest.mark.parametrize("state", list(FaceState))
def test_a_change_of_state_takes_a_moment(state: FaceState) -> None:
    animator = Animator(1)
    play(animator, 1.0)
    animator.state(state, 1.0)
    frames = play(animator, 2.0, 100, start=1.0)
    name = max(ARKIT_INDEX, key=lambda n: abs(MANNERS[state].weights[ARKIT_INDEX[n]]))
    goal, start = weight(frames[-20], name), weight(frames[0], name)
    if abs(goal - start) < 0.03:
        assert state is FaceState.IDLE
        return
    reached = next(i for i, f in enumerate(frames) if abs(weight(f, name) - start) > 0.9 * abs(goal - start))
    assert 10 <= reached <= 40


def test_blinks_come_as_often_as_people_blink() -> None:
    frames = play(Animator(6), 120.0)
    closed = np.array([f.blink for f in frames])
    assert closed.max() > 0.9
    count = int(np.sum((closed[1:] > 0.5) & (closed[:-1] <= 0.5)))
    assert 15 <= count <= 60
    assert np.mean(closed > 0.05) < 0.25


def test_blinks_do_not_pile_up() -> None:
    blinks = Blinks(random.Random(1))
    for index in range(30):
        blinks.soon(1.0 + index * 0.01)
    closed = np.array([blinks.closed(1.0 + index / 100, 4.0) for index in range(35)])
    assert closed.max() == 1
    assert 8 <= np.sum(closed > 0.5) <= 18
    assert closed[26] == 0


def test_breath_goes_in_and_out() -> None:
    values = [breath(index / 25, 0.2) for index in range(250)]
    assert min(values) < 0.02
    assert max(values) > 0.98
    assert max(abs(a - b) for a, b in itertools.pairwise(values)) < 0.06


def test_minutes_of_random_input_stay_smooth_and_in_range() -> None:
    animator = Animator(8)
    draw = random.Random(8)
    at, last = 0.0, None
    for index in range(240 * 100):
        at = index / 100
        if index % 500 == 0:
            animator.speak([v.shifted(at + 0.3) for v in random_speech(index, 3.5, 0.0)])
        if draw.random() < 0.003:
            animator.state(draw.choice(list(FaceState)), at)
        if draw.random() < 0.001:
            animator.cut(at)
        face = animator.frame(at)
        assert face.arkit.dtype == np.float32
        assert face.arkit.shape == (52,)
        assert face.arkit.min() >= 0
        assert face.arkit.max() <= 1
        assert max(abs(face.gaze_x), abs(face.gaze_y), face.breath, face.blink) <= 1
        if last is not None:
            assert np.abs(face.arkit - last.arkit).max() < 0.2
            assert max(abs(face.yaw - last.yaw), abs(face.pitch - last.pitch), abs(face.roll - last.roll)) < 0.02
        last = face


def test_the_past_is_forgotten_and_the_future_is_bounded() -> None:
    motion = SpeechMotion()
    for start in range(0, 1000, 10):
        motion.add(random_speech(start, start + 10.0, float(start)))
        motion.pose(float(start))
        assert len(motion) < 400
    motion.add([TimedViseme(V.AA, 2000 + i * 0.1, 2000.1 + i * 0.1) for i in range(2 * LIMIT)])
    assert len(motion) <= LIMIT
    motion.cut(1500.0)
    motion.pose(1500.0 + CLOSING + 0.1)
    assert len(motion) == 0


def test_time_does_not_go_back() -> None:
    animator = speaking(line([(V.AA, 0.4)]))
    now = play(animator, 1.24)[-1]
    again = animator.frame(0.3)
    assert np.array_equal(again.arkit, now.arkit)
    assert again.yaw == now.yaw


def test_shapes_without_length_are_left_out() -> None:
    motion = SpeechMotion()
    motion.add([TimedViseme(V.AA, 1.0, 1.0), TimedViseme(V.AA, 2.0, 1.5)])
    assert len(motion) == 0


def test_every_viseme_has_a_shape() -> None:
    assert set(SHAPES) == set(Viseme)
    assert not SHAPES[V.SIL].weights.any()
