"""Licenses are found by their whole key, and their client tokens by nothing less."""

import pytest

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Grant, License, Licenses
from visavis.session.tokens import TokenRequest

ONE = License("sk_one", "One", max_sessions=2)
TWO = License("sk_two", allowed_origins=("https://two.example",))


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.25

    def __call__(self) -> float:
        return self.now


def test_licenses_are_found_by_their_whole_key() -> None:
    licenses = Licenses([ONE, TWO])
    assert licenses.license("sk_one") is ONE
    assert licenses.authorize("sk_one") == Grant(ONE)
    for wrong in ("", "sk_on", "sk_onee", "SK_ONE", "sk_one ", "\ud800", ONE.id):
        assert licenses.license(wrong) is None
        assert licenses.authorize(wrong) is None
    assert Licenses([]).authorize("") is None


def test_a_license_is_known_by_its_id_and_never_printed() -> None:
    # printf sk_one | sha256sum
    assert ONE.id == "lic_53e18b103866"
    assert ONE.id != TWO.id
    assert "sk_one" not in repr(ONE)
    assert "sk_one" not in repr(Grant(ONE))


def test_a_token_grants_what_it_is_bound_to_and_nothing_else() -> None:
    clock = Clock()
    licenses = Licenses([ONE, TWO], clock=clock)
    issued = licenses.issue(ONE, TokenRequest("vera", "https://a.example", 60, 1, 90.5))
    assert licenses.authorize(issued.token) == Grant(ONE, issued.id, "vera", "https://a.example", 1, 90.5)
    assert licenses.license(issued.token) is None
    free = licenses.issue(TWO, TokenRequest())
    assert licenses.authorize(free.token) == Grant(TWO, free.id)
    assert issued.id != free.id
    assert issued.token not in repr(issued)


def test_a_token_dies_in_its_time_and_with_its_license() -> None:
    clock = Clock()
    licenses = Licenses([ONE, TWO], clock=clock)
    issued = licenses.issue(ONE, TokenRequest(lifetime=60))
    assert issued.expires_at.timestamp() == pytest.approx(clock.now + 60)
    clock.now += 59.9
    assert licenses.authorize(issued.token)
    # Another server with the same licenses takes it; one without that license, or with a new key for it, does not.
    assert Licenses([ONE], clock=clock).authorize(issued.token)
    assert Licenses([TWO], clock=clock).authorize(issued.token) is None
    assert Licenses([License("sk_new", "One")], clock=clock).authorize(issued.token) is None
    clock.now += 0.1
    assert licenses.authorize(issued.token) is None


def test_the_lifetime_is_bounded_where_tokens_are_made_and_where_they_are_taken() -> None:
    clock = Clock()
    generous, strict = (Licenses([ONE], token_lifetime=limit, clock=clock) for limit in (3600, 300))
    with pytest.raises(Refusal, match=r"lifetime may be 300 seconds at most") as refused:
        strict.issue(ONE, TokenRequest(lifetime=301))
    assert refused.value.kind is RefusalKind.BAD_REQUEST
    assert strict.authorize(strict.issue(ONE, TokenRequest(lifetime=300)).token)
    assert strict.authorize(generous.issue(ONE, TokenRequest(lifetime=301)).token) is None
    default = strict.issue(ONE, TokenRequest("vera", max_sessions=1))
    assert default.expires_at.timestamp() == pytest.approx(clock.now + 300)
    assert strict.authorize(default.token) == Grant(ONE, default.id, "vera", max_sessions=1)
    assert generous.issue(ONE, TokenRequest()).expires_at.timestamp() == pytest.approx(clock.now + 600)


def test_no_token_for_an_origin_that_the_license_does_not_allow() -> None:
    licenses = Licenses([ONE, TWO])
    with pytest.raises(Refusal) as refused:
        licenses.issue(TWO, TokenRequest(origin="https://one.example"))
    assert refused.value.kind is RefusalKind.ORIGIN_NOT_ALLOWED
    assert licenses.issue(TWO, TokenRequest(origin="https://two.example"))
    assert licenses.issue(ONE, TokenRequest(origin="https://one.example"))


@pytest.mark.parametrize(
    ("grant", "origin", "allowed"),
    [
        (Grant(ONE), None, True),
        (Grant(ONE), "https://any.example", True),
        (Grant(TWO), None, True),
        (Grant(TWO), "https://two.example", True),
        (Grant(TWO), "https://two.example.evil", False),
        (Grant(TWO), "null", False),
        (Grant(ONE, origin="https://a.example"), "https://a.example", True),
        (Grant(ONE, origin="https://a.example"), "https://b.example", False),
        (Grant(ONE, origin="https://a.example"), None, False),
        # The license was narrowed after the token was made.
        (Grant(TWO, origin="https://a.example"), "https://a.example", False),
    ],
)
def test_origins(grant: Grant, origin: str | None, allowed: bool) -> None:
    assert grant.allows_origin(origin) is allowed


def test_avatars() -> None:
    assert Grant(ONE).may_see("vera")
    assert Grant(ONE, avatar_id="vera").may_see("vera")
    assert not Grant(ONE, avatar_id="vera").may_see("mira")
