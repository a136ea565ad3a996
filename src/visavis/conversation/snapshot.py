"""A conversation as it can be kept and taken up again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from visavis.language.ports import ChatMessage, Tool

Variable = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What both sides said and what the client set; ``voice``, ``prompt`` and ``tools`` are None where it set none.

    ``items``: messages of user, assistant and tools in order, without the prompt and without pictures.
    """

    items: tuple[ChatMessage, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict[str, Variable])
    voice: str | None = None
    prompt: str | None = None
    tools: tuple[Tool, ...] | None = None
    greeted: bool = False
