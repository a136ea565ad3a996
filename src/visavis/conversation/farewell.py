"""The tool by which the language model ends the conversation: not a client's, it is carried out here."""

from collections.abc import Sequence
from typing import Final

from visavis.language.ports import Tool
from visavis.language.tool_choice import ends_conversation

END_CONVERSATION: Final = Tool(
    "end_conversation",
    "Ends this conversation and hangs up. Call it only after the user has clearly said goodbye or has asked to end the "
    "conversation, and say a short goodbye in the same answer. Never call it because a question was answered, a "
    "subject is closed, or the user thanks you or is silent.",
)


def with_ending(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """``tools`` and the one that ends the conversation; without it where one of them does that already, by its name."""
    if any(ends_conversation(tool.name) for tool in tools):
        return tuple(tools)
    return (*tools, END_CONVERSATION)
