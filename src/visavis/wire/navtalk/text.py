"""Text on its way in and out: how long it may be, and what of it can be encoded."""

from typing import Final

MAX_TEXT: Final = 200_000
"""Characters of a text, prompt, tool result or session description that a client sends."""


def encodable(text: str) -> str:
    """``text`` with every lone surrogate, which no encoding can carry, replaced by U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
