"""Session variables, as this side knows them."""

import re
from collections.abc import Mapping

from visavis.client.events import Variable

_MOST = 64
_MOST_BYTES = 4096
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Variables:
    """What was set here, and what a resumed session had. Setting raises ``ValueError`` for what servers do not take."""

    def __init__(self, values: Mapping[str, Variable | None]) -> None:
        self._values: dict[str, Variable | None] = {}
        self.set(values)

    def set(self, values: Mapping[str, Variable | None]) -> None:
        """Set some; None removes one."""
        for name, value in values.items():
            _check(name, value)
        together = {**self._values, **values}
        if sum(value is not None for value in together.values()) > _MOST:
            raise ValueError(f"there are more than {_MOST} variables")
        self._values = together

    def restore(self, values: Mapping[str, Variable]) -> None:
        """Add those of a resumed session; what was set here is newer."""
        self._values = {**values, **self._values}

    def present(self) -> dict[str, Variable]:
        """Those that have a value."""
        return {name: value for name, value in self._values.items() if value is not None}

    def told(self) -> dict[str, Variable | None]:
        """All that a session is to know; None for one that was removed."""
        return dict(self._values)


def _check(name: object, value: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"no name of a variable: {name!r}")
    if value is not None and not isinstance(value, Variable):
        raise ValueError(f"the variable {name} is neither text nor a number nor true or false")
    if isinstance(value, str) and len(value.encode()) > _MOST_BYTES:
        raise ValueError(f"the variable {name} is longer than {_MOST_BYTES} bytes")
