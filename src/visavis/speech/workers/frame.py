"""The frames that a process and its worker exchange over pipes.

A frame is one line of JSON (UTF-8, ended by a line feed) and then ``size`` raw bytes, like the Wyoming protocol's::

    {"id": 7, "kind": "request", "operation": "synthesize", "data": {"text": "Hi."}, "size": 0}\\n
    {"id": 7, "kind": "reply", "data": {"rate": 22050}, "size": 2646}\\n<2646 bytes>

``id`` names the exchange that the frame belongs to. To the worker go

* ``request``: begin an exchange (``operation`` says what is wanted),
* ``input``: more input for it,
* ``cancel``: nobody waits for it any more;

from the worker come

* ``ready`` (id 0), once, when it has loaded what it needs, or ``failed`` (id 0) with ``message`` before it ends,
* ``reply``: any number of times per exchange,
* then exactly one ``end`` or ``error`` (with ``message``), which closes the exchange.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MAX_HEADER = 1 << 20
"""Bytes of a header line at most; longer ones mean that the pipe is out of step."""

MAX_PAYLOAD = 64 << 20
"""Bytes of a payload at most."""


class FrameError(Exception):
    """The bytes on the pipe are no frame."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message with its raw bytes."""

    id: int
    kind: str
    operation: str = ""
    message: str = ""
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    payload: bytes = b""

    def encode(self) -> bytes:
        """The frame as it goes over the pipe. Raises ``FrameError`` when it is too big."""
        header: dict[str, Any] = {"id": self.id, "kind": self.kind}
        if self.operation:
            header["operation"] = self.operation
        if self.message:
            header["message"] = self.message
        if self.data:
            header["data"] = self.data
        header["size"] = len(self.payload)
        line = json.dumps(header, separators=(",", ":")).encode() + b"\n"
        if len(line) > MAX_HEADER or len(self.payload) > MAX_PAYLOAD:
            raise FrameError("the message is too big for a worker")
        return line + self.payload


def parse_header(line: bytes) -> tuple[Frame, int]:
    """The frame that ``line`` announces, and the size of the payload that follows. Raises ``FrameError``."""
    try:
        header = json.loads(line)
        frame = Frame(
            id=int(header["id"]),
            kind=str(header["kind"]),
            operation=str(header.get("operation", "")),
            message=str(header.get("message", "")),
            data=dict(header.get("data", {})),
        )
        size = int(header["size"])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise FrameError(f"not a frame header: {line[:80]!r}") from error
    if not 0 <= size <= MAX_PAYLOAD:
        raise FrameError(f"impossible payload size {size}")
    return frame, size


def read_frame(stream: BinaryIO) -> Frame | None:
    """The next frame from a blocking stream; None at its end. Raises ``FrameError``."""
    line = stream.readline(MAX_HEADER + 1)
    if not line.endswith(b"\n"):
        return None if len(line) <= MAX_HEADER else _too_long()
    frame, size = parse_header(line)
    payload = stream.read(size) if size else b""
    if len(payload) < size:
        return None
    return with_payload(frame, payload)


def with_payload(frame: Frame, payload: bytes) -> Frame:
    """``frame`` with its raw bytes."""
    return Frame(frame.id, frame.kind, frame.operation, frame.message, frame.data, payload)


def _too_long() -> None:
    raise FrameError("the header line is too long")
