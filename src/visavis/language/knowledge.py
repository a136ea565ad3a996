"""An avatar's knowledge: the TOML file that says what a persona can talk about."""

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from visavis.avatar.files import more_than
from visavis.language.small_talk import EXAMPLES

MAX_FILE: Final = 1024 * 1024
"""Bytes of a knowledge file: one may come from a stranger."""

_MAX_VALUES: Final = 50_000
_MAX_FAULTS: Final = 50

PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
"""Stands for an argument's words in a tool intent's phrasing."""

ScriptedName = Literal[
    "greeting",
    "goodbye",
    "thanks",
    "how_are_you",
    "who_are_you",
    "what_can_you_do",
    "repeat",
    "no_more",
    "unknown",
    "picture",
]
"""What an author may word: ``repeat`` is said when nothing was understood, ``no_more`` when all was told."""


class KnowledgeError(ValueError):
    """A knowledge file is wrong; the message names the file and the key.

    ``faults``: all that is wrong, at most 50: the key (empty: the file as a whole), and what is the matter with it.
    """

    def __init__(self, source: str, *faults: tuple[str, str]) -> None:
        told = "; ".join(f"{key}: {problem}" if key else problem for key, problem in faults[:5])
        super().__init__(f"{source}: {told}")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Entry:
    """Something the persona can answer.

    ``answers`` are different wordings of one answer; ``more`` is said, piece after piece, when the visitor asks for
    more; ``topic`` is how the persona names the subject ("our opening hours").
    """

    question: str
    answers: tuple[str, ...]
    phrasings: tuple[str, ...] = ()
    more: tuple[str, ...] = ()
    topic: str = ""


@dataclass(frozen=True, slots=True)
class ToolIntent:
    """Phrasings that ask for a tool. ``{name}`` in them stands for that argument; ``arguments`` are fixed ones."""

    tool: str
    phrasings: tuple[str, ...]
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All that a persona knows. ``scripted``: the author's wordings of small talk, by its name."""

    entries: tuple[Entry, ...] = ()
    scripted: dict[ScriptedName, tuple[str, ...]] = field(default_factory=dict[ScriptedName, tuple[str, ...]])
    tool_intents: tuple[ToolIntent, ...] = ()

    @staticmethod
    def load(path: Path) -> "Knowledge":
        """Read a file. Raises ``KnowledgeError``, also where it cannot be read."""
        try:
            if path.stat().st_size > MAX_FILE:
                raise KnowledgeError(str(path), ("", f"larger than {MAX_FILE} bytes"))
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise KnowledgeError(str(path), ("", f"cannot be read: {error.strerror}")) from None
        except UnicodeDecodeError:
            raise KnowledgeError(str(path), ("", "is not UTF-8 text")) from None
        return Knowledge.parse(text, str(path))

    @staticmethod
    def parse(text: str, source: str = "knowledge.toml") -> "Knowledge":
        """Read a file's text; ``source`` names it in errors. Raises ``KnowledgeError``."""
        try:
            raw = tomllib.loads(text)
            if more_than(raw, _MAX_VALUES):
                raise KnowledgeError(source, ("", f"holds more than {_MAX_VALUES} values"))
            file = _File.model_validate(raw)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise KnowledgeError(source, ("", str(error))) from None
        except ValidationError as error:
            faults = [(_key(fault["loc"]), _reason(fault)) for fault in error.errors()[:_MAX_FAULTS]]
            raise KnowledgeError(source, *faults) from None
        seen: dict[str, int] = {}
        for number, entry in enumerate(file.entry, 1):
            other = seen.setdefault(entry.question.casefold(), number)
            if other != number:
                raise KnowledgeError(source, (f"entry[{number}].question", f"entry[{other}] has the same question"))
        return Knowledge(
            tuple(Entry(e.question, e.answer, e.phrasings, e.more, e.topic) for e in file.entry),
            file.scripted,
            tuple(ToolIntent(i.tool, i.phrasings, i.arguments) for i in file.tool_intent),
        )

    def phrases(self) -> tuple[str, ...]:
        """Sentences that visitors are likely to say, small talk too, for a recognizer's language model; no doubles."""
        asked = [phrase for entry in self.entries for phrase in (entry.question, *entry.phrasings)]
        asked += [
            " ".join(PLACEHOLDER.sub(" ", phrase).split())
            for intent in self.tool_intents
            for phrase in intent.phrasings
        ]
        asked += [example for examples in EXAMPLES.values() for example in examples]
        return tuple(dict.fromkeys(phrase for phrase in asked if phrase))


def _clean(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise ValueError("must not be empty")
    return text


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


_Text = Annotated[str, Field(max_length=4000), AfterValidator(_clean)]
_Texts = Annotated[tuple[_Text, ...], BeforeValidator(_listed), Field(max_length=100)]
_SomeTexts = Annotated[tuple[_Text, ...], BeforeValidator(_listed), Field(min_length=1, max_length=100)]


class _Strict(BaseModel):
    # Not strict mode: it takes no list for a tuple. Texts are texts all the same; pydantic makes none of a number.
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Entry(_Strict):
    question: _Text
    answer: _SomeTexts
    phrasings: _Texts = ()
    more: _Texts = ()
    topic: Annotated[str, Field(max_length=200)] = ""


class _ToolIntent(_Strict):
    tool: Annotated[str, Field(min_length=1, max_length=64)]
    phrasings: _SomeTexts
    arguments: dict[str, Any] = {}


class _File(_Strict):
    entry: Annotated[tuple[_Entry, ...], Field(max_length=2000)] = ()
    scripted: dict[ScriptedName, _SomeTexts] = {}
    tool_intent: Annotated[tuple[_ToolIntent, ...], Field(max_length=200)] = ()


def _key(location: tuple[int | str, ...]) -> str:
    """A fault's place as a person would write it, entries counted from 1."""
    key = ""
    for part in location:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        elif part != "[key]":
            key += f".{part}" if key else part
    return key or "file"


def _reason(fault: Any) -> str:
    kind = fault["type"]
    if kind == "extra_forbidden" or (kind == "literal_error" and "[key]" in fault["loc"]):
        return "unknown key"
    if kind == "missing":
        return "is missing"
    if kind in ("string_type", "tuple_type"):
        return "must be text" if kind == "string_type" else "must be text or a list of texts"
    return str(fault["msg"]).removeprefix("Value error, ")
