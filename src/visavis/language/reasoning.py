"""Keeps a model's thoughts out of its speech."""

from typing import Final

_OPENING: Final = ("<think>", "<thinking>", "<reasoning>", "<thought>")
_CLOSING: Final = {tag: f"</{tag[1:]}" for tag in _OPENING}


class ReasoningFilter:
    """Drops ``<think>…</think>`` (also ``thinking``, ``reasoning``, ``thought``) from a streamed text.

    Tags may lie across deltas. A block that is never closed is dropped to the end. A closing tag without its opening
    one (chat templates that open the block in the prompt) is removed, the words before it have then been handed out.
    """

    def __init__(self) -> None:
        self._held = ""
        self._until = ""
        self._trim = True

    def push(self, delta: str) -> str:
        """Take more text; returns what of it is speech and certain."""
        self._held += delta
        out: list[str] = []
        while self._held:
            if self._until:
                at = self._held.find(self._until)
                if at < 0:
                    self._held = self._held[-(len(self._until) - 1) :]
                    break
                self._held = self._held[at + len(self._until) :]
                self._until = ""
                self._trim = True
                continue
            at = self._held.find("<")
            if at < 0:
                out.append(self._speech(self._held))
                self._held = ""
                break
            out.append(self._speech(self._held[:at]))
            self._held = self._held[at:]
            opened = next((tag for tag in _OPENING if self._held.startswith(tag)), "")
            closed = next((tag for tag in _CLOSING.values() if self._held.startswith(tag)), "")
            if opened:
                self._until = _CLOSING[opened]
                self._held = self._held[len(opened) :]
            elif closed:
                self._held = self._held[len(closed) :]
                self._trim = True
            elif any(tag.startswith(self._held) for tag in (*_OPENING, *_CLOSING.values())):
                break
            else:
                out.append(self._speech("<"))
                self._held = self._held[1:]
        return "".join(out)

    def flush(self) -> str:
        """The text has ended: returns what was held back as a possible tag."""
        held = "" if self._until else self._held
        self._held = ""
        return self._speech(held)

    def _speech(self, text: str) -> str:
        """``text`` without the white space that a removed block leaves in front of the answer."""
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        return text
