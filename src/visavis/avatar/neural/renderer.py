"""NeuralRenderer: the AudioRenderer of one session, whose mouths are drawn by a shared MouthWorker."""

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final, Generic

from visavis.avatar.neural.composition import SpeakingFace
from visavis.avatar.neural.ports import (
    HEARING_RATE,
    MARGIN,
    MOUTH_RATE,
    Drawn,
    MouthEngine,
    Passage,
    Pixels,
    S,
)
from visavis.avatar.neural.timeline import VoiceTimeline
from visavis.avatar.neural.worker import MouthWorker
from visavis.speech.ports import SPEECH_RATE, Pcm16

POSED: Final = 0.04
"""Seconds before its time at which a picture is posed at the earliest."""
PIECES: Final = 0.1
"""Seconds by which sound may come later than the first of it, as it does in pieces."""
AHEAD: Final = 1.0
"""Seconds ahead of now for which mouths are drawn."""
_BEFORE, _AFTER = 0.06, 0.16
"""Seconds around sound for which mouths are drawn: they open before it and close after it."""


class NeuralRenderer(Generic[S]):
    """See ``AudioRenderer``. ``now``: the media clock; ``drawing``: seconds that the worker is given for a mouth.

    A mouth is asked for when the sound it depends on is there, or ``drawing`` before it is needed, with silence in
    place of what has not come. At most ``AHEAD`` seconds of mouths are asked for or ready; what gets ready too late is
    never shown.
    """

    def __init__(
        self,
        face: SpeakingFace[S],
        engine: MouthEngine[S],
        worker: MouthWorker[S],
        now: Callable[[], float],
        *,
        drawing: float = 0.12,
    ) -> None:
        self._face = face
        self._engine = engine
        self._worker = worker
        self._now = now
        self._drawing = drawing
        self._voice = VoiceTimeline()
        self._next = 0
        self._lock = threading.Lock()
        self._ready: deque[Drawn] = deque(maxlen=2 * round(AHEAD * MOUTH_RATE))
        # What was asked for before a cut must not arrive after it.
        self._take: Callable[[int, Pixels], None] | None = None
        self._closed = False
        self.latency = engine.after + PIECES + drawing + POSED
        self._begin()

    @property
    def width(self) -> int:
        return self._face.loop.width

    @property
    def height(self) -> int:
        return self._face.loop.height

    def push(self, pcm: Pcm16, at: float) -> None:
        """See ``AudioRenderer``."""
        if not self._closed:
            self._voice.place(pcm, at)
            self._plan()

    def clear(self) -> None:
        """See ``AudioRenderer``."""
        self._voice.clear()
        self._next = 0
        self._begin()
        self._worker.withdraw(self)

    def frames(self) -> Iterator[Drawn]:
        """See ``AudioRenderer``."""
        self._plan()
        with self._lock:
            ready = sorted(self._ready, key=lambda drawn: drawn.at)
            self._ready.clear()
        return iter(ready)

    def paint(self, at: float, drawn: Drawn | None, share: float, frame: Pixels) -> None:
        """See ``AudioRenderer``."""
        picture = self._face.loop.index(_number(at))
        self._face.paint(picture, None if drawn is None else drawn.pixels, share, frame)

    def close(self) -> None:
        """See ``AudioRenderer``."""
        self._closed = True
        self.clear()

    def _begin(self) -> None:
        """Start a new life of deliveries: those of the last one are thrown away."""

        def take(first: int, mouths: Pixels) -> None:
            with self._lock:
                if self._take is take:
                    self._ready.extend(Drawn((first + i) / MOUTH_RATE, mouth) for i, mouth in enumerate(mouths))

        with self._lock:
            self._take = take
            self._ready.clear()

    def _plan(self) -> None:
        """Ask for the mouths whose turn has come."""
        now = self._now()
        self._voice.forget(now - self._engine.before - 1)
        self._next = max(self._next, math.ceil((now + POSED) * MOUTH_RATE))
        horizon = now + AHEAD
        while (sound := self._voice.sound_from(self._next / MOUTH_RATE, _AFTER)) is not None:
            self._next = max(self._next, math.ceil((sound[0] - _BEFORE) * MOUTH_RATE))
            end = min(horizon, sound[1] + _AFTER)
            count = 0
            while count < self._engine.longest and self._due(self._next + count, now, end):
                count += 1
            if count == 0:
                return
            self._ask(self._next, count, now)
            self._next += count

    def _due(self, number: int, now: float, end: float) -> bool:
        at = number / MOUTH_RATE
        heard = self._voice.end >= at + self._engine.after
        return at < end and (heard or at - now <= POSED + self._drawing)

    def _ask(self, first: int, count: int, now: float) -> None:
        take = self._take
        assert take is not None
        start, length = self._engine.span(first, count)
        ratio = SPEECH_RATE / HEARING_RATE
        sound = self._voice.window(round((start - MARGIN) * ratio), round((length + 2 * MARGIN) * ratio))
        index = self._face.loop.index
        self._worker.submit(
            Passage(
                owner=self,
                first=first,
                sound=sound,
                sources=tuple(index(first + offset) for offset in range(count)),
                face=self._face.prepared,
                due=self._worker.clock() + (first / MOUTH_RATE - POSED - now),
                deliver=take,
            )
        )


def _number(at: float) -> int:
    """The mouth of media time ``at``; times that are meant to be a mouth's own are rounded to it."""
    return math.floor(at * MOUTH_RATE + 1e-3)
