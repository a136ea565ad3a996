"""Transparency mode: pushed speech is said, shown on the mouth, told when heard, and silenced at once."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import numpy as np
import pytest
import structlog

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.avatar.face import FaceState
from visavis.conversation.events import AnswerAudioDone
from visavis.conversation.transparency import Transparency
from visavis.conversation.viseme_stream import VisemeStream
from visavis.media.clock import MediaClock
from visavis.media.playout import Playout
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.ports import SPEECH_RATE, Pcm16
from visavis.viseme import TimedViseme, Viseme


def tone(seconds: float) -> Pcm16:
    return (6000 * np.sin(np.arange(round(seconds * SPEECH_RATE)) * 0.05)).astype(np.int16)


class Ruler:
    """An estimator that knows each tenth of a second as soon as it has it whole; it watches how it is called."""

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self.sizes: list[int] = []
        self.flushes = 0
        self.together = 0
        self.most_together = 0
        self.open = threading.Event()
        self.open.set()
        self._samples = 0
        self._told = 0

    def push(self, pcm: Pcm16) -> tuple[TimedViseme, ...]:
        return self._called(lambda: self._take(pcm))

    def flush(self) -> tuple[TimedViseme, ...]:
        return self._called(self._give)

    def _called(self, work: Callable[[], tuple[TimedViseme, ...]]) -> tuple[TimedViseme, ...]:
        self.threads.add(threading.get_ident())
        self.together += 1
        self.most_together = max(self.most_together, self.together)
        assert self.open.wait(10)
        self.together -= 1
        return work()

    def _take(self, pcm: Pcm16) -> tuple[TimedViseme, ...]:
        self.sizes.append(len(pcm))
        self._samples += len(pcm)
        first, self._told = self._told, self._samples * 10 // SPEECH_RATE
        return tuple(TimedViseme(Viseme.AA, tenth / 10, (tenth + 1) / 10) for tenth in range(first, self._told))

    def _give(self) -> tuple[TimedViseme, ...]:
        self.flushes += 1
        rest = (TimedViseme(Viseme.OH, self._told / 10, self._samples / SPEECH_RATE),)
        held = self._samples / SPEECH_RATE > self._told / 10
        self._samples = self._told = 0
        return rest if held else ()


class Mouths:
    """A stage's mouth, written down."""

    def __init__(self) -> None:
        self.seen: list[TimedViseme] = []

    def mouth(self, visemes: tuple[TimedViseme, ...], origin: float) -> None:
        self.seen += [viseme.shifted(origin) for viseme in visemes]

    @property
    def starts(self) -> list[float]:
        return [viseme.start for viseme in self.seen]


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def in_transparency(act: Callable[[Theatre, Transparency], Awaitable[None]], *, gap: float = 0.6) -> Theatre:
    """A theatre on virtual time where only pushed speech is said."""

    async def whole(theatre: Theatre) -> None:
        # Shapes come from threads, which know no virtual time: these tests ask for none.
        transparency = Transparency(theatre.stage, Ruler(), theatre._told, gap=gap)
        try:
            await act(theatre, transparency)
        finally:
            await transparency.close()

    with structlog.testing.capture_logs() as entries:
        theatre = run_virtual(perform(whole))
    assert not [entry for entry in entries if entry["log_level"] == "error"]
    return theatre


def face(theatre: Theatre) -> FaceState:
    theatre.animator.frame(theatre.stage.now)
    return theatre.animator._state


def done(theatre: Theatre) -> list[str]:
    return [event.response_id for event in theatre.of(AnswerAudioDone)]


def test_an_utterance_is_heard_whole_and_its_end_is_told_then() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        await asyncio.sleep(1.0)
        transparency.push_audio(tone(1.0))
        transparency.push_audio(tone(1.0))
        transparency.commit_audio()
        assert transparency.quiet_since is None
        await asyncio.sleep(1.8)
        assert face(theatre) is FaceState.SPEAKING
        assert not theatre.events
        await asyncio.sleep(0.5)
        assert face(theatre) is FaceState.IDLE
        assert transparency.quiet_since == theatre.when(AnswerAudioDone)

    theatre = in_transparency(act)
    assert len(done(theatre)) == 1
    assert theatre.when(AnswerAudioDone) == pytest.approx(3.06, abs=0.03)
    assert theatre.audible_between(1.04, 1.1)
    assert not theatre.audible_between(3.1, 9.0)


