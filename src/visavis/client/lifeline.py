"""Gets a call connected: the first time, with its retries, and again when the connection was lost."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from visavis.client.address import Address
from visavis.client.errors import CallError, NoSceneError, NoSessionToResumeError, ServerConnectionFailedError
from visavis.client.link import GOING_AWAY, NORMAL, Ears, Link
from visavis.client.options import Reconnection, RetryOptions, Timeouts

logger = structlog.get_logger(__name__)

TokenProvider = Callable[[], Awaitable[str]]

_IN_VAIN = frozenset({"unknown_avatar", "invalid_license", "bad_request", "origin_not_allowed", "no_credit"})
"""Refusals that another try would meet again."""


@dataclass(frozen=True, slots=True)
class Lifeline:
    """Makes the links of one call. ``key`` gives the license or token of each attempt."""

    address: Address
    key: TokenProvider
    timeouts: Timeouts
    retry: RetryOptions
    reconnection: Reconnection
    ears: Ears

    async def first(self, resume: str) -> Link:
        """The call's first link; with a token, to the session that it stands for.

        Raises ``CallError``, and what the ears raised.
        """
        tries = 0
        while True:
            try:
                return await self._link(resume)
            except NoSceneError as error:
                if tries >= self.retry.max_retries or error.code in _IN_VAIN:
                    raise
            tries += 1
            await asyncio.sleep(self.retry.delay)

    async def again(self, resume: Callable[[], str], attempting: Callable[[int], None]) -> Link | None:
        """A link to the same session; None where it is not to be had any more.

        ``resume`` gives the newest token; ``attempting`` is told the number of each attempt. Raises what the ears
        raised.
        """
        for attempt in range(1, self.reconnection.attempts + 1):
            attempting(attempt)
            # Not all clients of a server that was restarted at the same instant.
            await asyncio.sleep(self.reconnection.delay(attempt) * random.uniform(0.75, 1.25))
            try:
                return await self._link(resume())
            except NoSessionToResumeError as error:
                logger.info("session_is_not_kept", error=str(error))
                return None
            except CallError as error:
                logger.info("reconnecting_failed", attempt=attempt, code=error.code, error=str(error))
                if error.code in _IN_VAIN:
                    return None
        return None

    async def _link(self, resume: str) -> Link:
        try:
            key = await self.key()
        except CallError:
            raise
        except Exception as error:
            told = f"No token could be had: {type(error).__name__}"
            raise ServerConnectionFailedError(told, "token_failed") from error
        try:
            link = Link(
                self.address.url(key, resume),
                loopback=self.address.loopback,
                timeouts=self.timeouts,
                ears=self.ears,
            )
        except ValueError:
            raise ServerConnectionFailedError("That is no server's address.", "unreachable") from None
        try:
            await link.open()
        except BaseException:
            # A session that goes on elsewhere, or later, was not hung up.
            await link.close(GOING_AWAY if resume else NORMAL)
            raise
        return link
