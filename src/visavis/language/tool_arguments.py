"""Fills a tool's arguments from what the visitor said, by plain patterns.

In this order, for each parameter of the JSON Schema: a value of its ``enum`` that was said; a truth value; a number;
then, by the parameter's name, an e-mail address, a date, a time, a place or a person; else the words behind a
preposition, in quotation marks, or a capitalised name; for parameters that take free words (query, message …) all that
follows the request. ``docs/language.md`` has the table.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from visavis.language.words import STOP, stem, words

Schema = Mapping[str, Any]
_ANY: Final[Schema] = {}

_UNIT_WORDS: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS_WORDS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_UNITS: Final = {word: value for value, word in enumerate(_UNIT_WORDS.split())}
_TENS: Final = {word: 20 + 10 * at for at, word in enumerate(_TENS_WORDS.split())}
_WEEKDAYS: Final = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS: Final = "january|february|march|april|may|june|july|august|september|october|november|december"
_DATE: Final = re.compile(
    rf"\b(?:(?:the )?day after tomorrow|today|tonight|tomorrow|(?:(?:this|next|on) )?(?:{_WEEKDAYS})|(?:this|next) "
    rf"(?:week|weekend|month)|\d{{4}}-\d\d-\d\d|(?:the )?\d{{1,2}}(?:st|nd|rd|th)?(?: of)? (?:{_MONTHS})|"
    rf"(?:{_MONTHS})(?: the)? \d{{1,2}}(?:st|nd|rd|th)?)\b",
    re.IGNORECASE,
)
_NUMBER_WORD: Final = "|".join([*_TENS, *sorted(_UNITS, key=len, reverse=True)])
_CLOCK: Final = re.compile(
    rf"\b(?:noon|midnight|(?:half past|quarter (?:past|to)) (?:{_NUMBER_WORD}|\d{{1,2}})|"
    rf"\d{{1,2}}[:.]\d\d(?: ?[ap]\.?m\b\.?)?|\d{{1,2}} ?[ap]\.?m\b\.?|"
    rf"(?:(?<=at )|(?<=around )|(?<=by ))(?:{_NUMBER_WORD}|\d{{1,2}})(?: o'?clock| [ap]\.?m\b\.?)?|"
    rf"(?:{_NUMBER_WORD}|\d{{1,2}}) o'?clock)",
    re.IGNORECASE,
)
_EMAIL: Final = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_QUOTED: Final = re.compile(r"[\"“«](?P<text>[^\"”»]{1,200})[\"”»]")
_NUMBER: Final = re.compile(r"(?<![\w.])-?\d+(?:[.,]\d+)?(?![\w])")
_STOPS: Final = (
    "in|on|at|to|for|from|with|about|near|of|by|and|or|please|tomorrow|today|tonight|now|like|is|are|right|this|next|"
    "called|named|because|so|but|thanks"
)
# Up to five words behind a preposition: to a comma, or the next preposition.
_AFTER: Final = (
    r"\b(?:{prepositions})\s+(?:(?:the|a|an|my|our)\s+)?"
    r"(?P<text>[^\s,;:]+(?:\s+(?!(?:" + _STOPS + r")\b)[^\s,;:]+){{0,4}})"
)
_CAPITALISED: Final = re.compile(r"(?<![.!?] )(?<!^)\b[A-Z][\w’'-]+(?:\s+[A-Z][\w’'-]+)*")
_PERSON: Final = re.compile(
    r"\b(?:my name is|under the name(?: of)?|name of|called|named|i am|i'm|this is)\s+"
    r"(?P<text>[^\W\d_]+(?:\s+[A-Z][^\W\d_]+)?)",
    re.IGNORECASE,
)

_REQUEST_EDGE: Final = re.compile(
    r"(?i)^(?:(?:please|can|could|would|you|i|want|like|to|a|an|the|me|my|us|search|look|find|up|ask|send)\b\s*)+"
)

_PLACE_WORDS: Final = "city location place destination address country town region area street venue origin"
_PLACES: Final = frozenset(_PLACE_WORDS.split())
_PERSONS: Final = frozenset(["name", "person", "guest", "customer", "recipient", "contact", "who"])
_DATES: Final = frozenset(["date", "day", "when", "weekday"])
_CLOCKS: Final = frozenset(["time", "hour", "clock"])
_FREE_WORDS: Final = (
    "query question text message search term terms topic subject content body note notes reason comment description "
    "prompt keyword keywords title task"
)
_FREE: Final = frozenset(_FREE_WORDS.split())
_TRUE: Final = frozenset(["yes", "on", "true", "enable", "enabled", "activate", "with"])
_FALSE: Final = frozenset(["no", "not", "off", "false", "disable", "disabled", "deactivate", "without"])


def properties(parameters: Schema) -> dict[str, Schema]:
    """The parameters that a tool's schema names, the required ones first."""
    given: object = parameters.get("properties")
    if not isinstance(given, Mapping):
        return {}
    found = {
        name: cast(Schema, about) if isinstance(about, Mapping) else _ANY
        for name, about in cast(Mapping[str, object], given).items()
    }
    needed = required(parameters)
    return dict(sorted(found.items(), key=lambda item: item[0] not in needed))


