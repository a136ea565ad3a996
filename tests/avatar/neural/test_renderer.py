import threading

import cv2
import numpy as np
import pytest

from tests.avatar.neural.parts import HandClock, LoudnessEngine, renderer, settle, small_loop, ticks, voice
from visavis.avatar.face import FaceState
from visavis.avatar.neural.face import AudioFace
from visavis.avatar.neural.ports import Drawn
from visavis.avatar.neural.renderer import AHEAD, PIECES, POSED, NeuralRenderer
from visavis.avatar.neural.worker import MouthWorker


class Session:
    """A session's face whose mouths are drawn as soon as they are asked for."""

    def __init__(self, engine: LoudnessEngine, clock: HandClock, worker: MouthWorker[str]) -> None:
        self.clock, self.worker = clock, worker
        self.renderer: NeuralRenderer[str] = renderer(engine, worker, clock)
        self.face = AudioFace(self.renderer)

    def look(self, at: float) -> tuple[float | None, float]:
        """The time of the mouth that is shown at media time ``at``, and its share."""
        self.clock.time = max(self.clock.time, at - POSED)
        settle(self.worker)
        self.face.pose(at)
        settle(self.worker)
        pose = self.face.pose(at)
        return (None if pose.drawn is None else pose.drawn.at), pose.share


@pytest.fixture
def engine() -> LoudnessEngine:
    return LoudnessEngine()


@pytest.fixture
def session(engine: LoudnessEngine):
    clock = HandClock()
    worker = MouthWorker(engine, clock=clock.now)
    yield Session(engine, clock, worker)
    worker.close()


def asked(engine: LoudnessEngine) -> list[int]:
    """The numbers of all mouths that were drawn, in their order."""
    return [p.first + i for batch in engine.batches for p in batch for i in range(p.count)]


def test_the_latency_is_what_the_network_and_its_turn_take(engine: LoudnessEngine, session: Session) -> None:
    assert session.face.latency == pytest.approx(engine.after + PIECES + 0.12 + POSED)
    assert (session.face.width, session.face.height) == (128, 128)


def test_sound_far_ahead_is_drawn_little_by_little(engine: LoudnessEngine, session: Session) -> None:
    session.face.say(voice(30.0), 1.0)
    settle(session.worker)
    assert asked(engine) == [24]
    session.clock.time = 0.5
    session.face.pose(0.54)
    settle(session.worker)
    assert max(asked(engine)) <= (0.5 + AHEAD) * 25
    for at in ticks(0.6, 8.0):
        assert session.look(at)[0] == (pytest.approx(at) if at >= 0.96 else None)
    drawn = asked(engine)
    assert drawn == sorted(set(drawn)), "a mouth was drawn twice, or out of turn"
    assert max(drawn) <= (8.0 + AHEAD) * 25


def test_a_mouth_waits_for_its_sound_until_its_last_moment(engine: LoudnessEngine, session: Session) -> None:
    session.face.say(voice(0.1), 1.0)
    for at in ticks(0.2, 0.8):
        session.look(at)
    # Those before the sound wait for 0.2 s more of it, and then no longer.
    assert asked(engine) == [] or max(asked(engine)) / 25 - session.clock.time <= POSED + 0.12 + 1e-6
    session.face.say(voice(1.0, seed=2), 1.1)
    settle(session.worker)
    session.face.pose(0.84)
    settle(session.worker)
    assert max(asked(engine)) / 25 > session.clock.time + 0.5


def test_the_mouth_fades_in_and_closes_after_the_voice(engine: LoudnessEngine, session: Session) -> None:
    session.face.say(voice(1.0), 0.6)
    seen = {round(at * 25): session.look(at) for at in ticks(0.0, 2.4)}
    shares = [seen[n][1] for n in sorted(seen)]
    assert shares[0] == 0
    assert seen[round(0.72 * 25)] == (pytest.approx(0.72), 1.0)
    assert all(seen[n] == (pytest.approx(n / 25), 1.0) for n in range(18, 40)), "not every picture has its own mouth"
    assert shares[-1] == 0
    assert max(abs(np.diff(shares))) <= 0.04 / 0.12 + 1e-6, "the mouth pops"
    assert seen[round(2.36 * 25)][0] is None
    assert max(asked(engine)) / 25 <= 1.6 + 0.2


def test_nothing_said_nothing_drawn(engine: LoudnessEngine, session: Session) -> None:
    for at in ticks(0.0, 2.0):
        assert session.look(at) == (None, 0.0)
    assert engine.batches == []


def test_a_cut_empties_everything_at_once(engine: LoudnessEngine, session: Session) -> None:
    session.face.say(voice(5.0), 0.5)
    for at in ticks(0.0, 1.6):
        session.look(at)
    before = len(engine.batches)
    session.face.cut(1.6)
    shares = [session.look(at)[1] for at in ticks(1.6, 2.0)]
    assert shares[2] == 0, "the mouth goes on after the cut"
    assert len(engine.batches) == before
    session.face.say(voice(1.0), 2.4)
    assert session.look(2.0) == (None, 0.0)
    assert [session.look(at)[0] for at in ticks(2.6, 3.0)] == [pytest.approx(at) for at in ticks(2.6, 3.0)]


