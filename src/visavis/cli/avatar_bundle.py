"""``visavis avatar check``, ``import`` and ``export``: avatars that come and go as folders and zips."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.avatar_common import find_avatar, knowledge_faults, open_catalogue, plain
from visavis.cli.common import ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from visavis.avatar.files import PackageError

SourceArgument = Annotated[
    Path, typer.Argument(metavar="FILE.zip|FOLDER", help="An avatar (avatar.toml and face), or a face package alone.")
]


def check(path: SourceArgument, config: ConfigOption = None, assignments: SetOption = None) -> None:
    """Say everything that is wrong with an avatar, file by file and field by field.

    The exit code is 1 when there is anything.
    """
    from visavis.avatar.bundle import check_bundle

    catalogue = open_catalogue(load(config, assignments).avatars.own_folder)
    try:
        bundle = check_bundle(path, [avatar.id for avatar in catalogue.all()], check_knowledge=knowledge_faults)
    except OSError as error:
        fail(f"{path} could not be checked: {error.strerror or error}")
    _tell_left_out(bundle.left_out)
    if bundle.problems:
        fail(f"{path} cannot be used:\n{_lines(bundle.problems)}")
    typer.echo(f"{path} is good: {plain(bundle.name)}, as {bundle.id}")


def import_avatar(
    path: SourceArgument,
    force: Annotated[bool, typer.Option("--force", help="Take the place of an avatar of the same id.")] = False,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Add an avatar to your own (avatars.folder), if nothing is wrong with it.

    What it is told to be comes with it: read its avatar.toml before visitors meet it.
    """
    from visavis.avatar.bundle import AvatarExists, RefusedBundle, import_bundle

    folder = load(config, assignments).avatars.own_folder
    ids = [avatar.id for avatar in open_catalogue(folder).all()]
    try:
        bundle = import_bundle(path, folder, ids, taken=ids, force=force, check_knowledge=knowledge_faults)
    except RefusedBundle as error:
        fail(f"{path} cannot be used:\n{_lines(error.problems)}")
    except AvatarExists as error:
        fail(f"{error}; --force takes its place")
    except OSError as error:
        fail(f"{path} could not be imported: {error.strerror or error}")
    _tell_left_out(bundle.left_out)
    typer.echo(f"{plain(bundle.name)} is in {folder / bundle.id}")


def export(
    wanted: Annotated[str, typer.Argument(metavar="NAME_OR_ID")],
    archive: Annotated[Path, typer.Argument(metavar="FILE.zip", help="The zip to write.")],
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Write an avatar as one zip: who it is (its prompt, too), its face, its pictures, its consent."""
    from visavis.avatar.bundle import RefusedBundle, export_bundle

    avatar = find_avatar(open_catalogue(load(config, assignments).avatars.own_folder), wanted)
    try:
        export_bundle(avatar, archive)
    except RefusedBundle as error:
        fail(f"{avatar.id} cannot be exported:\n{_lines(error.problems)}")
    except FileExistsError:
        fail(f"{archive} is there already")
    except OSError as error:
        fail(f"{archive} could not be written: {error.strerror or error}")
    typer.echo(f"{plain(avatar.name)} is in {archive}, {archive.stat().st_size / 1e6:.1f} MB")


def _lines(problems: "Iterable[PackageError]") -> str:
    return "\n".join(f"  {plain(str(problem))}" for problem in problems)


def _tell_left_out(names: tuple[str, ...]) -> None:
    if names:
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        some = ", ".join(plain(name) for name in names[:5])
        typer.echo(f"visavis: left out, as no avatar has a use for it: {some}{more}", err=True)
