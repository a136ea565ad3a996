"""JSON from strangers: parsed within bounds, or refused as ``BadMessage``."""

import json
import math
from typing import Any, Final, NoReturn, cast

from visavis.wire.navtalk.bad_message import BadKind, BadMessage

MAX_DEPTH: Final = 64
"""Levels of objects and arrays; a tool's JSON Schema needs about twenty."""

MAX_VALUES: Final = 20_000
"""Values in a text; a message is large for its base64, never for its structure."""

_MAX_DIGITS: Final = 19


def parse_json(text: str) -> Any:
    """The value of ``text``. Raises ``BadMessage``; holds the interpreter only for as long as ``MAX_VALUES`` take."""
    # Counting is a fast scan, while building the values of 16 MB of "[0,0,0…" would hold every session up.
    if len(text) > MAX_VALUES and text.count(",") + text.count("[") + text.count("{") > MAX_VALUES:
        raise BadMessage(BadKind.TOO_COMPLEX, "too many values")
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise BadMessage(BadKind.TOO_COMPLEX, "nested too deep") from None
    except ValueError as error:
        raise BadMessage(BadKind.NOT_JSON, type(error).__name__) from None
    _check(value)
    return value


def _number_refused(_literal: str) -> NoReturn:
    raise BadMessage(BadKind.BAD_NUMBER, "not finite")


def _integer(literal: str) -> int:
    if len(literal) > _MAX_DIGITS:
        raise BadMessage(BadKind.BAD_NUMBER, "too many digits")
    return int(literal)


def _float(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise BadMessage(BadKind.BAD_NUMBER, "not finite")
    return number


_DECODER: Final = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_number_refused)


def _check(value: Any) -> None:
    """Refuse what is nested too deep for the code behind us, and text that no encoding can carry."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                fields = cast(dict[str, Any], item)
                for key in fields:
                    _check_text(key)
                following.extend(fields.values())
            elif isinstance(item, list):
                following.extend(cast(list[Any], item))
        if not following:
            return
        level = following
    raise BadMessage(BadKind.TOO_COMPLEX, "nested too deep")


def _check_text(text: str) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadMessage(BadKind.BAD_TEXT, "a lone surrogate") from None
