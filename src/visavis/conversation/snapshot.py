"""A conversation as it can be kept and taken up again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from visavis.language.ports import ChatMessage, Tool

Variable = str | int | float | bool

PICTURE_SHOWN: Final = "[The user showed a picture.]"
"""What is kept of a message that was only a picture."""
_ITEMS: Final = 200
_CHARACTERS: Final = 256 * 1024
_LONGEST: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What both sides said and what the client set; ``voice``, ``prompt`` and ``tools`` are None where it set none.

    ``items``: messages of user, assistant and tools in order, without the prompt and without pictures; a call that has
    no result yet stands there alone. ``owed``: the user had not been answered yet.
    """

    items: tuple[ChatMessage, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict[str, Variable])
    voice: str | None = None
    prompt: str | None = None
    tools: tuple[Tool, ...] | None = None
    greeted: bool = False
    owed: bool = False


def keep(messages: Iterable[ChatMessage]) -> tuple[ChatMessage, ...]:
    """What of a history goes into a snapshot: the latest 200 messages, with 256 Ki characters of text in all.

    Pictures are left out, and texts longer than 64 Ki characters cut. No result is kept without its call.
    """
    kept: list[ChatMessage] = []
    room = _CHARACTERS
    for whole in reversed(tuple(messages)):
        message = _bare(whole)
        room -= len(message.text) + len(message.marked) + sum(len(call.arguments) for call in message.tool_calls)
        if room < 0 or len(kept) == _ITEMS:
            break
        # A camera sends many.
        if message.text != PICTURE_SHOWN or not kept or kept[-1] != message:
            kept.append(message)
    while kept and kept[-1].role == "tool":
        kept.pop()
    return tuple(reversed(kept))


def _bare(message: ChatMessage) -> ChatMessage:
    if message.images:
        message = replace(message, text=message.text or PICTURE_SHOWN, images=())
    if len(message.text) > _LONGEST:
        message = replace(message, text=f"{message.text[:_LONGEST]}…", marked="")
    return message
