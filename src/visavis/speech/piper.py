"""Piper: neural voices that run on a CPU, with phoneme times. An optional extra, and voices that a person downloads.

The package is under the GPL-3 and stays in worker processes (workers/piper.py).
"""

import importlib.util
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Final

from visavis.speech.ports import SpeechChunk, SpeechError, Voice
from visavis.speech.synthesis_pool import SynthesisPool

PREFIX: Final = "piper:"
"""What may stand before a voice's name to say which engine is meant."""

_FIRST_SOUND: Final = 60
"""Characters wanted per stretch: short, as nothing is heard of a stretch before all of it is rendered."""


class PiperSynthesizer:
    """A ``Synthesizer`` by ``workers`` Piper processes.

    ``voice``: the default, as the path of an ``.onnx`` file (its ``.onnx.json`` beside it) or the name of one in
    ``directory``, such as ``en_US-lessac-medium``. An avatar's ``Voice.name`` is looked up in the same ways, without
    or with ``#`` and the number of a speaker; where there is none, the directory's first voice of the language is
    taken, else the default. A voice whose model tells no durations gives no visemes: wrap this in ``LipSync``.
    """

    def __init__(self, voice: str, *, directory: Path | None = None, workers: int = 1) -> None:
        self._name = voice
        self._directory = directory
        self._workers = workers
        self._pool: SynthesisPool | None = None
        self._default: Path | None = None

    async def start(self) -> None:
        """Load the default voice. Raises ``SpeechError`` that says what to install or to download."""
        if self._pool is not None:
            return
        if importlib.util.find_spec("piper") is None:
            raise SpeechError("Piper is not installed; pip install 'visavis[piper]'")
        self._default = self._file(self._name)
        if self._default is None:
            folder = self._directory or Path()
            raise SpeechError(
                f"there is no Piper voice {self._name!r} (a pair of .onnx and .onnx.json files); "
                f"python -m piper.download_voices --download-dir {folder} en_US-lessac-medium"
            )
        pool = SynthesisPool("visavis.speech.workers.piper", {"preload": [str(self._default)]}, size=self._workers)
        try:
            await pool.start()
        except BaseException:
            await pool.close()
            raise
        self._pool = pool

    async def close(self) -> None:
        """End the workers. Idempotent."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def synthesize(self, text: str, voice: Voice) -> AsyncGenerator[SpeechChunk, None]:
        """Speak ``text``. A text without letters and digits gives no chunk. Raises ``SpeechError``."""
        if self._pool is None:
            raise SpeechError("Piper has not been started")
        names = (name.removeprefix(PREFIX).partition("#") for name in voice.names)
        found = ((self._file(name), speaker) for name, _, speaker in names)
        # A speaker alone is one of the default voice.
        file, speaker = next(((file, speaker) for file, speaker in found if file or speaker), (None, ""))
        data = {
            "model": str(file or self._of_language(voice.language) or self._default),
            "speaker": int(speaker) if speaker.isdecimal() else None,
            "rate": min(2.0, max(0.5, voice.rate)),
        }
        async with aclosing(self._pool.speak(text, data, wanted=_FIRST_SOUND)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _file(self, name: str) -> Path | None:
        """The model called ``name``, when both of its files are there."""
        if not name:
            return None
        candidates = [Path(name)] if name.endswith(".onnx") else []
        # A name from an avatar must not lead out of the directory.
        if self._directory is not None and Path(name).name == name:
            candidates.append(self._directory / f"{name.removesuffix('.onnx')}.onnx")
        return next((path for path in candidates if path.is_file() and Path(f"{path}.json").is_file()), None)

    def _of_language(self, language: str) -> Path | None:
        """The first voice of the directory for the language and country, else for the language alone."""
        if self._directory is None:
            return None
        tag = language.replace("-", "_")
        files = sorted(self._directory.glob("*.onnx"))
        for wanted in (tag.casefold(), tag.partition("_")[0].casefold()):
            for path in files:
                spoken = path.name.partition("-")[0].casefold()
                if wanted in (spoken, spoken.partition("_")[0]) and self._file(str(path)) is not None:
                    return path
        return None
