"""The providers that the settings name: made, started and closed together, and shared by all sessions."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from pydantic import SecretStr

from visavis.avatar.catalogue import Avatar
from visavis.closing import close_part
from visavis.config import Settings
from visavis.config_values import SettingsError
from visavis.conversation.parts import Parts, Role
from visavis.language.brain import PersonaBrain
from visavis.language.chat_completions import ChatCompletions, ChatTimeouts
from visavis.language.knowledge import Knowledge, KnowledgeError
from visavis.language.minilm import MiniLm, ModelFileError, find_minilm
from visavis.language.ports import ChatError, ChatModel, Tool
from visavis.speech.auto_synthesizer import AutoSynthesizer
from visavis.speech.espeak import EspeakSynthesizer
from visavis.speech.fixed_turn import FixedTurnDetector
from visavis.speech.flite import FliteSynthesizer
from visavis.speech.known_phrases import KnownPhrases
from visavis.speech.models import ModelError, ModelStore
from visavis.speech.pocketsphinx import PocketsphinxRecognizer
from visavis.speech.ports import Recognizer, SpeechError, Synthesizer, TurnDetector, Voice
from visavis.speech.silero import SileroVad
from visavis.speech.smart_turn import SmartTurn
from visavis.speech.turn import AdaptiveTurnDetector

log = structlog.get_logger(__name__)

_DEFAULT_MODELS = {"whisper": "base", "transcriptions": "whisper-1", "openai": "tts-1"}


@dataclass(frozen=True, slots=True)
class _Mind:
    """What was made of an avatar's files, as they were at ``updated``."""

    updated: datetime
    role: Role
    turns: TurnDetector
    chat: ChatModel


class Providers:
    """What all sessions of a server share. ``start`` before the first session, ``close`` after the last."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # It also tells the recognizer and the aligner how words are pronounced.
        self._espeak = EspeakSynthesizer()
        self.recognizer = _recognizer(settings, self._espeak)
        self.synthesizer = _synthesizer(settings, self._espeak)
        found = ModelStore().find("smart-turn") if settings.turn.detector == "adaptive" else None
        self._smart_turn = SmartTurn(found) if found else None
        self._chats: dict[str, ChatCompletions] = {}
        self._minds: dict[str, _Mind] = {}
        # Of the embedded chat: what all brains learn meanings with, and all brains, also those that were replaced.
        self._encoder: MiniLm | None = None
        self._brains: weakref.WeakSet[PersonaBrain] = weakref.WeakSet()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Load everything, side by side. Raises a group of ``SettingsError``, each naming a part that cannot work."""
        self._loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            group.create_task(_start("recognizer", self._settings.recognizer.provider, self._start_recognizer))
            group.create_task(_start("speech", self._settings.speech.provider, self.synthesizer.start))
            if self._smart_turn:
                group.create_task(_start("turn", "adaptive", self._smart_turn.start))
            if self._settings.chat.provider == "persona":
                group.create_task(self._start_encoder())
        if self._settings.chat.provider == "openai":
            try:
                await self._chat(self._settings.chat.model).check()
            except ChatError as error:
                # It may come up later; until then the avatar says that it cannot think.
                log.warning("the language model does not answer", error=str(error))

    async def close(self) -> None:
        """Free everything. Idempotent."""
        await close_part("recognizer", self.recognizer.close)
        await close_part("synthesizer", self.synthesizer.close)
        await close_part("espeak-ng", self._espeak.close)
        if self._smart_turn:
            await close_part("smart-turn", self._smart_turn.close)
        for chat in (*self._chats.values(), *self._brains):
            await close_part("language model", chat.close)

    def parts(self, avatar: Avatar) -> Parts:
        """A conversation's providers."""
        mind = self._mind(avatar)
        return Parts(SileroVad(), mind.turns, self.recognizer, mind.chat, self.synthesizer)

    def chat(self, avatar: Avatar) -> ChatModel:
        """What the avatar thinks with."""
        return self._mind(avatar).chat

    def role(self, avatar: Avatar) -> Role:
        """Who the avatar is, as the settings let it be."""
        return self._mind(avatar).role

    def prepare(self, avatars: Iterable[Avatar]) -> None:
        """Read what these avatars know, so that their first call need not wait for it. Blocks."""
        for avatar in avatars:
            self._mind(avatar)

    def _mind(self, avatar: Avatar) -> "_Mind":
        known = self._minds.get(avatar.id)
        if known is None or known.updated != avatar.updated:
            known = self._minds[avatar.id] = self._read(avatar)
        return known

    def _read(self, avatar: Avatar) -> "_Mind":
        persona, settings = avatar.persona, self._settings
        knowledge = Knowledge()
        if persona.knowledge:
            try:
                knowledge = Knowledge.load(persona.knowledge)
            except KnowledgeError as error:
                log.warning("an avatar's knowledge cannot be used", avatar=avatar.id, error=str(error))
        role = Role(
            prompt=settings.chat.system_prompt or persona.prompt,
            greeting=persona.greeting if settings.chat.greeting else "",
            voice=Voice(persona.voice or settings.speech.voice, persona.language, persona.rate * settings.speech.rate),
            tools=tuple(
                Tool(str(tool["name"]), str(tool.get("description", "")), dict(tool.get("parameters", {})))
                for tool in persona.tools
            ),
            phrases=tuple(dict.fromkeys((*persona.phrases, *knowledge.phrases()))),
            language=persona.language,
        )
        if settings.chat.provider == "openai":
            chat: ChatModel = self._chat(persona.model or settings.chat.model)
        else:
            # "visavis.Vera" calls herself Vera.
            chat = self._brain(knowledge, avatar.name.rpartition(".")[2])
        return _Mind(avatar.updated, role, self._turns(role), chat)

    def _brain(self, knowledge: Knowledge, name: str) -> PersonaBrain:
        brain = PersonaBrain(knowledge, name=name, encoder=self._encoder)
        self._brains.add(brain)
        if self._encoder and self._loop:
            # It answers by words until it has learnt; avatars may be read in another thread.
            asyncio.run_coroutine_threadsafe(brain.start(), self._loop)
        return brain

    async def _start_encoder(self) -> None:
        found = ModelStore().find("minilm")
        folder = find_minilm([found] if found else [])
        if folder is None:
            return
        try:
            self._encoder = await asyncio.to_thread(MiniLm, folder)
        except ModelFileError as error:
            log.warning("questions are found by their words alone", error=str(error))

    async def _start_recognizer(self) -> None:
        await self._espeak.start()
        await self.recognizer.start()

    def _turns(self, role: Role) -> TurnDetector:
        chosen = self._settings.turn
        if chosen.detector == "fixed":
            return FixedTurnDetector(chosen.silence_medium_ms / 1000)
        detector = AdaptiveTurnDetector(
            role.language,
            self._smart_turn,
            sure=chosen.silence_short_ms / 1000,
            usual=chosen.silence_medium_ms / 1000,
            long=chosen.silence_long_ms / 1000,
        )
        whole, usual = chosen.silence_short_ms / 1000, chosen.silence_medium_ms / 1000
        return KnownPhrases(role.phrases, detector, whole=whole, begun=(whole + usual) / 2)

    def _chat(self, model: str) -> ChatCompletions:
        settings = self._settings.chat
        if model not in self._chats:
            self._chats[model] = ChatCompletions(
                settings.base_url,
                model,
                api_key=_secret(settings.api_key),
                accepts_images=settings.images,
                temperature=settings.temperature,
                max_tokens=settings.max_tokens,
                timeouts=ChatTimeouts(settings.connect_timeout, settings.first_token_timeout, settings.stall_timeout),
            )
        return self._chats[model]


