"""Watching over the language model, on virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.virtual_time import run_virtual
from visavis.language.ports import ChatError, ChatErrorKind
from visavis.session.control import ControlError, ControlWatch

GONE = ChatError(ChatErrorKind.UNREACHABLE, "http://10.0.0.1 is not reachable", lost=True)
REFUSED = ChatError(ChatErrorKind.REJECTED, "http://10.0.0.1 refused the API key (401)", lost=True)
SILENT = ChatError(ChatErrorKind.TIMEOUT, "did not answer in time")
BUSY = ChatError(ChatErrorKind.RATE_LIMITED, "429")
BROKEN = ChatError(ChatErrorKind.UNREACHABLE, "503")


class Model:
    """Its check answers as the test says."""

    def __init__(self, patience: float = 15.0) -> None:
        self.fault: Exception | None = None
        self.takes = 0.0
        self.checks: list[float] = []
        self.lost: list[tuple[float, str]] = []
        self.watch = ControlWatch(self._check, patience, lambda message: self.lost.append((self.now, message)))

    @property
    def now(self) -> float:
        return round(asyncio.get_running_loop().time(), 3)

    async def _check(self) -> None:
        self.checks.append(self.now)
        await asyncio.sleep(self.takes)
        if self.fault:
            raise self.fault


def watched(act: Callable[[Model], Awaitable[None]], patience: float = 15.0) -> Model:
    async def run() -> Model:
        model = Model(patience)
        try:
            await act(model)
        finally:
            await model.watch.close()
            await model.watch.close()
        return model

    return run_virtual(run())


def test_a_model_that_is_there_is_asked_once() -> None:
    model = watched(lambda model: model.watch.verify())
    assert model.checks == [0]
    assert not model.lost


@pytest.mark.parametrize("fault", [BUSY, BROKEN, ChatError(ChatErrorKind.BROKEN, "500")])
def test_a_model_that_refuses_an_answer_is_there(fault: ChatError) -> None:
    async def act(model: Model) -> None:
        model.fault = fault
        await model.watch.verify()
        model.watch.failed()
        await asyncio.sleep(60)

    model = watched(act)
    assert model.checks == [0, 0.5]
    assert not model.lost


@pytest.mark.parametrize("fault", [GONE, REFUSED, SILENT])
def test_a_model_that_is_away_at_the_start(fault: ChatError) -> None:
    async def act(model: Model) -> None:
        model.fault = fault
        with pytest.raises(ControlError) as caught:
            await model.watch.verify()
        assert "10.0.0.1" not in str(caught.value)

    assert watched(act).checks == [0, 0.5]


def test_a_hiccup_at_the_start_is_forgiven() -> None:
    async def act(model: Model) -> None:
        model.fault = GONE
        asyncio.get_running_loop().call_later(0.2, setattr, model, "fault", None)
        await model.watch.verify()

    watched(act)


def test_a_check_that_never_ends_ends_with_the_patience() -> None:
    async def act(model: Model) -> None:
        model.takes = 1000
        with pytest.raises(ControlError):
            await model.watch.verify()
        assert model.now == 15
        model.watch.failed()
        await asyncio.sleep(60)

    assert [at for at, _ in watched(act).lost] == [30]


@pytest.mark.parametrize("fault", [GONE, REFUSED, SILENT])
def test_a_model_that_stays_away_is_lost_once(fault: ChatError) -> None:
    async def act(model: Model) -> None:
        model.fault = fault
        await asyncio.sleep(1)
        for _ in range(30):
            model.watch.failed()
            await asyncio.sleep(2)

    model = watched(act)
    assert [at for at, _ in model.lost] == [16]
    assert model.checks == [1.5, 2.5, 4.5, 8.5, 12.5, 16]
    assert "10.0.0.1" not in model.lost[0][1]


def test_a_model_that_comes_back_is_not_lost_and_can_go_again() -> None:
    async def act(model: Model) -> None:
        model.fault = GONE
        model.watch.failed()
        await asyncio.sleep(12)
        model.fault = None
        await asyncio.sleep(100)
        assert not model.lost
        model.fault = GONE
        model.watch.failed()
        await asyncio.sleep(100)

    assert [at for at, _ in watched(act).lost] == [pytest.approx(127.0)]


def test_a_model_that_comes_back_at_the_last_moment_is_not_lost() -> None:
    async def act(model: Model) -> None:
        model.fault = GONE
        model.watch.failed()
        await asyncio.sleep(14.9)
        model.fault = None
        await asyncio.sleep(100)

    assert not watched(act).lost


def test_an_answer_proves_that_the_model_is_there() -> None:
    async def act(model: Model) -> None:
        model.fault = GONE
        model.watch.answered()
        model.watch.failed()
        await asyncio.sleep(14)
        model.watch.answered()
        await asyncio.sleep(60)

    model = watched(act)
    assert not model.lost
    assert model.checks == [0.5, 1.5, 3.5, 7.5, 11.5]


def test_nothing_is_lost_after_it_was_closed() -> None:
    async def act(model: Model) -> None:
        model.fault = GONE
        model.watch.failed()
        await asyncio.sleep(5)
        await model.watch.close()
        await asyncio.sleep(60)

    assert not watched(act).lost


def test_a_check_that_fails_unforeseen_counts_as_no_answer() -> None:
    async def act(model: Model) -> None:
        model.fault = ValueError("a fault of the provider")
        model.watch.failed()
        await asyncio.sleep(5)
        model.fault = None
        await asyncio.sleep(20)
        assert not model.lost
        model.fault = ValueError("a fault of the provider")
        model.watch.failed()
        await asyncio.sleep(30)

    model = watched(act)
    assert len(model.lost) == 1