def test_what_is_being_drawn_while_the_voice_is_cut_never_shows() -> None:
    drawing, go = threading.Event(), threading.Event()

    class Slow(LoudnessEngine):
        def draw(self, passages):  # type: ignore[no-untyped-def]
            drawing.set()
            assert go.wait(30)
            return super().draw(passages)

    engine, clock = Slow(), HandClock()
    worker = MouthWorker(engine, clock=clock.now)
    try:
        session = Session(engine, clock, worker)
        session.face.say(voice(3.0), 0.3)
        assert drawing.wait(30)
        session.face.cut(0.1)
        go.set()
        settle(worker)
        assert list(session.renderer.frames()) == []
        assert session.face.pose(0.4).drawn is None
    finally:
        go.set()
        worker.close()


def test_a_stalled_worker_leaves_mouths_out_and_catches_up(engine: LoudnessEngine, session: Session) -> None:
    session.face.say(voice(6.0), 0.5)
    for at in ticks(0.0, 1.0):
        session.look(at)
    # A second in which the worker stands still: what it has is shown, then the pictures' own mouth.
    session.worker.withdraw(session.renderer)
    engine.failing = True
    last = [session.look(at) for at in ticks(1.0, 2.6)]
    assert last[-1] == (None, 0.0)
    assert session.worker.failed > 0
    engine.failing = False
    assert session.look(4.0)[0] == pytest.approx(4.0)
    assert [session.look(at)[1] for at in ticks(4.04, 4.24)][-1] == 1.0


def test_two_sessions_share_the_worker_and_not_their_mouths(engine: LoudnessEngine) -> None:
    clock = HandClock()
    worker = MouthWorker(engine, clock=clock.now)
    try:
        loud, quiet = Session(engine, clock, worker), Session(engine, clock, worker)
        loud.face.say(np.full(24000, 16000, np.int16), 0.5)
        quiet.face.say(np.full(24000, 2000, np.int16), 0.5)
        for at in ticks(0.3, 1.2):
            clock.time = at - POSED
            settle(worker)
            poses = [session.face.pose(at) for session in (loud, quiet)]
        levels = [int(pose.drawn.pixels.mean()) for pose in poses if pose.drawn]
        assert levels == [pytest.approx(124, abs=2), pytest.approx(15, abs=2)]
        loud.face.cut(1.2)
        settle(worker)
        assert loud.face.pose(1.24).drawn is not None
        assert quiet.face.pose(1.24).drawn == quiet.face.pose(1.24).drawn
        assert quiet.look(1.4)[0] == pytest.approx(1.4)
        loud.face.close()
        loud.face.close()
        loud.face.say(voice(1.0), 2.0)
        assert loud.look(2.4) == (None, 0.0)
    finally:
        worker.close()


def test_the_mouth_is_put_into_its_place_and_nowhere_else(engine: LoudnessEngine, session: Session) -> None:
    bare, half, whole = (np.zeros((192, 128), np.uint8) for _ in range(3))
    mouth = Drawn(0.08, np.full((16, 16, 3), (40, 50, 200), np.uint8))
    session.renderer.paint(0.08, None, 0.0, bare)
    session.renderer.paint(0.08, mouth, 0.5, half)
    session.renderer.paint(0.08, mouth, 1.0, whole)
    assert (bare == small_loop().pictures[2]).all()
    picture = cv2.cvtColor(whole, cv2.COLOR_YUV2BGR_I420)
    assert picture[84, 64].astype(int) == pytest.approx((40, 50, 200), abs=4)
    inside = np.zeros((128, 128), bool)
    inside[54:114, 34:94] = True
    assert (whole[:128][~inside] == bare[:128][~inside]).all()
    middle = (bare[84, 64].astype(int) + whole[84, 64]) / 2
    assert int(half[84, 64]) == pytest.approx(middle, abs=1)


def test_the_pictures_go_to_and_fro(session: Session) -> None:
    loop = small_loop(4)
    assert [loop.index(n) for n in range(8)] == [0, 1, 2, 3, 2, 1, 0, 1]
    assert [small_loop(1).index(n) for n in range(3)] == [0, 0, 0]
    frame = np.zeros((192, 128), np.uint8)
    levels = []
    for at in ticks(0.0, 0.24):
        session.renderer.paint(at, None, 0.0, frame)
        levels.append(int(frame[10, 10]))
    assert levels[0] < levels[1] < levels[2] > levels[3] > levels[4] < levels[5]


def test_states_and_mouth_shapes_are_taken_and_need_no_sound(session: Session) -> None:
    session.face.state(FaceState.THINKING, 0.0)
    session.face.speak([])
    assert session.look(0.2) == (None, 0.0)
