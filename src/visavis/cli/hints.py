"""A line about the better part that is nearest, for people who start with the embedded ones."""

import sys
from importlib.util import find_spec
from pathlib import Path

from visavis.config import Settings
from visavis.speech.models import EMBEDDED, ModelStore


def better_part(settings: Settings, store: ModelStore) -> str | None:
    """The one improvement that is a command away and matters most; None where all of them are taken."""
    missing = [name for name in EMBEDDED if store.find(name) is None]
    if missing and settings.turn.detector == "adaptive":
        return f"Answers come sooner with {', '.join(missing)}: {_shown('visavis')} models pull"
    if settings.recognizer.provider == "pocketsphinx":
        if find_spec("faster_whisper") is None:
            return (
                "It understands you far better with Whisper: "
                f"{_shown('python')} -m pip install faster-whisper && {_shown('visavis')} models pull whisper:base.en, "
                "then serve with --recognizer whisper --set recognizer.model=base.en"
            )
        return "faster-whisper is installed; to be understood far better serve with --recognizer whisper"
    if settings.chat.provider == "persona":
        return (
            "It answers anything with a language model: serve with "
            "--chat openai --chat-url http://127.0.0.1:11434/v1 --chat-model NAME (Ollama, or any compatible service)"
        )
    return None


def _shown(program: str) -> str:
    """The program beside this Python, as one would type it here."""
    path = Path(sys.executable).parent / program
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
