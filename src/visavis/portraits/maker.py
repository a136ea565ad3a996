"""What makes an avatar of a photo: the port, and the process that does it beside the calls."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from visavis.avatar.manifest import Consent
from visavis.portraits.draft import Fault, Findings, Places, Wish
from visavis.speech.ports import Pcm16
from visavis.speech.worker import WorkerError, WorkerProcess
from visavis.viseme import TimedViseme, Viseme

log = structlog.get_logger(__name__)

_PATIENCE: Final = 300.0
"""Longest making of one avatar, in seconds."""
_START: Final = 90.0
_FILM_BEGINS: Final = 0.9


class MakerError(Exception):
    """The avatar could not be made, through no fault of the photo's; the message is for the log."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be made in ``folder``, where the photo lies. ``voice``: the synthesizer's name of it; empty: its own
    choice. ``face``: whether the face is made (anew); else the avatar that is there gets its voice and film."""

    folder: Path
    name: str
    voice: str
    consent: Consent
    wish: Wish
    face: bool = True


@dataclass(frozen=True, slots=True)
class Spoken:
    """A sentence: mono sound at ``SPEECH_RATE``, and mouth shapes in seconds from its first sample."""

    pcm: Pcm16
    visemes: tuple[TimedViseme, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """How far it is: ``stage`` comes next, ``share`` (0–1) is done."""

    stage: str
    share: float


@dataclass(frozen=True, slots=True)
class Built:
    """The avatar lies in its folder. ``points``: as they were used; ``warnings``: what will not look its best."""

    points: Places
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filmed:
    """The film lies there, too."""


Event = Reached | Findings | Fault | Built | Filmed
"""What a maker tells: a ``Fault`` is the last one; after ``Findings`` that are not sure, there may be nothing more."""


class Maker(Protocol):
    """Makes one avatar at a time."""

    def make(self, order: Order, spoken: Awaitable[Spoken | None]) -> AsyncGenerator[Event]:
        """Make the avatar, and a film of ``spoken`` unless that is None. Closing the iterator stops the work.

        Raises ``MakerError``.
        """
        ...


class MakerProcess:
    """A ``Maker`` in a process of its own for each avatar, at a low priority: calls go on undisturbed, and what a
    photo does to its decoder happens there. ``networks``: finds the folder of the face networks; None: points are
    guessed."""

    def __init__(self, networks: Callable[[], Path | None], *, patience: float = _PATIENCE) -> None:
        self._networks = networks
        self._patience = patience

    async def make(self, order: Order, spoken: Awaitable[Spoken | None]) -> AsyncGenerator[Event]:
        """See ``Maker``."""
        networks = await asyncio.to_thread(self._networks)
        worker = WorkerProcess("visavis.portraits.building", start_timeout=_START)
        try:
            async with asyncio.timeout(self._patience):
                async with aclosing(_work(worker, order, networks, spoken)) as events:
                    async for event in events:
                        yield event
        except TimeoutError:
            raise MakerError(f"the avatar was not made within {self._patience:g} s") from None
        except WorkerError as error:
            raise MakerError(str(error)) from error
        finally:
            await worker.close()


async def _work(
    worker: WorkerProcess, order: Order, networks: Path | None, spoken: Awaitable[Spoken | None]
) -> AsyncGenerator[Event]:
    built = not order.face
    if order.face:
        async with await worker.open("make", _asked(order, networks)) as exchange:
            async for reply in exchange:
                event = _event(reply.data)
                built = built or isinstance(event, Built)
                yield event
    if not built:
        return
    folder = str(order.folder)
    if order.voice or not order.face:
        await worker.call("voice", {"folder": folder, "voice": order.voice}, within=None)
    if (sentence := await spoken) is not None:
        yield Reached("film", _FILM_BEGINS if order.face else 0.0)
        visemes = [(v.viseme.value, v.start, v.end) for v in sentence.visemes]
        sound = sentence.pcm.astype("<i2").tobytes()
        await worker.call("film", {"folder": folder, "visemes": visemes}, sound, within=None)
        yield Filmed()


def _asked(order: Order, networks: Path | None) -> dict[str, Any]:
    return {
        "folder": str(order.folder),
        "networks": str(networks) if networks else None,
        "name": order.name,
        "consent": order.consent.model_dump(mode="json"),
        "points": dict(order.wish.points) if order.wish.points is not None else None,
        "glasses": order.wish.glasses,
    }


def _event(data: Any) -> Event:
    match data:
        case {"stage": str(stage), "share": float() | int() as share}:
            return Reached(stage, float(share))
        case {"found": found}:
            places = {name: (float(x), float(y)) for name, (x, y) in found["points"].items()}
            return Findings(
                found["width"], found["height"], places, found["confidence"], found["sure"], found["glasses"]
            )
        case {"refused": {"code": str(code), "message": str(message)}}:
            return Fault(code, message)
        case {"built": {"points": points, "warnings": warnings}}:
            return Built({name: (float(x), float(y)) for name, (x, y) in points.items()}, tuple(warnings))
        case _:
            raise MakerError(f"the process told what nobody understands: {sorted(data)}")


def parse_visemes(raw: list[tuple[str, float, float]]) -> tuple[TimedViseme, ...]:
    """Mouth shapes as they are told to the process."""
    return tuple(TimedViseme(Viseme(name), start, end) for name, start, end in raw)
