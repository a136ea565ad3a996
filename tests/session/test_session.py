"""One call's life: prepared, connected, timed out, left; and nothing remains of it."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from tests.conversation.theatre import Beeper, FixedTurns, LevelDetector, ScriptedModel, ScriptedRecognizer
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.client.media import Receiver
from visavis.conversation.conversation import ConversationSettings, Parts, Role
from visavis.media.peer import PeerSettings
from visavis.session.commands import AcceptAnswer, AddCandidate, AppendAudio, Respond, SendText
from visavis.session.events import Created, Ended, Ending, Offered, Ready, Refusal, RefusalKind, SessionEvent
from visavis.session.license import License, Licenses
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import CallRequest, IceServer
from visavis.session.reception import FrontDesk
from visavis.session.session import Kit, Session, Timers
from visavis.session.slots import Slots
from visavis.speech.estimator import NetVisemeEstimator


class House:
    """A front desk with a real catalogue, peer and face, and scripted providers."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        timers: Timers,
        greeting: str = "",
        renderer: Callable[[AvatarPackage], PuppetRenderer] = lambda package: PuppetRenderer(package, 128, 128),
    ) -> None:
        self.model = ScriptedModel()
        self.slots = Slots(2)
        self.registry = CollectorRegistry()
        parts = Parts(LevelDetector(), FixedTurns(), ScriptedRecognizer(), self.model, Beeper())
        kit = Kit(
            catalogue=Catalogue(),
            parts=lambda avatar: parts,
            estimator=NetVisemeEstimator,
            renderer=renderer,
            peer=PeerSettings(bind=("127.0.0.1",)),
            pool=pool,
            metrics=SessionMetrics(self.registry),
            ice_servers=(IceServer(("stun:127.0.0.1:9",)),),
            conversation=ConversationSettings(),
            timers=timers,
        )
        self.desk = FrontDesk(Licenses([License("key")]), self.slots, kit, lambda avatar: Role(greeting=greeting))

    async def admit(self, **options: str | None) -> Session:
        return await self.desk.admit(replace(CallRequest(license="key", avatar_id="vera"), **options))

    def ended(self, ending: Ending) -> float | None:
        return self.registry.get_sample_value("visavis_sessions_ended_total", {"ending": ending.value})


@pytest.fixture
def pool() -> AsyncIterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


class Guest:
    """Follows a session, and answers its offer when it is asked to."""

    def __init__(self, session: Session, *, answers: bool = True) -> None:
        self.session = session
        self.events: list[SessionEvent] = []
        self._answers = answers
        self._receiver = Receiver(lambda frame: None, lambda frame: None, loopback=True)
        self.connected = self._receiver.connected

    async def follow(self) -> None:
        async for event in self.session.events():
            self.events.append(event)
            if isinstance(event, Offered) and self._answers:
                await self.session.handle(AcceptAnswer(await self._receiver.answer(event.sdp, [])))
        await self._receiver.close()

    @property
    def kinds(self) -> list[type]:
        return [type(event) for event in self.events]


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0.1)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left


async def test_a_call_that_is_left(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(), greeting="Welcome to this house.")
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(10):
            await guest.connected.wait()
            await asyncio.sleep(1.0)
        assert house.slots.taken == house.desk.sessions == 1
        await guest.session.leave()
        await following
        assert guest.kinds[:3] == [Offered, Created, Ready]
        assert guest.events[-1] == Ended(Ending.NORMAL, "The conversation is over.")
        assert house.slots.taken == house.desk.sessions == 0
        assert house.ended(Ending.NORMAL) == 1
        await guest.session.leave()
        await guest.session.handle(SendText("Is anybody there?"))
        assert not house.model.requests


