"""One visitor's call: queued, prepared, connected, held and ended, with every wait bounded."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from visavis.avatar.view import View
from visavis.closing import close_part
from visavis.conversation.conversation import Conversation
from visavis.conversation.parts import Parts
from visavis.conversation.snapshot import Snapshot
from visavis.log import bind_session
from visavis.media.peer import PeerState
from visavis.session.carrying import Visitor, carry_out
from visavis.session.commands import Command, KeepAlive, SendText
from visavis.session.control import ControlError, ControlWatch
from visavis.session.dossier import Dossier
from visavis.session.early import EarlyCommands
from visavis.session.events import (
    Created,
    Ended,
    Ending,
    Expiring,
    Offered,
    Picture,
    Ready,
    Restored,
    SessionEvent,
    SessionState,
    StateChanged,
)
from visavis.session.keeping import Keeping
from visavis.session.kit import Kit
from visavis.session.ports import IceServer, Notice
from visavis.session.records import SessionRecord
from visavis.session.slots import Ticket, TicketSpent
from visavis.session.studio import Listeners, Programme, Studio
from visavis.session.timers import Watch
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

_EVENTS_HELD = 4096
"""Events that wait for a wire that does not take them, before the session is given up."""
_HISTORY_SECONDS = 0.3
"""How long ``Ready`` waits for the client's answer, so that the history sent before it comes first."""
_GREETING_SECONDS = 0.3
"""From connected media to the greeting: the first pictures have arrived by then."""
_LAST_WORD_SECONDS = 0.4
"""From the last sound's leaving to its end at the visitor's ear: its way, and what players hold back."""


@dataclass(frozen=True, slots=True)
class Booking:
    """What the reception agreed with the visitor. ``keeping`` is None for a session that cannot be come back to."""

    programme: Programme
    dossier: Dossier
    keeping: Keeping | None = None
    notice: Notice | None = None
    max_duration: float | None = None
    """The visitor's own limit, in seconds."""
    spent: float = 0.0
    """Seconds for which its slot was connected to the visitor before."""