def test_a_pause_ends_an_utterance_and_the_next_is_another() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        transparency.push_audio(tone(0.2))
        await asyncio.sleep(0.3)
        transparency.push_audio(tone(0.2))
        await asyncio.sleep(1.5)
        assert len(done(theatre)) == 1
        transparency.push_audio(tone(0.2))
        await asyncio.sleep(1.5)

    assert len(set(done(in_transparency(act, gap=0.4)))) == 2


def test_clearing_what_was_committed_silences_and_tells_every_end_once() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        await asyncio.sleep(1.0)
        for _ in range(2):
            transparency.push_audio(tone(5.0))
            transparency.commit_audio()
        transparency.push_audio(tone(5.0))
        await asyncio.sleep(1.0)
        assert face(theatre) is FaceState.SPEAKING
        await transparency.clear_audio()
        assert len(set(done(theatre))) == len(done(theatre)) == 3
        await asyncio.sleep(0.1)
        assert face(theatre) is FaceState.INTERRUPTED
        assert transparency.quiet_since == pytest.approx(2.0)
        await asyncio.sleep(0.7)
        assert face(theatre) is FaceState.IDLE
        await asyncio.sleep(20)

    theatre = in_transparency(act)
    assert len(done(theatre)) == 3
    assert theatre.audible_between(1.9, 2.0)
    assert not theatre.audible_between(2.05, 30)


def test_what_is_said_straight_after_an_interruption_is_shown_as_speech() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        await asyncio.sleep(1.0)
        transparency.push_audio(tone(5.0))
        transparency.commit_audio()
        await asyncio.sleep(1.0)
        await transparency.clear_audio()
        await asyncio.sleep(0.2)
        transparency.push_audio(tone(2.0))
        transparency.commit_audio()
        for _ in range(4):
            await asyncio.sleep(0.4)
            assert face(theatre) is FaceState.SPEAKING
        await asyncio.sleep(1.0)
        assert face(theatre) is FaceState.IDLE

    assert len(done(in_transparency(act))) == 2


def test_the_face_speaks_on_between_two_utterances_that_are_queued() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        await asyncio.sleep(1.0)
        for _ in range(2):
            transparency.push_audio(tone(1.0))
            transparency.commit_audio()
        await asyncio.sleep(0.2)
        for _ in range(170):
            await asyncio.sleep(0.01)
            assert face(theatre) is FaceState.SPEAKING
        assert len(done(theatre)) == 1

    in_transparency(act)


def test_clearing_silence_tells_nothing() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        await transparency.clear_audio()
        transparency.push_audio(np.zeros(0, np.int16))
        transparency.commit_audio()
        await transparency.clear_audio()
        await asyncio.sleep(2.0)
        assert face(theatre) is FaceState.IDLE

    assert not in_transparency(act).events


def test_sound_beyond_the_playouts_limit_is_dropped_and_the_rest_said() -> None:
    async def act(theatre: Theatre, transparency: Transparency) -> None:
        for _ in range(13):
            transparency.push_audio(tone(10.0))
        transparency.commit_audio()
        await asyncio.sleep(121)

    theatre = in_transparency(act)
    assert len(done(theatre)) == 1
    assert theatre.when(AnswerAudioDone) == pytest.approx(110.1, abs=0.1)


async def test_long_sound_is_looked_at_beside_the_event_loop_piece_by_piece_in_order() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    stream.push(tone(3.05), 5.0)
    stream.end()
    assert not ruler.threads, "nothing is estimated before the loop goes on"
    await until(lambda: ruler.flushes == 1 and len(mouths.seen) == 31)
    assert threading.get_ident() not in ruler.threads
    assert max(ruler.sizes) <= SPEECH_RATE // 4
    assert sum(ruler.sizes) == len(tone(3.05))
    assert ruler.most_together == 1
    assert mouths.starts == pytest.approx([5 + tenth / 10 for tenth in range(31)])
    await stream.close()


