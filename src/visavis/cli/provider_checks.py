"""Checks of what a conversation is made of: each provider starts and does one thing, and each avatar loads."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import soxr

from visavis.avatar.catalogue import EMBEDDED, Avatar, Catalogue
from visavis.avatar.files import PackageError
from visavis.avatar.persona import AVATAR_FILE, PersonaError, read_avatar_file
from visavis.cli.common import leaves
from visavis.cli.findings import Finding, bad, ok, warn
from visavis.config import Settings
from visavis.config_values import SettingsError
from visavis.language.knowledge import KnowledgeError
from visavis.language.ports import ChatError, ChatMessage, ChatModel, ChatRequest, TextDelta
from visavis.providers import Providers
from visavis.speech.models import EMBEDDED as EMBEDDED_MODELS
from visavis.speech.models import ModelStore, model
from visavis.speech.ports import (
    LISTEN_RATE,
    SPEECH_RATE,
    Pcm16,
    RecognitionContext,
    Recognizer,
    SpeechError,
    Synthesizer,
    Voice,
)

SENTENCE = "Hello, who are you?"


async def avatars(settings: Settings) -> AsyncIterator[Finding]:
    """Every avatar can be read, its face too; the default one exists."""
    folder = settings.avatars.folder
    if folder is not None and not folder.is_dir():
        yield bad("avatars", f"there is no folder {folder}", "make it, or correct avatars.folder")
    catalogue = await asyncio.to_thread(Catalogue, settings.avatars.own_folder)
    for place in (EMBEDDED, settings.avatars.own_folder):
        for problem in await asyncio.to_thread(_left_out, catalogue, place):
            yield bad("avatar", problem, "correct that file")
    for avatar in catalogue.all():
        started = time.perf_counter()
        try:
            package = await catalogue.load(avatar)
        except PackageError as error:
            yield bad("avatar", f"{avatar.name}: {error}", "make its face again, or take the avatar away")
            continue
        size, seconds = package.manifest.size, time.perf_counter() - started
        yield ok("avatar", f"{avatar.name}: {size}×{size} pixels, loaded in {seconds:.1f} s")
    wanted = settings.avatars.default
    if wanted and catalogue.get(wanted) is None and not catalogue.find(wanted):
        yield bad("default avatar", f"there is no {wanted}", "set avatars.default to a name of 'visavis avatar list'")
    elif not catalogue.all():
        yield bad("avatars", "there are none", "put one into avatars.folder")


def models() -> Iterator[Finding]:
    """The models that the embedded parts use are here."""
    store = ModelStore()
    for name in EMBEDDED_MODELS:
        if (path := store.find(name)) is not None:
            yield ok("model", f"{name}: {path}")
        else:
            yield warn("model", f"{name} is not here; it {model(name).about}", f"run: visavis models pull {name}")


def _left_out(catalogue: Catalogue, place: Path | None) -> list[str]:
    """Why avatars in ``place`` are not in the catalogue."""
    problems: list[str] = []
    for folder in sorted(place.iterdir()) if place is not None and place.is_dir() else ():
        file = folder / AVATAR_FILE
        if not file.is_file() or catalogue.get(folder.name) is not None:
            continue
        try:
            read_avatar_file(file)
        except PersonaError as error:
            problems.append(str(error))
        else:
            problems.append(f"{folder.name}: its face cannot be used: see the server's log")
    return problems


async def providers(settings: Settings) -> AsyncIterator[Finding]:
    """Speech, hearing and thinking start, and answer a sentence."""
    chosen = Providers(settings)
    try:
        try:
            await chosen.start()
        except* SettingsError as group:
            problems = [line for error in leaves(group) for line in str(error).splitlines()]
        else:
            problems = []
        for problem in problems:
            yield bad("provider", problem, "correct the setting, or install the part: see README.md")
        if problems:
            return
        sound: Pcm16 | None = None
        try:
            sound, finding = await _speech(chosen.synthesizer, settings)
            yield finding
        except SpeechError as error:
            yield bad("speech", str(error), "check the settings of [speech]")
        if sound is not None:
            yield await _hearing(chosen.recognizer, settings, sound)
        for avatar in Catalogue(settings.avatars.own_folder).all():
            yield await _thinking(chosen, avatar, settings)
            if settings.chat.provider == "openai":
                # One question tells about a service; an embedded brain has each avatar's own knowledge.
                break
    finally:
        await chosen.close()


async def _speech(synthesizer: Synthesizer, settings: Settings) -> tuple[Pcm16, Finding]:
    """The sentence, spoken. Raises ``SpeechError``."""
    name = settings.speech.provider
    started = time.perf_counter()
    first = 0.0
    pieces: list[Pcm16] = []
    timed = False
    async for chunk in synthesizer.synthesize(SENTENCE, Voice(settings.speech.voice)):
        first = first or time.perf_counter() - started
        pieces.append(chunk.pcm)
        timed = timed or chunk.visemes is not None
    sound = np.concatenate(pieces) if pieces else np.zeros(0, np.int16)
    if not sound.any():
        raise SpeechError(f"{name} gave no sound")
    seen = f"{name}: {len(sound) / SPEECH_RATE:.1f} s of sound, the first after {first * 1000:.0f} ms"
    if timed:
        return sound, ok("speech", f"{seen}, with mouth shapes")
    return sound, ok("speech", f"{seen}, mouth shapes from the sound")


async def _hearing(recognizer: Recognizer, settings: Settings, sound: Pcm16) -> Finding:
    """What the recognizer makes of the spoken sentence."""
    name = settings.recognizer.provider
    pause = np.zeros(LISTEN_RATE // 4, np.int16)
    heard = soxr.resample(sound, SPEECH_RATE, LISTEN_RATE)
    stream = recognizer.open(RecognitionContext("en", (SENTENCE,)))
    try:
        for piece in (pause, heard, pause):
            stream.push(piece)
        started = time.perf_counter()
        transcript = await stream.finish()
    except SpeechError as error:
        return bad("hearing", f"{name}: {error}", "check the settings of [recognizer]")
    finally:
        await stream.cancel()
    seconds = time.perf_counter() - started
    if not transcript.text:
        return warn("hearing", f"{name} understood nothing of a robot's voice", "try it with your own")
    return ok("hearing", f"{name}: heard “{transcript.text}” within {seconds:.1f} s")


async def _thinking(chosen: Providers, avatar: Avatar, settings: Settings) -> Finding:
    """The beginning of the model's answer to the sentence."""
    subject = f"thinking, {avatar.name}"
    try:
        model = chosen.chat(avatar)
        started = time.perf_counter()
        words = await _first_words(model, avatar)
    except (ChatError, KnowledgeError) as error:
        return bad(subject, str(error), "check the settings of [chat], and that its service runs")
    seconds = time.perf_counter() - started
    if not words:
        return warn(subject, "the model answered nothing", "check chat.model")
    return ok(subject, f"{settings.chat.provider}: “{words}…” after {seconds * 1000:.0f} ms")


async def _first_words(model: ChatModel, avatar: Avatar) -> str:
    request = ChatRequest(
        (ChatMessage("system", avatar.persona.prompt or "Answer briefly."), ChatMessage("user", SENTENCE)),
        language=avatar.persona.language,
    )
    words = ""
    async with aclosing(model.stream(request)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                words += event.text
            if len(words) > 40:
                break
    return " ".join(words[:40].split())
