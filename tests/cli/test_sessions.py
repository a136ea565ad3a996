"""``visavis sessions``: records from the configured store, also while a server has it open."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from visavis.session.events import Ending, SessionState
from visavis.session.records import Counts, SessionRecord, StateEntry
from visavis.store.store import open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
IDS = [f"0f9a1c2e-5b7d-4c1a-9e66-00000000000{number}" for number in range(3)]


async def _fill(url: str) -> None:
    async with open_store(url) as store:
        for number, id in enumerate(IDS):
            start = NOON + timedelta(minutes=number)
            await store.records.save(
                SessionRecord(
                    id=id,
                    avatar_id="vera",
                    license_id="lic_0123456789ab",
                    license_name="shop",
                    started_at=start,
                    model="[red]small\x1b[31m",
                    states=(
                        StateEntry(SessionState.PREPARING, start),
                        StateEntry(SessionState.CONNECTED, start + timedelta(seconds=1.5)),
                        StateEntry(SessionState.ENDED, start + timedelta(seconds=75)),
                    ),
                    ended_at=start + timedelta(seconds=75),
                    ending=Ending.CONTROL_DISCONNECTED,
                    message="The language model is gone.",
                    resumptions=2,
                    counts=Counts(4, 3, 1, 2, 5),
                    connect_seconds=1.234,
                    answer_seconds=(0.5, 0.75, 2.0),
                )
            )


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store with three records."""
    url = f"sqlite:///{tmp_path / 'visavis.db'}"
    asyncio.run(_fill(url))
    return url


def test_list_has_the_newest_first(visavis, url: str) -> None:
    done = visavis("sessions", "list", "--limit", "2", VISAVIS_STORE__URL=url)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == ["session", IDS[2], IDS[1]]
    assert rows[1][1:] == ["2026-03-01", "12:02", "0:01:15", "control_disconnected", "vera", "shop", "3"]


def test_show_has_all_that_is_known(visavis, url: str) -> None:
    done = visavis("sessions", "show", IDS[0], "--set", f"store.url={url}")
    assert done.returncode == 0, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    for line in (
        f"session {IDS[0]}",
        "state control_disconnected",
        "message The language model is gone.",
        "license shop (lic_0123456789ab)",
        "started 2026-03-01 12:00:00 UTC",
        "ended 2026-03-01 12:01:15 UTC, after 0:01:15",
        "came back 2 times",
        "connected in 1.23 s",
        "answered in 0.75 s (median), 2.00 s (95th percentile), of 3",
        "turns 4 of the user, 3 answers, 1 interruptions",
        "connected 2026-03-01 12:00:01.500 1.500 s",
    ):
        assert line in lines
    assert "model [red]small\ufffd[31m" in lines, "what a visitor chose reached the terminal"
    assert "\x1b" not in done.stdout


def test_json_is_what_http_tells(visavis, url: str) -> None:
    done = visavis("sessions", "show", IDS[0], "--json", VISAVIS_STORE__URL=url)
    one = json.loads(done.stdout)
    assert (one["id"], one["ending"], one["answerSeconds"]["p95"]) == (IDS[0], "control_disconnected", 2.0)
    done = visavis("sessions", "list", "--json", VISAVIS_STORE__URL=url)
    listed = json.loads(done.stdout)
    assert [session["id"] for session in listed] == [IDS[2], IDS[1], IDS[0]]
    assert listed[2] == one


async def test_while_another_process_has_the_store_open(visavis, url: str) -> None:
    async with open_store(url) as store:
        running = SessionRecord("runs-now", "vera", "lic_0123456789ab", datetime.now(UTC))
        await store.records.save(running)
        done = await asyncio.to_thread(visavis, "sessions", "list", VISAVIS_STORE__URL=url)
    first = done.stdout.splitlines()[1].split()
    assert (first[0], first[4]) == ("runs-now", "running")


def test_a_session_that_is_not_there(visavis, url: str) -> None:
    done = visavis("sessions", "show", "nobody", VISAVIS_STORE__URL=url)
    assert done.returncode == 1
    assert done.stderr == "visavis: there is no session 'nobody'; 'visavis sessions list' shows those there are\n"


def test_no_sessions_yet(visavis, tmp_path: Path) -> None:
    async def make() -> None:
        async with open_store(f"sqlite:///{tmp_path / 'visavis.db'}"):
            pass

    asyncio.run(make())
    done = visavis("sessions", "list", VISAVIS_STORE__URL=f"sqlite:///{tmp_path / 'visavis.db'}")
    assert (done.returncode, done.stdout) == (0, "no sessions yet\n")


@pytest.mark.parametrize("command", [("list",), ("show", "x")])
def test_no_store_yet_is_a_plain_line_and_none_is_made(visavis, tmp_path: Path, command: tuple[str, ...]) -> None:
    path = tmp_path / "data" / "visavis.db"
    done = visavis("sessions", *command, VISAVIS_STORE__URL=f"sqlite:///{path}")
    assert done.returncode == 1
    assert done.stderr == f"visavis: there is no database {path} yet: 'visavis serve' makes it\n"
    assert not path.parent.exists()
