"""``visavis serve``: the server."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from visavis.cli.common import ConfigOption, SetOption, load, settings_errors

if TYPE_CHECKING:
    from visavis.config_loading import Flag


def serve(
    config: ConfigOption = None,
    host: Annotated[str | None, typer.Option(help="Interface to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", "-p", help="TCP port to listen on; 0: any free one.")] = None,
    public_url: Annotated[str | None, typer.Option(help="Address under which visitors reach the server.")] = None,
    max_sessions: Annotated[int | None, typer.Option(help="Calls at a time.")] = None,
    avatars: Annotated[Path | None, typer.Option(help="Folder with your own avatar packages.")] = None,
    avatar: Annotated[str | None, typer.Option(help="Avatar of the call page, by name or id.")] = None,
    recognizer: Annotated[str | None, typer.Option(help="pocketsphinx, whisper or transcriptions.")] = None,
    chat: Annotated[str | None, typer.Option(help="persona or openai (any compatible service).")] = None,
    chat_url: Annotated[str | None, typer.Option(help="Chat service, such as http://127.0.0.1:11434/v1.")] = None,
    chat_model: Annotated[str | None, typer.Option(help="Name of the chat service's model.")] = None,
    speech: Annotated[str | None, typer.Option(help="auto, espeak, flite, piper or openai.")] = None,
    voice: Annotated[str | None, typer.Option(help="Voice where the avatar names none.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
    log_format: Annotated[str | None, typer.Option(help="auto, console or json.")] = None,
    assignments: SetOption = None,
) -> None:
    """Run the server until it is stopped (Ctrl-C)."""
    options = {
        "server.host": ("--host", host),
        "server.port": ("--port", port),
        "server.public_url": ("--public-url", public_url),
        "session.max_sessions": ("--max-sessions", max_sessions),
        "avatars.folder": ("--avatars", avatars),
        "avatars.default": ("--avatar", avatar),
        "recognizer.provider": ("--recognizer", recognizer),
        "chat.provider": ("--chat", chat),
        "chat.base_url": ("--chat-url", chat_url),
        "chat.model": ("--chat-model", chat_model),
        "speech.provider": ("--speech", speech),
        "speech.voice": ("--voice", voice),
        "server.log_level": ("--log-level", log_level),
        "server.log_format": ("--log-format", log_format),
    }
    settings = load(config, assignments, _flags(options))
    development = not settings.licenses
    with settings_errors():
        settings = settings.with_license()

    if sys.stderr.isatty():
        typer.echo("visavis is loading its parts …", err=True)
    # Read when numpy is imported: threads that spin in small products cost more than they give.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from visavis.cli.hints import better_part
    from visavis.cli.running import run_server
    from visavis.log import configure_logging
    from visavis.speech.models import ModelStore

    configure_logging(settings.server.log_level, settings.server.log_format)
    if development and (hint := better_part(settings, ModelStore())):
        typer.echo(hint, err=True)
    run_server(settings, show_license=development)


def _flags(options: dict[str, tuple[str, Any]]) -> "list[Flag]":
    from visavis.config_loading import Flag

    return [Flag(path, value, name) for path, (name, value) in options.items() if value is not None]
