"""Session variables: what a client knows of its visitor, put into the prompt and the greeting."""

import re
from collections.abc import Mapping
from typing import Final

import structlog

from visavis.conversation.snapshot import Variable

log = structlog.get_logger(__name__)

_MOST: Final = 64
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
        """
        return _PLACE.sub(self._value, text)

    def _value(self, place: re.Match[str]) -> str:
        value = self._values.get(place["name"], "")
        said = str(value).lower() if isinstance(value, bool) else str(value)
        return f"{place['space']}{said}" if said else ""
