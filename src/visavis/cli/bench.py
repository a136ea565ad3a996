"""``visavis bench``: the table of docs/performance.md."""

import asyncio
from typing import Annotated

import typer

from visavis.cli.common import fail


def bench(
    sessions: Annotated[int, typer.Option(help="Most sessions at a time.", min=1, max=64)] = 8,
    rounds: Annotated[int, typer.Option(help="Calls, questions and interruptions of each measurement.", min=1)] = 12,
    seconds: Annotated[float, typer.Option(help="How long each load is measured.", min=2)] = 10.0,
    server: Annotated[
        str, typer.Option("--server", "-s", help="A running server's address; else one is started.")
    ] = "",
    license: Annotated[str, typer.Option(envvar="VISAVIS_LICENSE", help="That server's license.")] = "",
) -> None:
    """Measure a server with real WebRTC peers, and print a table."""
    from visavis.bench.errors import BenchError
    from visavis.bench.report import run
    from visavis.client import CallError

    try:
        asyncio.run(run(sessions=sessions, rounds=rounds, seconds=seconds, server=server, license=license))
    except (BenchError, CallError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        fail("interrupted")
