"""The tables of ``docs/connection-states.md``, from the causes and the tests that show them.

``python -m tests.e2e.connection_states.tables`` writes them into the page.
"""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.e2e.connection_states.causes import CAUSES, JAVASCRIPT, PYTHON, Cause, Client, Kind, Teller, shown_by
from visavis.client import CallError, ConnectionStateType, DisconnectReason
from visavis.client.states import connection_state

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[2] / "docs" / "connection-states.md"
_FROM_DOCS = "../tests/e2e/connection_states"

Tests = dict[tuple[Client, str], list[tuple[str, str]]]
"""Of each client and cause (``what``): the files and names of its tests."""


def causes_shown() -> Tests:
    """All tests of this folder that show causes."""
    found: Tests = {}
    for file in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.e2e.connection_states.{file.stem}")
        for name, test in _tests(module):
            for client, cause in shown_by(test):
                found.setdefault((client, cause.what), []).append((file.name, name))
    return found


def page_with_tables(page: str, tests: Tests) -> str:
    """The page with its tables as they have to be. Each stands between two comments that name its kind."""
    for kind in Kind:
        table = "\n".join(_table(kind, tests))
        page, count = re.subn(
            rf"(<!-- {kind}s -->\n).*?(\n<!-- end -->)",
            lambda found, table=table: f"{found[1]}{table}{found[2]}",
            page,
            flags=re.DOTALL,
        )
        assert count == 1, f"the page has one place for {kind}s"
    return page


def _tests(module: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in inspect.getmembers(module):
        if inspect.isclass(member) and name.startswith("Test"):
            yield from _tests(member)
        elif inspect.isfunction(member) and name.startswith("test_"):
            yield name, member


def _table(kind: Kind, tests: Tests) -> Iterator[str]:
    title = {Kind.STATE: "state | step | %", Kind.ERROR: "error", Kind.REASON: "reason"}[kind]
    columns = f"| {title} | what happens | code | JavaScript | Python |"
    yield columns
    yield "|" + "---|" * (columns.count("|") - 1)
    for cause in CAUSES:
        if cause.kind is kind:
            shown = [_shown(cause, client, tests) for client in (JAVASCRIPT, PYTHON)]
            yield f"| {_name(cause)} | {cause.what} | {_code(cause)} | {' | '.join(shown)} |"


def _name(cause: Cause) -> str:
    if cause.kind is not Kind.STATE:
        return f"`{cause.name}`"
    state = connection_state(ConnectionStateType(cause.name))
    return f"`{state.name}` | {state.current_step} | {state.percentage_loaded}"


def _code(cause: Cause) -> str:
    if not cause.code:
        return "–"
    return f"`{cause.code}`" if cause.teller is Teller.SERVER else f"(`{cause.code}`)"


def _shown(cause: Cause, client: Client, tests: Tests) -> str:
    if client not in cause.clients:
        return "–"
    links = ", ".join(f"[{_words(test)}]({_FROM_DOCS}/{file})" for file, test in tests.get((client, cause.what), []))
    return links if client is JAVASCRIPT else f"{_in_python(cause)}: {links or 'untested'}"


def _in_python(cause: Cause) -> str:
    match cause.kind:
        case Kind.STATE:
            return f"`{ConnectionStateType(cause.name).name}`"
        case Kind.REASON:
            return f"`{DisconnectReason(cause.name).name}`"
        case Kind.ERROR:
            (error,) = [error for error in CallError.__subclasses__() if error.name == cause.name]
            return f"`{error.__name__}`" + (f" (`{cause.python_code}`)" if cause.python_code else "")


def _words(test: str) -> str:
    return test.removeprefix("test_").replace("_", " ")


def main() -> None:
    """Write the tables into the page."""
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8"), causes_shown()), encoding="utf-8")


if __name__ == "__main__":
    main()
