"""Who can be called: the avatars that a server lists."""

from dataclasses import dataclass
from typing import Any

import httpx

from visavis.client.errors import NoSceneError, ServerConnectionFailedError


@dataclass(frozen=True, slots=True)
class ListedAvatar:
    """An avatar as the server lists it; ``picture`` is the address of its poster."""

    id: str
    name: str
    picture: str


async def list_avatars(server: str, license: str) -> tuple[ListedAvatar, ...]:
    """The server's avatars, at least one; its first choice first.

    ``license`` is a key or a client token. Raises ``ServerConnectionFailedError``, ``NoSceneError`` when there is none.
    """
    try:
        async with httpx.AsyncClient(timeout=10.0) as client:
            answer = await client.get(f"{server.rstrip('/')}/api/open/v1/avatar/list", headers={"license": license})
            body: Any = answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        told = f"The server cannot be reached: {type(error).__name__}"
        raise ServerConnectionFailedError(told, "unreachable") from None
    try:
        if answer.status_code != 200:
            code = "invalid_license" if answer.status_code == 401 else "refused"
            raise ServerConnectionFailedError(str(body.get("message", answer.status_code)), code)
        listed: list[dict[str, Any]] = body.get("data") or []
        avatars = tuple(ListedAvatar(str(one["avatarId"]), str(one["name"]), str(one["url"])) for one in listed)
    except (AttributeError, KeyError, TypeError):
        raise ServerConnectionFailedError("What answers there does not speak this protocol.", "bad_protocol") from None
    if not avatars:
        raise NoSceneError("The server has no avatar.", "unknown_avatar")
    return avatars