def required(parameters: Schema) -> list[str]:
    """The names of the parameters that must be given."""
    listed: object = parameters.get("required")
    return [str(name) for name in cast(list[object], listed)] if isinstance(listed, list) else []


def fill(parameters: Schema, text: str, request_words: frozenset[str] = frozenset(), name: str = "") -> dict[str, Any]:
    """The arguments that ``text`` holds.

    ``request_words``: stems that only ask for the tool and are no value ("weather"). ``name``: the visitor's, if known.
    """
    found: dict[str, Any] = {}
    left = " ".join(text.split())
    for parameter, schema in properties(parameters).items():
        value, span = _value(parameter, schema, left, request_words)
        if (
            value is None
            and name
            and parameter.casefold() in ("name", "guest_name", "guestname", "user_name", "username")
        ):
            value = name
        if value is not None:
            found[parameter] = value
            left = left.replace(span, " ", 1) if span else left
    return found


def direct(schema: Schema, text: str, parameter: str) -> Any:
    """The value in an answer to "which …?": by the patterns, else the words themselves; None when it cannot be."""
    value, _ = _value(parameter, schema, text, frozenset())
    if value is not None:
        return value
    if schema.get("enum") or _kind(schema) not in ("string", ""):
        return None
    rest = re.sub(
        r"(?i)^(?:um |uh |oh |well |it is |it's |that is |in |for |to |at |the |please |i would like |i want )+",
        "",
        text,
    )
    return rest.strip(" .!?,") or None


def _value(parameter: str, schema: Schema, text: str, request_words: frozenset[str]) -> tuple[Any, str]:
    """A value for one parameter and the words it was taken from; None where there is none."""
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return _option(cast(list[object], options), text)
    kind = _kind(schema)
    if kind in ("integer", "number"):
        return _number(parameter, text, whole=kind == "integer")
    if kind == "boolean":
        return _truth(parameter, text)
    if kind == "array":
        return _array(parameter, schema, text, request_words)
    if kind in ("string", ""):
        return _string(parameter, schema, text, request_words)
    return None, ""


def _kind(schema: Schema) -> str:
    """The schema's type; of several the first that is not null."""
    given: object = schema.get("type")
    if isinstance(given, list):
        given = next((kind for kind in cast(list[object], given) if kind != "null"), "")
    return given if isinstance(given, str) else ""


def _option(options: list[object], text: str) -> tuple[Any, str]:
    said = [stem(word) for word in words(text)]
    best: tuple[int, object, str] = (0, None, "")
    for option in options:
        wanted = [stem(word) for word in words(spaced(str(option)))]
        size = len(wanted)
        for at in range(len(said) - size + 1):
            if wanted and said[at : at + size] == wanted and size > best[0]:
                best = (size, option, "")
    return best[1], best[2]


def _number(parameter: str, text: str, *, whole: bool) -> tuple[Any, str]:
    """The number next to the parameter's own word ("four people" for ``people``), else the first."""
    numbers = _numbers(text)
    if not numbers:
        return None, ""
    names = {stem(word) for word in words(spaced(parameter))}

    def near(item: tuple[float, str, int]) -> bool:
        around = f"{text[max(0, item[2] - 20) : item[2]]} {text[item[2] + len(item[1]) :][:20]}"
        return bool(names & {stem(word) for word in words(around)})

    value, span, _ = next(filter(near, numbers), numbers[0])
    if whole:
        return (int(value), span) if value == int(value) else (None, "")
    return (int(value) if value == int(value) else value), span


def _numbers(text: str) -> list[tuple[float, str, int]]:
    """The numbers in ``text``, in figures or words, with their spans and places."""
    found = [(float(match.group().replace(",", ".")), match.group(), match.start()) for match in _NUMBER.finditer(text)]
    spoken = re.compile(
        rf"\b(?:(?P<tens>{'|'.join(_TENS)})(?:[ -](?P<unit>{'|'.join(_UNITS)}))?|(?P<single>{_NUMBER_WORD}))\b", re.I
    )
    for match in spoken.finditer(text):
        tens, unit, single = (match[name].lower() if match[name] else "" for name in ("tens", "unit", "single"))
        value = _TENS.get(tens, 0) + _UNITS.get(unit, 0) if tens else _UNITS.get(single, _TENS.get(single, 0))
        found.append((float(value), match.group(), match.start()))
    return sorted(found, key=lambda item: item[2])


