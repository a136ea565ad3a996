"""The command line: ``visavis serve``, ``talk``, ``doctor`` and their company.

Modules of this package import only what parses a command; what does the work is imported inside the command, so that
``visavis --help`` answers at once.
"""

from typing import Annotated

import typer

from visavis import __version__
from visavis.cli.avatar import avatar_app
from visavis.cli.bench import bench
from visavis.cli.doctor import doctor
from visavis.cli.key import key_app
from visavis.cli.models import models_app
from visavis.cli.serve import serve
from visavis.cli.sessions import sessions_app
from visavis.cli.settings import settings
from visavis.cli.talk import talk

app = typer.Typer(
    name="visavis",
    help="Self-hosted, real-time digital humans: talk face to face in a web page.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"visavis {__version__}")
        raise typer.Exit


@app.callback()
def _options(  # pyright: ignore[reportUnusedFunction]
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options that come before a command."""


app.command()(serve)
app.command()(talk)
app.command()(doctor)
app.command()(bench)
app.command()(settings)
app.add_typer(models_app)
app.add_typer(avatar_app)
app.add_typer(key_app)
app.add_typer(sessions_app)


def main() -> None:
    """The ``visavis`` command."""
    app()
