"""Memory of closed connections: aiortc's objects refer to each other, so only a collection frees them."""

import asyncio
import gc

PAUSE = 10.0
"""Seconds between two collections, however many sessions end."""


class _Reclaimer:
    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        loop = asyncio.get_running_loop()
        if self._timer is None or self._timer.when() <= loop.time():
            self._timer = loop.call_later(PAUSE, gc.collect)


_reclaimer = _Reclaimer()


def reclaim() -> None:
    """Collect garbage within ``PAUSE`` seconds, once for all sessions that end until then.

    A collection holds every thread up for as long as it takes to visit all objects. A server should call
    ``gc.freeze()`` once it has started up, so that only what sessions made is visited.
    """
    _reclaimer.ask()
