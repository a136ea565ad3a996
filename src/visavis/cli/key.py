"""``visavis key``: licenses."""

import typer

key_app = typer.Typer(name="key", help="Licenses: the keys by which clients call.", no_args_is_help=True)


@key_app.callback()
def _group() -> None:  # pyright: ignore[reportUnusedFunction]
    pass


@key_app.command()
def new() -> None:
    """Make a license. Put it into visavis.toml ([[licenses]], key = "…") or VISAVIS_LICENSE."""
    import secrets

    typer.echo(f"sk_{secrets.token_urlsafe(24)}")
