"""Fifty calls leave nothing behind: no session, thread, socket, task or megabyte."""

import asyncio

import psutil
import pytest

from tests.e2e.conftest import nobody_there, visit
from visavis.bench.server_process import ServerProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

CALLS = 50
COLLECTED = 11.0
"""Seconds after which garbage of closed connections has been collected (media/reclaim.py)."""


def held(process: psutil.Process) -> tuple[int, int, float]:
    """Threads, sockets, and resident megabytes."""
    return process.num_threads(), len(process.net_connections()), process.memory_info().rss / 1e6


async def churn(server: ServerProcess, pairs: int) -> None:
    """Calls in pairs, one of each mode, some of which talk; then everything has settled."""
    for number in range(pairs):
        async with visit(server) as one, visit(server, model="transparency"):
            if number % 5 == 0:
                await one.call.send_text("Hello.")
                await asyncio.sleep(0.3)
    await nobody_there(server)
    await asyncio.sleep(COLLECTED)


async def test_fifty_calls_leave_nothing_behind(server: ServerProcess) -> None:
    process = psutil.Process(server.pid)
    await churn(server, 8)
    threads, sockets, memory = held(process)
    tasks = (await server.read()).samples["visavis_tasks"]
    await churn(server, CALLS // 2)
    after = held(process)
    assert after[0] <= threads + 1
    assert after[1] <= sockets
    assert (await server.read()).samples["visavis_tasks"] <= tasks
    # A megabyte a call would be fifty; allocators keep some of what they once had.
    assert after[2] - memory < 25
