"""The machine's microphone and loudspeaker, through the optional library ``sounddevice``."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from visavis.client.errors import NotSupportedError, NoUserMediaError
from visavis.client.media import AUDIO_RATE
from visavis.client.sound import MICROPHONE_RATE, Pcm

_PIECE = MICROPHONE_RATE // 50
_HELD = 200
"""Pieces of 20 ms."""


class Microphone:
    """The sound of a microphone in pieces of 20 ms; an async context manager, and the iterator that it gives.

    ``device``: the name or number by which the library knows it; else the system's own choice. Of sound that nobody
    takes, the newest beyond four seconds is dropped. It may be entered several times, and is open until it was left as
    often. Entering raises ``NoUserMediaError`` where the device cannot be
    opened, ``NotSupportedError`` without the library.
    """

    def __init__(self, device: str | int | None = None) -> None:
        self._device = device
        self._stream: Any = None
        self._entered = 0
        self._heard: asyncio.Queue[Pcm] = asyncio.Queue(_HELD)
        self.dropped = 0
        """Pieces that nobody took in time."""

    async def __aenter__(self) -> Self:
        self._entered += 1
        if self._entered == 1:
            try:
                await self._start()
            except BaseException:
                self._entered = 0
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._entered -= 1
        if self._entered == 0:
            stream, self._stream = self._stream, None
            await asyncio.to_thread(stream.close)

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()

        def take(data: NDArray[np.int16], _frames: int, _time: object, _status: object) -> None:
            loop.call_soon_threadsafe(self._put, data[:, 0].copy())

        self._stream = await asyncio.to_thread(
            _open, "InputStream", MICROPHONE_RATE, device=self._device, blocksize=_PIECE, callback=take
        )

    def __aiter__(self) -> AsyncIterator[Pcm]:
        return self

    async def __anext__(self) -> Pcm:
        return await self._heard.get()

    def _put(self, piece: Pcm) -> None:
        if self._heard.full():
            self.dropped += 1
        else:
            self._heard.put_nowait(piece)


class Loudspeaker:
    """Plays a call's sound; an async context manager. What entering raises is ``Microphone``'s."""

    def __init__(self, device: str | int | None = None) -> None:
        self._device = device
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        self._stream = await asyncio.to_thread(_open, "OutputStream", AUDIO_RATE, device=self._device, latency="low")
        return self

    async def __aexit__(self, *_: object) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await asyncio.to_thread(stream.close)

    def play(self, pcm: NDArray[np.int16]) -> None:
        """Play mono sound at ``AUDIO_RATE``; what the device has no room for is dropped."""
        if self._stream is not None and self._stream.write_available >= len(pcm):
            self._stream.write(pcm.reshape(-1, 1))


def _open(kind: str, rate: int, **options: Any) -> Any:
    """A running stream of the library."""
    try:
        import sounddevice  # pyright: ignore[reportMissingImports]
    except (ImportError, OSError) as error:
        raise NotSupportedError(
            "sound devices need the extra 'microphone' (pip install 'visavis[microphone]') and PortAudio: "
            f"{str(error).splitlines()[0]}",
            "not_supported",
        ) from None
    library: Any = sounddevice
    try:
        stream = getattr(library, kind)(rate, channels=1, dtype="int16", **options)
        stream.start()
    except (library.PortAudioError, ValueError) as error:
        told = f"the machine's sound device cannot be used: {str(error).splitlines()[0]}"
        raise NoUserMediaError(told, "no_user_media") from None
    return stream
