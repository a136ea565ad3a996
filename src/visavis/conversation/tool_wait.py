"""Waiting for the results of an answer's tool calls: never for long, as most clients return none."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

_ROUNDS = 8
"""Answers in a row that call tools, before the model is no longer asked to go on."""
_SETTLE_SECONDS = 1.0
"""After the last result, how long a client may take to ask for the reply itself."""


class ToolWait:
    """What the last answer's tool calls still wait for.

    ``go_on`` is called when the model is to speak about the results, ``give_up`` when it has only called tools for too
    many answers in a row. ``timeout`` in seconds.
    """

    def __init__(
        self,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        go_on: Callable[[], None],
        give_up: Callable[[], None],
        timeout: float,
    ) -> None:
        self._spawn = spawn
        self._go_on = go_on
        self._give_up = give_up
        self._timeout = timeout
        self._open: set[str] = set()
        self._silent = False
        self._asked = False
        self._rounds = 0
        self._waiting: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to follow."""
        return self._waiting is not None

    def answered(self, open_calls: Iterable[str], *, silent: bool) -> None:
        """An answer that called tools is over; ``silent``: it said nothing itself, so another has to follow."""
        self._open = set(open_calls)
        self._silent = silent
        if silent or self._asked:
            self._wait(self._timeout if self._open else _SETTLE_SECONDS)

    def result(self, call_id: str) -> None:
        """A result came that nobody asked to be spoken about: a silent answer is continued soon all the same."""
        self._open.discard(call_id)
        if (self._silent or self._asked) and not self._open and self._waiting:
            self._wait(_SETTLE_SECONDS)

    def ask(self) -> bool:
        """The client wants the results spoken about. Whether that has to wait for others to come."""
        self._asked = bool(self._open)
        if self._asked and not self._waiting:
            self._wait(self._timeout)
        return self._asked

    def stop(self) -> bool:
        """Wait no more; whether an answer was still to follow."""
        waiting, self._waiting = self._waiting, None
        if waiting:
            waiting.cancel()
        self._silent = self._asked = False
        return waiting is not None

    def user_turn(self) -> None:
        """The user said something: count the rounds anew, and wait for nothing of before."""
        self.stop()
        self._open.clear()
        self._rounds = 0

    def _wait(self, seconds: float) -> None:
        if self._waiting:
            self._waiting.cancel()
        self._waiting = self._spawn(self._go_on_after(seconds))

    async def _go_on_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._waiting = None
        self._silent = self._asked = False
        self._open.clear()
        self._rounds += 1
        if self._rounds <= _ROUNDS:
            self._go_on()
        else:
            self._give_up()
