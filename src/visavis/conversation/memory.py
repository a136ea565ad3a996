"""What a conversation knows: who the avatar is, as its client has changed it, the variables, and what was said."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import structlog

from visavis.conversation.history import History
from visavis.conversation.parts import Role
from visavis.conversation.snapshot import Snapshot, Variable, keep
from visavis.conversation.variables import Variables
from visavis.language.ports import ChatMessage, Tool
from visavis.language.tool_size import characters

log = structlog.get_logger(__name__)

_TOOLS: Final = 128
_TOOL_CHARACTERS: Final = 256 * 1024


class Memory:
    """Begins with ``role``, and where ``restored`` is given with all that was known then.

    ``on_change`` is called after each change of what a snapshot holds. ``teaching`` is added to every prompt.
    """

    def __init__(
        self, role: Role, restored: Snapshot | None, on_change: Callable[[], None], teaching: str = ""
    ) -> None:
        known = restored or Snapshot()
        self._base = role
        self._voice = known.voice
        self._prompt = known.prompt
        self._tools = known.tools
        self._greeted = known.greeted
        self._variables = Variables(known.variables)
        self._on_change = on_change
        self._teaching = teaching
        self.history = History(on_change)
        self.history.restore(known.items)

    @property
    def role(self) -> Role:
        """Who the avatar is now."""
        role = self._base
        if self._voice is not None:
            role = replace(role, voice=role.voice.renamed(self._voice))
        if self._prompt is not None:
            role = replace(role, prompt=self._prompt)
        if self._tools is not None:
            role = replace(role, tools=self._tools)
        return role

    @property
    def greeting(self) -> str:
        """What is said first, filled in; empty for a visitor who has been greeted."""
        return "" if self._greeted else self._variables.fill(self._base.greeting).strip()

    @property
    def messages(self) -> tuple[ChatMessage, ...]:
        """What the language model gets to see: the prompt, filled in, and both sides' items."""
        prompt = self._variables.fill(self.role.prompt)
        return self.history.messages("\n\n".join(filter(None, (prompt, self._teaching))))

    def greeted(self) -> None:
        """The visitor needs no greeting any more."""
        if not self._greeted:
            self._greeted = True
            self._on_change()

    def configure(
        self, *, voice: str | None, prompt: str | None, tools: Sequence[Tool] | None, extend_tools: bool
    ) -> None:
        """Change the role; what is None stays.

        Of the tools, the first 128 with 256 Ki characters in all are taken; what exceeds is dropped and logged.
        """
        if voice is not None:
            self._voice = voice
        if prompt is not None:
            self._prompt = prompt
        if tools is not None:
            named = {tool.name: tool for tool in (*(self.role.tools if extend_tools else ()), *tools)}
            self._tools = _bounded(tuple(named.values()))
        self._on_change()

    def set_variables(self, values: Mapping[str, Variable | None]) -> None:
        """Set some; None removes one."""
        self._variables.set(values)
        self._on_change()

    def snapshot(self, *, owed: bool) -> Snapshot:
        """All that can be kept of it."""
        return Snapshot(
            items=keep(self.history.items()),
            variables=self._variables.values,
            voice=self._voice,
            prompt=self._prompt,
            tools=self._tools,
            greeted=self._greeted,
            owed=owed,
        )


def _bounded(tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    room, taken = _TOOL_CHARACTERS, 0
    for tool in tools[:_TOOLS]:
        room -= characters(tool)
        if room < 0:
            break
        taken += 1
    if taken < len(tools):
        log.warning("a session has too many tools, or too long ones", taken=taken, given=len(tools))
    return tools[:taken]
