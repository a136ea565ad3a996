"""Says what a tool's result says: words out of a string or of JSON."""

import json
from collections.abc import Mapping
from typing import Final, cast

from visavis.language.tool_arguments import spaced
from visavis.language.words import words

DONE: Final = "Done."
"""Said of a result that holds nothing to tell."""

_MAX_SPOKEN: Final = 400
_MAX_FIELDS: Final = 5
_MAX_ITEMS: Final = 5
_SPEAKING: Final = ("message", "text", "answer", "result", "summary", "output", "response", "content", "description")
_SILENT: Final = frozenset(["id", "type", "status", "success", "ok", "code", "timestamp", "url", "uuid", "object"])
_NOTHING: Final = frozenset(["", "ok", "okay", "done", "success", "succeeded", "true", "null", "none", "{}"])
_LONG: Final = {"temp": "temperature", "min": "minimum", "max": "maximum", "qty": "quantity", "num": "number"}
_NUMBERS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def say_result(output: str) -> str:
    """A sentence or two about a tool's output."""
    text = output.strip()
    if text.casefold() in _NOTHING:
        return DONE
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return _sentence(text)
    return _say(value)


def _say(value: object) -> str:
    if value == []:
        return "I found nothing."
    if value is None or value is True or value == {}:
        return DONE
    if value is False:
        return "That did not work, I am sorry."
    if isinstance(value, Mapping):
        return _say_object(cast(Mapping[str, object], value))
    if isinstance(value, list):
        return _say_list(cast(list[object], value))
    return say_result(value) if isinstance(value, str) and value[:1] in "{[" else _sentence(_spoken(value))


def _say_object(fields: Mapping[str, object]) -> str:
    problem = fields.get("error")
    if problem or fields.get("success") is False or fields.get("ok") is False:
        reason = problem if isinstance(problem, str) else fields.get("message")
        if isinstance(problem, Mapping):
            reason = cast(Mapping[str, object], problem).get("message")
        return (
            f"That did not work, I am sorry. {_sentence(str(reason))}" if reason else "That did not work, I am sorry."
        )
    for name in _SPEAKING:
        told = fields.get(name)
        if isinstance(told, str) and told.strip():
            return say_result(told) if told.strip()[:1] in "{[" else _sentence(told)
        if isinstance(told, Mapping | list) and told:
            return _say(cast(object, told))
    facts: list[str] = []
    for name, told in _flat(fields):
        several = isinstance(told, list) and len(cast(list[object], told)) > 1
        if name.casefold() not in _SILENT and told not in (None, ""):
            facts.append(f"the {_label(name)} {'are' if several else 'is'} {_spoken(cast(object, told))}")
    if not facts:
        return DONE
    return _sentence(
        ", ".join(facts[: _MAX_FIELDS - 1]) + (f", and {facts[_MAX_FIELDS - 1]}" if len(facts) >= _MAX_FIELDS else "")
    )


def _flat(fields: Mapping[str, object]) -> list[tuple[str, object]]:
    """The fields, one level of nested objects opened."""
    flat: list[tuple[str, object]] = []
    for name, value in fields.items():
        if isinstance(value, Mapping):
            flat += [
                (inner, told)
                for inner, told in cast(Mapping[str, object], value).items()
                if not isinstance(told, Mapping)
            ]
        else:
            flat.append((name, value))
    return flat


def _say_list(items: list[object]) -> str:
    count = _NUMBERS[len(items)] if len(items) < len(_NUMBERS) else str(len(items))
    named = [_spoken(item) for item in items[:_MAX_ITEMS]]
    listed = ", ".join(named[:-1]) + f" and {named[-1]}" if len(named) > 1 else named[0]
    if len(items) == 1:
        return _sentence(listed)
    return _sentence(
        f"I found {count}: {listed}" if len(items) <= _MAX_ITEMS else f"I found {count}, for example {listed}"
    )


def _label(name: str) -> str:
    """A field's name in words."""
    return " ".join(_LONG.get(word, word) for word in words(spaced(name)))


def _spoken(value: object) -> str:
    """A value in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unknown"
    if isinstance(value, list):
        named = [_spoken(item) for item in cast(list[object], value)[:_MAX_ITEMS]]
        return ", ".join(named[:-1]) + f" and {named[-1]}" if len(named) > 1 else "".join(named) or "none"
    if isinstance(value, Mapping):
        fields = cast(Mapping[str, object], value)
        for name in ("name", "title", "label", *_SPEAKING):
            if isinstance(fields.get(name), str):
                return str(fields[name])
        return ", ".join(f"{_label(name)} {_spoken(told)}" for name, told in list(fields.items())[:3])
    return " ".join(str(value).split())


def _sentence(text: str) -> str:
    """``text`` as a sentence: one line, not endless, a capital first and a mark last."""
    text = " ".join(text.split())
    if len(text) > _MAX_SPOKEN:
        cut = max(text.rfind(mark, 0, _MAX_SPOKEN) for mark in (". ", "! ", "? "))
        text = text[: cut + 1] if cut > 0 else text[: text.rfind(" ", 0, _MAX_SPOKEN)] + " …"
    if not text:
        return DONE
    text = text[0].upper() + text[1:]
    return text if text[-1] in ".!?…\"'”)" else f"{text}."
