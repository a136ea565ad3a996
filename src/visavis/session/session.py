"""One visitor's call: prepared, connected, held and ended, with every wait bounded."""

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import numpy as np
import structlog

from visavis.avatar.animation.animator import Animator
from visavis.avatar.catalogue import Avatar, Catalogue
from visavis.avatar.face import Renderer
from visavis.avatar.package import AvatarPackage
from visavis.closing import close_part
from visavis.conversation.conversation import Conversation, ConversationSettings, Parts, Role
from visavis.conversation.stage import Stage
from visavis.conversation.transparency import Transparency
from visavis.log import bind_session
from visavis.media.clock import MediaClock
from visavis.media.peer import Peer, PeerError, PeerSettings, PeerState
from visavis.media.playout import Playout
from visavis.session.camera import Camera
from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    AddMessage,
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    Respond,
    SendImage,
    SendText,
    ToolResult,
)
from visavis.session.events import Answered, Created, Ended, Ending, Offered, Ready, SessionEvent
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import IceServer, Notice
from visavis.session.slots import Slot
from visavis.session.timers import Timers, Watch
from visavis.speech.ports import SPEECH_RATE, VisemeEstimator
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

_EVENTS_HELD = 4096
"""Events that wait for a wire that does not take them, before the session is given up."""
_HISTORY_SECONDS = 0.3
"""How long ``Ready`` waits for the client's answer, so that the history sent before it comes first."""
_GREETING_SECONDS = 0.3
"""From connected media to the greeting: the first pictures have arrived by then."""
_SOUND_BYTES = 2 * SPEECH_RATE // 5
"""Pushed sound is handed on in pieces of 0.2 s, between which other sessions have their turn."""


@dataclass(frozen=True, slots=True)
class Kit:
    """What every session of a server is made with."""

    catalogue: Catalogue
    parts: Callable[[Avatar], Parts]
    estimator: Callable[[], VisemeEstimator]
    renderer: Callable[[AvatarPackage], Renderer]
    peer: PeerSettings
    pool: Executor
    metrics: SessionMetrics
    ice_servers: tuple[IceServer, ...]
    conversation: ConversationSettings
    timers: Timers
    transparency_gap: float = 0.6


