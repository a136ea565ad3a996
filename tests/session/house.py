"""A front desk with a real catalogue, peer and face, scripted providers, and an archive in memory."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry

from tests.conversation.theatre import Beeper, FixedTurns, LevelDetector, ScriptedModel, ScriptedRecognizer
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.client.media import Receiver, VideoFrame
from visavis.conversation.parts import ConversationSettings, Parts, Role
from visavis.media.peer import PeerSettings
from visavis.session.commands import AcceptAnswer
from visavis.session.events import Ended, Ending, Offered, SessionEvent, SessionState, StateChanged
from visavis.session.keeping import Windows
from visavis.session.kit import Kit
from visavis.session.license import License, Licenses
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import CallRequest, IceServer
from visavis.session.rate import AttemptLimits
from visavis.session.reception import FrontDesk
from visavis.session.records import SessionRecord
from visavis.session.saved import SavedSession
from visavis.session.session import Session
from visavis.session.slots import Slots
from visavis.session.timers import Timers
from visavis.session.views import Views
from visavis.speech.estimator import NetVisemeEstimator


class MemoryRecords:
    """``SessionRecords`` in memory."""

    def __init__(self) -> None:
        self.all: dict[str, SessionRecord] = {}

    async def save(self, record: SessionRecord) -> None:
        self.all[record.id] = record

    async def find(self, session_id: str) -> SessionRecord | None:
        return self.all.get(session_id)

    async def latest(
        self, limit: int = 50, *, license_id: str | None = None, before: datetime | None = None
    ) -> Sequence[SessionRecord]:
        return [record for record in self.all.values() if license_id in (None, record.license_id)][:limit]


class MemorySaved:
    """``SavedSessions`` in memory."""

    def __init__(self) -> None:
        self.all: dict[str, SavedSession] = {}

    async def save(self, session: SavedSession) -> None:
        self.all[session.session_id] = session

    async def find(self, key_hash: str) -> SavedSession | None:
        now = datetime.now(UTC)
        found = (saved for saved in self.all.values() if saved.key_hash == key_hash and saved.expires_at > now)
        return next(found, None)

    async def delete(self, session_id: str) -> None:
        self.all.pop(session_id, None)

    async def purge(self) -> int:
        return 0


class MemoryArchive:
    """An ``Archive`` and a ``Library``."""

    def __init__(self) -> None:
        self.records = MemoryRecords()
        self.saved = MemorySaved()

    def save_record(self, record: SessionRecord) -> None:
        self.records.all[record.id] = record

    def save_session(self, session: SavedSession) -> None:
        self.saved.all[session.session_id] = session

    def delete_session(self, session_id: str) -> None:
        self.saved.all.pop(session_id, None)

    async def flush(self) -> None:
        pass


class House:
    """All that a server's sessions need, with ``slots`` slots."""

    def __init__(
        self,
        pool: ThreadPoolExecutor,
        timers: Timers | None = None,
        greeting: str = "",
        renderer: Callable[[AvatarPackage, View], PuppetRenderer] = PuppetRenderer,
        *,
        slots: int = 2,
        queue: int = 0,
        licenses: Sequence[License] = (License("key"),),
        attempts: AttemptLimits | None = None,
        archive: MemoryArchive | None = None,
        clock: Callable[[], float] = time.time,
        **kit: Any,
    ) -> None:
        self.model = ScriptedModel()
        self.slots = Slots(slots, queue_size=queue)
        self.registry = CollectorRegistry()
        self.archive = archive or MemoryArchive()
        self.parts = Parts(LevelDetector(), FixedTurns(), ScriptedRecognizer(), self.model, Beeper())
        self.kit = Kit(
            parts=lambda avatar: self.make_parts(),
            estimator=NetVisemeEstimator,
            renderer=renderer,
            pool=pool,
            metrics=SessionMetrics(self.registry),
            archive=self.archive,
            ice_servers=(IceServer(("stun:127.0.0.1:9",)),),
            conversation=ConversationSettings(),
            timers=timers or Timers(),
            **{
                "catalogue": Catalogue(),
                "views": Views(View(128, 128)),
                "peer": PeerSettings(bind=("127.0.0.1",)),
                **kit,
            },
        )
        self.licenses = Licenses(licenses, clock=clock)
        self.desk = FrontDesk(
            self.licenses,
            self.slots,
            attempts or AttemptLimits(0, 0),
            self.kit,
            self.archive,
            lambda avatar: Role(greeting=greeting),
        )

    def make_parts(self) -> Parts:
        return self.parts

    async def admit(self, **options: Any) -> Session:
        return await self.desk.admit(replace(CallRequest(license="key", avatar_id="vera"), **options))

    def ended(self, ending: Ending) -> float | None:
        return self.registry.get_sample_value("visavis_sessions_ended_total", {"ending": ending.value})


PERSISTENT = {"persistence": True, "windows": Windows()}


class Guest:
    """Follows a session, and answers its offer when it is asked to."""

    def __init__(self, session: Session, *, answers: bool = True) -> None:
        self.session = session
        self.events: list[SessionEvent] = []
        self._answers = answers
        self._news = asyncio.Condition()
        self.frames: deque[VideoFrame] = deque(maxlen=250)
        """The latest pictures."""
        self._receiver = Receiver(lambda frame: None, self.frames.append, loopback=True)
        self._following: asyncio.Task[None] | None = None
        self.connected = self._receiver.connected

    def arrive(self) -> "Guest":
        """Follow in a task of its own."""
        self._following = asyncio.create_task(self.follow())
        return self

    async def follow(self) -> None:
        async for event in self.session.events():
            self.events.append(event)
            async with self._news:
                self._news.notify_all()
            if isinstance(event, Offered) and self._answers:
                await self.session.handle(AcceptAnswer(await self._receiver.answer(event.sdp, [])))
        await self._receiver.close()

    async def until(self, kind: type, seconds: float = 15.0) -> Any:
        """The first event of a kind."""
        return await self.until_event(lambda event: isinstance(event, kind), seconds)

    async def until_state(self, state: SessionState, seconds: float = 15.0) -> None:
        await self.until_event(lambda event: isinstance(event, StateChanged) and event.state is state, seconds)

    async def until_event(self, wanted: Callable[[SessionEvent], bool], seconds: float = 15.0) -> Any:
        async with asyncio.timeout(seconds), self._news:
            await self._news.wait_for(lambda: any(wanted(event) for event in self.events))
        return next(event for event in self.events if wanted(event))

    async def gone(self, seconds: float = 15.0) -> Ended:
        """Wait for the end, which is returned."""
        assert self._following is not None
        async with asyncio.timeout(seconds):
            await self._following
        last = self.events[-1]
        assert isinstance(last, Ended)
        return last

    async def leave(self, *, lost: bool = False) -> Ended:
        """Hang up."""
        await self.session.leave(lost=lost)
        return await self.gone()

    async def lose_media(self) -> None:
        await self._receiver.close()

    @property
    def kinds(self) -> list[type]:
        """The events' types; without the states, which have their own."""
        return [type(event) for event in self.events if not isinstance(event, StateChanged)]

    @property
    def states(self) -> list[tuple[SessionState, int | None]]:
        return [(event.state, event.position) for event in self.events if isinstance(event, StateChanged)]


@contextlib.asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """No task is left of what happens within."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0.1)
    left = {task for task in asyncio.all_tasks() - before if not task.done()}
    assert not left
