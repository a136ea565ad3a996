"""Session records in a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.store.conftest import Clock
from tests.store.samples import NOON, record
from visavis.session.events import Ending, SessionState
from visavis.session.records import Counts, SessionRecord, StateEntry, StoreError
from visavis.store.records import LOST_AFTER, LOST_MESSAGE
from visavis.store.store import Store

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
# Fixed offsets: in the hours that summer time repeats or leaves out, equal instants do not compare as equal.
ZONES = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2000, 1, 2), datetime(2100, 1, 1), timezones=ZONES)
COUNT = st.integers(0, 2**31 - 1)
SECONDS = st.floats(0, 1e6)


@st.composite
def records(draw: st.DrawFn) -> SessionRecord:
    """Any record that has ended: one that runs may be found lost."""
    return SessionRecord(
        id=draw(TEXT),
        avatar_id=draw(TEXT),
        license_id=draw(TEXT),
        started_at=draw(TIMES),
        license_name=draw(TEXT),
        model=draw(TEXT),
        origin=draw(TEXT),
        states=tuple(draw(st.lists(st.builds(StateEntry, st.sampled_from(SessionState), TIMES), max_size=5))),
        ended_at=draw(TIMES),
        ending=draw(st.sampled_from(Ending)),
        message=draw(TEXT),
        resumptions=draw(COUNT),
        counts=draw(st.builds(Counts, COUNT, COUNT, COUNT, COUNT, COUNT)),
        connect_seconds=draw(st.none() | SECONDS),
        answer_seconds=tuple(draw(st.lists(SECONDS, max_size=5))),
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kept=records())
async def test_a_record_is_found_as_it_was_saved(store: Store, kept: SessionRecord) -> None:
    await store.records.purge(datetime.max.replace(tzinfo=UTC))
    await store.records.save(kept)
    assert await store.records.find(kept.id) == kept
    assert await store.records.latest() == [kept]


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    assert await store.records.find("session-1") is None
    assert await store.records.latest() == []


async def test_a_later_state_replaces_the_earlier(store: Store) -> None:
    await store.records.save(record(connect_seconds=1.5))
    after = record(ended_at=NOON, ending=Ending.NORMAL, counts=Counts(answers=3))
    await store.records.save(after)
    assert await store.records.latest() == [after]


async def test_what_comes_late_from_before_a_resumption_changes_nothing(store: Store) -> None:
    resumed = record(resumptions=1)
    await store.records.save(resumed)
    await store.records.save(record(ended_at=NOON, ending=Ending.REPLACED))
    assert await store.records.find("session-1") == resumed


async def test_text_that_no_database_takes_is_made_fit(store: Store) -> None:
    await store.records.save(record(model="a\0b\ud800c😀"))
    found = await store.records.find("session-1")
    assert found is not None
    assert found.model == "a\ufffdb\ufffdc😀"
    assert await store.records.find("session\0\ud800") is None


async def test_a_time_needs_a_zone(store: Store) -> None:
    with pytest.raises(Exception, match="zone"):
        await store.records.save(record(started_at=datetime(2026, 3, 1)))


async def test_a_record_of_a_later_version_hides_no_other(store: Store) -> None:
    kept, later = record(ended_at=NOON, ending=Ending.NORMAL), record(id="session-later")
    await store.records.save(kept)
    await store.records.save(later)
    async with store._engine.begin() as connection:
        await connection.execute(text("UPDATE session_records SET ending = 'sublimated' WHERE id = 'session-later'"))
    assert await store.records.latest() == [kept]
    with pytest.raises(StoreError, match="session-later is not of this visavis"):
        await store.records.find("session-later")


async def test_the_latest_come_first_by_license_and_before_a_time(store: Store) -> None:
    for minute in range(6):
        # Zones differ: it is the instant that counts.
        start = (NOON + timedelta(minutes=minute)).astimezone(timezone(timedelta(hours=minute - 3)))
        await store.records.save(record(f"s{minute}", started_at=start, license_id=f"lic_{minute % 2}"))

    async def ids(*args: int, **kwargs: object) -> list[str]:
        return [found.id for found in await store.records.latest(*args, **kwargs)]  # type: ignore[arg-type]

    assert await ids() == ["s5", "s4", "s3", "s2", "s1", "s0"]
    assert await ids(2) == ["s5", "s4"]
    assert await ids(license_id="lic_0") == ["s4", "s2", "s0"]
    assert await ids(before=NOON + timedelta(minutes=3)) == ["s2", "s1", "s0"]
    assert await ids(1, license_id="lic_1", before=NOON + timedelta(minutes=3)) == ["s1"]
    assert await ids(license_id="lic_9") == []


async def test_a_record_that_no_server_confirms_is_lost_and_comes_back_with_its_server(
    store: Store, clock: Clock
) -> None:
    running = record()
    last_seen = clock()
    await store.records.save(running)
    clock.time += LOST_AFTER
    assert await store.records.find("session-1") == running
    clock.pass_by(seconds=1)
    lost = replace(running, ended_at=last_seen, message=LOST_MESSAGE)
    assert await store.records.find("session-1") == lost
    assert await store.records.latest() == [lost]
    await store.records.save(running)
    assert await store.records.find("session-1") == running


async def test_old_records_are_purged_but_those_that_run(store: Store, clock: Clock) -> None:
    await store.records.save(record("dead"))
    clock.pass_by(days=31)
    await store.records.save(record("old", ended_at=NOON, ending=Ending.NORMAL))
    await store.records.save(record("runs"))
    await store.records.save(record("young", started_at=clock(), ended_at=clock(), ending=Ending.NORMAL))
    assert await store.purge(0) == (0, 0)
    assert await store.purge(30) == (2, 0)
    assert {found.id for found in await store.records.latest()} == {"runs", "young"}
