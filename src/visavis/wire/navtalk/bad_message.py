"""What can be wrong with a client's message. None of it is the session's end: it is counted, and the rest goes on."""

from enum import StrEnum


class BadKind(StrEnum):
    """The ways a message, or a part of one, can be unusable; a closed set, fit for a metric's label."""

    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    NO_TYPE = "no_type"
    TOO_COMPLEX = "too_complex"
    """Nested too deep, or too many values for its length."""
    BAD_NUMBER = "bad_number"
    """NaN, infinity, or more digits than anything here needs."""
    BAD_TEXT = "bad_text"
    """A lone surrogate: no text in any encoding."""
    BAD_SHAPE = "bad_shape"
    """A field is missing, has the wrong type or is too long."""
    BAD_BASE64 = "bad_base64"
    ODD_AUDIO = "odd_audio"
    """Half a sample at the end, which was left out."""
    BAD_TOOL = "bad_tool"
    """A tool's definition is unusable; the other tools of the message are taken."""
    BAD_VARIABLE = "bad_variable"
    """A variable's name or value is unusable; the other variables of the message are taken."""
    BAD_IMAGE = "bad_image"
    """Not a JPEG, PNG or WebP picture, or too large a one."""


class BadMessage(Exception):
    """A message cannot be used. The detail is for a debug log and repeats nothing that the client sent."""

    def __init__(self, kind: BadKind, detail: str = "") -> None:
        super().__init__(f"{kind}: {detail}" if detail else str(kind))
        self.kind = kind
