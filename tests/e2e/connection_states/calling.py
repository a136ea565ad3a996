"""An app in Python, which uses the client against real servers."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.connection_states.causes import PYTHON, Cause, Teller
from tests.e2e.connection_states.servers import AVATAR, LICENSE
from visavis.client import (
    Call,
    CallEndedError,
    CallError,
    ConnectionState,
    ConnectionStateType,
    Disconnection,
    Event,
    Message,
    Reconnection,
)

PATIENCE = 90.0
"""The machine may be busy: a test fails by what happens, not by when."""


class App:
    """One call, which is not looked for again when it is lost; what it tells is collected."""

    def __init__(self, server: str, **options: Any) -> None:
        if not {"license", "token", "token_provider"} & options.keys():
            options["license"] = LICENSE
        given = {"avatar_id": AVATAR, "reconnection": Reconnection(attempts=0), **options}
        self.heard: list[Message] = []
        """What servers said to it."""
        self.states: list[ConnectionState] = []
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        self.call = Call(server, on_message=self._hear, on_state=self._enter, on_event=self._note, **given)

    async def fails(self, cause: Cause) -> CallError:
        """Connects in vain, by this cause; where the server tells it, its own last word has the code, too."""
        with pytest.raises(CallError) as raised:
            await self.call.connect()
        error = raised.value
        cause.check(PYTHON, error.name, error.code)
        assert len(str(error).split()) > 3, "the message says what happened"
        if cause.teller is Teller.SERVER:
            assert self.heard[-1].data["code"] == cause.code
        assert self.call.state.name is ConnectionStateType.DISCONNECTED
        assert self.call.disconnection is None, "there was no session to lose"
        assert not [event for event in self.events if isinstance(event, Disconnection)]
        assert not self.call.connected
        return error

    async def ends(self, cause: Cause) -> Disconnection:
        """Waits for the end of the session, which has this cause."""
        await self.until(lambda: self.call.disconnection is not None)
        end = self.call.disconnection
        assert end
        cause.check(PYTHON, end.reason, end.code)
        assert end.session_id == self.call.session_id
        assert self.events[-1] == end, "it is the last that is told"
        if cause.teller is Teller.SERVER:
            assert self.heard[-1].data["code"] == cause.code
        assert self.states[-1].name is self.call.state.name is ConnectionStateType.DISCONNECTED
        assert not self.call.connected
        with pytest.raises(CallEndedError):
            await self.call.send_text("Is anybody there?")
        return end

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` holds, looking at all that is told."""
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_queued(self, position: int) -> None:
        """Wait until this place in the queue was told."""
        await self.until(lambda: self.states and self.states[-1].queue_position == position)

    def said(self, kind: str) -> list[Message]:
        """What servers said of this type."""
        return [message for message in self.heard if message.type == kind]

    def _hear(self, message: Message) -> None:
        self.heard.append(message)
        self._changed.set()

    def _enter(self, state: ConnectionState) -> None:
        self.states.append(state)
        self._changed.set()

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()
