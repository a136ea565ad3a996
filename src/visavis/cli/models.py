"""``visavis models``: model files that make some parts better, fetched on request."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.common import EXIT_FAILURE

if TYPE_CHECKING:
    from visavis.speech.models import ModelStore

models_app = typer.Typer(name="models", help="Model files that make some parts better.", no_args_is_help=True)


@models_app.command("list")
def list_models() -> None:
    """List the models that can be pulled, and which are here."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from visavis.speech.models import ModelStore

    store = ModelStore()
    table = Table(box=None, pad_edge=False)
    for title in ("model", "here", "licence"):
        table.add_column(title, no_wrap=True)
    table.add_column("what for")
    for state in store.states():
        here = Text("yes", style="green") if state.path is not None else Text("no")
        table.add_row(Text(state.name), here, Text(state.licence), Text(state.about))
    console = Console()
    console.print(table)
    console.print(f"\nThey lie in {store.directory}", soft_wrap=True, highlight=False)


@models_app.command()
def pull(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Default: what the embedded parts use.")
    ] = None,
    within: Annotated[float | None, typer.Option(metavar="SECONDS", help="Give up on a model after this long.")] = None,
) -> None:
    """Fetch models, with their licences, unless they are here."""
    from visavis.speech.models import EMBEDDED, ModelError, ModelStore

    store = ModelStore()
    failed = False
    for name in names or EMBEDDED:
        try:
            _pull(store, name, within)
        except ModelError as error:
            typer.echo(f"visavis: {error}", err=True)
            failed = True
    if failed:
        raise typer.Exit(EXIT_FAILURE)


def _pull(store: "ModelStore", name: str, within: float | None) -> None:
    """Fetch one model with a bar that shows how far it is. Raises ``ModelError``."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    from visavis.speech.models import ModelError

    if (path := store.find(name)) is not None:
        typer.echo(f"{name} is here: {path}")
        return
    until = None if within is None else time.monotonic() + within
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(name, total=None)

        def progress(done: int, total: int | None) -> None:
            bars.update(bar, completed=done, total=total)
            if until is not None and time.monotonic() > until:
                raise ModelError(f"{name}: not here within {within:g} s")

        path = store.pull(name, progress)
    typer.echo(f"{name} is here now: {path}")
