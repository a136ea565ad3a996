"""What a server tells of its sessions by HTTP."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import httpx

from visavis.bench.server_process import Reading, ServerProcess

Record = dict[str, Any]


async def ask(server: ServerProcess, path: str, license: str | None = None) -> httpx.Response:
    async with httpx.AsyncClient(timeout=30.0) as client:
        headers = {"Authorization": f"Bearer {server.license if license is None else license}"}
        return await client.get(f"{server.url}{path}", headers=headers)


async def health(server: ServerProcess) -> tuple[int, dict[str, Any]]:
    answer = await ask(server, "/healthz")
    return answer.status_code, answer.json()


async def until_there(server: ServerProcess, sessions: int, patience: float = 20.0) -> None:
    """Wait until so many sessions run or wait for a slot."""
    async with asyncio.timeout(patience):
        while True:
            _, now = await health(server)
            if now["sessions"] + now["waiting"] == sessions:
                return
            await asyncio.sleep(0.05)


async def until_reads(server: ServerProcess, condition: Callable[[Reading], bool], patience: float = 20.0) -> Reading:
    """The server's metrics, once they are so."""
    async with asyncio.timeout(patience):
        while not condition(reading := await server.read()):  # noqa: ASYNC110 (another process's state)
            await asyncio.sleep(0.05)
    return reading


async def record(server: ServerProcess, session_id: str, patience: float = 20.0) -> Record:
    """A session's record, once its end has been written."""
    async with asyncio.timeout(patience):
        while True:
            answer = await ask(server, f"/v1/sessions/{session_id}")
            if answer.status_code == 200 and answer.json()["status"] != "running":
                return answer.json()
            await asyncio.sleep(0.1)


async def all_records(server: ServerProcess, count: int, patience: float = 20.0) -> list[Record]:
    """The records of all ``count`` sessions, the first one first, once the end of all has been written."""
    async with asyncio.timeout(patience):
        while True:
            found: list[Record] = []
            following = ""
            while True:
                page = (await ask(server, f"/v1/sessions?limit=100{following}")).json()
                found += page["sessions"]
                if page["next"] is None:
                    break
                following = f"&before={page['next']}"
            if len(found) >= count and all(one["status"] != "running" for one in found):
                return found[::-1]
            await asyncio.sleep(0.1)


def times(record: Record) -> dict[str, datetime]:
    """When each state was entered, the last time."""
    return {entry["state"]: datetime.fromisoformat(entry["at"]) for entry in record["states"]}


def in_order(record: Record) -> bool:
    """Whether the states' times never go back."""
    entered = [datetime.fromisoformat(entry["at"]) for entry in record["states"]]
    return all(earlier <= later for earlier, later in pairwise(entered))
