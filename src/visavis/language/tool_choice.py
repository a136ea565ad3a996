"""Chooses the tool that a visitor's words ask for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from visavis.language.knowledge import PLACEHOLDER, ToolIntent
from visavis.language.ports import Tool
from visavis.language.small_talk import plain, without_fillers
from visavis.language.tool_arguments import fill, properties, required, spaced
from visavis.language.words import concepts, content_words, stem, words

WANTED: Final = 0.55
"""The least score of a tool that is called."""

# Verbs that many tools' names begin with: alone they ask for none.
_PLAIN_WORDS: Final = (
    "get set show find fetch list look lookup search make do create add update check query read retrieve return run "
    "call use current new tool function info information data details user api"
)
_PLAIN_VERBS: Final = frozenset(stem(word) for word in _PLAIN_WORDS.split())
SURE: Final = 0.9
"""A score that comes before an answer that the persona knows by heart."""

_SYNONYM: Final = 0.7
_SEARCHES: Final = 0.6
"""The score of a tool that searches, when the visitor says no more than what to search for."""
_SEARCHING: Final = frozenset(["search", "find", "query", "lookup", "look"])
_ENDING_VERBS: Final = frozenset(["end", "close", "finish", "terminate", "stop", "hang", "hangup", "leave", "exit"])
_CALL_NOUNS: Final = frozenset(["conversation", "call", "session", "chat", "up", "hangup", "meeting"])


@dataclass(frozen=True, slots=True)
class Choice:
    """A tool, how surely it is meant (0–1), and the arguments found; ``missing``: required ones that were not."""

    tool: Tool
    score: float
    arguments: dict[str, Any]
    missing: tuple[str, ...]


def ends_conversation(tool_name: str) -> bool:
    """Whether a tool's name says that it ends the conversation (``end_conversation``, ``hangUp`` …)."""
    named = words(spaced(tool_name))
    return 0 < len(named) <= 3 and bool(_ENDING_VERBS & set(named)) and bool(_CALL_NOUNS & set(named))


def choose(text: str, tools: Sequence[Tool], intents: Sequence[ToolIntent], name: str = "") -> Choice | None:
    """The tool that ``text`` asks for most clearly, if any; ``name``: the visitor's, if known.

    An author's phrasing decides. Else a tool is wanted when enough of its name's words, or of words that mean the same,
    were said, and what else was said is in its description or became an argument.
    """
    by_name = {tool.name: tool for tool in tools}
    for intent in intents:
        tool = by_name.get(intent.tool)
        caught = _by_phrasing(text, intent) if tool else None
        if tool is not None and caught is not None:
            return complete(
                tool, fill(tool.parameters, text, request_words(tool), name) | intent.arguments | caught, 1.0
            )
    rated = [complete(tool, fill(tool.parameters, text, request_words(tool), name), 0.0) for tool in tools]
    scored = [complete(c.tool, c.arguments, _score(text, c)) for c in rated if not ends_conversation(c.tool.name)]
    best = max(scored, key=lambda choice: (choice.score, -len(choice.missing)), default=None)
    return best if best is not None and best.score >= WANTED else None


def complete(tool: Tool, arguments: Mapping[str, Any], score: float) -> Choice:
    """The choice of ``tool`` with ``arguments``, the schema's defaults taken for what is required and missing."""
    found = dict(arguments)
    schemas = properties(tool.parameters)
    for parameter in required(tool.parameters):
        if parameter not in found and "default" in schemas.get(parameter, {}):
            found[parameter] = schemas[parameter]["default"]
    missing = tuple(parameter for parameter in required(tool.parameters) if parameter not in found)
    return Choice(tool, score, found, missing)


