"""Watching over the avatar's language model: whether it can be reached at the start, and comes back when it is lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from visavis.language.ports import ChatError, ChatErrorKind
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 4.0
_LAST_CHECK: Final = 2.0
"""Seconds that a check may take when patience has run out."""
_STARTING_ATTEMPTS: Final = 2
_UNREACHABLE: Final = "The avatar's language model cannot be reached."
_GONE: Final = "The avatar's language model was lost, and did not come back."


class ControlError(Exception):
    """The language model cannot be reached. The message is for the visitor's eyes, and names no server."""


class ControlWatch:
    """Watches over one session's language model.

    ``check`` raises ``ChatError`` when it fails. A model that answers, if by a refusal (too busy, out of order), is
    there; one that cannot be connected to, does not answer in time, or refuses the key, is not. ``lost`` is called
    once, with a message for the visitor, when it was away for ``patience`` seconds: the last check is at their end.
    """

    def __init__(self, check: Callable[[], Awaitable[None]], patience: float, lost: Callable[[str], None]) -> None:
        self._check = check
        self._patience = patience
        self._lost = lost
        self._tasks = Tasks()
        self._probing: asyncio.Task[None] | None = None

    async def verify(self) -> None:
        """At the start: two attempts, within ``patience``. Raises ``ControlError``."""
        try:
            async with asyncio.timeout(self._patience):
                for attempt in range(_STARTING_ATTEMPTS):
                    await asyncio.sleep(_FIRST_PAUSE if attempt else 0)
                    if await self._is_there():
                        return
        except TimeoutError:
            log.warning("the language model's check takes too long")
        raise ControlError(_UNREACHABLE)

    def failed(self) -> None:
        """An answer could not reach the model: it has ``patience`` seconds to come back."""
        if self._probing is None:
            self._probing = self._tasks.spawn(self._probe())

    def answered(self) -> None:
        """An answer has reached the model."""
        probing, self._probing = self._probing, None
        if probing:
            probing.cancel()

    async def close(self) -> None:
        """Probe no more. Idempotent."""
        await self._tasks.close()

    async def _probe(self) -> None:
        loop, pause = asyncio.get_running_loop(), _FIRST_PAUSE
        until = loop.time() + self._patience
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                async with asyncio.timeout(max(until - loop.time(), _LAST_CHECK)):
                    there = await self._is_there()
            except TimeoutError:
                there = False
            if there:
                log.info("the language model is back")
                self._probing = None
                return
        # What is lost stays lost: no further probing begins.
        self._lost(_GONE)

    async def _is_there(self) -> bool:
        try:
            await self._check()
        except ChatError as error:
            away = error.lost or error.kind is ChatErrorKind.TIMEOUT
            log.warning("the language model's check failed", away=away, kind=error.kind, error=str(error))
            return not away
        except Exception:
            log.exception("the language model's check failed in a way that its provider did not foresee")
            return False
        return True
