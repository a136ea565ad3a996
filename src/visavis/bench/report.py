"""Runs the measurements and prints them as a table in Markdown."""

import os
import platform
import statistics
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import typer

from visavis import __version__
from visavis.bench import measures
from visavis.bench.measures import Load, Target, Times
from visavis.bench.server_process import ServerProcess
from visavis.bench.speech import synthesize
from visavis.client import list_avatars


async def run(*, sessions: int, rounds: int, seconds: float, server: str, license: str) -> None:
    """Measure ``server``, or one that is started for it, and print the table to standard output."""
    _say("synthesizing what the visitors say")
    spoken = await synthesize((*measures.QUESTIONS, measures.STORY, measures.INTERRUPTION))
    questions, story, interruption = spoken[:-2], spoken[-2], spoken[-1]
    speech = np.concatenate(questions)
    asked = [questions[number % len(questions)] for number in range(rounds)]
    async with _target(server, license, sessions) as target:
        _say("memory of further sessions")
        memory = await measures.memory_each(target, sessions)
        _say("from opening to the first picture")
        connects = await measures.connect_times(target, rounds)
        _say("from the end of a question to the answer")
        answers = await measures.answer_times(target, asked)
        _say("from speaking over the avatar to its silence")
        silences = await measures.barge_in_times(target, interruption, story, rounds)
        counts = [count for count in (1, 2, 4, 8, 16, 32, 64) if count < sessions] + [sessions]
        talking: list[Load] = []
        idle: list[Load] = []
        for count in counts:
            _say(f"{count} silent, then {count} speaking")
            idle.append(await measures.load(target, count, seconds, speaking=None))
            talking.append(await measures.load(target, count, seconds, speaking=speech))
        _say("sound against picture")
        skew = await measures.skew(target, max(30.0, seconds), speaking=speech)
    values = 1000 * np.abs(skew.values)
    rows = [
        ("end of the user's speech → first sound of the answer", *_times(answers, (500, 800))),
        ("user speaks over the avatar → silence", *_times(silences, (200, None))),
        ("WebSocket open → first decoded picture", *_times(connects, (500, None))),
        ("speaking session, CPU of the server process", _shares(talking), "≤ 12 % of a core"),
        ("idle session, CPU of the server process", _shares(idle), "≤ 6 % of a core"),
        (
            "memory for each further session",
            "unknown" if memory is None else f"{memory / 1e6:.1f} MB (from 1 to {sessions})",
            "≤ 15 MB",
        ),
        ("pictures received at 25 a second", ", ".join(f"{one.rate:.1f} ({one.sessions})" for one in talking), "25"),
        ("picture against sound, 95th percentile", f"{np.percentile(values, 95):.0f} ms", "≤ 20 ms"),
        ("drift between them", f"{1000 * skew.drift:+.1f} ms an hour (by the slope)", "≤ 5 ms an hour"),
    ]
    _print(rows)


@asynccontextmanager
async def _target(server: str, license: str, sessions: int) -> AsyncGenerator[Target]:
    if server:
        yield Target(server.rstrip("/"), license, (await list_avatars(server, license))[0].id)
        return
    _say("starting a server")
    async with ServerProcess(["--max-sessions", str(sessions + 1), "--log-level", "warning"]) as process:
        yield Target(process.url, process.license, (await list_avatars(process.url, process.license))[0].id)


def _times(measured: Times, targets: tuple[int, int | None]) -> tuple[str, str]:
    """The percentiles of those that succeeded, and how many did."""
    count = f"n = {len(measured.seconds)} of {measured.tries}"
    if not measured.seconds:
        return f"none ({count})", _bound(targets)
    ordered = sorted(1000 * second for second in measured.seconds)
    p95 = float(np.percentile(ordered, 95))
    return f"p50 {statistics.median(ordered):.0f}, p95 {p95:.0f} ms ({count})", _bound(targets)


def _bound(targets: tuple[int, int | None]) -> str:
    median, tail = targets
    return f"≤ {median} ms" if tail is None else f"p50 ≤ {median}, p95 ≤ {tail} ms"


def _shares(loads: Sequence[Load]) -> str:
    """Per session, and in brackets with how many."""
    return ", ".join(
        "unknown" if one.cpu is None else f"{one.cpu / one.sessions:.1f} % ({one.sessions})" for one in loads
    )


def _print(rows: Sequence[tuple[str, str, str]]) -> None:
    typer.echo(f"visavis {__version__}, Python {platform.python_version()}, {_machine()}\n")
    typer.echo("| what | measured | target |\n|---|---|---|")
    for row in rows:
        typer.echo("| " + " | ".join(row) + " |")


def _machine() -> str:
    names = Path("/proc/cpuinfo")
    model = platform.processor() or platform.machine()
    if names.exists():
        lines = [line for line in names.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].split(":", 1)[1].strip() if lines else model
    return f"{os.cpu_count()} cores of {model}, {platform.system()}"


def _say(what: str) -> None:
    sys.stderr.write(f"measuring: {what} …\n")
    sys.stderr.flush()