def question(tool: Tool, parameter: str) -> str:
    """How the persona asks for an argument. Always the same words: they tell, later, what was asked."""
    schema = properties(tool.parameters).get(parameter, {})
    named = " ".join(words(spaced(parameter)))
    options: object = schema.get("enum")
    said = [str(option) for option in cast(list[object], options)] if isinstance(options, list) else []
    if 1 < len(said) <= 6:
        return f"Which {named}, please: {', '.join(said[:-1])} or {said[-1]}?"
    kind = schema.get("type")
    if kind == "boolean":
        return f"{named.capitalize()}: yes or no, please?"
    if kind in ("integer", "number") and (named.endswith("s") or named in ("people", "children")):
        return f"How many {named}, please?"
    return f"What is the {named}, please?" if named.endswith("name") else f"Which {named}, please?"


def asked_for(said: str, tools: Sequence[Tool]) -> tuple[Tool, str] | None:
    """The tool and the parameter that the persona asked for by ``said``."""
    for tool in tools:
        for parameter in properties(tool.parameters):
            if plain(said) == plain(question(tool, parameter)):
                return tool, parameter
    return None


def request_words(tool: Tool) -> frozenset[str]:
    """Stems that only ask for the tool: they are no argument's value."""
    return frozenset(content_words(spaced(tool.name)))


def _by_phrasing(text: str, intent: ToolIntent) -> dict[str, Any] | None:
    """The arguments that stand in the place of an author's placeholders; None when no phrasing fits."""
    said = " ".join(text.split()).strip(" .!?")
    for phrasing in intent.phrasings:
        if PLACEHOLDER.search(phrasing):
            parts = PLACEHOLDER.split(phrasing.strip(" .!?"))
            # The odd parts are the placeholders' names.
            pattern = "".join(
                rf"(?P<{part}>.+?)" if at % 2 else re.escape(part).replace(r"\ ", r"\s+")
                for at, part in enumerate(parts)
            )
            found = re.search(rf"(?i)(?:^|\b){pattern}$", said)
            if found:
                return {
                    key: re.sub(r"(?i)^(?:the|a|an)\s+|\s+please$", "", value)
                    for key, value in found.groupdict().items()
                }
        elif without_fillers(plain(said)) == without_fillers(plain(phrasing)):
            return {}
    return None


def _score(text: str, choice: Choice) -> float:
    tool = choice.tool
    asked = content_words(without_fillers(plain(text)))
    if not asked:
        return 0.0
    heads = [word for word in content_words(spaced(tool.name)) if word not in _PLAIN_VERBS] or content_words(
        spaced(tool.name)
    )
    met = _met(heads, asked)
    if not met:
        return _SEARCHES if _searches(text, choice) else 0.0
    known = set(heads) | set(content_words(tool.description)) | _PLAIN_VERBS
    for parameter, schema in properties(tool.parameters).items():
        known |= set(content_words(f"{spaced(parameter)} {schema.get('description', '')}"))
    known |= {stem(word) for value in choice.arguments.values() for word in words(spaced(str(value)))}
    met_ideas = set(concepts(list(known)))
    explained = [word for word in asked if word in known or met_ideas & set(concepts([word]))]
    return 0.6 * met / len(heads) + 0.4 * len(explained) / len(asked)


def _met(heads: list[str], asked: list[str]) -> float:
    """How many of a tool's words were said; another word for one counts less, and each word said counts once."""
    left = list(asked)
    met = 0.0
    for head in sorted(heads, key=lambda head: head not in asked):
        like = next((word for word in left if word == head), None)
        if like is None:
            like = next((word for word in left if set(concepts([word])) & set(concepts([head]))), None)
        if like is not None:
            left.remove(like)
            met += 1.0 if like == head else _SYNONYM
    return met


def _searches(text: str, choice: Choice) -> bool:
    """Whether the tool searches by free words, and the visitor asks to search ("look for red shoes")."""
    asks = re.match(r"(?:please |can you |could you )*(?:search(?: for)?|look(?:ing)? (?:for|up)|find)\b", plain(text))
    return bool(asks and choice.arguments and _SEARCHING & set(words(spaced(choice.tool.name))))
