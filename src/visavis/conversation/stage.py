"""Where the avatar performs: its voice on the media clock and its face in step with it.

The stage is also the session's ``VideoSource``: the media layer asks it for each picture.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visavis.avatar.emotion import Feeling
from visavis.avatar.face import Face, FaceState
from visavis.avatar.view import Background
from visavis.media.clock import MediaClock
from visavis.media.playout import Playout
from visavis.speech.ports import SPEECH_RATE, Pcm16, SpeechChunk
from visavis.viseme import TimedViseme

_REMEMBERED_SECONDS = 3.0
"""How long what was played is kept, for the echo guard."""


class Stage:
    """One avatar's voice and face, both placed on one ``MediaClock``; all times are media seconds."""

    def __init__(self, clock: MediaClock, playout: Playout, face: Face) -> None:
        self._clock = clock
        self._playout = playout
        self._face = face
        self._said: deque[tuple[float, Pcm16]] = deque()

    def strike(self) -> None:
        """After the last picture: give the face's large buffers back, whoever still holds the stage."""
        self._face.close()
        self._said.clear()

    @property
    def now(self) -> float:
        """The present media time; 0 until media flows."""
        return self._clock.now()

    @property
    def audible(self) -> bool:
        """Whether something that was said is still to be heard."""
        return self._playout.end > self._clock.now()

    def audible_within(self, seconds: float) -> bool:
        """Whether something is to be heard now or was during the last ``seconds``."""
        return self._playout.end > self._clock.now() - seconds

    def say(self, chunk: SpeechChunk) -> float:
        """Queue sound and how the face moves with it; the time at which its first sample sounds.

        Weights that came with the sound go before its mouth shapes.
        """
        at = self._playout.append(chunk.pcm)
        self._said.append((at, chunk.pcm))
        while self._said and self._said[0][0] + len(self._said[0][1]) / SPEECH_RATE < self.now - _REMEMBERED_SECONDS:
            self._said.popleft()
        self._face.say(chunk.pcm, at)
        if chunk.arkit:
            self._face.follow([replace(frame, at=frame.at + at) for frame in chunk.arkit])
        elif chunk.visemes:
            self.mouth(chunk.visemes, at)
        return at

    def mouth(self, visemes: Sequence[TimedViseme], origin: float) -> None:
        """Shapes for sound that was queued before, timed from ``origin``."""
        self._face.speak([viseme.shifted(origin) for viseme in visemes])

    def stress(self, times: Sequence[float], origin: float) -> None:
        """When the voice stresses a word, in order, in seconds from ``origin``."""
        self._face.stress([origin + time for time in times])

    def cut(self) -> float:
        """Silence the voice and close the mouth now; the time at which it is silent."""
        at = self._playout.clear()
        self._face.cut(at)
        while self._said and self._said[-1][0] >= at:
            self._said.pop()
        if self._said:
            start, pcm = self._said.pop()
            self._said.append((start, pcm[: round((at - start) * SPEECH_RATE)]))
        return at

    def played(self, seconds: float) -> Pcm16:
        """The last ``seconds`` of what sounded, at ``SPEECH_RATE``; silence where nothing was said."""
        out = np.zeros(round(seconds * SPEECH_RATE), np.int16)
        origin = round(self.now * SPEECH_RATE) - len(out)
        for at, pcm in self._said:
            start = round(at * SPEECH_RATE) - origin
            first, last = max(start, 0), min(start + len(pcm), len(out))
            if first < last:
                out[first:last] = pcm[first - start : last - start]
        return out

    def show(self, state: FaceState, at: float | None = None) -> None:
        """Let the face take a state, now or at a later time."""
        self._face.state(state, self._clock.now() if at is None else at)

    def feel(self, feeling: Feeling, at: float | None = None) -> None:
        """Let the face show a feeling, now or from a later time on. ``cut`` drops those that are still to come."""
        self._face.feel(feeling, self._clock.now() if at is None else at)

    def hear(self, speaking: bool, at: float | None = None) -> None:
        """The visitor began to speak, or made a pause: now or at another time."""
        self._face.hear(speaking, self._clock.now() if at is None else at)

    def behind(self, background: Background) -> None:
        """What lies behind the person from the next picture on."""
        self._face.behind(background)

    async def heard(self, at: float) -> None:
        """Wait until everything before ``at`` has sounded."""
        await self._playout.wait_until(at)

    async def room(self, seconds: float) -> None:
        """Wait until less than ``seconds`` of sound is queued."""
        await self._playout.room(seconds)

    @property
    def width(self) -> int:
        """Of the picture, in pixels."""
        return self._face.width

    @property
    def height(self) -> int:
        """Of the picture, in pixels."""
        return self._face.height

    def pose(self, at: float) -> Any:
        """See ``VideoSource``."""
        return self._face.pose(at)

    def paint(self, pose: Any, frame: NDArray[np.uint8]) -> None:
        """See ``VideoSource``."""
        self._face.paint(pose, frame)
