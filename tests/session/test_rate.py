"""One address may try so often in a minute, and no other pays for it."""

import pytest

from visavis.session.events import RefusalKind
from visavis.session.rate import AttemptLimits, RateLimited


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def allowed(limits: AttemptLimits, address: str, tries: int) -> int:
    """How many of so many calls are let through."""
    through = 0
    for _ in range(tries):
        try:
            limits.connect(address)
        except RateLimited:
            continue
        through += 1
    return through


@pytest.mark.parametrize("address", ["192.0.2.1", "127.0.0.1", "::1", "", "testclient"])
def test_so_many_calls_at_once_and_then_so_many_a_minute(address: str) -> None:
    clock = Clock()
    limits = AttemptLimits(30, 10, clock=clock)
    assert allowed(limits, address, 100) == 30
    clock.now += 10
    assert allowed(limits, address, 100) == 5
    clock.now += 3600
    assert allowed(limits, address, 100) == 30


def test_the_refusal_says_how_long_to_wait() -> None:
    clock = Clock()
    limits = AttemptLimits(10, 10, clock=clock)
    allowed(limits, "192.0.2.1", 10)
    clock.now += 1
    with pytest.raises(RateLimited, match="again in 5 seconds") as refused:
        limits.connect("192.0.2.1")
    assert (refused.value.kind, refused.value.retry_after) == (RefusalKind.RATE_LIMITED, 5)
    clock.now += refused.value.retry_after
    limits.connect("192.0.2.1")


def test_the_defaults_bear_a_page_that_is_reloaded_every_second() -> None:
    clock = Clock()
    limits = AttemptLimits(120, 10, clock=clock)
    for _ in range(600):
        limits.connect("192.0.2.1")
        clock.now += 1


def test_wrong_licenses_stop_calls_and_checks_until_a_while_has_passed() -> None:
    clock = Clock()
    limits = AttemptLimits(100, 3, clock=clock)
    for _ in range(2):
        limits.failed("192.0.2.1")
    limits.connect("192.0.2.1")
    for _ in range(50):
        limits.failed("192.0.2.1")
    for attempt in (limits.connect, limits.check):
        with pytest.raises(RateLimited, match="again in 20 seconds"):
            attempt("192.0.2.1")
    limits.connect("192.0.2.2")
    clock.now += 20
    limits.check("192.0.2.1")
    limits.connect("192.0.2.1")


def test_refused_calls_do_not_count() -> None:
    clock = Clock()
    limits = AttemptLimits(60, 10, clock=clock)
    allowed(limits, "192.0.2.1", 1000)
    clock.now += 1
    assert allowed(limits, "192.0.2.1", 10) == 1


def test_zero_means_any_number() -> None:
    limits = AttemptLimits(0, 0, clock=Clock())
    for _ in range(1000):
        limits.failed("192.0.2.1")
        limits.connect("192.0.2.1")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:aaaa::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_a_subscribers_addresses_count_as_one(one: str, other: str, same: bool) -> None:
    limits = AttemptLimits(1, 10, clock=Clock())
    limits.connect(one)
    assert allowed(limits, other, 1) == (0 if same else 1)


def test_memory_is_bounded_and_the_quietest_are_forgotten() -> None:
    limits = AttemptLimits(2, 1, addresses=3, clock=Clock())
    for last in (0, 1, 2, 0, 2):
        limits.connect(f"192.0.2.{last}")
    limits.failed("192.0.2.2")
    # A fourth address takes the place of the one that was quiet for longest.
    limits.connect("192.0.2.3")
    assert [allowed(limits, f"192.0.2.{last}", 9) for last in (0, 2, 3)] == [0, 0, 1]
    assert allowed(limits, "192.0.2.1", 9) == 2
    # Calls do not push wrong licenses out of memory.
    for last in range(10, 20):
        limits.connect(f"192.0.2.{last}")
    with pytest.raises(RateLimited):
        limits.check("192.0.2.2")
