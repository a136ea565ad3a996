"""Who can be called: the avatars that a server lists."""

from dataclasses import dataclass
from typing import Any

import httpx

from visavis.client.errors import CallError, CallRefused, CallUnreachable


@dataclass(frozen=True, slots=True)
class ListedAvatar:
    """An avatar as the server lists it; ``picture`` is the address of its poster."""

    id: str
    name: str
    picture: str


async def list_avatars(server: str, license: str) -> tuple[ListedAvatar, ...]:
    """The server's avatars, at least one; its first choice first.

    Raises ``CallUnreachable``, ``CallRefused`` for a wrong license, ``CallError`` when there is none.
    """
    try:
        async with httpx.AsyncClient(timeout=10.0) as client:
            answer = await client.get(f"{server.rstrip('/')}/api/open/v1/avatar/list", headers={"license": license})
            body: Any = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise CallUnreachable(f"The server cannot be reached: {type(error).__name__}") from None
    try:
        if answer.status_code != 200:
            raise CallRefused("conversation.connected.fail", str(body.get("message", answer.status_code)))
        listed: list[dict[str, Any]] = body.get("data") or []
        avatars = tuple(ListedAvatar(str(one["avatarId"]), str(one["name"]), str(one["url"])) for one in listed)
    except (AttributeError, KeyError, TypeError):
        raise CallUnreachable("What answers there does not speak this protocol.") from None
    if not avatars:
        raise CallError("The server has no avatar.")
    return avatars
