"""``visavis talk``: a call from the terminal, over the same API as the call page."""

import asyncio
from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs, urlsplit, urlunsplit

import typer

from visavis.cli.common import fail


def talk(
    sounds: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[WAV]...", help="Recordings to say, one turn each; without any: the microphone."),
    ] = None,
    server: Annotated[
        str,
        typer.Option("--server", "-s", help="Server's address; the one it printed, with ?license=…, is fine."),
    ] = "http://127.0.0.1:8000",
    license: Annotated[str, typer.Option(envvar="VISAVIS_LICENSE", help="License, unless the address has it.")] = "",
    name: Annotated[str | None, typer.Option("--name", "-n", help="Avatar's name; else the server's first.")] = None,
    avatar_id: Annotated[str | None, typer.Option(help="Avatar's id.")] = None,
    text: Annotated[list[str] | None, typer.Option("--text", "-t", help="Say this in writing; repeatable.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write what the avatar said and showed: answer.mp4.")] = None,
    play: Annotated[bool, typer.Option(help="Play the avatar's voice (needs the microphone extra).")] = False,
    patience: Annotated[float, typer.Option(help="Longest wait for an answer, in seconds.")] = 30.0,
) -> None:
    """Talk to an avatar in the terminal: recordings, text or the microphone in; captions, and a film, out."""
    from visavis.cli.talking import Talk, TalkFailed
    from visavis.log import configure_logging

    configure_logging("warning", "console")
    try:
        base, key = _split(server, license)
    except ValueError as error:
        fail(f"{server} is no address: {error}")
    if not key:
        fail("a license is needed: --license, $VISAVIS_LICENSE, or the address that the server printed")
    talk = None
    try:
        talk = Talk(
            base,
            key,
            name=name,
            avatar_id=avatar_id,
            sounds=sounds or [],
            texts=text or [],
            save=save,
            play=play,
            patience=patience,
        )
        asyncio.run(talk.run())
    except TalkFailed as error:
        fail(str(error))
    except KeyboardInterrupt:
        if talk is None or not talk.speaking:
            fail("interrupted")
        typer.echo("")


def _split(server: str, license: str) -> tuple[str, str]:
    """The address without its query, and the license: the given one, else the query's."""
    parts = urlsplit(server if "//" in server else f"http://{server}")
    key = license or parse_qs(parts.query).get("license", [""])[0]
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/"), "", "")), key