async def test_shapes_are_placed_where_their_sound_is_heard() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    # Twice a tenth without a gap, another after one, and an utterance of its own.
    for at in (1.0, 1.1, 1.5):
        stream.push(tone(0.1), at)
    stream.end()
    stream.push(tone(0.1), 9.0)
    await until(lambda: len(mouths.seen) == 4)
    assert mouths.starts == pytest.approx([1.0, 1.1, 1.5, 9.0])
    await stream.close()


async def test_a_stream_without_gaps_leaves_nothing_behind() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    for piece in range(1000):
        stream.push(tone(0.02), 3.0 + piece * 0.02)
        if piece % 100 == 50:
            await until(lambda: not stream._waiting)
    await until(lambda: len(mouths.seen) == 200)
    assert len(stream._places) == 1
    # Nor does one with gaps, once their shapes are known.
    for piece in range(100):
        stream.push(tone(0.1), 50.0 + piece * 0.2)
    await until(lambda: len(mouths.seen) == 300)
    assert len(stream._places) <= 2
    await stream.close()


async def test_dropped_sound_is_never_shown_and_the_estimator_begins_anew() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    ruler.open.clear()
    stream.push(tone(2.05), 1.0)
    await until(lambda: ruler.together == 1)
    stream.drop()
    stream.push(tone(0.3), 7.0)
    stream.end()
    ruler.open.set()
    await until(lambda: ruler.flushes == 2)
    await until(lambda: len(mouths.seen) == 3)
    assert mouths.starts == pytest.approx([7.0, 7.1, 7.2])
    assert ruler.most_together == 1
    await stream.close()


async def test_closing_ends_the_task_whatever_the_thread_does() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    ruler.open.clear()
    before = asyncio.all_tasks()
    stream.push(tone(2.0), 1.0)
    await until(lambda: ruler.together == 1)
    async with asyncio.timeout(2):
        await stream.close()
    assert asyncio.all_tasks() <= before
    ruler.open.set()
    await asyncio.sleep(0.05)
    assert not mouths.seen
    assert len(ruler.sizes) <= 1


async def test_sound_that_finds_no_place_goes_without_shapes_and_later_sound_has_them() -> None:
    ruler, mouths = Ruler(), Mouths()
    stream = VisemeStream(mouths, ruler)
    for piece in range(9000):
        stream.push(tone(0.001), piece / 1000)
    assert len(stream._waiting) == 8192
    await until(lambda: not stream._waiting)
    stream.push(tone(0.2), 20.0)
    await until(lambda: len(ruler.sizes) == 8193 and bool(mouths.seen) and mouths.seen[-1].start > 20)
    assert not any(8.2 < start < 20 for start in mouths.starts)
    await stream.close()


async def test_with_the_net_the_mouth_moves_for_the_whole_of_a_long_push() -> None:
    clock = MediaClock()
    playout = Playout(clock)
    mouths = Mouths()
    estimator = NetVisemeEstimator()
    whole = NetVisemeEstimator()
    rng = np.random.default_rng(0)
    noises = [rng.standard_normal(12_000) * level for level in (0, 900, 3000, 300)]
    buzz = np.tile(np.linspace(6000, -6000, 200), 60)
    sound = np.concatenate([part for noise in noises for part in (noise, buzz)]).astype(np.int16)
    expected = [*whole.push(sound), *whole.flush()]
    stream = VisemeStream(mouths, estimator)
    at = playout.append(sound)
    stream.push(sound, at)
    stream.end()
    await until(lambda: bool(mouths.seen) and mouths.seen[-1].end == pytest.approx(at + 4.0))

    def shape(visemes: list[TimedViseme], when: float) -> Viseme:
        return next(viseme.viseme for viseme in visemes if viseme.start <= when < viseme.end)

    moments = [0.005 + tenth / 10 for tenth in range(40)]
    assert [shape(mouths.seen, at + moment) for moment in moments] == [shape(expected, moment) for moment in moments]
    assert len({viseme.viseme for viseme in mouths.seen}) > 2
    playout.close()
