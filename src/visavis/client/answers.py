"""Waiting for what the avatar does: a whole answer, or nothing."""

import asyncio
from collections.abc import AsyncIterable, Collection

from visavis.client.events import Activity, Caption, Event
from visavis.client.stream import Stream


async def next_answer(events: AsyncIterable[Event], stale: Collection[str]) -> str | None:
    """The words of the next answer that is none of ``stale`` (ids), when it was heard to its end; None without one.

    An answer in several parts, such as before and after a tool was used, is one.
    """
    said: dict[str, str] = {}
    async for event in events:
        match event:
            case Caption(side="avatar", state="final", text=text) if text and event.id not in stale:
                said[event.id] = text.strip()
            case Activity.IDLE if said:
                return " ".join(said.values())
            case _:
                pass
    return None


async def quiet(events: Stream[Event], activity: Activity, seconds: float) -> None:
    """Until the avatar, which does ``activity`` now, has been idle for so long, or the call is over."""
    while True:
        try:
            async with asyncio.timeout(seconds if activity is Activity.IDLE else None):
                event = await anext(events)
        except (TimeoutError, StopAsyncIteration):
            return
        if isinstance(event, Activity):
            activity = event
