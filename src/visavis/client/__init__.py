"""The Python SDK: a call over the unified WebSocket, with the avatar's picture and sound as numpy frames."""

from visavis.client.call import MICROPHONE_RATE, Call, Event, pace
from visavis.client.errors import CallClosed, CallError, CallRefused, CallUnreachable
from visavis.client.media import AUDIO_RATE, AudioFrame, Timing, VideoFrame

__all__ = [
    "AUDIO_RATE",
    "MICROPHONE_RATE",
    "AudioFrame",
    "Call",
    "CallClosed",
    "CallError",
    "CallRefused",
    "CallUnreachable",
    "Event",
    "Timing",
    "VideoFrame",
    "pace",
]