class Session:
    """A ``Call``: what a wire holds of one visitor."""

    def __init__(
        self,
        booking: Booking,
        kit: Kit,
        take_ticket: Callable[[Callable[[int], None]], Ticket],
        *,
        on_end: Callable[["Session"], None],
    ) -> None:
        self._id = booking.programme.session_id
        self._booking = booking
        self._dossier = booking.dossier
        self._kit = kit
        self._on_end = on_end
        self._snapshot = booking.programme.restored or Snapshot()
        self._events: asyncio.Queue[SessionEvent] = asyncio.Queue(_EVENTS_HELD)
        self._ending: asyncio.Future[tuple[Ending, str]] = asyncio.get_running_loop().create_future()
        self._lost = False
        self._answered = asyncio.Event()
        self._media = asyncio.Event()
        self._tasks = Tasks()
        self._runner: asyncio.Task[None] | None = None
        self._studio: Studio | None = None
        self._visitor = Visitor(self._emit, self._answered.set, self._ending.done)
        self._control: ControlWatch | None = None
        self._early: EarlyCommands | None = EarlyCommands()
        self._followed = False
        self._place = 0
        self._watch = Watch(
            kit.timers,
            self._media,
            quiet_since=self._quiet_since,
            end=self._end,
            warn=self._warn,
            max_duration=booking.max_duration,
            spent=booking.spent,
        )
        self._ticket = take_ticket(self._moved)

    @property
    def id(self) -> str:
        """See ``Call``."""
        return self._id

    @property
    def ice_servers(self) -> tuple[IceServer, ...]:
        """See ``Call``."""
        return self._kit.ice_servers

    @property
    def notice(self) -> Notice | None:
        """See ``Call``."""
        return self._booking.notice

    @property
    def resume_key(self) -> str | None:
        """See ``Call``."""
        return self._booking.keeping.key if self._booking.keeping else None

    @property
    def persistent(self) -> bool:
        """See ``Call``."""
        return self._booking.keeping is not None and self._booking.keeping.persistent

    @property
    def resumed(self) -> bool:
        """See ``Call``."""
        return self._booking.programme.restored is not None

    @property
    def ticket(self) -> Ticket:
        """Its slot, or its place in the queue."""
        return self._ticket

    @property
    def waiting(self) -> bool:
        """Whether it still waits for a slot."""
        return self._ticket.position > 0

    @property
    def connected_for(self) -> float:
        """Seconds for which its slot has been connected to the visitor, by this connection and those before it."""
        return self._watch.connected_for

    @property
    def over(self) -> bool:
        """Whether it has ended, or is about to."""
        return self._ending.done()

    @property
    def record(self) -> SessionRecord:
        """What is kept of it."""
        return self._dossier.record

    @property
    def snapshot(self) -> Snapshot:
        """The conversation as it is, or was last."""
        return self._conversation.snapshot() if self._conversation else self._snapshot

    @property
    def view(self) -> View:
        """How the avatar is seen now."""
        return self._studio.view if self._studio else self._booking.programme.view

    async def events(self) -> AsyncIterator[SessionEvent]:
        """See ``Call``."""
        if self._followed:
            raise RuntimeError("a session's events are to be iterated once")
        self._followed = True
        self._start()
        try:
            while True:
                event = await self._events.get()
                yield event
                if isinstance(event, Ended):
                    return
        finally:
            await self.leave()

    async def leave(self, ending: Ending = Ending.NORMAL, *, lost: bool = False, message: str = "") -> None:
        """See ``Call``."""
        if not self._ending.done():
            self._lost = lost
        self._end(ending, message)
        await asyncio.shield(self._start())

    def hand_over(self) -> None:
        """End here, because the visitor goes on with the session in another place; nothing more is kept of this one."""
        self._dossier.close()
        if self._booking.keeping:
            self._booking.keeping.close()
        self._end(Ending.REPLACED)

    async def handle(self, command: Command) -> None:
        """See ``Call``."""
        if self._ending.done():
            return
        if isinstance(command, SendText) and command.reply:
            self._dossier.typed()
        if isinstance(command, KeepAlive):
            self._watch.keep_alive()
        elif self._early is not None:
            self._early.put(command)
        elif self._studio:
            await carry_out(command, self._studio, self._visitor)

    @property
    def _conversation(self) -> Conversation | None:
        """None before there is one, and in transparency mode."""
        conversation = self._studio.conversation if self._studio else None
        return conversation if isinstance(conversation, Conversation) else None

    def _start(self) -> asyncio.Task[None]:
        """The session's task; of one that was left before, it only frees."""
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run())
        return self._runner

    async def _run(self) -> None:
        bind_session(self._id)
        if not self._ending.done():
            self._tasks.spawn(self._vital(self._watch.run()))
            self._tasks.spawn(self._vital(self._live()))
        ending, message = await self._ending
        await self._free(ending, message)

    async def _vital(self, work: Coroutine[Any, Any, None]) -> None:
        """Work without which the session cannot go on."""
        try:
            await work
        except Exception:
            log.exception("the session failed")
            self._end(Ending.BACKEND_ERROR)

    async def _live(self) -> None:
        """From the queue to the greeting."""
        self._keep()
        if not await self._queue():
            return
        began = asyncio.get_running_loop().time()
        self._enter(SessionState.PREPARING)
        offer = await self._prepare()
        if offer is None:
            return
        self._emit(Offered(offer))
        self._watch.offered()
        self._enter(SessionState.CONNECTING, self._studio.picture if self._studio else None)
        if self.resumed:
            self._emit(Restored(self._snapshot))
        self._emit(Created(self._id))
        try:
            async with asyncio.timeout(_HISTORY_SECONDS):
                await self._answered.wait()
        except TimeoutError:
            log.debug("the client's answer is late")
        if self._conversation:
            self._conversation.open()
        self._emit(Ready())
        await self._media.wait()
        self._enter(SessionState.CONNECTED)
        self._dossier.connected(asyncio.get_running_loop().time() - began)
        await asyncio.sleep(_GREETING_SECONDS)
        if self._conversation:
            self._conversation.begin()

    async def _queue(self) -> bool:
        """Wait for a slot; whether there was one in time."""
        self._dossier.enter(SessionState.QUEUED)
        if self._ticket.position:
            self._moved(self._ticket.position)
        try:
            async with asyncio.timeout(self._kit.timers.queue):
                await self._ticket.wait()
        except TimeoutError:
            self._end(Ending.NO_SLOT)
            return False
        except TicketSpent:
            return False
        return True

    async def _prepare(self) -> str | None:
        """The studio and its offer; None when the session ended instead."""
        programme, timers = self._booking.programme, self._kit.timers
        parts = None if programme.transparent else self._kit.parts(programme.avatar)
        try:
            async with asyncio.timeout(timers.prepare), asyncio.TaskGroup() as group:
                if parts and self._kit.control_timeout:
                    self._control = ControlWatch(parts.chat.check, self._kit.control_timeout, self._control_lost)
                    group.create_task(self._control.verify())
                group.create_task(self._open(programme, parts))
        except* ControlError as errors:
            self._end(Ending.CONTROL_FAILED, str(errors.exceptions[0]))
        except* TimeoutError:
            self._end(Ending.SESSION_TIMEOUT, "The avatar was not ready in time.")
        studio = self._studio
        if studio is None or self._ending.done():
            return None
        offer = await studio.peer.offer()
        while (command := self._early.take() if self._early else None) is not None:
            await carry_out(command, studio, self._visitor)
        self._early = None
        return offer

    async def _open(self, programme: Programme, parts: Parts | None) -> None:
        self._studio = await Studio.open(self._kit, programme, parts, self._listeners())

    def _listeners(self) -> Listeners:
        return Listeners(
            emit=self._emit,
            observer=self._dossier,
            on_change=self._keep,
            on_end=self._conversation_over,
            on_reached=self._control_seen,
            on_peer=self._peer_changed,
        )

    def _keep(self) -> None:
        if self._booking.keeping:
            self._booking.keeping.save(self.snapshot)

    def _keep_last(self, ending: Ending) -> None:
        self._snapshot = self.snapshot
        if self._booking.keeping:
            self._booking.keeping.left(self._snapshot, ending, lost=self._lost)

    def _conversation_over(self) -> None:
        self._tasks.spawn(self._hang_up())

    async def _hang_up(self) -> None:
        await asyncio.sleep(_LAST_WORD_SECONDS)
        self._end(Ending.CONVERSATION_ENDED)

    def _control_seen(self, there: bool) -> None:
        if self._control:
            (self._control.answered if there else self._control.failed)()

    def _control_lost(self, message: str) -> None:
        self._end(Ending.CONTROL_DISCONNECTED, message)

    def _warn(self, expiring: Expiring) -> None:
        self._emit(expiring)
        if self._kit.idle_question and expiring.preventable and self._conversation:
            self._conversation.ask_presence()

    def _quiet_since(self) -> float | None:
        return self._studio.conversation.quiet_since if self._studio else None

    def _moved(self, position: int) -> None:
        # It may have changed before the session began, which tells it where it is then.
        if position not in (0, self._place) and not self._ending.done():
            self._place = position
            self._emit(StateChanged(SessionState.QUEUED, position))

    def _enter(self, state: SessionState, picture: Picture | None = None) -> None:
        self._dossier.enter(state)
        self._emit(StateChanged(state, picture=picture))

    def _peer_changed(self, state: PeerState) -> None:
        log.debug("media", state=state.value)
        self._watch.media_found()
        match state:
            case PeerState.CONNECTED:
                self._media.set()
            case PeerState.LOST:
                self._watch.media_lost()
            case PeerState.FAILED:
                self._end(Ending.MEDIA_FAILED)
            case PeerState.CLOSED if not self._ending.done():
                # By the visitor's side. Who hangs up says so by the wire, too; anybody else may be about to come back.
                self._watch.media_lost()
            case _:
                pass

    def _emit(self, event: SessionEvent) -> None:
        try:
            self._events.put_nowait(event)
        except asyncio.QueueFull:
            if isinstance(event, Ended):
                # Nobody reads; the end must be found by whoever begins to.
                self._events.get_nowait()
                self._events.put_nowait(event)
            else:
                self._end(Ending.BACKEND_ERROR, "The client does not take its events.")
        self._dossier.note(event)

    def _end(self, ending: Ending, message: str = "") -> None:
        if not self._ending.done():
            self._ending.set_result((ending, message or _MESSAGES[ending]))

    async def _free(self, ending: Ending, message: str) -> None:
        # The place is free at once for whoever comes next; what is left to close costs little.
        self._ticket.release()
        await close_part("keeping", lambda: self._keep_last(ending))
        await close_part("record", lambda: self._dossier.end(ending, message))
        self._emit(Ended(ending, message))
        self._early = None
        await self._tasks.close()
        if self._control:
            await close_part("control", self._control.close)
        await close_part("watch", self._watch.close)
        studio, self._studio = self._studio, None
        if studio:
            await studio.close()
        self._control = None
        self._kit.metrics.ended(ending)
        self._on_end(self)
        log.info("session ended", ending=ending.value)


_MESSAGES = {
    Ending.NORMAL: "The conversation is over.",
    Ending.SESSION_TIMEOUT: "The conversation has timed out.",
    Ending.NO_SLOT: "All avatars are busy at the moment. Please try again later.",
    Ending.MEDIA_FAILED: "The connection for picture and sound failed.",
    Ending.CONVERSATION_ENDED: "The avatar has ended the conversation.",
    Ending.CONTROL_FAILED: "The avatar's language model cannot be reached.",
    Ending.CONTROL_DISCONNECTED: "The avatar's language model was lost.",
    Ending.REPLACED: "The conversation goes on in another window.",
    Ending.BACKEND_ERROR: "Something went wrong on the server.",
}
