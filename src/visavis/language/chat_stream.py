"""Finds the JSON objects of a chat completion in the bytes of its HTTP answer."""

import json
from collections.abc import Mapping
from typing import Any, Final, cast

import structlog

from visavis.language.sse import SseParser

log = structlog.get_logger(__name__)

_MAX_DOCUMENT: Final = 4 * 1024 * 1024
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"


class PayloadReader:
    """Reads an event stream or, from servers that do not stream although asked to, one JSON document.

    Which of the two it is shows the first character, not the content type, which servers get wrong. A malformed chunk
    is skipped and logged; an answer of nothing else is an error.

    ``done``: the protocol's ``[DONE]`` has come.
    """

    def __init__(self) -> None:
        self._parser = SseParser()
        self._document: bytearray | None = bytearray()
        self._sniffed = False
        self._good = 0
        self._malformed = 0
        self.done = False

    def push(self, chunk: bytes) -> list[Mapping[str, Any]]:
        """Take bytes; returns the objects that became complete. Raises ``ValueError``."""
        if self._document is not None:
            self._document += chunk
            if len(self._document) > _MAX_DOCUMENT:
                raise ValueError("the answer is too long")
            if not self._sniffed:
                start = self._document.lstrip(_BLANKS)
                if not start:
                    return []
                self._sniffed = True
                if not start.startswith((b"{", b"[")):
                    chunk, self._document = bytes(self._document), None
        return self._events(chunk) if self._document is None else []

    def flush(self) -> list[Mapping[str, Any]]:
        """The bytes have ended: returns what is left. Raises ``ValueError`` when nothing sensible came at all."""
        if self._document is not None:
            payload = _parse(self._document.decode("utf-8-sig", "replace")) if self._sniffed else None
            if payload is None:
                raise ValueError("the answer is no JSON object" if self._sniffed else "the answer is empty")
            return [payload]
        payloads = self._events(None)
        if not self._good:
            raise ValueError(
                "nothing but malformed chunks came" if self._malformed else "the answer is no event stream"
            )
        return payloads

    def _events(self, chunk: bytes | None) -> list[Mapping[str, Any]]:
        payloads: list[Mapping[str, Any]] = []
        for event in self._parser.flush() if chunk is None else self._parser.push(chunk):
            # Servers that forget the blank lines send several objects in one event.
            whole = _parse(event.data)
            for data in [event.data] if whole is not None else event.data.split("\n"):
                if data.strip() == "[DONE]":
                    self.done = True
                    self._good += 1
                elif not self.done and data.strip():
                    payload = whole if whole is not None else _parse(data)
                    if payload is None:
                        self._malformed += 1
                        log.warning("skipped a malformed chunk of a language model's answer")
                    else:
                        self._good += 1
                        payloads.append(payload)
        return payloads


def _parse(text: str) -> Mapping[str, Any] | None:
    """The JSON object that ``text`` is; None where it is none."""
    try:
        parsed: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], parsed) if isinstance(parsed, dict) else None