def _truth(parameter: str, text: str) -> tuple[Any, str]:
    said = set(words(text))
    names = {stem(word) for word in words(spaced(parameter))}
    if said & _FALSE:
        return False, ""
    if said & _TRUE or names & {stem(word) for word in said}:
        return True, ""
    return None, ""


def _array(parameter: str, schema: Schema, text: str, request_words: frozenset[str]) -> tuple[Any, str]:
    items: object = schema.get("items")
    inner = cast(Schema, items) if isinstance(items, Mapping) else _ANY
    options = inner.get("enum")
    if isinstance(options, list):
        chosen = [option for option in cast(list[object], options) if _option([option], text)[0] is not None]
        return (chosen, "") if chosen else (None, "")
    if _kind(inner) in ("integer", "number"):
        numbers = [int(value) if value == int(value) else value for value, _, _ in _numbers(text)]
        return (numbers, "") if numbers else (None, "")
    value, span = _string(parameter, inner, text, request_words)
    if not isinstance(value, str):
        return None, ""
    return [part.strip() for part in re.split(r",| and ", value) if part.strip()], span


def _string(parameter: str, schema: Schema, text: str, request_words: frozenset[str]) -> tuple[Any, str]:
    names = set(words(spaced(parameter)))
    wanted: object = schema.get("format")
    if "email" in names or "mail" in names or wanted == "email":
        return _first(_EMAIL, text)
    quoted = _QUOTED.search(text)
    if quoted:
        return quoted["text"].strip(), quoted.group()
    if names & _DATES or wanted in ("date", "date-time"):
        return _first(_DATE, text)
    if names & _CLOCKS or wanted == "time":
        return _first(_CLOCK, text)
    if names & _FREE:
        return _free(text, request_words)
    if names & _PLACES:
        return _behind("in|to|at|near|for|from|around", text, request_words)
    if names & _PERSONS:
        found = _PERSON.search(text)
        return (found["text"], found.group()) if found else _behind("to|with|for", text, request_words, names_only=True)
    return _behind("for|about|of|in|to|at|from|near|called|named|on|with", text, request_words)


def _first(pattern: re.Pattern[str], text: str) -> tuple[Any, str]:
    found = pattern.search(text)
    return (found.group().strip(" ."), found.group()) if found else (None, "")


def _free(text: str, request_words: frozenset[str]) -> tuple[Any, str]:
    """What follows "for", "about", "that", "saying"; else what is left when the request's own words are gone."""
    found = re.search(r"\b(?:saying|that says|that|about|for|to say|reading)\s+(?P<text>.+)", text, re.IGNORECASE)
    rest = found["text"] if found else text
    if not found:
        kept = [word for word in rest.split() if not (set(map(stem, words(word))) & request_words)]
        rest = " ".join(kept)
        rest = _REQUEST_EDGE.sub("", rest)
    rest = re.sub(r"(?i)[\s,]*\bplease\b[\s.!?]*$", "", rest).strip(" .!?,")
    return (rest, rest) if rest else (None, "")


def _behind(
    prepositions: str, text: str, request_words: frozenset[str], *, names_only: bool = False
) -> tuple[Any, str]:
    """The words behind a preposition, a name with a capital first; else a capitalised name inside the sentence."""
    candidates: list[str] = []
    for found in re.finditer(_AFTER.format(prepositions=prepositions), text, re.IGNORECASE):
        value = re.sub(r"(?i)\s+(?:please|now|right)$", "", found["text"].strip(" .!?")).strip(" .!?")
        stems = {stem(word) for word in words(value)}
        asks = stems <= request_words if value[:1].isupper() else bool(stems & request_words)
        if stems and not asks and not _DATE.fullmatch(value) and not stems <= STOP:
            candidates.append(value)
    named = [value for value in candidates if value[0].isupper()]
    named += [
        found.group()
        for found in _CAPITALISED.finditer(text)
        if found.group() != "I" and not {stem(word) for word in words(found.group())} <= request_words
    ]
    chosen = named if names_only else [*named, *candidates]
    return (chosen[0], chosen[0]) if chosen else (None, "")


def spaced(name: str) -> str:
    """``get_weatherReport-2`` as words."""
    return re.sub(r"[_\-.]+", " ", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name))
