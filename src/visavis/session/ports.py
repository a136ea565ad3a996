"""How a wire reaches the sessions: the Reception admits a visitor, the Call is what both sides then hold."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from visavis.avatar.view import Background
from visavis.session.commands import Command, NamedBackground
from visavis.session.events import Ending, SessionEvent


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server for the client; ``username`` and ``credential`` only for TURN."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ViewRequest:
    """How a visitor wants to see the avatar. None: as the session that goes on has it, or else as the server does.

    ``size``: width and height in pixels.
    """

    size: tuple[int, int] | None = None
    background: Background | NamedBackground | None = None
    transparent: bool = False


@dataclass(frozen=True, slots=True)
class CallRequest:
    """Who wants to talk to whom. ``avatar_id`` wins over ``name``."""

    license: str = field(repr=False)
    """A license key, or a client token."""
    avatar_id: str | None = None
    name: str | None = None
    model: str | None = None
    """A model's name, or ``transparency``: no listening, the avatar says the sound that is pushed."""
    voice: str | None = None
    prompt: str | None = None
    origin: str | None = None
    """The browser's Origin header."""
    address: str = ""
    """The client's IP address."""
    resumable: bool = False
    """Whether the client knows how to come back to a session."""
    resume: str | None = field(default=None, repr=False)
    """The key of an earlier session (``Call.resume_key``) that the visitor wants back."""
    view: ViewRequest = ViewRequest()


@dataclass(frozen=True, slots=True)
class Notice:
    """A non-fatal problem found while admitting, with the avatar that was chosen."""

    message: str
    avatar_id: str


class Call(Protocol):
    """An admitted session: it holds a slot or a place in the queue until ``events`` has ended or ``leave`` returned."""

    @property
    def id(self) -> str:
        """The session's id."""
        ...

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """At least one."""
        ...

    @property
    def notice(self) -> Notice | None:
        """Told to the client right after the success event."""
        ...

    @property
    def resume_key(self) -> str | None:
        """With which the visitor can come back to the session; None where it is not kept."""
        ...

    @property
    def persistent(self) -> bool:
        """Whether that is possible after the visitor has hung up, too, and not only after a lost connection."""
        ...

    @property
    def resumed(self) -> bool:
        """Whether this is an earlier session that goes on."""
        ...

    def events(self) -> AsyncIterator[SessionEvent]:
        """Start the session and follow it; the last event is ``Ended``. To be iterated once."""
        ...

    async def handle(self, command: Command) -> None:
        """Take a command; in order, without waiting for the work it causes. Ignored after the end."""
        ...

    async def leave(self, ending: Ending = Ending.NORMAL, *, lost: bool = False) -> None:
        """End the session and free everything it holds. Idempotent.

        ``lost``: the client did not hang up; its connection broke, it could not be told any more, or its page went
        away and may come back.
        """
        ...


class Reception(Protocol):
    """Admits visitors."""

    async def admit(self, request: CallRequest) -> Call:
        """Check the license, choose the avatar, take a slot or a place in the queue. Raises ``Refusal``."""
        ...
