"""MouthWorker: one thread on which one network draws the mouths of all sessions, in batches by deadline."""

import bisect
import threading
import time
from collections.abc import Callable
from typing import Final, Generic

import structlog

from visavis.avatar.neural.ports import MOUTH_RATE, MouthEngine, Passage, S

_GATHER: Final = 0.006
"""Seconds for which a batch that is not full waits for other sessions' passages."""
_LEARNING: Final = 0.25
"""How much the latest batch counts in what a batch is thought to take."""

_log = structlog.get_logger(__name__)


class MouthWorker(Generic[S]):
    """Passages wait in the order of their ``due``; each batch takes the most urgent ones, of whatever session.

    ``batch``: most mouths at once. Holds at most ``limit`` passages: one more drops the least urgent. A passage whose
    time will be past when it is drawn (batches take as long as they lately took) is dropped when its turn comes: of
    too much work, a part is in time, and not all of it late. What is dropped is counted, and never delivered.
    ``clock``: seconds, in which passages are due.
    """

    def __init__(
        self,
        engine: MouthEngine[S],
        *,
        batch: int = 16,
        limit: int = 512,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if batch < engine.longest:
            raise ValueError(f"a batch must hold a passage of {engine.longest} mouths")
        self._engine = engine
        self._batch, self._limit = batch, limit
        self.clock = clock
        self._waiting: list[Passage[S]] = []
        self._change = threading.Condition()
        self._closed = False
        self._failing = False
        self._drawing = 0
        self._pace = 0.0
        self.batches = 0
        """Times that the network ran."""
        self.drawn = 0
        """Mouths that were delivered."""
        self.late = 0
        """Mouths that were left out because their time was past."""
        self.refused = 0
        """Mouths that were left out because too many were waiting."""
        self.failed = 0
        """Mouths that the network could not draw."""
        self._thread = threading.Thread(target=self._work, name="mouths", daemon=True)
        self._thread.start()

    @property
    def busy(self) -> int:
        """Mouths that wait or are being drawn."""
        with self._change:
            return self._total() + self._drawing

    def submit(self, passage: Passage[S]) -> None:
        """Have a passage drawn; from any thread, at once. Ignored after ``close``."""
        with self._change:
            if self._closed:
                return
            bisect.insort(self._waiting, passage, key=lambda waiting: waiting.due)
            if len(self._waiting) > self._limit:
                self.refused += self._waiting.pop().count
            self._change.notify()

    def withdraw(self, owner: object) -> None:
        """Forget what ``owner`` submitted. What is being drawn at this moment is still delivered."""
        with self._change:
            self._waiting = [passage for passage in self._waiting if passage.owner is not owner]

    def close(self) -> None:
        """Forget everything and end the thread; waits for the batch that is being drawn. Idempotent. Blocks."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify()
        self._thread.join()

    def _work(self) -> None:
        while passages := self._next():
            self._draw(passages)
            with self._change:
                self._drawing = 0

    def _next(self) -> list[Passage[S]]:
        """The next batch, when there is one; empty after ``close``."""
        with self._change:
            while not self._closed:
                if not self._waiting:
                    self._change.wait()
                    continue
                until = time.monotonic() + _GATHER
                while self._total() < self._batch and not self._closed and (left := until - time.monotonic()) > 0:
                    self._change.wait(left)
                if batch := self._take():
                    return batch
            return []

    def _total(self) -> int:
        return sum(passage.count for passage in self._waiting)

    def _take(self) -> list[Passage[S]]:
        ready = self.clock() + self._pace
        batch: list[Passage[S]] = []
        room = self._batch
        taken = 0
        for passage in self._waiting:
            if passage.due + (passage.count - 1) / MOUTH_RATE < ready:
                self.late += passage.count
            elif passage.count <= room:
                batch.append(passage)
                room -= passage.count
            else:
                break
            taken += 1
        del self._waiting[:taken]
        self._drawing = self._batch - room
        if not batch:
            # Else a network that was slow once would never be tried again.
            self._pace *= 1 - _LEARNING
        return batch

    def _draw(self, passages: list[Passage[S]]) -> None:
        count = sum(passage.count for passage in passages)
        begun = self.clock()
        try:
            mouths = self._engine.draw(passages)
        except Exception:
            # Calls go on with the pictures' own mouths; one traceback tells as much as twenty-five a second.
            if not self._failing:
                _log.exception("mouths cannot be drawn", mouths=count)
            self._failing = True
            self.failed += count
            return
        self._failing = False
        self._pace += (self.clock() - begun - self._pace) * _LEARNING
        self.batches += 1
        self.drawn += count
        start = 0
        for passage in passages:
            passage.deliver(passage.first, mouths[start : start + passage.count])
            start += passage.count
