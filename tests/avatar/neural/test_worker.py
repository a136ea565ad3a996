import threading
import time

import numpy as np
import pytest

from tests.avatar.neural.parts import HandClock, LoudnessEngine, settle
from visavis.avatar.neural.ports import Passage
from visavis.avatar.neural.worker import MouthWorker

Delivered = list[tuple[object, int, np.ndarray]]


class HeldEngine(LoudnessEngine):
    """Waits in each batch until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.drawing = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def draw(self, passages: list[Passage[str]]) -> np.ndarray:  # type: ignore[override]
        self.drawing.release()
        assert self.go.acquire(timeout=30)
        return super().draw(passages)


def passage(owner: object, first: int, due: float, got: Delivered, count: int = 2, level: int = 8192) -> Passage[str]:
    sound = np.full((160 * 2 + (count - 1) * 640 + 3200) * 3 // 2, level, np.int16)
    return Passage(owner, first, sound, (0,) * count, "face", due, lambda at, drawn: got.append((owner, at, drawn)))


def test_sessions_share_batches_and_each_gets_its_own() -> None:
    engine, got = HeldEngine(), Delivered()
    worker = MouthWorker(engine, batch=8)
    try:
        worker.submit(passage("first", 0, 1e12, got))
        assert engine.drawing.acquire(timeout=30)
        for number, owner in enumerate("abcd"):
            worker.submit(passage(owner, number, 1e12 + number, got, level=4096 * (number + 1)))
        engine.go.release(2)
        settle(worker)
    finally:
        engine.go.release(9)
        worker.close()
    assert [[p.owner for p in batch] for batch in engine.batches] == [["first"], ["a", "b", "c", "d"]]
    assert worker.batches == 2
    assert worker.drawn == 10
    for number, (owner, at, drawn) in enumerate(got[1:]):
        assert (owner, at) == ("abcd"[number], number)
        assert drawn.shape == (2, 16, 16, 3)
        assert np.abs(drawn.astype(int) - 255 * (number + 1) // 8).max() <= 2


def test_the_most_urgent_goes_first_and_what_is_late_is_left_out() -> None:
    engine, got, clock = HeldEngine(), Delivered(), HandClock()
    worker = MouthWorker(engine, batch=4, clock=clock.now)
    try:
        worker.submit(passage("running", 0, 9.0, got))
        assert engine.drawing.acquire(timeout=30)
        worker.submit(passage("later", 1, 5.0, got))
        worker.submit(passage("soon", 2, 3.0, got))
        worker.submit(passage("too late", 3, 1.0, got))
        worker.submit(passage("latest", 4, 8.0, got))
        # The second of the passage's two mouths is due 40 ms after the first.
        clock.time = 1.05
        engine.go.release(3)
        settle(worker)
    finally:
        engine.go.release(9)
        worker.close()
    assert [owner for owner, _, _ in got] == ["running", "soon", "later", "latest"]
    assert [len(batch) for batch in engine.batches] == [1, 2, 1]
    assert worker.late == 2


def test_with_too_much_work_a_part_is_in_time() -> None:
    """A batch takes 0.2 s, in which 0.4 s of work comes."""
    clock, got = HandClock(), Delivered()
    in_time: list[bool] = []

    class Taking(LoudnessEngine):
        def draw(self, passages: list[Passage[str]]) -> np.ndarray:  # type: ignore[override]
            clock.time += 0.2
            in_time.extend(clock.time <= passage.due + 0.04 for passage in passages)
            return super().draw(passages)

    worker = MouthWorker(Taking(), batch=4, clock=clock.now)
    try:
        for _ in range(40):
            start = clock.time
            for number in range(4):
                worker.submit(passage("a", number, start + 0.1 * number + 0.1, got))
            settle(worker)
            clock.time = max(clock.time, start + 0.2)
    finally:
        worker.close()
    assert all(in_time[-20:])
    assert worker.late > 40
    assert worker.drawn > 40


def test_a_network_that_was_slow_once_is_tried_again() -> None:
    clock, got = HandClock(), Delivered()
    slow = [10.0]

    class Waking(LoudnessEngine):
        def draw(self, passages: list[Passage[str]]) -> np.ndarray:  # type: ignore[override]
            clock.time += slow.pop() if slow else 0.01
            return super().draw(passages)

    worker = MouthWorker(Waking(), clock=clock.now)
    try:
        for number in range(30):
            worker.submit(passage("a", number, clock.time + 0.3, got))
            settle(worker)
    finally:
        worker.close()
    assert got[-1][1] == 29
    assert 0 < worker.late < 40


def test_the_queue_is_bounded_and_drops_the_least_urgent() -> None:
    engine, got = HeldEngine(), Delivered()
    worker = MouthWorker(engine, batch=4, limit=3)
    try:
        worker.submit(passage("running", 0, 1e12, got))
        assert engine.drawing.acquire(timeout=30)
        for due in (5e12, 3e12, 4e12, 2e12):
            worker.submit(passage(due, 0, due, got))
        engine.go.release(4)
        settle(worker)
    finally:
        engine.go.release(9)
        worker.close()
    assert [owner for owner, _, _ in got] == ["running", 2e12, 3e12, 4e12]
    assert worker.refused == 2


def test_what_is_withdrawn_is_not_drawn() -> None:
    engine, got = HeldEngine(), Delivered()
    worker = MouthWorker(engine, batch=4)
    leaving, staying = object(), object()
    try:
        worker.submit(passage("running", 0, 1e12, got))
        assert engine.drawing.acquire(timeout=30)
        for owner in (leaving, staying, leaving):
            worker.submit(passage(owner, 0, 2e12, got))
        worker.withdraw(leaving)
        assert worker.busy == 4
        engine.go.release(2)
        settle(worker)
    finally:
        engine.go.release(9)
        worker.close()
    assert [owner for owner, _, _ in got] == ["running", staying]


def test_a_network_that_fails_is_tried_again() -> None:
    engine, got = LoudnessEngine(), Delivered()
    worker = MouthWorker(engine)
    try:
        engine.failing = True
        worker.submit(passage("a", 0, 1e12, got))
        settle(worker)
        assert (worker.failed, got) == (2, [])
        engine.failing = False
        worker.submit(passage("a", 2, 1e12, got))
        settle(worker)
        assert [at for _, at, _ in got] == [2]
    finally:
        worker.close()


def test_close_ends_the_thread_and_forgets_what_waits() -> None:
    before = threading.active_count()
    engine, got = HeldEngine(), Delivered()
    worker = MouthWorker(engine, batch=4)
    worker.submit(passage("running", 0, 1e12, got))
    assert engine.drawing.acquire(timeout=30)
    worker.submit(passage("waiting", 0, 1e12, got))
    closing = threading.Thread(target=worker.close)
    closing.start()
    while worker.busy > 2:
        time.sleep(0.001)
    engine.go.release()
    closing.join(30)
    worker.submit(passage("after", 0, 1e12, got))
    worker.close()
    assert [owner for owner, _, _ in got] == ["running"]
    assert worker.busy == 0
    assert threading.active_count() == before


def test_a_batch_must_hold_a_passage() -> None:
    with pytest.raises(ValueError, match="4 mouths"):
        MouthWorker(LoudnessEngine(), batch=3)
