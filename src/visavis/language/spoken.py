"""Makes a model's text fit to be said, and to be shown as a caption: without Markdown, emoji and long addresses."""

import html
import re
import string
from typing import Final
from urllib.parse import urlsplit

from visavis.language.emotion_markup import MARK

_HOLD: Final = 400
"""Characters that are held back at most for a construct to end (a link, a tag); then it is no construct."""

_LINE_MARK: Final = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]+|[-*+•▪◦‣][ \t]+|>[ \t]?|(?P<fence>```+|~~~+)(?P<info>[^\n`]*)(?=\n|$)|"
    r"(?P<rule>(?:[-*_=|:][ \t]*){3,}(?=\n|$)))"
)
# What at a line's start may yet become one of the marks above.
_MAYBE_MARK: Final = re.compile(
    r"[ \t]*(?:#{1,6}|[-+•▪◦‣>]|[*]{1,2}|(?:`{1,2}|~{1,2})|(?:```+|~~~+)[^\n`]*|(?:[-*_=|:][ \t]*)+)?"
)
_LINK: Final = re.compile(
    r"!?\[(?P<text>[^\[\]\n]*)\](?:\((?P<target>[^()\n]*(?:\([^()\n]*\)[^()\n]*)*)\)|\[[^\[\]\n]*\])?"
)
_URL: Final = re.compile(r"(?:https?://|www\.)[a-z0-9][a-z0-9\-._~:/?#@!$&*+,;=%(]*", re.IGNORECASE)
_TAG: Final = re.compile(r"</?[A-Za-z][^<>\n]*>|<!--.*?-->")
_AUTOLINK: Final = re.compile(r"<(https?://[^<>\s]+|[^<>\s@]+@[^<>\s@]+)>")
_ENTITY: Final = re.compile(r"&(?:#\d{1,6}|#x[0-9a-fA-F]{1,5}|[A-Za-z]{2,8});")
_PROSE_FENCES: Final = frozenset(["", "text", "txt", "plain", "plaintext", "markdown", "md"])

# Pictographs, dingbats, arrows, boxes, flags, skin tones, and what joins and varies them (Unicode 15 blocks).
_PICTURE: Final = re.compile(
    "[\u200d\u20e3\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u2500-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\ufe00-\ufe0f\U0001f000-\U0001faff\U000e0020-\U000e007f]"
)
_TIGHT: Final = ",.!?;:)]}…，。！？；："
"""Marks that want no blank before them: one that stood before something taken out is dropped."""


