"""Sessions that visitors can come back to, in a database."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.store.conftest import Clock
from tests.store.samples import saved
from visavis.conversation.snapshot import Snapshot
from visavis.language.ports import ChatMessage, Tool, ToolCall
from visavis.store.store import Store

TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
CALLS = st.lists(st.builds(ToolCall, TEXT, TEXT, TEXT), max_size=2).map(tuple)
MESSAGES = (
    st.builds(ChatMessage, st.just("user"), TEXT)
    | st.builds(ChatMessage, st.just("assistant"), TEXT, tool_calls=CALLS)
    | st.builds(ChatMessage, st.just("tool"), TEXT, call_id=TEXT)
)
VALUES = TEXT | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.booleans()
SNAPSHOTS = st.builds(
    Snapshot,
    items=st.lists(MESSAGES, max_size=5).map(tuple),
    variables=st.dictionaries(TEXT, VALUES, max_size=4),
    voice=st.none() | TEXT,
    prompt=st.none() | TEXT,
    tools=st.none() | st.lists(st.builds(Tool, TEXT, TEXT), max_size=2).map(tuple),
    greeted=st.booleans(),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(snapshot=SNAPSHOTS)
async def test_a_session_is_found_as_it_was_saved(store: Store, snapshot: Snapshot) -> None:
    kept = saved(snapshot=snapshot)
    await store.saved.save(kept)
    assert await store.saved.find(kept.key_hash) == kept


async def test_another_key_finds_nothing(store: Store) -> None:
    await store.saved.save(saved())
    assert await store.saved.find("hash of session-2") is None


async def test_a_new_key_replaces_the_old_one(store: Store) -> None:
    await store.saved.save(saved())
    await store.saved.save(saved(key_hash="another", words="Later"))
    assert await store.saved.find("hash of session-1") is None
    assert await store.saved.find("another") == saved(key_hash="another", words="Later")


async def test_deleted_is_gone(store: Store) -> None:
    await store.saved.save(saved("a"))
    await store.saved.save(saved("b"))
    await store.saved.delete("a")
    await store.saved.delete("was never there")
    assert await store.saved.find("hash of a") is None
    assert await store.saved.find("hash of b") == saved("b")


async def test_expired_is_not_found_and_is_purged(store: Store, clock: Clock) -> None:
    await store.saved.save(saved("a"))
    await store.saved.save(saved("b", expires_at=clock() + timedelta(hours=3)))
    clock.pass_by(hours=1)
    assert await store.saved.find("hash of a") is None
    assert await store.saved.purge() == 1
    clock.pass_by(hours=-1)
    assert await store.saved.find("hash of a") is None, "it was hidden, not deleted"
    assert await store.saved.find("hash of b") is not None


async def test_what_cannot_be_read_any_more_counts_as_not_there(tmp_path: Path, clock: Clock) -> None:
    store = Store(f"sqlite:///{tmp_path / 'visavis.db'}", clock)
    await store.open()
    await store.saved.save(saved())
    with closing(sqlite3.connect(tmp_path / "visavis.db", isolation_level=None)) as database:
        database.execute("""UPDATE saved_sessions SET snapshot = '{"secret": 1'""")
    with capture_logs() as logs:
        assert await store.saved.find("hash of session-1") is None
    await store.close()
    assert [entry["log_level"] for entry in logs] == ["error"]
    assert "secret" not in str(logs)


async def test_the_words_of_a_deleted_session_are_not_left_in_the_file(tmp_path: Path, clock: Clock) -> None:
    path = tmp_path / "visavis.db"
    store = Store(f"sqlite:///{path}", clock)
    await store.open()
    await store.saved.save(saved(words="my secret is plum cake"))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"plum cake" in path.read_bytes()
    await store.saved.delete("session-1")
    await store.close()
    assert b"plum cake" not in path.read_bytes()
