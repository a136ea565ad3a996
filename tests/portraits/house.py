"""A workshop whose maker is a script: what it tells, and when, is up to the test."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.catalogue import Catalogue
from visavis.avatar.photo.consent import STATEMENT
from visavis.avatar.photo.topology import NAMED
from visavis.portraits.draft import Draft, DraftState, Findings
from visavis.portraits.maker import Built, Event, Filmed, MakerError, Order, Reached, Spoken
from visavis.portraits.voices import VoiceChoice
from visavis.portraits.workshop import Workshop
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.ports import SpeechChunk, SpeechError, Voice
from visavis.viseme import TimedViseme, Viseme

WIDTH, HEIGHT = 320, 400
PLACES = {name: (60.0 + 12 * number, 80.0 + 15 * number) for number, name in enumerate(NAMED)}
FOUND = Findings(WIDTH, HEIGHT, PLACES, dict.fromkeys(NAMED, 1.0), True, False)
UNSURE = Findings(WIDTH, HEIGHT, PLACES, dict.fromkeys(NAMED, 0.0), False, False)
VOICES = (VoiceChoice("eve", "A woman’s voice"), VoiceChoice("adam", "A man’s voice"))


@dataclass
class ScriptedMaker:
    """Tells ``events`` of each order; ``gate`` holds it up after its first one."""

    events: list[Event] = field(default_factory=lambda: [FOUND, Built(PLACES, ("it is a script",))])
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    broken: bool = False
    orders: list[Order] = field(default_factory=list[Order])
    spoken: list[Spoken | None] = field(default_factory=list[Spoken | None])
    working: int = 0
    most: int = 0
    """How many it ever made at once."""

    async def make(self, order: Order, spoken: Awaitable[Spoken | None]) -> AsyncGenerator[Event]:
        self.orders.append(order)
        self.working += 1
        self.most = max(self.most, self.working)
        try:
            yield Reached("face", 0.3)
            await self.gate.wait()
            if self.broken:
                raise MakerError("the script ends here")
            for event in self.events if order.face else []:
                if isinstance(event, Findings):
                    _picture(order.folder / "upright.jpg")
                if isinstance(event, Built):
                    _avatar(order)
                yield event
            sentence = await spoken
            self.spoken.append(sentence)
            if sentence and (not order.face or any(isinstance(event, Built) for event in self.events)):
                (order.folder / "film.webm").write_bytes(b"film of " + order.voice.encode())
                yield Filmed()
        finally:
            self.working -= 1


class Speaker:
    """A synthesizer that says everything in half a second."""

    def __init__(self) -> None:
        self.mute = False
        self.said: list[tuple[str, Voice]] = []

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def synthesize(self, text: str, voice: Voice) -> AsyncIterator[SpeechChunk]:
        if self.mute:
            raise SpeechError("no voice")
        self.said.append((text, voice))
        for _ in range(2):
            yield SpeechChunk(np.zeros(6000, np.int16), (TimedViseme(Viseme.AA, 0.0, 0.25),))


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class House:
    """A workshop with its parts."""

    folder: Path
    upload_within: float = 60.0
    maker: ScriptedMaker = field(default_factory=ScriptedMaker)
    speaker: Speaker = field(default_factory=Speaker)
    clock: Clock = field(default_factory=Clock)
    catalogue: Catalogue = field(init=False)
    workshop: Workshop = field(init=False)

    def __post_init__(self) -> None:
        self.catalogue = Catalogue(self.folder)
        self.workshop = Workshop(
            self.catalogue,
            self.folder,
            self.maker,
            self.speaker,
            NetVisemeEstimator,
            voices=VOICES,
            most=3,
            upload=self.upload_within,
            clock=self.clock,
        )

    async def begin(self, name: str = "Ana", owner: str = "") -> Draft:
        return await self.workshop.begin(owner, name, STATEMENT)

    async def upload(self, draft: Draft, *pieces: bytes) -> None:
        await self.workshop.receive(draft, stream(*(pieces or (b"a photo",))))

    async def made(self, name: str = "Ana", owner: str = "") -> Draft:
        """A draft that is ready."""
        self.maker.gate.set()
        draft = await self.begin(name, owner)
        await self.upload(draft)
        await until(draft, DraftState.READY)
        return draft


async def stream(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def until(draft: Draft, state: DraftState) -> None:
    """Wait until the draft is so."""
    async with asyncio.timeout(20):
        while draft.state is not state:  # noqa: ASYNC110 (the draft has no event)
            await asyncio.sleep(0.005)


def _picture(path: Path) -> None:
    assert cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), (90, 120, 160), np.uint8))


def _avatar(order: Order) -> None:
    """A persona that borrows a face: all that the catalogue wants."""
    folder = order.folder / "avatar"
    folder.mkdir(exist_ok=True)
    (folder / "avatar.toml").write_text(f'name = "{order.name}"\npackage = "vera"\n')
    _picture(folder / "poster.jpg")