def _recognizer(settings: Settings, espeak: EspeakSynthesizer) -> Recognizer:
    chosen = settings.recognizer
    model = chosen.model or _DEFAULT_MODELS.get(chosen.provider, "")
    match chosen.provider:
        case "pocketsphinx":
            return PocketsphinxRecognizer(workers=chosen.workers, pronounce=espeak.phonemes)
        case "whisper":
            from visavis.speech.whisper import WhisperRecognizer

            return WhisperRecognizer(_pulled(model), workers=chosen.workers)
        case "transcriptions":
            from visavis.speech.transcriptions import TranscriptionsRecognizer

            return TranscriptionsRecognizer(
                chosen.base_url, model=model, api_key=_secret(chosen.api_key), timeout=chosen.timeout
            )


def _synthesizer(settings: Settings, espeak: EspeakSynthesizer) -> Synthesizer:
    chosen = settings.speech
    match chosen.provider:
        case "auto":
            return AutoSynthesizer()
        case "espeak":
            return EspeakSynthesizer()
        case "flite":
            return FliteSynthesizer()
        case "piper":
            from visavis.speech.piper import PiperSynthesizer

            return PiperSynthesizer(_pulled(chosen.model))
        case "openai":
            from visavis.speech.alignment import SpeechAligner
            from visavis.speech.audio_speech import AudioSpeechSynthesizer
            from visavis.speech.lipsync import LipSync

            remote = AudioSpeechSynthesizer(
                chosen.base_url,
                model=chosen.model or _DEFAULT_MODELS["openai"],
                voice=chosen.voice,
                api_key=_secret(chosen.api_key),
                read_timeout=chosen.timeout,
            )
            return LipSync(remote, SpeechAligner(espeak))


def _pulled(model: str) -> str:
    """Where ``visavis models pull`` put a model; the name as it is for one that it does not know or have."""
    try:
        found = ModelStore().find(model)
    except ModelError:
        return model
    return str(found) if found else model


async def _start(section: str, provider: str, start: Callable[[], Awaitable[None]]) -> None:
    try:
        await start()
    except SpeechError as error:
        raise SettingsError(f"{section}.provider {provider} cannot be used: {error}") from None


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
