"""``visavis avatar preview``: an avatar drawn, and filmed as it speaks."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from visavis.cli.avatar_common import find_avatar, open_catalogue, plain
from visavis.cli.common import ConfigOption, SetOption, fail, load

if TYPE_CHECKING:
    from visavis.avatar.package import AvatarPackage
    from visavis.avatar.persona import Persona
    from visavis.speech.ports import Pcm16
    from visavis.viseme import TimedViseme

SENTENCE = "Hello, nice to meet you. What can I do for you?"
"""Said by an avatar that has no greeting."""


def preview(
    wanted: Annotated[str, typer.Argument(metavar="NAME_OR_ID")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="DIR", help="Where the pictures go; else ./ID-preview.")
    ] = None,
    config: ConfigOption = None,
    assignments: SetOption = None,
) -> None:
    """Draw an avatar: its poster, a sheet of all that its face can show, a short film of it greeting."""
    from visavis.avatar.files import PackageError
    from visavis.avatar.package import load_package
    from visavis.avatar.preview import SPOKEN, write_preview
    from visavis.speech.ports import SpeechError

    avatar = find_avatar(open_catalogue(load(config, assignments).avatars.own_folder), wanted)
    folder = output if output is not None else Path(f"{avatar.id}-preview")
    try:
        package = load_package(avatar.package)
    except PackageError as error:
        fail(plain(str(error)))
    visemes: tuple[TimedViseme, ...] = SPOKEN
    film: Callable[[Path], None] | None = None
    try:
        pcm, said = asyncio.run(_speech(avatar.persona))
    except SpeechError as error:
        typer.echo(f"visavis: the film is silent, as no voice could speak: {plain(str(error))}", err=True)
    else:
        if said:
            visemes, film = said, _film(package, pcm, said)
    try:
        written = write_preview(package, folder, visemes=visemes, film=film)
    except OSError as error:
        fail(f"{folder} could not be written: {error.strerror or error}")
    typer.echo(f"{plain(avatar.name)} is drawn in {', '.join(str(path) for path in written)}")


async def _speech(persona: "Persona") -> "tuple[Pcm16, tuple[TimedViseme, ...]]":
    """The avatar's greeting by an embedded voice, and its mouth shapes. Raises ``SpeechError``."""
    import numpy as np

    from visavis.speech.auto_synthesizer import AutoSynthesizer
    from visavis.speech.ports import SPEECH_RATE, Voice

    voice = Voice(persona.voice, persona.language, persona.rate)
    synthesizer = AutoSynthesizer()
    pieces: list[Pcm16] = []
    visemes: list[TimedViseme] = []
    seconds = 0.0
    try:
        await synthesizer.start()
        async for chunk in synthesizer.synthesize(persona.greeting or SENTENCE, voice):
            pieces.append(chunk.pcm)
            visemes += [viseme.shifted(seconds) for viseme in chunk.visemes or ()]
            seconds += len(chunk.pcm) / SPEECH_RATE
    finally:
        await synthesizer.close()
    return np.concatenate([np.zeros(0, np.int16), *pieces]), tuple(visemes)


def _film(package: "AvatarPackage", pcm: "Pcm16", visemes: "tuple[TimedViseme, ...]") -> Callable[[Path], None]:
    from visavis.portraits.film import write_speaking_film

    return lambda path: write_speaking_film(package, pcm, visemes, path)
