"""Slots are taken and given back one at a time."""

import pytest

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import License, Licenses
from visavis.session.slots import Slots

ONE = License("one", max_sessions=2)
TWO = License("two")


def test_a_slot_is_given_back_once() -> None:
    slots = Slots(2)
    slot = slots.take(TWO)
    slots.take(TWO)
    slot.release()
    slot.release()
    assert slots.taken == 1


def test_all_taken() -> None:
    slots = Slots(1)
    slots.take(TWO)
    with pytest.raises(Refusal) as refused:
        slots.take(TWO)
    assert refused.value.kind is RefusalKind.NO_SLOT
    assert slots.taken == 1


def test_a_licenses_own_limit_counts_only_its_own() -> None:
    slots = Slots(10)
    slots.take(TWO)
    first = slots.take(ONE)
    slots.take(ONE)
    with pytest.raises(Refusal, match="2 conversations") as refused:
        slots.take(ONE)
    assert refused.value.kind is RefusalKind.LICENSE_LIMIT
    first.release()
    assert slots.take(ONE)


def test_licenses_are_found_by_their_whole_key_and_never_printed() -> None:
    licenses = Licenses([ONE, TWO])
    assert licenses.authorize("one") is ONE
    for wrong in ("", "on", "onee", "ONE", "\ud800"):
        assert licenses.authorize(wrong) is None
    assert "one" not in repr(ONE)
