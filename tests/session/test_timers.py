"""The time limits of a session, on virtual time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from tests.virtual_time import run_virtual
from visavis.session.events import Ending, Expiring
from visavis.session.timers import Timers, Watch

CALM = Timers(start=100, media=20, media_lost=10, max_duration=0, idle=0, idle_warning=0)


class Call:
    """A watched session: when it was ended and when it was warned, in seconds from its admission."""

    def __init__(self, timers: Timers, max_duration: float | None = None, spent: float = 0.0) -> None:
        self.media = asyncio.Event()
        self.quiet: float | None = 0.0
        self.ends: list[tuple[float, Ending, str]] = []
        self.warnings: list[tuple[float, Expiring]] = []
        self.watch = Watch(
            timers,
            self.media,
            quiet_since=lambda: self.quiet,
            end=self._end,
            warn=lambda expiring: self.warnings.append((self.now, expiring)),
            max_duration=max_duration,
            spent=spent,
        )

    @property
    def now(self) -> float:
        return round(asyncio.get_running_loop().time(), 3)

    def _end(self, ending: Ending, message: str) -> None:
        self.ends.append((self.now, ending, message))

    @property
    def ended(self) -> list[tuple[float, Ending]]:
        return [(at, ending) for at, ending, _ in self.ends]

    @property
    def warned(self) -> list[tuple[float, float]]:
        return [(at, round(expiring.seconds, 3)) for at, expiring in self.warnings]


def watched(timers: Timers, act: Callable[[Call], Awaitable[None]], max_duration: float | None = None) -> Call:
    """Watch over a call for 1000 s."""

    async def run() -> Call:
        call = Call(timers, max_duration)
        running = asyncio.create_task(call.watch.run())
        await act(call)
        await asyncio.sleep(1000 - call.now)
        call.watch.close()
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        return call

    return run_virtual(run())


async def connect(call: Call, at: float = 1.0) -> None:
    call.watch.offered()
    await asyncio.sleep(at)
    call.media.set()
    call.quiet = at


def test_a_call_that_is_not_connected_in_time() -> None:
    async def act(call: Call) -> None:
        await asyncio.sleep(95)
        call.watch.offered()

    call = watched(CALM, act)
    assert call.ended[0] == (100, Ending.SESSION_TIMEOUT)
    assert "started" in call.ends[0][2]


def test_media_that_does_not_come_up_after_the_offer() -> None:
    async def act(call: Call) -> None:
        await asyncio.sleep(30)
        call.watch.offered()

    assert watched(CALM, act).ended[0] == (50, Ending.MEDIA_FAILED)


def test_a_connected_call_goes_on() -> None:
    call = watched(CALM, lambda call: connect(call, 19.9))
    assert not call.ends
    assert not call.warnings


def test_lost_media_may_come_back() -> None:
    async def act(call: Call) -> None:
        await connect(call)
        call.watch.media_lost()
        await asyncio.sleep(9)
        call.watch.media_found()
        await asyncio.sleep(50)
        assert not call.ends
        call.watch.media_lost()

    assert watched(CALM, act).ended == [(70, Ending.MEDIA_FAILED)]


def test_nothing_is_ended_after_the_watch_was_closed() -> None:
    async def act(call: Call) -> None:
        call.watch.offered()
        call.watch.media_lost()
        call.watch.close()
        call.watch.close()
        await asyncio.sleep(60)
        assert not call.ends

    watched(CALM, act)


@pytest.mark.parametrize(
    ("limit", "own", "expected"),
    [(200.0, None, 210.0), (200.0, 80.0, 90.0), (200.0, 500.0, 210.0), (0.0, 80.0, 90.0), (0.0, None, None)],
)
def test_the_longest_time_counts_from_connected_media(limit: float, own: float | None, expected: float | None) -> None:
    timers = Timers(max_duration=limit, idle=0, idle_warning=30)
    call = watched(timers, lambda call: connect(call, 10), own)
    assert call.ended == ([(expected, Ending.SESSION_TIMEOUT)] if expected else [])
    assert call.warned == ([(expected - 30, 30)] if expected else [])


def test_the_longest_time_is_that_of_all_connections_with_one_slot() -> None:
    async def run() -> tuple[float, float]:
        first = Call(Timers(max_duration=100, idle=0))
        watching = asyncio.create_task(first.watch.run())
        await connect(first, 10)
        await asyncio.sleep(60)
        watching.cancel()
        second = Call(Timers(max_duration=100, idle=0), spent=first.watch.connected_for)
        watching = asyncio.create_task(second.watch.run())
        await connect(second, 5)
        await watching
        return second.ends[0][0], second.watch.connected_for

    assert run_virtual(run()) == (pytest.approx(10 + 60 + 5 + 40), pytest.approx(100))


def test_a_short_limit_is_told_at_its_half() -> None:
    call = watched(Timers(max_duration=20, idle=0, idle_warning=30), connect)
    assert call.warned == [(11, 10)]
    assert call.ended == [(21, Ending.SESSION_TIMEOUT)]


def test_no_warning_where_none_is_wanted() -> None:
    call = watched(Timers(max_duration=200, idle=100, idle_warning=0), connect)
    assert not call.warnings
    assert call.ended == [(101, Ending.SESSION_TIMEOUT), (201, Ending.SESSION_TIMEOUT)]


def test_a_silent_visitor_is_warned_and_then_gone() -> None:
    call = watched(Timers(max_duration=0, idle=300, idle_warning=30), connect)
    assert call.warned == [(271, 30)]
    assert call.warnings[0][1].ending is Ending.SESSION_TIMEOUT
    assert call.ended == [(301, Ending.SESSION_TIMEOUT)]


def test_the_wait_for_media_is_no_idle_time() -> None:
    async def act(call: Call) -> None:
        await connect(call, 15)
        call.quiet = 0.0

    assert watched(Timers(max_duration=0, idle=100, idle_warning=0), act).ended == [(115, Ending.SESSION_TIMEOUT)]


def test_a_warned_visitor_who_speaks_stays_and_is_warned_anew() -> None:
    async def act(call: Call) -> None:
        await connect(call)
        await asyncio.sleep(280)
        call.quiet = None
        await asyncio.sleep(60)
        call.quiet = call.now

    call = watched(Timers(max_duration=0, idle=300, idle_warning=30), act)
    assert call.warned == [(271, 30), (611, 30)]
    assert call.ended == [(641, Ending.SESSION_TIMEOUT)]


@pytest.mark.parametrize("at", [100.0, 270.5, 280.0, 300.9])
def test_a_visitor_who_keeps_the_session_alive_stays(at: float) -> None:
    async def act(call: Call) -> None:
        await connect(call)
        await asyncio.sleep(at - 1)
        call.watch.keep_alive()

    call = watched(Timers(max_duration=0, idle=300, idle_warning=30), act)
    assert call.warned[-1] == (pytest.approx(at + 270), pytest.approx(30))
    assert call.ended == [(pytest.approx(at + 300), Ending.SESSION_TIMEOUT)]


def test_a_conversation_that_never_pauses_is_not_idle() -> None:
    async def act(call: Call) -> None:
        await connect(call)
        call.quiet = None
        await asyncio.sleep(900)

    assert not watched(Timers(max_duration=0, idle=300, idle_warning=30), act).ends
