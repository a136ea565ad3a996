"""Waiting for a whole answer of the avatar."""

from collections.abc import AsyncIterable, Collection

from visavis.client.events import Activity, Caption, Event


async def next_answer(events: AsyncIterable[Event], stale: Collection[str]) -> str | None:
    """The words of the next answer that is none of ``stale`` (ids), when it was heard to its end; None without one.

    An answer in several parts, such as before and after a tool was used, is one.
    """
    said: dict[str, str] = {}
    async for event in events:
        match event:
            case Caption(side="avatar", state="final") if event.id not in stale:
                said[event.id] = event.text.strip()
            case Activity.IDLE if said:
                return " ".join(text for text in said.values() if text)
            case _:
                pass
    return None
