"""``visavis avatar``: who can be called."""

from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.avatar_bundle import check, export, import_avatar
from visavis.cli.avatar_common import find_avatar, open_catalogue, plain
from visavis.cli.avatar_photo import from_photo
from visavis.cli.avatar_preview import preview
from visavis.cli.common import ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from visavis.avatar.catalogue import Avatar

avatar_app = typer.Typer(name="avatar", help="Avatars: who can be called.", no_args_is_help=True)
avatar_app.command("from-photo")(from_photo)
avatar_app.command()(check)
avatar_app.command("import")(import_avatar)
avatar_app.command()(export)
avatar_app.command()(preview)


@avatar_app.command("list")
def list_avatars(config: ConfigOption = None, assignments: SetOption = None) -> None:
    """List the avatars, the last changed first."""
    from rich.console import Console
    from rich.table import Table

    table = Table("id", "name", "language", "changed", "where", box=None, pad_edge=False)
    for avatar in open_catalogue(load(config, assignments).avatars.own_folder).all():
        changed = avatar.updated.strftime("%Y-%m-%d %H:%M")
        table.add_row(avatar.id, plain(avatar.name), avatar.persona.language, changed, _place(avatar))
    Console().print(table)


@avatar_app.command()
def show(
    wanted: Annotated[str, typer.Argument(metavar="NAME_OR_ID")],
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Show an avatar: its face and where that comes from, its voice, what it says first, what it is told to be."""
    from visavis.avatar.files import PackageError
    from visavis.avatar.package import load_package

    avatar = find_avatar(open_catalogue(load(config, assignments).avatars.own_folder), wanted)
    try:
        package = load_package(avatar.package)
    except PackageError as error:
        fail(plain(str(error)))
    persona, manifest, consent = avatar.persona, package.manifest, package.manifest.consent
    files = list(avatar.package.iterdir()) if avatar.package.is_dir() else [avatar.package]
    size = sum(file.stat().st_size for file in files if file.is_file())
    rows = {
        "id": avatar.id,
        "name": avatar.name,
        "folder": _place(avatar),
        "face": f"{manifest.size}×{manifest.size} pixels, {avatar.package}",
        "kind": {"cg": "computer-made", "photo": "from a photo", "layers": "drawn in layers"}[manifest.kind],
        "size": f"{size / 1e6:.1f} MB, {len(manifest.shapes)} shapes on {manifest.grid}×{manifest.grid} nodes",
        "licence": manifest.licence,
        "source": manifest.source or "not said",
        "notice": manifest.notice or "none",
        "consent": f"{consent.given:%Y-%m-%d %H:%M} UTC: {consent.statement}" if consent else "none",
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
        first, *others = plain(value).splitlines() or [""]
        typer.echo(f"{name:<10} {first}")
        for line in others:
            typer.echo(f"{'':<10} {line}".rstrip())


def _place(avatar: "Avatar") -> str:
    from visavis.avatar.catalogue import EMBEDDED

    return "embedded" if avatar.folder.is_relative_to(EMBEDDED) else str(avatar.folder)
