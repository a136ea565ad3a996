"""Server-sent events out of a stream of bytes (WHATWG HTML, section 9.2)."""

import codecs
from dataclasses import dataclass
from typing import Final

MAX_EVENT: Final = 1024 * 1024
"""Characters of one event that are held; more is an error."""


@dataclass(frozen=True, slots=True)
class ServerSentEvent:
    """One event; ``data`` has its lines joined by line feeds."""

    data: str
    event: str = "message"


class SseParser:
    """Parses an event stream as it comes, however it is chopped.

    Comments, ids and retry times are skipped. Unlike a browser it also hands out a last event that lacks its closing
    blank line, because some servers close right after it.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._line: list[str] = []
        self._after_cr = False
        self._data: list[str] = []
        self._event = ""
        self._held = 0
        self._begun = 0

    def push(self, chunk: bytes) -> list[ServerSentEvent]:
        """Take bytes; returns the events that became complete. Raises ``ValueError`` over ``MAX_EVENT``."""
        return self._take(self._decoder.decode(chunk))

    def flush(self) -> list[ServerSentEvent]:
        """The stream has ended: returns an event that is still open."""
        return self._take(self._decoder.decode(b"", final=True) + "\n\n")

    def _take(self, text: str) -> list[ServerSentEvent]:
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        events: list[ServerSentEvent] = []
        for line in lines:
            event = self._end_line("".join([*self._line, line]))
            self._line, self._begun = [], 0
            if event is not None:
                events.append(event)
        self._line.append(rest)
        self._begun += len(rest)
        if self._held + self._begun > MAX_EVENT:
            raise ValueError(f"an event is longer than {MAX_EVENT} characters")
        return events

    def _end_line(self, line: str) -> ServerSentEvent | None:
        if not line:
            data, event = self._data, self._event
            self._data, self._event, self._held = [], "", 0
            return ServerSentEvent("\n".join(data), event or "message") if data else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._held += len(value)
        elif name == "event":
            self._event = value
        return None
