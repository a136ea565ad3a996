"""The content of a conversation item: texts and pictures, in every notation that clients write."""

from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict

from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.json_text import parse_json
from visavis.wire.navtalk.text import MAX_TEXT

MAX_PARTS: Final = 256

_TEXT_TYPES: Final = frozenset({"input_text", "text", "output_text"})
_KOTLIN_ENTRY: Final = "{type="
_KOTLIN_BETWEEN: Final = "}, {type="
_KOTLIN_TEXT: Final = ", text="


class ContentPart(BaseModel):
    """A text, or a picture (data URL or bare base64)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Literal["text", "image"]
    value: str


def content_parts(content: Any) -> tuple[Any, ...]:
    """The parts of a message's ``content``: a list, a single part, plain text, or a list written out as text.

    Parts of other kinds are left out. Raises ``BadMessage``.
    """
    if isinstance(content, str):
        content = _from_text(content)
    if isinstance(content, dict):
        content = [cast(Any, content)]
    if not isinstance(content, list | tuple):
        raise BadMessage(BadKind.BAD_SHAPE, "content")
    listed = cast(list[Any], content)
    if len(listed) > MAX_PARTS:
        raise BadMessage(BadKind.BAD_SHAPE, "too many parts")
    return tuple(part for item in listed if (part := _part(item)) is not None)


def _part(item: Any) -> Any:
    if isinstance(item, str):
        return _text(item)
    if not isinstance(item, dict):
        raise BadMessage(BadKind.BAD_SHAPE, "content part")
    fields = cast(dict[str, Any], item)
    kind = fields.get("type", "input_text")
    if kind in _TEXT_TYPES:
        return _text(fields.get("text", ""))
    if kind in ("input_image", "image_url"):
        image = fields.get("image_url", fields.get("content"))
        if isinstance(image, dict):
            image = cast(dict[str, Any], image).get("url")
        return {"type": "image", "value": image}
    return None


def _text(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MAX_TEXT:
        raise BadMessage(BadKind.BAD_SHAPE, "text too long")
    return {"type": "text", "value": value}


def _from_text(text: str) -> list[Any]:
    stripped = text.strip()
    if stripped.startswith("[" + _KOTLIN_ENTRY) and stripped.endswith("}]"):
        return _from_kotlin(stripped)
    if stripped.startswith("[{") and stripped.endswith("}]"):
        try:
            value = parse_json(stripped)
        except BadMessage:
            return [text]
        return cast(list[Any], value)
    return [text]


def _from_kotlin(text: str) -> list[Any]:
    """Read ``[{type=input_text, text=hello}, {…}]``: what Android's org.json makes of a list of Kotlin maps."""
    entries = text[len("[" + _KOTLIN_ENTRY) : -len("}]")].split(_KOTLIN_BETWEEN)
    parts: list[Any] = []
    for entry in entries:
        kind, found, value = entry.partition(_KOTLIN_TEXT)
        if found:
            parts.append({"type": kind, "text": value})
    return parts
