"""Session variables: what a client knows of its visitor, put into the prompt and the greeting."""

import re
from collections.abc import Mapping
from typing import Final

import structlog

from visavis.conversation.snapshot import Variable

log = structlog.get_logger(__name__)

_MOST: Final = 64
_LONGEST: Final = 256 * 1024
"""Characters that values may add to a text: each may stand in many places."""
_PLACE: Final = re.compile(r"(?P<space>[ \t]?)\{\{\s*(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*\}\}")


class Variables:
    """Named values, at most 64 of them: what is set beyond that is dropped and logged."""

    def __init__(self, values: Mapping[str, Variable]) -> None:
        self._values = dict(values)

    @property
    def values(self) -> dict[str, Variable]:
        """All of them, by name."""
        return dict(self._values)

    def set(self, values: Mapping[str, Variable | None]) -> None:
        """Set some; None removes one."""
        for name, value in values.items():
            if value is None:
                self._values.pop(name, None)
            elif name in self._values or len(self._values) < _MOST:
                self._values[name] = value
            else:
                log.warning("a session has too many variables", most=_MOST)

    def fill(self, text: str) -> str:
        """``text`` with every ``{{name}}`` replaced by its value, or by nothing where there is none.

        With nothing goes the blank before it: "Hello {{name}}!" is then "Hello!". Values are not filled themselves.
        They add 256 Ki characters at most: places behind those are filled with nothing.
        """
        room = _LONGEST

        def value(place: re.Match[str]) -> str:
            nonlocal room
            said = self._said(place["name"])
            room -= len(said)
            return f"{place['space']}{said}" if said and room >= 0 else ""

        return _PLACE.sub(value, text)

    def _said(self, name: str) -> str:
        value = self._values.get(name, "")
        return str(value).lower() if isinstance(value, bool) else str(value)
