"""What a conversation is made with: who the avatar is, the providers, the settings, and who hears of its figures."""

from dataclasses import dataclass, field
from typing import Protocol

from visavis.conversation.listening import ListeningSettings
from visavis.language.ports import ChatModel, Tool
from visavis.speech.ports import Recognizer, Synthesizer, TurnDetector, Voice, VoiceActivityDetector


@dataclass(frozen=True, slots=True)
class Role:
    """Who the avatar is in this conversation. In ``prompt`` and ``greeting``, ``{{name}}`` stands for a variable."""

    prompt: str = ""
    greeting: str = ""
    voice: Voice = field(default_factory=Voice)
    tools: tuple[Tool, ...] = ()
    phrases: tuple[str, ...] = ()
    """Sentences its visitors are likely to say."""
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Parts:
    """The providers a conversation is made of."""

    vad: VoiceActivityDetector
    turns: TurnDetector
    recognizer: Recognizer
    chat: ChatModel
    synthesizer: Synthesizer


@dataclass(frozen=True, slots=True)
class ConversationSettings:
    """Times in seconds."""

    listening: ListeningSettings = field(default_factory=ListeningSettings)
    tool_timeout: float = 6.0
    """How long an answer that only called tools waits for their results before the model goes on without them."""
    echo_guard: bool = True
    copy_sound: bool = False
    """Whether ``AnswerAudio`` is told."""
    model_may_end: bool = True
    """Whether the language model gets a tool that ends the conversation, where the role has none of its own."""
    emotions: bool = True
    """Whether the language model is taught the marks of emotions, and the face shows them."""


class ConversationObserver(Protocol):
    """Takes figures, for metrics."""

    def failure(self, part: str) -> None:
        """``recognizer``, ``chat`` or ``speech`` failed."""
        ...

    def answered(self, seconds: float) -> None:
        """From the end of the user's speech to the first sound of the answer, at the server."""
        ...

    def thought(self, seconds: float) -> None:
        """From the user's words to the language model's first words."""
        ...

    def interrupted(self) -> None:
        """The user spoke over the avatar."""
        ...