class Session:
    """A ``Call``: what a wire holds of one visitor."""

    def __init__(
        self,
        session_id: str,
        avatar: Avatar,
        role: Role,
        kit: Kit,
        slot: Slot,
        *,
        transparent: bool = False,
        notice: Notice | None = None,
        on_end: Callable[["Session"], None],
    ) -> None:
        self._id = session_id
        self._avatar = avatar
        self._role = role
        self._kit = kit
        self._slot = slot
        self._transparent = transparent
        self._notice = notice
        self._on_end = on_end
        self._admitted = asyncio.get_running_loop().time()
        self._events: asyncio.Queue[SessionEvent] = asyncio.Queue(_EVENTS_HELD)
        self._ending: asyncio.Future[tuple[Ending, str]] = asyncio.get_running_loop().create_future()
        self._prepared = asyncio.Event()
        self._answered = asyncio.Event()
        self._media = asyncio.Event()
        self._tasks = Tasks()
        self._runner: asyncio.Task[None] | None = None
        self._conversation: Conversation | Transparency | None = None
        self._stage: Stage | None = None
        self._peer: Peer | None = None
        self._playout: Playout | None = None
        self._camera: Camera | None = None
        self._watch: Watch | None = None
        self._followed = False
        self._uncount: Callable[[], None] | None = None

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
        return self._notice

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

    async def leave(self, ending: Ending = Ending.NORMAL) -> None:
        """See ``Call``."""
        self._end(ending, _MESSAGES[ending])
        await asyncio.shield(self._start())

    async def handle(self, command: Command) -> None:
        """See ``Call``."""
        await self._prepared.wait()
        if self._ending.done():
            return
        match command:
            case AcceptAnswer() | AcceptOffer() | AddCandidate():
                await self._signal(command)
            case AppendAudio(pcm):
                await self._push(pcm)
            case CommitAudio():
                if self._conversation:
                    self._conversation.commit_audio()
            case ClearAudio():
                if self._conversation:
                    await self._conversation.clear_audio()
            case _:
                if isinstance(self._conversation, Conversation):
                    _converse(self._conversation, command)

    async def _push(self, pcm: bytes) -> None:
        for start in range(0, len(pcm), _SOUND_BYTES):
            if start:
                await asyncio.sleep(0)
            if self._ending.done() or not self._conversation:
                return
            piece = np.frombuffer(pcm[start : start + _SOUND_BYTES], "<i2")
            self._conversation.push_audio(piece.astype(np.int16, copy=False))

    async def _signal(self, command: AcceptAnswer | AcceptOffer | AddCandidate) -> None:
        peer = self._peer
        if peer is None:
            return
        try:
            match command:
                case AcceptAnswer(sdp):
                    await peer.answer(sdp)
                    self._answered.set()
                case AcceptOffer(sdp):
                    self._emit(Answered(await peer.accept_offer(sdp)))
                case AddCandidate(candidate, sdp_mid, sdp_mline_index):
                    await peer.add_candidate(candidate, sdp_mid, sdp_mline_index)
        except (PeerError, ValueError) as error:
            # The client may try again; the media timer ends the call of one that does not get it right.
            log.warning("signalling was refused", command=type(command).__name__, error=str(error))

    def _start(self) -> asyncio.Task[None]:
        """The session's task; of one that was left before, it only frees."""
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run())
        return self._runner

    async def _run(self) -> None:
        bind_session(self._id)
        try:
            if not self._ending.done():
                offer = await self._prepare()
                self._emit(Offered(offer))
                self._emit(Created(self._id))
                self._tasks.spawn(self._vital(self._begin()))
        except Exception:
            log.exception("the session failed")
            self._end(Ending.BACKEND_ERROR, _MESSAGES[Ending.BACKEND_ERROR])
        self._emit(Ended(*await self._ending))
        await self._free()

    async def _vital(self, work: Coroutine[Any, Any, None]) -> None:
        """Work without which the session cannot go on."""
        try:
            await work
        except Exception:
            log.exception("the session failed")
            self._end(Ending.BACKEND_ERROR, _MESSAGES[Ending.BACKEND_ERROR])

    async def _prepare(self) -> str:
        """The avatar's package, stage and conversation, and the offer."""
        try:
            package = await self._kit.catalogue.load(self._avatar)
            clock = MediaClock()
            self._playout = Playout(clock)
            renderer = await asyncio.to_thread(self._kit.renderer, package)
            stage = self._stage = Stage(clock, self._playout, Animator(zlib.crc32(self._id.encode())), renderer)
            if self._transparent:
                self._conversation = Transparency(
                    stage, self._kit.estimator(), self._emit, gap=self._kit.transparency_gap
                )
            else:
                self._conversation = Conversation(
                    self._role,
                    self._kit.parts(self._avatar),
                    stage,
                    self._emit,
                    self._kit.metrics,
                    self._kit.conversation,
                )
                if self._conversation.accepts_images:
                    self._camera = Camera(self._kit.pool, self._conversation.send_image)
            self._watch = Watch(self._kit.timers, self._media, self._quiet_since, self._end)
            peer = Peer(
                self._kit.peer,
                stage,
                self._playout,
                clock,
                self._kit.pool,
                on_state=self._peer_changed,
                on_camera=self._camera.take if self._camera else None,
            )
            self._peer = peer
            self._uncount = self._kit.metrics.follow(peer.stats)
            offer = await peer.offer()
            self._tasks.spawn(self._vital(self._watch.run()))
            return offer
        finally:
            self._prepared.set()

    async def _begin(self) -> None:
        try:
            async with asyncio.timeout(_HISTORY_SECONDS):
                await self._answered.wait()
        except TimeoutError:
            log.debug("the client's answer is late")
        if isinstance(self._conversation, Conversation):
            self._conversation.open()
        self._emit(Ready())
        await self._media.wait()
        self._kit.metrics.connected(asyncio.get_running_loop().time() - self._admitted)
        await asyncio.sleep(_GREETING_SECONDS)
        if isinstance(self._conversation, Conversation):
            self._conversation.begin()

    def _quiet_since(self) -> float | None:
        return self._conversation.quiet_since if self._conversation else None

    def _peer_changed(self, state: PeerState) -> None:
        log.debug("media", state=state.value)
        if not self._watch:
            return
        self._watch.media_found()
        match state:
            case PeerState.CONNECTED:
                self._media.set()
            case PeerState.LOST:
                self._watch.media_lost()
            case PeerState.FAILED:
                self._end(Ending.MEDIA_FAILED, _MESSAGES[Ending.MEDIA_FAILED])
            case PeerState.CLOSED:
                self._end(Ending.NORMAL, _MESSAGES[Ending.NORMAL])
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

    def _end(self, ending: Ending, message: str) -> None:
        if not self._ending.done():
            self._ending.set_result((ending, message))

    async def _free(self) -> None:
        # The place is free at once for whoever comes next; what is left to close costs little.
        self._slot.release()
        self._prepared.set()
        await self._tasks.close()
        if self._camera:
            await close_part("camera", self._camera.close)
        if self._conversation:
            await close_part("conversation", self._conversation.close)
        if self._peer:
            await close_part("peer", self._peer.close)
        if self._playout:
            await close_part("playout", self._playout.close)
        if self._watch:
            await close_part("watch", self._watch.media_found)
        if self._uncount:
            await close_part("figures", self._uncount)
        if self._stage:
            await close_part("stage", self._stage.strike)
        self._conversation = self._stage = self._peer = self._playout = self._camera = self._watch = None
        ending, _ = self._ending.result()
        self._kit.metrics.ended(ending)
        self._on_end(self)
        log.info("session ended", ending=ending.value)


def _converse(conversation: Conversation, command: Command) -> None:
    match command:
        case Configure(voice, prompt, tools, extend_tools):
            conversation.configure(voice=voice, prompt=prompt, tools=tools, extend_tools=extend_tools)
        case AddMessage(text, role, images):
            conversation.add_message(text, role=role, images=images)
        case SendText(text, reply):
            conversation.send_text(text, reply=reply)
        case SendImage(image, reply):
            conversation.send_image(image, reply=reply)
        case ToolResult(call_id, output, reply):
            conversation.add_result(call_id, output, reply=reply)
        case Respond():
            conversation.respond()
        case _:
            pass


_MESSAGES = {
    Ending.NORMAL: "The conversation is over.",
    Ending.SESSION_TIMEOUT: "The conversation has timed out.",
    Ending.MEDIA_FAILED: "The connection for picture and sound failed.",
    Ending.CONVERSATION_ENDED: "The conversation was ended.",
    Ending.BACKEND_ERROR: "Something went wrong on the server.",
}
