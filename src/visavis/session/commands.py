"""What a visitor can ask of a session: the values that a wire makes of its client's messages.

They and the events are all that passes between a wire and a session, so that the two could live in different processes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from visavis.avatar.emotion import Feeling
from visavis.avatar.view import Background
from visavis.conversation.snapshot import Variable
from visavis.language.ports import Image, Tool


@dataclass(frozen=True, slots=True)
class AppendAudio:
    """Microphone sound (or, in transparency mode, the avatar's speech): 16-bit little endian mono at 24 kHz."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class CommitAudio:
    """The pushed sound is a whole utterance."""


@dataclass(frozen=True, slots=True)
class ClearAudio:
    """Throw away sound that was pushed and not yet used or played."""


@dataclass(frozen=True, slots=True)
class Configure:
    """Change the running session; None leaves a setting as it is. Legal at any time.

    ``extend_tools``: add ``tools`` to those there (same name: replaced) instead of replacing them all.
    """

    voice: str | None = None
    prompt: str | None = None
    tools: tuple[Tool, ...] | None = None
    extend_tools: bool = False


@dataclass(frozen=True, slots=True)
class AddMessage:
    """Put a message of the user (or a remembered one of the assistant) into the history, without answering."""

    text: str
    role: str = "user"
    images: tuple[Image, ...] = ()


@dataclass(frozen=True, slots=True)
class SendText:
    """The user typed ``text``; ``reply``: answer it."""

    text: str
    reply: bool = True


@dataclass(frozen=True, slots=True)
class SendImage:
    """The user shows a picture; ``reply``: answer about it now, else it is context."""

    image: Image
    reply: bool = False


@dataclass(frozen=True, slots=True)
class ToolResult:
    """A tool's result, also a late one; ``reply``: let the model speak about it now."""

    call_id: str
    output: str
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Respond:
    """Speak now."""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """Be silent now, and forget what was still to be said."""


@dataclass(frozen=True, slots=True)
class SetVariables:
    """Set session variables: they stand in for ``{{name}}`` in prompt and greeting. None removes one."""

    values: Mapping[str, Variable | None]


@dataclass(frozen=True, slots=True)
class NamedBackground:
    """One of the operator's pictures, by its file's name without the suffix."""

    name: str


@dataclass(frozen=True, slots=True)
class SetBackground:
    """What lies behind the avatar from now on. A name that the server does not know changes nothing."""

    background: Background | NamedBackground


@dataclass(frozen=True, slots=True)
class SetEmotion:
    """What the avatar's face shows to feel now; how long it stays is the face's affair."""

    feeling: Feeling


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The visitor is still there: the idle time begins anew."""


@dataclass(frozen=True, slots=True)
class AcceptAnswer:
    """The client's WebRTC answer."""

    sdp: str


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    """The client's renegotiation offer (ICE restart, a camera track); answered by ``Answered``."""

    sdp: str


@dataclass(frozen=True, slots=True)
class AddCandidate:
    """One ICE candidate of the client, in the form of RTCIceCandidateInit."""

    candidate: str
    sdp_mid: str | None
    sdp_mline_index: int | None


Command = (
    AppendAudio
    | CommitAudio
    | ClearAudio
    | Configure
    | AddMessage
    | SendText
    | SendImage
    | ToolResult
    | Respond
    | Interrupt
    | SetVariables
    | SetBackground
    | SetEmotion
    | KeepAlive
    | AcceptAnswer
    | AcceptOffer
    | AddCandidate
)
