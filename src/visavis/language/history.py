"""What the persona brain reads out of a conversation so far; it keeps no state of its own."""

import zlib
from dataclasses import dataclass

from visavis.language.ports import ChatMessage, ChatRequest
from visavis.language.small_talk import plain, told_name
from visavis.language.words import words


@dataclass(frozen=True, slots=True)
class History:
    """A request's messages, looked at from the point of view of the answer that is due."""

    messages: tuple[ChatMessage, ...]

    @staticmethod
    def of(request: ChatRequest) -> "History":
        """The history of ``request``, without the system's messages."""
        return History(tuple(message for message in request.messages if message.role != "system"))

    @property
    def last(self) -> ChatMessage | None:
        """The message that is to be answered."""
        return self.messages[-1] if self.messages else None

    @property
    def answers(self) -> tuple[str, ...]:
        """What the persona said, in order."""
        return tuple(message.text for message in self.messages if message.role == "assistant" and message.text)

    @property
    def visitor(self) -> str:
        """The name that the visitor told last; empty when none."""
        told = (told_name(message.text)[0] for message in reversed(self.messages) if message.role == "user")
        return next(filter(None, told), "")

    @property
    def tool_names(self) -> dict[str, str]:
        """The names of the tools that were called, by the calls' ids."""
        return {call.call_id: call.name for message in self.messages for call in message.tool_calls}

    def questions_before(self) -> tuple[str, ...]:
        """What the visitor said before the last message, the latest first."""
        return tuple(
            message.text for message in reversed(self.messages[:-1]) if message.role == "user" and message.text
        )

    def pick(self, wordings: tuple[str, ...]) -> str:
        """One of ``wordings``: another in each turn, begun elsewhere in each conversation; never the last one again."""
        first = next((message.text for message in self.messages if message.role == "user"), "")
        at = (zlib.crc32(plain(first).encode()) + len(self.answers)) % len(wordings)
        if self.answers and plain(wordings[at]) == plain(self.answers[-1]):
            at = (at + 1) % len(wordings)
        return wordings[at]


def is_heard_part(heard: str, text: str) -> bool:
    """Whether ``text`` is in ``heard``, or ``heard`` is what of it was heard before an interruption."""
    said, whole = words(heard), words(text)
    if not said or not whole:
        return False
    return f" {' '.join(whole)} " in f" {' '.join(said)} " or (len(said) >= 3 and said == whole[: len(said)])
