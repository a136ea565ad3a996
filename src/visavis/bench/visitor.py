"""A visitor that measures: one call, with the arrival of every frame noted."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Self

import numpy as np
from numpy.typing import NDArray

from visavis.client import MICROPHONE_RATE, AudioFrame, Call, Message, Reconnection, VideoFrame, pace

LOUD = 300.0
"""RMS of 20 ms of sound from which it is heard; speech here has about 3000, silence less than 5."""
_PIECE = MICROPHONE_RATE // 50


class Visitor:
    """A call that keeps what it received lately; an async context manager."""

    def __init__(self, server: str, license: str, *, avatar_id: str, model: str | None = None) -> None:
        self._call = Call(
            server,
            license=license,
            avatar_id=avatar_id,
            model=model,
            on_audio=self._hear,
            on_video=self._see,
            on_message=self._note,
            # What is lost is to be seen.
            reconnection=Reconnection(attempts=0),
        )
        self._changed = asyncio.Event()
        self.sound: deque[tuple[float, float]] = deque(maxlen=3000)
        """Of each 20 ms of sound: when it was received (loop time), and its RMS."""
        self.audio_times: deque[tuple[float, float]] = deque(maxlen=6000)
        self.video_times: deque[tuple[float, float]] = deque(maxlen=6000)
        """Of each frame: when it was received, and when the server sent it by its reports."""
        self.pictures = 0
        self.opened = 0.0
        """Loop time at which the call was begun."""
        self.first_picture: float | None = None
        self.events: list[Message] = []

    @property
    def call(self) -> Call:
        """The call itself."""
        return self._call

    async def __aenter__(self) -> Self:
        self.opened = asyncio.get_running_loop().time()
        await self._call.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._call.disconnect()

    def heard_since(self, at: float) -> float | None:
        """When sound was first heard after ``at`` (loop time)."""
        return next((received for received, level in self.sound if received >= at and level >= LOUD), None)

    def last_heard(self) -> float | None:
        """When sound was last heard."""
        return next((received for received, level in reversed(self.sound) if level >= LOUD), None)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``condition`` holds, looking at each frame and event; False when it does not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def quiet(self, seconds: float, within: float = 30.0) -> bool:
        """Wait until nothing has been heard for ``seconds``."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        return await self.until(lambda: loop.time() - max(start, self.last_heard() or 0.0) >= seconds, within)

    async def say(self, pcm: NDArray[np.int16]) -> float:
        """Speak at the pace of a microphone; the loop time at which the last sample was sent."""
        loop = asyncio.get_running_loop()
        async for piece in pace(pcm):
            await self._call.send_audio(piece)
        return loop.time()

    async def stay_silent(self) -> None:
        """Send the silence of an open microphone until cancelled."""
        silence = np.zeros(_PIECE * 50, np.int16)
        while True:
            await self.say(silence)

    def _hear(self, frame: AudioFrame) -> None:
        level = float(np.sqrt(np.mean(np.square(frame.pcm, dtype=np.float64))))
        self.sound.append((frame.timing.received, level))
        if frame.timing.sent is not None:
            self.audio_times.append((frame.timing.received, frame.timing.sent))
        self._changed.set()

    def _see(self, frame: VideoFrame) -> None:
        self.pictures += 1
        if self.first_picture is None:
            self.first_picture = frame.timing.received
        if frame.timing.sent is not None:
            self.video_times.append((frame.timing.received, frame.timing.sent))
        self._changed.set()

    def _note(self, message: Message) -> None:
        self.events.append(message)
        self._changed.set()
