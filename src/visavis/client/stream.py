"""What comes in one after the other, for who takes it by iterating."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, Self, TypeVar

T = TypeVar("T")


class Stream(Generic[T]):
    """An asynchronous iterator over what came since it was made, until the call is over.

    It holds a bounded number of items: of those that nobody takes in time, the oldest go, and are counted in
    ``dropped``. ``close`` ends it early; one that is forgotten ends with the call.
    """

    def __init__(self, held: int, on_close: "Callable[[Stream[T]], None] | None" = None) -> None:
        self._items: deque[T] = deque()
        self._held = held
        self._on_close = on_close
        self._ended = False
        self._news = asyncio.Event()
        self.dropped = 0
        """Items that came and were not taken in time."""

    def put(self, item: T) -> None:
        """Add one."""
        if self._ended:
            return
        if len(self._items) >= self._held:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._news.set()

    def end(self) -> None:
        """Nothing follows; what is there can still be taken."""
        self._ended = True
        self._news.set()

    def close(self) -> None:
        """Take no more. Idempotent."""
        self._items.clear()
        self.end()
        if self._on_close:
            self._on_close(self)
            self._on_close = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            if self._ended:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        return self._items.popleft()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Streams(Generic[T]):
    """All streams that get the same items."""

    def __init__(self) -> None:
        self._open: list[Stream[T]] = []
        self._over = False

    def new(self, held: int) -> Stream[T]:
        """One more; it ends at once where all is over."""
        stream = Stream[T](held, self._forget)
        if self._over:
            stream.end()
        else:
            self._open.append(stream)
        return stream

    def put(self, item: T) -> None:
        """Add to each."""
        for stream in tuple(self._open):
            stream.put(item)

    def end(self) -> None:
        """Nothing follows in any."""
        self._over = True
        for stream in self._open:
            stream.end()
        self._open.clear()

    def _forget(self, stream: Stream[T]) -> None:
        if stream in self._open:
            self._open.remove(stream)
