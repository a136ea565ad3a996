"""From what a language model writes to the lines that are spoken: sentences fit to be said, and their feelings."""

from dataclasses import dataclass

from visavis.avatar.emotion import Feeling
from visavis.conversation.sentences import SentenceSplitter
from visavis.language.emotion_markup import EmotionMarkup
from visavis.language.spoken import SpokenText


@dataclass(frozen=True, slots=True)
class Line:
    """What is spoken in one go. Joined, an answer's lines are its text: all but the first may begin with a space.

    ``feelings``: those that begin in it, with the offset of the first character that is said with them, in order; of
    several in one place, the last. A line without text has those that come after an answer's last word.
    """

    text: str
    feelings: tuple[tuple[int, Feeling], ...] = ()


class Lines:
    """Makes lines of one answer as it streams. Where it is cut does not depend on how it was chopped into deltas."""

    def __init__(self) -> None:
        self._spoken = SpokenText()
        self._markup = EmotionMarkup()
        self._splitter = SentenceSplitter()
        self._feelings: list[tuple[int, Feeling]] = []
        """Those that no line has yet, with their offsets in the text without mark-up."""
        self._pushed = 0
        self._cut = 0
        """Characters of the text without mark-up that were given to the splitter, and that it gave back."""

    def push(self, delta: str) -> list[Line]:
        """Take more text; the lines that became complete."""
        return self._take(self._markup.push(self._spoken.push(delta)))

    def flush(self) -> list[Line]:
        """The answer has ended: what is left of it."""
        lines = self._take([*self._markup.push(self._spoken.flush()), *self._markup.flush()])
        lines += [self._line(piece) for piece in self._splitter.flush()]
        if self._feelings:
            lines.append(Line("", tuple((0, feeling) for _, feeling in self._feelings)))
        return lines

    def _take(self, parts: list[str | Feeling]) -> list[Line]:
        lines: list[Line] = []
        for part in parts:
            if isinstance(part, Feeling):
                if self._feelings and self._feelings[-1][0] == self._pushed:
                    self._feelings.pop()
                self._feelings.append((self._pushed, part))
            else:
                self._pushed += len(part)
                lines += [self._line(piece) for piece in self._splitter.push(part)]
        return lines

    def _line(self, piece: str) -> Line:
        """A piece as it is told: a space for whatever white space divides it from the one before."""
        begin, self._cut = self._cut, self._cut + len(piece)
        text = piece.strip()
        told = f" {text}" if begin and piece[:1].isspace() else text
        shift = len(told) - len(piece.rstrip()) - begin
        due = [offset + shift for offset, _ in self._feelings if offset < self._cut]
        feelings = tuple(
            (_next_word(told, max(0, offset)), feeling)
            for offset, (_, feeling) in zip(due, self._feelings, strict=False)
        )
        del self._feelings[: len(due)]
        return Line(told, feelings)


def _next_word(text: str, offset: int) -> int:
    while offset < len(text) and text[offset].isspace():
        offset += 1
    return offset