async def test_a_calls_memory_is_free_without_a_collection(pool: ThreadPoolExecutor) -> None:
    faces: list[weakref.ref[PuppetRenderer]] = []

    def renderer(package: AvatarPackage) -> PuppetRenderer:
        face = PuppetRenderer(package, 128, 128)
        faces.append(weakref.ref(face))
        return face

    house = House(pool, Timers(), greeting="Welcome to this house.", renderer=renderer)
    gc.collect()
    gc.disable()
    try:
        for mode in (None, "transparency"):
            guest = Guest(await house.admit(model=mode))
            following = asyncio.create_task(guest.follow())
            async with asyncio.timeout(10):
                await guest.connected.wait()
                await asyncio.sleep(0.7)
            await guest.session.handle(SendText("Hello."))
            await asyncio.sleep(0.3)
            await guest.session.leave()
            await following
            del guest, following
            await asyncio.sleep(0.1)
        assert len(faces) == 2
        assert [face() for face in faces] == [None, None]
    finally:
        gc.enable()


async def test_media_that_never_comes_ends_the_call(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(media=0.5))
        guest = Guest(await house.admit(), answers=False)
        await guest.follow()
        assert guest.kinds == [Offered, Created, Ready, Ended]
        assert guest.events[-1].ending is Ending.MEDIA_FAILED
        assert house.slots.taken == 0


async def test_an_idle_call_ends(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(idle=1.0))
        guest = Guest(await house.admit())
        async with asyncio.timeout(15):
            await guest.follow()
        assert guest.events[-1].ending is Ending.SESSION_TIMEOUT


async def test_the_longest_call_ends(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(max_duration=0.7))
        guest = Guest(await house.admit())
        async with asyncio.timeout(15):
            await guest.follow()
        assert guest.events[-1].ending is Ending.SESSION_TIMEOUT


async def test_a_visitor_whose_media_vanishes_is_not_waited_for_for_ever(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(media_lost=0.5))
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(30):
            await guest.connected.wait()
            await guest._receiver.close()
            await following
        assert guest.events[-1].ending in (Ending.MEDIA_FAILED, Ending.NORMAL)
        assert house.slots.taken == 0


async def test_a_call_left_before_it_began_gives_its_slot_back(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        session = await house.admit()
        assert house.slots.taken == 1
        await session.leave()
        assert house.slots.taken == house.desk.sessions == 0


async def test_bad_signalling_is_survived(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        await guest.session.handle(AcceptAnswer("nonsense"))
        await guest.session.handle(AddCandidate("candidate:nonsense", "0", 0))
        await guest.session.handle(AppendAudio(b""))
        async with asyncio.timeout(10):
            await guest.connected.wait()
        await guest.session.handle(Respond())
        await guest.session.leave()
        await following


async def test_a_package_that_cannot_be_loaded_ends_the_call_with_a_word(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nothing_left():
        house = House(pool, Timers())

        async def broken(self: Catalogue, avatar: object) -> object:
            raise OSError("disk gone")

        monkeypatch.setattr(Catalogue, "load", broken)
        guest = Guest(await house.admit())
        await guest.follow()
        assert guest.kinds == [Ended]
        assert guest.events[0].ending is Ending.BACKEND_ERROR
        assert "disk" not in guest.events[0].message


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"license": "wrong"}, RefusalKind.INVALID_LICENSE),
        ({"avatar_id": "nobody"}, RefusalKind.UNKNOWN_AVATAR),
        ({"avatar_id": None}, RefusalKind.BAD_REQUEST),
        ({"avatar_id": None, "name": "Nobody"}, RefusalKind.UNKNOWN_AVATAR),
    ],
)
async def test_refusals(pool: ThreadPoolExecutor, options: dict[str, str | None], kind: RefusalKind) -> None:
    house = House(pool, Timers())
    with pytest.raises(Refusal) as refused:
        await house.admit(**options)
    assert refused.value.kind is kind
    assert house.registry.get_sample_value("visavis_calls_refused_total", {"kind": kind.value}) == 1
    assert house.slots.taken == 0


async def test_a_closed_house_takes_nobody_and_sends_everybody_home(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(10):
            await guest.connected.wait()
        await house.desk.close()
        await following
        assert guest.events[-1].ending is Ending.NORMAL
        with pytest.raises(Refusal) as refused:
            await house.admit()
        assert refused.value.kind is RefusalKind.SHUTTING_DOWN
