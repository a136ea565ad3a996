"""The visitor's sound: where it comes from, and at which pace it goes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import numpy as np
import structlog
from numpy.typing import NDArray

from visavis.client.errors import CallError, NoUserMediaError

logger = structlog.get_logger(__name__)

MICROPHONE_RATE = 24_000
"""Hz of the sound that a call takes."""

Pcm = NDArray[np.int16]
"""Mono sound at ``MICROPHONE_RATE``."""

AudioSource = AsyncIterable[Pcm] | AbstractAsyncContextManager[AsyncIterable[Pcm]]
"""Sound in pieces, at the pace at which it was recorded; or what gives that once it was entered, and frees it."""


async def pace(pcm: Pcm, seconds: float = 0.02) -> AsyncIterator[Pcm]:
    """Give out recorded sound (``MICROPHONE_RATE``) in pieces of ``seconds``, as a microphone would."""
    loop = asyncio.get_running_loop()
    count, start = round(seconds * MICROPHONE_RATE), loop.time()
    for index in range(0, len(pcm), count):
        due = start + (index + count) / MICROPHONE_RATE
        await asyncio.sleep(max(0.0, due - loop.time()))
        yield pcm[index : index + count]


async def silence(seconds: float = 0.02) -> AsyncIterator[Pcm]:
    """The silence of an open microphone, without end."""
    second = np.zeros(MICROPHONE_RATE, np.int16)
    while True:
        async for piece in pace(second, seconds):
            yield piece


async def opened(source: AudioSource, stack: AsyncExitStack) -> AsyncIterable[Pcm]:
    """The sound of a source, which is entered where it wants that. Raises ``NoUserMediaError``, or its own errors."""
    if not isinstance(source, AbstractAsyncContextManager):
        return source
    try:
        return await stack.enter_async_context(source)
    except CallError:
        raise
    except Exception as error:
        told = f"The source of sound cannot be opened: {type(error).__name__}: {error}"
        raise NoUserMediaError(told, "no_user_media") from error


class Feed:
    """Hands a source's sound on, from its making until its end; ``ended`` is told why there is no more."""

    def __init__(
        self, source: AsyncIterable[Pcm], send: Callable[[Pcm], Awaitable[None]], ended: Callable[[str], None]
    ) -> None:
        self._ended = ended
        self._send = send
        self._task = asyncio.create_task(self._run(source))

    async def close(self) -> None:
        """Take no more of it."""
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, source: AsyncIterable[Pcm]) -> None:
        iterator = aiter(source)
        try:
            async for piece in iterator:
                await self._send(piece)
        except CallError as error:
            # The call is over.
            logger.debug("sound_not_taken", error=str(error))
        except Exception as error:
            logger.warning("source_of_sound_failed", error=f"{type(error).__name__}: {error}")
            self._ended(f"The source of sound failed: {type(error).__name__}: {error}")
        else:
            self._ended("The source of sound has come to its end.")
        finally:
            # A generator that is left in the middle frees what it holds now, not when it is collected.
            if isinstance(iterator, AsyncGenerator):
                await iterator.aclose()
