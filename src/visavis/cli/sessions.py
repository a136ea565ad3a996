"""``visavis sessions``: what became of every call."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from visavis.cli.common import ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from visavis.config import Settings
    from visavis.session.records import SessionRecord
    from visavis.store.records import RecordTable

sessions_app = typer.Typer(
    name="sessions", help="Records of sessions: what became of every call.", no_args_is_help=True
)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, as GET /v1/sessions does.")]

_WIDE = 120
"""Columns that the whole list needs."""

T = TypeVar("T")


@sessions_app.command("list")
def list_sessions(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="How many.")] = 20,
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """List the sessions that started last, newest first. The server may be running."""
    from visavis.wire.v1.session_json import session_json

    found = _read(load(config, assignments), lambda records: records.latest(limit))
    if as_json:
        typer.echo(json.dumps([session_json(record) for record in found], indent=2))
        return
    if not found:
        typer.echo("no sessions yet")
        return
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        # A file or a pipe has no edge to break lines at.
        console.width = max(console.width, _WIDE)
    console.print(_overview(found, wide=console.width >= _WIDE))


@sessions_app.command()
def show(
    session_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show one session: its states with their times, why it ended, how often what happened, and how fast."""
    from visavis.wire.v1.session_json import session_json

    record = _read(load(config, assignments), lambda records: records.find(session_id))
    if record is None:
        fail(f"there is no session {session_id!r}; 'visavis sessions list' shows those there are")
    if as_json:
        typer.echo(json.dumps(session_json(record), indent=2))
        return
    from rich.console import Console

    console = Console()
    console.print(_facts(record))
    if record.states:
        console.print()
        console.print(_states(record))


def _read(settings: "Settings", query: "Callable[[RecordTable], Awaitable[T]]") -> T:
    """Ask the configured store. Ends the command when there is none, or it cannot be read."""
    from visavis.log import configure_logging
    from visavis.session.records import StoreError
    from visavis.store.store import open_store

    configure_logging("warning", "console")

    async def ask() -> T:
        async with open_store(settings.store.url.get_secret_value(), create=False) as store:
            return await query(store.records)

    try:
        return asyncio.run(ask())
    except StoreError as error:
        fail(str(error))


def _overview(records: "Iterable[SessionRecord]", *, wide: bool) -> "Table":
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for title in ("session", "started (UTC)", "lasted"):
        table.add_column(title, no_wrap=True)
    for title in ("state", "avatar", "license", "answers") if wide else ("state",):
        table.add_column(title, overflow="fold")
    for record in records:
        cells = [record.id, f"{_time(record.started_at):%Y-%m-%d %H:%M}", _lasted(record), _state(record)]
        if wide:
            cells += [record.avatar_id, record.license_name or record.license_id, str(record.counts.answers)]
        table.add_row(*map(_text, cells))
    return table


def _facts(record: "SessionRecord") -> "Table":
    from rich.table import Table

    counts = record.counts
    facts = {
        "session": record.id,
        "state": _state(record),
        "message": record.message,
        "avatar": record.avatar_id,
        "license": f"{record.license_name} ({record.license_id})" if record.license_name else record.license_id,
        "model": record.model,
        "origin": record.origin,
        "started": f"{_time(record.started_at)} UTC",
        "ended": f"{_time(record.ended_at)} UTC, after {_lasted(record)}" if record.ended_at is not None else "",
        "came back": f"{record.resumptions} times" if record.resumptions else "",
        "connected in": f"{record.connect_seconds:.2f} s" if record.connect_seconds is not None else "",
        "answered in": _latency(record.answer_seconds),
        "turns": f"{counts.user_turns} of the user, {counts.answers} answers, {counts.interruptions} interruptions",
        "tool calls": str(counts.tool_calls),
        "failures": str(counts.failures),
    }
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value:
            table.add_row(name, _text(value))
    return table


def _states(record: "SessionRecord") -> "Table":
    from rich.table import Table

    table = Table("state", "at (UTC)", "after", box=None, pad_edge=False)
    for entry in record.states:
        after = (entry.at - record.started_at).total_seconds()
        table.add_row(entry.state.value, entry.at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3], f"{after:.3f} s")
    return table


def _latency(seconds: "Sequence[float]") -> str:
    from visavis.wire.v1.session_json import percentile

    half, most = percentile(seconds, 50), percentile(seconds, 95)
    if half is None or most is None:
        return ""
    return f"{half:.2f} s (median), {most:.2f} s (95th percentile), of {len(seconds)}"


def _state(record: "SessionRecord") -> str:
    from visavis.wire.v1.session_json import status_of

    return record.ending.value if record.ending is not None else status_of(record)


def _lasted(record: "SessionRecord") -> str:
    end = record.ended_at if record.ended_at is not None else datetime.now(UTC)
    return str(timedelta(seconds=max(0, round((end - record.started_at).total_seconds()))))


def _time(time: datetime) -> datetime:
    """In UTC, to the second."""
    return time.astimezone(UTC).replace(microsecond=0, tzinfo=None)


def _text(value: str) -> "Text":
    """As it is: no mark-up, and nothing that a terminal would obey; visitors choose some of these values."""
    from rich.text import Text

    return Text("".join(sign if sign.isprintable() else "\ufffd" for sign in value))
