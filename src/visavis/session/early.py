"""Commands that come before there is a conversation to take them."""

from collections import deque

import structlog

from visavis.avatar.view import PictureBackground
from visavis.language.tool_size import characters
from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddMessage,
    AppendAudio,
    Command,
    Configure,
    SendImage,
    SendText,
    SetBackground,
    ToolResult,
)
from visavis.speech.ports import SPEECH_RATE

log = structlog.get_logger(__name__)

_COMMANDS = 256
_BYTES = 8 * 1024 * 1024 + 40 * 2 * SPEECH_RATE
"""Of sound, pictures and text together: a few photographs and 40 s of sound."""


class EarlyCommands:
    """Keeps them in order: at most 256 of them, with 10 MB of sound, pictures and text. What exceeds is dropped."""

    def __init__(self) -> None:
        self._commands: deque[Command] = deque()
        self._bytes = 0

    def put(self, command: Command) -> None:
        """Keep a command for later."""
        size = _weight(command)
        if len(self._commands) >= _COMMANDS or self._bytes + size > _BYTES:
            log.info("a command came too early and found no room", command=type(command).__name__)
            return
        self._bytes += size
        self._commands.append(command)

    def take(self) -> Command | None:
        """The next one; None when there is none."""
        return self._commands.popleft() if self._commands else None


def _weight(command: Command) -> int:
    """About how many bytes it holds."""
    match command:
        case AppendAudio(pcm):
            return len(pcm)
        case SendImage(image):
            return len(image.data)
        case AddMessage(text, images=images):
            return len(text) + sum(len(image.data) for image in images)
        case SetBackground(PictureBackground(pixels)):
            return pixels.nbytes
        case SendText(text) | ToolResult(output=text) | AcceptAnswer(text) | AcceptOffer(text):
            return len(text)
        case Configure(_, prompt, tools):
            return len(prompt or "") + sum(map(characters, tools or ()))
        case _:
            return 0
