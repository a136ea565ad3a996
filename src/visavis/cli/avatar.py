"""``visavis avatar``: who can be called."""

from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.avatar_photo import from_photo
from visavis.cli.common import ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from visavis.avatar.catalogue import Avatar, Catalogue
    from visavis.config import Settings

avatar_app = typer.Typer(name="avatar", help="Avatars: who can be called.", no_args_is_help=True)
avatar_app.command("from-photo")(from_photo)


@avatar_app.command("list")
def list_avatars(config: ConfigOption = None, assignments: SetOption = None) -> None:
    """List the avatars, the last changed first."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "language", "changed", "where", box=None, pad_edge=False)
    for avatar in _catalogue(load(config, assignments)).all():
        changed = avatar.updated.strftime("%Y-%m-%d %H:%M")
        table.add_row(avatar.id, avatar.name, avatar.persona.language, changed, _place(avatar))
    Console().print(table)


@avatar_app.command()
def show(
    wanted: Annotated[str, typer.Argument(metavar="NAME_OR_ID")],
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show an avatar: its face, its voice, what it says first, and what it is told to be."""
    from visavis.avatar.files import PackageError
    from visavis.avatar.package import load_package

    catalogue = _catalogue(load(config, assignments))
    avatar = catalogue.get(wanted) or next(iter(catalogue.find(wanted)), None)
    if avatar is None:
        fail(f"there is no avatar {wanted!r}; 'visavis avatar list' shows those there are")
    try:
        package = load_package(avatar.package)
    except PackageError as error:
        fail(str(error))
    persona = avatar.persona
    rows = {
        "id": avatar.id,
        "name": avatar.name,
        "folder": _place(avatar),
        "face": f"{package.manifest.size}×{package.manifest.size} pixels, {avatar.package}",
        "licence": package.manifest.licence,
        "picture": str(avatar.poster or "none"),
        "language": persona.language,
        "voice": persona.voice or "the language's own",
        "pace": f"{persona.rate:g}",
        "model": persona.model or "the server's",
        "knowledge": str(persona.knowledge or "none"),
        "tools": ", ".join(str(tool["name"]) for tool in persona.tools) or "none",
        "greeting": persona.greeting or "none",
        "prompt": persona.prompt or "none",
    }
    for name, value in rows.items():
        first, *others = value.splitlines() or [""]
        typer.echo(f"{name:<10} {first}")
        for line in others:
            typer.echo(f"{'':<10} {line}".rstrip())


def _catalogue(settings: "Settings") -> "Catalogue":
    from visavis.avatar.catalogue import Catalogue
    from visavis.log import configure_logging

    # An avatar that had to be left out is told as a warning.
    configure_logging("warning", "console")
    return Catalogue(settings.avatars.folder)


def _place(avatar: "Avatar") -> str:
    from visavis.avatar.catalogue import EMBEDDED

    return "embedded" if avatar.package.is_relative_to(EMBEDDED) else str(avatar.package.parent)
