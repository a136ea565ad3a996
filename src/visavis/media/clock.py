"""MediaClock: the one origin from which a session's sound and pictures are timed."""

import asyncio
import time


class MediaClock:
    """Seconds since the origin of a session's media, on the event loop's own time.

    Both tracks take their timestamps, their pace and their sender reports from one clock, so that they cannot drift
    apart. The clock stands at 0 until ``start``, which the first track that is pulled calls: media begins when there
    is somebody to send it to. To be used on the event loop.
    """

    def __init__(self) -> None:
        self._origin: float | None = None
        self._wall_origin = 0.0
        self._running = asyncio.Event()

    @property
    def started(self) -> bool:
        """Whether the origin is set."""
        return self._origin is not None

    def start(self) -> None:
        """Set the origin to this instant. Idempotent."""
        if self._origin is None:
            self._origin = asyncio.get_running_loop().time()
            self._wall_origin = time.time()
            self._running.set()

    def now(self) -> float:
        """Seconds since the origin; 0.0 before the start."""
        return 0.0 if self._origin is None else asyncio.get_running_loop().time() - self._origin

    def wall(self, at: float) -> float:
        """The Unix time (seconds) of media time ``at``, as sender reports state it. Raises ``RuntimeError`` unstarted.

        The wall clock is read once, at the start: a step of it afterwards does not move one track against the other.
        """
        if self._origin is None:
            raise RuntimeError("the media clock has not been started")
        return self._wall_origin + at

    async def sleep_until(self, at: float) -> None:
        """Return once media time ``at`` has come, at once when it is past; before the start, wait for that."""
        await self._running.wait()
        delay = at - self.now()
        if delay > 0:
            await asyncio.sleep(delay)
