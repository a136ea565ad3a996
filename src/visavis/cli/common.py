"""What commands share: the options that choose settings, and how a command fails."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

if TYPE_CHECKING:
    from visavis.config import Settings
    from visavis.config_loading import Flag

EXIT_FAILURE = 1
EXIT_SETTINGS = 2

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", metavar="FILE", help="Settings file; else $VISAVIS_CONFIG, else ./visavis.toml."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.NAME=VALUE", help="Any setting; may be given several times."),
]


def fail(message: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Say ``message`` on standard error, a line for each of its lines, and end the command."""
    for line in message.splitlines():
        typer.echo(f"visavis: {line}", err=True)
    raise typer.Exit(code)


@contextmanager
def settings_errors() -> Generator[None]:
    """Turn ``SettingsError``, also several in a group, into plain lines and exit code 2."""
    from visavis.config import SettingsError

    problems: list[str] = []
    try:
        yield
    except* SettingsError as group:
        problems = [line for error in leaves(group) for line in str(error).splitlines()]
    if problems:
        fail("\n".join(problems), EXIT_SETTINGS)


def leaves(error: BaseException) -> list[BaseException]:
    """The errors that a group, however nested, is made of."""
    if isinstance(error, BaseExceptionGroup):
        group = cast(BaseExceptionGroup[BaseException], error)
        return [leaf for part in group.exceptions for leaf in leaves(part)]
    return [error]


def load(config: Path | None, assignments: list[str] | None, flags: Iterable["Flag"] = ()) -> "Settings":
    """The settings from all sources; ``assignments`` are ``--set``'s. Ends the command when they are not valid."""
    from visavis.config_loading import load_settings

    with settings_errors():
        return load_settings(config, [*parse_assignments(assignments), *flags])


def parse_assignments(assignments: list[str] | None) -> "list[Flag]":
    """What ``--set`` was given, as flags. Ends the command when one is not of the form name=value."""
    from visavis.config_loading import Flag

    given: list[Flag] = []
    for assignment in assignments or ():
        path, equals, value = assignment.partition("=")
        if not equals:
            fail("--set takes SECTION.NAME=VALUE, such as --set media.fps=30", EXIT_SETTINGS)
        given.append(Flag(path.strip(), value.strip(), "--set"))
    return given
