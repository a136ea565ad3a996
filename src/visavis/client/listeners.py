"""Who is told of what a call receives: the app's callbacks, and the streams that it iterates over."""

from collections.abc import Callable
from dataclasses import dataclass, field

from visavis.client.events import Event, Message
from visavis.client.media import AudioFrame, VideoFrame
from visavis.client.states import ConnectionState
from visavis.client.stream import Streams

EVENTS_HELD = 1000
SOUND_HELD = 250
"""Frames of 20 ms."""
PICTURES_HELD = 5


@dataclass(frozen=True, slots=True)
class Listeners:
    """The callbacks and streams of a call. Its methods raise what a callback raises."""

    on_audio: Callable[[AudioFrame], None] | None
    on_video: Callable[[VideoFrame], None] | None
    on_event: Callable[[Event], None] | None
    on_state: Callable[[ConnectionState], None] | None
    on_message: Callable[[Message], None] | None
    events: Streams[Event] = field(default_factory=Streams[Event])
    sound: Streams[AudioFrame] = field(default_factory=Streams[AudioFrame])
    pictures: Streams[VideoFrame] = field(default_factory=Streams[VideoFrame])

    def hear(self, frame: AudioFrame) -> None:
        """Sound came."""
        self.sound.put(frame)
        if self.on_audio:
            self.on_audio(frame)

    def see(self, frame: VideoFrame) -> None:
        """A picture came."""
        self.pictures.put(frame)
        if self.on_video:
            self.on_video(frame)

    def receive(self, message: Message) -> None:
        """A message of the server came, of whatever kind."""
        if self.on_message:
            self.on_message(message)

    def tell(self, event: Event) -> None:
        """Something happened."""
        self.events.put(event)
        if self.on_event:
            self.on_event(event)
        if self.on_state and isinstance(event, ConnectionState):
            self.on_state(event)

    def end(self) -> None:
        """Nothing follows."""
        self.events.end()
        self.sound.end()
        self.pictures.end()
