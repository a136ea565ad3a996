"""The Python SDK: a call with an avatar, whose picture and sound come as numpy frames (``docs/python.md``).

Everything an app needs is here; the modules within are not to be imported from outside.
"""

from visavis.client.call import Call
from visavis.client.devices import Loudspeaker, Microphone
from visavis.client.directory import ListedAvatar, list_avatars
from visavis.client.errors import (
    CallEndedError,
    CallError,
    ControlFailedError,
    DisconnectReason,
    MediaStreamFailedError,
    NoSceneError,
    NoSessionToResumeError,
    NotSupportedError,
    NoUserMediaError,
    ServerConnectionFailedError,
    SessionTimeoutError,
)
from visavis.client.events import (
    Activity,
    Caption,
    Disconnection,
    Event,
    Expiring,
    HistoryItem,
    Message,
    MicrophoneLost,
    Notice,
    Reconnecting,
    Resumed,
    ToolCall,
    Variable,
)
from visavis.client.film import Film, FilmError
from visavis.client.media import AUDIO_RATE, AudioFrame, Timing, VideoFrame
from visavis.client.options import Reconnection, RetryOptions, Timeouts
from visavis.client.picture import Emotion, Picture
from visavis.client.recording import RecordingError, read_wav
from visavis.client.sound import MICROPHONE_RATE, AudioSource, Pcm, pace, silence
from visavis.client.states import ConnectionState, ConnectionStateType
from visavis.client.stream import Stream
from visavis.client.tools import Tool

__all__ = [
    "AUDIO_RATE",
    "MICROPHONE_RATE",
    "Activity",
    "AudioFrame",
    "AudioSource",
    "Call",
    "CallEndedError",
    "CallError",
    "Caption",
    "ConnectionState",
    "ConnectionStateType",
    "ControlFailedError",
    "DisconnectReason",
    "Disconnection",
    "Emotion",
    "Event",
    "Expiring",
    "Film",
    "FilmError",
    "HistoryItem",
    "ListedAvatar",
    "Loudspeaker",
    "MediaStreamFailedError",
    "Message",
    "Microphone",
    "MicrophoneLost",
    "NoSceneError",
    "NoSessionToResumeError",
    "NoUserMediaError",
    "NotSupportedError",
    "Notice",
    "Pcm",
    "Picture",
    "Reconnecting",
    "Reconnection",
    "RecordingError",
    "Resumed",
    "RetryOptions",
    "ServerConnectionFailedError",
    "SessionTimeoutError",
    "Stream",
    "Timeouts",
    "Timing",
    "Tool",
    "ToolCall",
    "Variable",
    "VideoFrame",
    "list_avatars",
    "pace",
    "read_wav",
    "silence",
]
