"""``visavis avatar from-photo``: an avatar of one's own from one photograph."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from visavis.cli.common import EXIT_SETTINGS, ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from visavis.avatar.manifest import Consent
    from visavis.avatar.photo.importer import PhotoAvatar
    from visavis.avatar.photo.networks import FaceNetworks


def from_photo(
    photo: Annotated[Path, typer.Argument(help="A portrait from the front: JPEG, PNG or WebP.")],
    name: Annotated[str, typer.Option("--name", help="What the avatar is called.", show_default=False)],
    points: Annotated[
        Path | None, typer.Option("--points", metavar="FILE", help="Points of the face placed by hand (JSON).")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Its folder; else one in the avatars' folder.")
    ] = None,
    consent: Annotated[
        str | None, typer.Option("--consent", metavar="TEXT", help="The consent of the person shown, in words.")
    ] = None,
    glasses: Annotated[
        bool | None,
        typer.Option("--glasses/--no-glasses", help="Blink so that glasses are left alone; else as it is seen."),
    ] = None,
    language: Annotated[str, typer.Option("--language", metavar="TAG", help="What it speaks (BCP 47).")] = "en",
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Make an avatar of the person in a photo.

    'visavis models pull face-landmarks' fetches what finds the face by itself. Without it, a file of points is
    written that has to be corrected by hand and given with --points.
    """
    from visavis.avatar.persona import PersonaError
    from visavis.avatar.photo.consent import consent_now
    from visavis.avatar.photo.errors import PhotoError, PointsNeeded
    from visavis.avatar.photo.folder import avatar_id, save_photo_avatar

    folder = output if output is not None else load(config, assignments).avatars.own_folder / avatar_id(name)
    if folder.exists():
        fail(f"{folder} is there already; remove it, or choose another with --output")
    try:
        given = consent_now(consent if consent is not None else _ask())
    except ValueError as error:
        fail(str(error), EXIT_SETTINGS)
    try:
        avatar = _import(photo, name, given, _read_points(points), glasses)
    except PointsNeeded as error:
        target = photo.with_suffix(".points.json")
        if target.exists():
            fail(f"{error}; {target} is there already: correct it and give it with --points {target}")
        target.write_text(json.dumps(error.guess, indent=1) + "\n", encoding="utf-8")
        fail(
            f"{error}.\n{target} holds a guess, in pixels of the upright photo of {error.width} × {error.height}. "
            f"Correct it and give it with --points {target}, or let 'visavis models pull face-landmarks' fetch what "
            "finds them"
        )
    except PhotoError as error:
        fail(f"{photo}: {error}")
    except ValueError as error:
        fail(f"--name: {error}", EXIT_SETTINGS)
    try:
        save_photo_avatar(avatar, folder, language=language)
    except PersonaError:
        fail(f"--language: {language!r} is not a language tag, such as en or pt-BR", EXIT_SETTINGS)
    except OSError as error:
        fail(f"{folder} could not be written: {error.strerror or error}")
    for warning in avatar.warnings:
        typer.echo(f"visavis: {warning}", err=True)
    typer.echo(f"{name} is in {folder}; look at {folder / 'poster.jpg'}, and change who it is in avatar.toml")


def _ask() -> str:
    """The consent, asked for on the terminal. Ends the command when it is not given, or nobody can be asked."""
    from visavis.avatar.photo.consent import STATEMENT

    if not sys.stdin.isatty():
        fail("the consent of the person shown is needed: say with --consent who gave it, and how", EXIT_SETTINGS)
    typer.echo(STATEMENT)
    if not typer.confirm("Do you confirm this?", default=False):
        fail("without consent no avatar is made")
    return STATEMENT


def _read_points(path: Path | None) -> dict[str, tuple[float, float]] | None:
    """Name → (x, y). Ends the command when the file holds anything else."""
    if path is None:
        return None
    try:
        raw: object = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"{path}: {error.strerror or error}", EXIT_SETTINGS)
    except ValueError as error:
        fail(f"{path} is not JSON: {error}", EXIT_SETTINGS)
    if not isinstance(raw, dict):
        fail(f"{path}: an object of names and [x, y] is needed", EXIT_SETTINGS)
    points: dict[str, tuple[float, float]] = {}
    for name, value in cast("dict[str, object]", raw).items():
        pair = cast("list[object]", value) if isinstance(value, list) else []
        numbers = [float(v) for v in pair if isinstance(v, int | float) and not isinstance(v, bool)]
        if len(pair) != 2 or len(numbers) != 2:
            fail(f"{path}: {name}: [x, y] is needed", EXIT_SETTINGS)
        points[name] = (numbers[0], numbers[1])
    return points


def _import(
    photo: Path, name: str, consent: "Consent", points: dict[str, tuple[float, float]] | None, glasses: bool | None
) -> "PhotoAvatar":
    """Make the avatar, with a bar that shows how far it is. Raises ``PhotoError``."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    from visavis.avatar.photo.image import MAX_BYTES
    from visavis.avatar.photo.importer import Stage, import_photo

    try:
        with photo.open("rb") as file:
            # One byte more than is taken tells that the file is too large.
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        fail(f"{photo}: {error.strerror or error}")
    networks = _networks()
    with Progress(TextColumn("{task.description}"), BarColumn(), console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("", total=1.0)

        def progress(share: float, what: Stage) -> None:
            bars.update(bar, completed=share, description=what.value)

        return import_photo(
            data,
            name=name,
            consent=consent,
            points=points,
            glasses=glasses,
            models=networks,
            progress=progress,
        )


def _networks() -> "FaceNetworks | None":
    from visavis.avatar.photo.networks import FaceNetworks, ModelFilesError
    from visavis.speech.models import ModelStore

    folder = ModelStore().find("face-landmarks")
    if folder is None:
        return None
    try:
        return FaceNetworks(folder)
    except ModelFilesError as error:
        fail(str(error))
