"""What happens in a conversation, told to whoever carries it to the visitor."""

from dataclasses import dataclass

from visavis.speech.ports import Pcm16


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The user began to speak."""


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The user's turn ended. Follows every ``SpeechStarted``."""


@dataclass(frozen=True, slots=True)
class UserTranscript:
    """What the user said in the turn; empty when nothing was understood. Follows every ``SpeechStopped``."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More words of an answer (an increment), told as their sound begins."""

    response_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerDone:
    """All words of an answer that were (or, after an interruption, had been) heard."""

    response_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AnswerAudio:
    """A copy of the answer's sound at ``SPEECH_RATE``; only told where it was asked for."""

    response_id: str
    pcm: Pcm16


@dataclass(frozen=True, slots=True)
class AnswerAudioDone:
    """The answer's last sample has left, or the answer was cut off. The last event of a response."""

    response_id: str


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """More of a tool call's arguments, as the model writes them."""

    response_id: str
    call_id: str
    name: str
    delta: str


@dataclass(frozen=True, slots=True)
class ToolRequested:
    """The client is asked to call a tool; ``arguments`` is JSON text."""

    response_id: str
    item_id: str
    call_id: str
    name: str
    arguments: str


ConversationEvent = (
    SpeechStarted
    | SpeechStopped
    | UserTranscript
    | AnswerDelta
    | AnswerDone
    | AnswerAudio
    | AnswerAudioDone
    | ToolArguments
    | ToolRequested
)