class SpokenText:
    """Filters one answer as it streams.

    Taken out: emphasis, headings, bullets, quotes and rules, the address behind a link, HTML tags, emoji, and code
    blocks of a programming language (their words cannot be said; blocks of plain text stay). An address becomes its
    host. Numbers, punctuation, line breaks and marks of emotions stay, runs of blanks become one. What comes out does
    not depend on how the text was chopped into deltas; only what may yet turn out to be mark-up is held back.
    """

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self._held = ""
        self._line_start = True
        self._fence = ""
        self._silent = False
        self._last = "\n"
        self._blank = False
        self._took_out = False
        self._again = ""

    def push(self, delta: str) -> str:
        """Take more text; returns what of it can be said by now."""
        self._held += delta
        return self._run(final=False)

    def flush(self) -> str:
        """The text has ended: returns the rest. The filter is then as new."""
        rest = self._run(final=True)
        self._reset()
        return rest

    def _run(self, *, final: bool) -> str:
        out: list[str] = []
        while self._held:
            taken = self._step(final=final)
            if taken is None:
                break
            size, text = taken
            self._held = self._again + self._held[size:]
            self._again = ""
            self._took_out = self._took_out or (size > 0 and not text)
            out.append(self._emit(text))
        return "".join(out)

    def _step(self, *, final: bool) -> tuple[int, str] | None:
        """How much of the held text is done with, and what is said for it; None while only more can tell."""
        held = self._held[:_HOLD]
        final = final or len(held) == _HOLD
        if self._line_start:
            return self._line(held, final=final)
        char = held[0]
        if char == "\n":
            self._line_start = True
            return 1, "" if self._silent else "\n"
        if self._silent:
            end = held.find("\n")
            return (len(held) if end < 0 else end), ""
        if char in "*`" or held.startswith("~~"):
            return self._emphasis(held, final=final)
        if char == "~":
            return None if len(held) == 1 and not final else (1, char)
        if char == "_":
            return self._underscore(held, final=final)
        if char == "[" or char == "!":
            return self._link(held, final=final)
        if char in "hHwW" and (self._open_blank or not self._last.isalnum()):
            return self._url(held, final=final)
        if char == "<":
            return self._tag(held, final=final)
        if char == "&":
            return self._entity(held, final=final)
        if char == "\\":
            if len(held) == 1 and not final:
                return None
            return (2, held[1]) if held[1:2] and held[1] in string.punctuation else (1, "")
        if char == "|":
            self._took_out = True
            return 1, ", " if self._last.isalnum() else " "
        return 1, char

    def _line(self, held: str, *, final: bool) -> tuple[int, str] | None:
        """The marks at a line's start."""
        end = held.find("\n")
        line = held if end < 0 else held[:end]
        if end < 0 and not final and _MAYBE_MARK.fullmatch(line):
            return None
        found = _LINE_MARK.match(line)
        if found is not None and found.end() == len(held) and not final:
            return None  # a blank more would belong to it
        self._line_start = False
        if self._fence:
            closing = found is not None and (found["fence"] or "").startswith(self._fence)
            if closing:
                self._fence, self._silent = "", False
                return len(line), ""
            return 0, ""
        if found is None:
            return 0, ""
        if found["fence"]:
            self._fence = found["fence"]
            self._silent = found["info"].strip().casefold() not in _PROSE_FENCES
            return len(line), ""
        self._line_start = not found["rule"]  # "> - item": one mark may follow another
        return found.end(), ""

    def _emphasis(self, held: str, *, final: bool) -> tuple[int, str] | None:
        """Stars, backticks and tildes; one that stands between blanks or figures is meant ("5 * 3")."""
        size = len(held) - len(held.lstrip(held[0]))
        if size == len(held) and not final:
            return None
        follower = held[size : size + 1]
        if (
            held[0] == "*"
            and size == 1
            and follower
            and ((self._open_blank and follower.isspace()) or (self._last.isdigit() and follower.isdigit()))
        ):
            return 1, "*"
        return size, ""

    def _underscore(self, held: str, *, final: bool) -> tuple[int, str] | None:
        size = len(held) - len(held.lstrip("_"))
        if size == len(held) and not final:
            return None
        inside = self._last.isalnum() and not self._open_blank and held[size : size + 1].isalnum()
        return size, " " if inside else ""

    def _link(self, held: str, *, final: bool) -> tuple[int, str] | None:
        if held[0] == "!" and not held.startswith("!["):
            return None if len(held) == 1 and not final else (1, "!")
        mark = MARK.match(held, 1 if held[0] == "!" else 0)
        if mark:  # beside another mark or a parenthesis it is no link
            return mark.end(), held[: mark.end()]
        found = _LINK.match(held)
        # "[text]" may go on with "(" as long as nothing follows; an open bracket may close.
        if (
            not final
            and "\n" not in held
            and (found is None or found.end() == len(held) or self._open_target(held, found))
        ):
            return None
        if found is None:
            return 1, held[0]
        if found["target"] is None and held[found.end() - 1] == "]" and "][" not in found.group() and held[0] == "[":
            return 1, "["  # plain brackets
        self._again = found["text"]  # which may hold mark-up of its own
        return found.end(), ""

    @staticmethod
    def _open_target(held: str, found: re.Match[str]) -> bool:
        """Whether a link's address has begun behind ``found`` and not ended."""
        return found["target"] is None and held[found.end() : found.end() + 1] in ("(", "[")

    def _url(self, held: str, *, final: bool) -> tuple[int, str] | None:
        lower = held[:8].lower()
        if not final and any(start.startswith(lower) for start in ("http://", "https://", "www.")):
            return None
        found = _URL.match(held)
        if found is None:
            return 1, held[0]
        if found.end() == len(held) and not final:
            return None
        address = found.group().rstrip(".,;:!?…*_~")
        return len(address), _host(address)

    def _tag(self, held: str, *, final: bool) -> tuple[int, str] | None:
        address = _AUTOLINK.match(held)
        if address:
            return address.end(), _host(address[1]) if "://" in address[1] else address[1]
        found = _TAG.match(held)
        if found:
            return found.end(), " " if found.group().lower().startswith(("<br", "<p", "</p", "<li")) else ""
        opened = re.fullmatch(r"<(?:/?[A-Za-z][^<>\n]*|/|!-{0,2}[^\n]*)?", held)
        return None if opened and not final else (1, "<")

    def _entity(self, held: str, *, final: bool) -> tuple[int, str] | None:
        found = _ENTITY.match(held)
        if found:
            return found.end(), html.unescape(found.group())
        return None if not final and len(held) < 10 and re.fullmatch(r"&#?\w*", held) else (1, "&")

    @property
    def _open_blank(self) -> bool:
        """Whether the text so far ends with a blank."""
        return self._blank or self._last.isspace()

    def _emit(self, text: str) -> str:
        """``text`` as it goes out: blanks that taken-out parts left together become one."""
        out: list[str] = []
        for char in text:
            if _PICTURE.match(char):
                self._took_out = True
            elif char == "\n":
                self._blank = False
                if self._last != "\n":
                    out.append("\n")
                self._last = "\n"
            elif char.isspace():
                if self._last.isspace():
                    continue
                # After a sentence at once, so that it can be spoken; else only before a word.
                if self._last in ".!?…:;":
                    out.append(" ")
                    self._last = " "
                else:
                    self._blank = True
            else:
                if self._blank and not (self._took_out and char in _TIGHT):
                    out.append(" ")
                self._blank = self._took_out = False
                out.append(char)
                self._last = char
        return "".join(out)


def speakable(text: str) -> str:
    """A whole text through ``SpokenText``, white space at its ends dropped."""
    spoken = SpokenText()
    return (spoken.push(text) + spoken.flush()).strip()


def _host(address: str) -> str:
    """ "https://www.example.com/a?b" → "example.com"."""
    if "://" not in address:
        address = f"http://{address}"
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        host = ""
    return host.removeprefix("www.")
