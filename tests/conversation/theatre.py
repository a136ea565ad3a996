"""A conversation on virtual time: fakes at the ports, the real stage, clock and playout between them."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.face import FaceFrame
from visavis.avatar.puppet.face import PuppetFace
from visavis.conversation.conversation import Conversation
from visavis.conversation.events import AnswerDelta, ConversationEvent
from visavis.conversation.parts import ConversationSettings, Parts, Role
from visavis.conversation.snapshot import Snapshot
from visavis.conversation.stage import Stage
from visavis.language.emotion_markup import TEACHING
from visavis.language.ports import ChatEvent, ChatMessage, ChatModel, ChatRequest, TextDelta
from visavis.media.clock import MediaClock
from visavis.media.playout import Playout
from visavis.speech.ports import (
    LISTEN_RATE,
    SPEECH_RATE,
    Pcm16,
    RecognitionContext,
    SpeechChunk,
    SpeechError,
    Transcript,
    Voice,
    WordMark,
)
from visavis.viseme import TimedViseme, Viseme

LOUD = 8000
"""Level from which the fake detector hears speech."""


class LevelDetector:
    """Speech is what is loud."""

    def probability(self, frame: Pcm16) -> float:
        return 0.95 if np.abs(frame).max() > LOUD // 2 else 0.02

    def reset(self) -> None:
        pass


class FixedTurns:
    """Always the same silence."""

    def __init__(self, seconds: float = 0.48) -> None:
        self.seconds = seconds
        self.asked = 0

    async def silence(self, audio: Pcm16, text: str) -> float:
        self.asked += 1
        return self.seconds


@dataclass
class ScriptedStream:
    owner: "ScriptedRecognizer"
    samples: int = 0
    ended: bool = False

    def push(self, pcm: Pcm16) -> None:
        self.samples += len(pcm)

    async def partial(self) -> str:
        return ""

    async def finish(self) -> Transcript:
        await asyncio.sleep(0.01)
        said = self.owner.script.pop(0) if self.owner.script else ""
        if isinstance(said, Exception):
            raise said
        return Transcript(said)

    async def cancel(self) -> None:
        if not self.ended:
            self.ended = True
            self.owner.open_streams -= 1


class ScriptedRecognizer:
    """Understands what the test says it understands."""

    def __init__(self) -> None:
        self.script: list[str | SpeechError] = []
        self.open_streams = 0
        self.streams: list[ScriptedStream] = []

    async def start(self) -> None: ...

    def open(self, context: RecognitionContext) -> ScriptedStream:
        self.open_streams += 1
        stream = ScriptedStream(self)
        self.streams.append(stream)
        return stream

    async def close(self) -> None: ...


Line = str | ChatEvent | Exception | float


class ScriptedModel:
    """Answers with the lines that the test wrote; a number is a pause in seconds.

    ``requests`` are without what models are taught of emotions; ``taught`` says of each whether it was there.
    """

    accepts_images = True

    def __init__(self) -> None:
        self.script: list[Sequence[Line]] = []
        self.requests: list[ChatRequest] = []
        self.taught: list[bool] = []
        self.running = 0

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        self._note(request)
        lines = self.script.pop(0) if self.script else ["I see."]
        self.running += 1
        try:
            for line in lines:
                if isinstance(line, float):
                    await asyncio.sleep(line)
                elif isinstance(line, Exception):
                    raise line
                else:
                    yield TextDelta(line) if isinstance(line, str) else line
        finally:
            self.running -= 1

    def _note(self, request: ChatRequest) -> None:
        messages = request.messages
        taught = bool(messages) and messages[0].role == "system" and messages[0].text.endswith(TEACHING)
        if taught:
            prompt = messages[0].text.removesuffix(TEACHING).rstrip()
            messages = (ChatMessage("system", prompt), *messages[1:]) if prompt else messages[1:]
        self.taught.append(taught)
        self.requests.append(replace(request, messages=messages))

    async def check(self) -> None: ...

    async def close(self) -> None: ...


class Beeper:
    """Says each word as a quarter of a second of tone, with a mark and an open mouth."""

    WORD = 0.25

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failing = False
        self.running = 0
        self.marks = True
        self.timbre = np.sin(np.arange(SPEECH_RATE * 60) * 0.05)
        """What its sound is cut from; a tone resembles itself at any delay, noise only at none."""
        self._spoken = 0

    async def start(self) -> None: ...

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        if self.failing:
            raise SpeechError("the voice is hoarse")
        self.said.append(text)
        self.running += 1
        try:
            offset = 0
            for word in text.split():
                await asyncio.sleep(0.005)
                count = round(self.WORD * SPEECH_RATE)
                tone = (6000 * self.timbre[self._spoken : self._spoken + count]).astype(np.int16)
                self._spoken += count
                mark = (WordMark(text.index(word, offset), 0.0),) if self.marks else ()
                offset = text.index(word, offset) + len(word)
                yield SpeechChunk(tone, (TimedViseme(Viseme.AA, 0.0, self.WORD),), mark)
        finally:
            self.running -= 1

    async def close(self) -> None: ...


@dataclass
class Figures:
    failures: list[str] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    thoughts: list[float] = field(default_factory=list)
    interruptions: int = 0

    def failure(self, part: str) -> None:
        self.failures.append(part)

    def answered(self, seconds: float) -> None:
        self.answers.append(seconds)

    def thought(self, seconds: float) -> None:
        self.thoughts.append(seconds)

    def interrupted(self) -> None:
        self.interruptions += 1


class NoPicture:
    """A renderer for tests that look at no picture."""

    width = height = 64

    def paint(self, face: FaceFrame, frame: object) -> None: ...


class Theatre:
    """A running conversation. ``events`` holds (loop time, event); ``sound`` what the visitor heard.

    ``changes`` holds the snapshots that would have been kept; ``ended`` when the model hung up; ``reached`` whether it
    was there.
    """

    def __init__(
        self,
        role: Role,
        settings: ConversationSettings | None = None,
        restored: Snapshot | None = None,
        model: ChatModel | None = None,
    ) -> None:
        self.clock = MediaClock()
        self.playout = Playout(self.clock)
        self.animator = Animator(seed=1)
        self.stage = Stage(self.clock, self.playout, PuppetFace(self.animator, NoPicture()))
        self.turns = FixedTurns()
        self.recognizer = ScriptedRecognizer()
        self.model = ScriptedModel()
        self.voice = Beeper()
        self.figures = Figures()
        self.events: list[tuple[float, ConversationEvent]] = []
        self.sound: list[tuple[float, Pcm16]] = []
        self.changes: list[Snapshot] = []
        self.ended: list[float] = []
        self.reached: list[bool] = []
        parts = Parts(LevelDetector(), self.turns, self.recognizer, model or self.model, self.voice)
        self.conversation = Conversation(
            role,
            parts,
            self.stage,
            self._told,
            self.figures,
            settings,
            restored=restored,
            on_change=lambda: self.changes.append(self.conversation.snapshot()),
            on_end=lambda: self.ended.append(self.now),
            on_reached=self.reached.append,
        )

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def _told(self, event: ConversationEvent) -> None:
        self.events.append((self.now, event))

    def of(self, kind: type) -> list[ConversationEvent]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def when(self, kind: type, index: int = 0) -> float:
        return [at for at, event in self.events if isinstance(event, kind)][index]

    @property
    def caption(self) -> str:
        return "".join(event.text for event in self.of(AnswerDelta))

    def audible_between(self, start: float, end: float) -> bool:
        return any(start <= at < end and np.abs(pcm).max() > 500 for at, pcm in self.sound)

    async def play(self) -> None:
        """The audio track: pulls 20 ms every 20 ms, for ever."""
        self.clock.start()
        count = SPEECH_RATE // 50
        while True:
            at = self.playout.position
            await self.clock.sleep_until(at)
            self.sound.append((self.now, self.playout.pull(count)))

    async def user_says(self, text: str | SpeechError, seconds: float = 1.0, silence: float = 0.7) -> None:
        """Microphone sound in real time: loud, then quiet."""
        self.recognizer.script.append(text)
        await self.microphone(seconds, loud=True)
        await self.microphone(silence, loud=False)

    async def microphone(self, seconds: float, *, loud: bool) -> None:
        rng = np.random.default_rng(0)
        for _ in range(round(seconds / 0.02)):
            noise = rng.integers(-LOUD * 2, LOUD * 2, SPEECH_RATE // 50) if loud else np.zeros(SPEECH_RATE // 50)
            self.conversation.push_audio(noise.astype(np.int16))
            await asyncio.sleep(0.02)


async def perform(
    act: Callable[[Theatre], Awaitable[None]],
    role: Role | None = None,
    settings: ConversationSettings | None = None,
    restored: Snapshot | None = None,
    model: ChatModel | None = None,
) -> Theatre:
    """Set up, act, tear down; nothing may be left running."""
    theatre = Theatre(role or Role(), settings, restored, model)
    playing = asyncio.create_task(theatre.play())
    try:
        await act(theatre)
    finally:
        await theatre.conversation.close()
        playing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await playing
        theatre.playout.close()
    assert theatre.model.running == 0
    assert theatre.voice.running == 0
    assert theatre.recognizer.open_streams == 0
    return theatre


FRAME = 512 / LISTEN_RATE
