"""The reception: who may call, whom, and whether there is room."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import structlog

from visavis.avatar.catalogue import Avatar
from visavis.conversation.parts import Role
from visavis.conversation.snapshot import Snapshot
from visavis.session.dossier import Dossier, resumed
from visavis.session.events import Ending, Refusal, RefusalKind
from visavis.session.keeping import Keeping, hash_of, new_key
from visavis.session.kit import Kit
from visavis.session.license import Grant, Licenses
from visavis.session.ports import CallRequest, Notice
from visavis.session.rate import AttemptLimits
from visavis.session.records import SessionRecord, SessionRecords, StoreError
from visavis.session.saved import SavedSession, SavedSessions
from visavis.session.session import Booking, Session
from visavis.session.slots import Slots, Ticket
from visavis.session.studio import Programme

log = structlog.get_logger(__name__)

TRANSPARENCY = "transparency"
"""The model name that selects pass-through."""


class Library(Protocol):
    """Where earlier sessions are looked up."""

    @property
    def records(self) -> SessionRecords: ...
    @property
    def saved(self) -> SavedSessions: ...


class FrontDesk:
    """A ``Reception``: checks the license, finds the avatar, takes a slot, and knows the running sessions."""

    def __init__(
        self,
        licenses: Licenses,
        slots: Slots,
        attempts: AttemptLimits,
        kit: Kit,
        library: Library,
        role: Callable[[Avatar], Role],
    ) -> None:
        self._licenses = licenses
        self._slots = slots
        self._attempts = attempts
        self._kit = kit
        self._library = library
        self._role = role
        self._sessions: dict[str, Session] = {}
        self._all: set[Session] = set()
        self._open = True
        self._empty = asyncio.Event()
        self._empty.set()
        kit.metrics.slots.set(slots.capacity)
        kit.metrics.active.set_function(lambda: slots.taken)
        kit.metrics.waiting.set_function(lambda: slots.waiting)

    @property
    def sessions(self) -> int:
        """How many are running or waiting."""
        return len(self._all)

    @property
    def slots(self) -> int:
        """How many there can be."""
        return self._slots.capacity

    @property
    def taken(self) -> int:
        """How many slots are in use."""
        return self._slots.taken

    @property
    def waiting(self) -> int:
        """How many visitors are in the queue."""
        return self._slots.waiting

    @property
    def open(self) -> bool:
        """Whether anybody is admitted."""
        return self._open

    async def admit(self, request: CallRequest) -> Session:
        """See ``Reception``."""
        try:
            return await self._admit(request)
        except Refusal as refusal:
            self._kit.metrics.refused(refusal.kind)
            log.info("call refused", kind=refusal.kind.value)
            raise

    async def drain(self, patience: float) -> None:
        """Admit nobody any more; sessions that run have ``patience`` seconds to end, then they are ended.

        Those that still wait for a slot are told at once that there will be none.
        """
        self._open = False
        waiting = [session for session in self._all if session.waiting]
        await self._end(waiting, "The server is shutting down.")
        if patience:
            try:
                async with asyncio.timeout(patience):
                    await self._empty.wait()
            except TimeoutError:
                log.info("sessions are ended", sessions=len(self._all))
        await self.close()

    async def close(self) -> None:
        """Admit nobody any more, and end all sessions."""
        self._open = False
        await self._end(list(self._all), "The server is shutting down.")

    async def _end(self, sessions: list[Session], message: str) -> None:
        leaving = (session.leave(Ending.NORMAL, message=message) for session in sessions)
        for session, result in zip(sessions, await asyncio.gather(*leaving, return_exceptions=True), strict=True):
            if isinstance(result, BaseException):
                log.error("a session could not be left", session=session.id, exc_info=result)

    async def _admit(self, request: CallRequest) -> Session:
        if not self._open:
            raise Refusal(RefusalKind.SHUTTING_DOWN, "The server is shutting down.")
        self._attempts.connect(request.address)
        grant = self._licenses.authorize(request.license)
        if grant is None:
            if request.license:
                self._attempts.failed(request.address)
            raise Refusal(RefusalKind.INVALID_LICENSE, "The license key is missing or not valid.")
        if not grant.allows_origin(request.origin):
            raise Refusal(RefusalKind.ORIGIN_NOT_ALLOWED, "This page may not call here: its origin is not allowed.")
        if request.resume:
            return await self._resume(request, grant, request.resume)
        avatar, notice = self._choose(request, grant)
        record = _record(request, grant, avatar, f"session-{uuid.uuid4().hex}")
        return self._begin(request, grant, avatar, record, new_key() if request.resumable else None, notice=notice)

    async def _resume(self, request: CallRequest, grant: Grant, key: str) -> Session:
        """Go on with an earlier session; one that still runs hands over its slot."""
        saved, record = await self._look_up(key, grant)
        avatar = self._kit.catalogue.get(saved.avatar_id)
        if not self._open:
            raise Refusal(RefusalKind.SHUTTING_DOWN, "The server is shutting down.")
        if avatar is None or not grant.may_see(avatar.id):
            raise Refusal(RefusalKind.NO_SESSION_TO_RESUME, "The avatar of the earlier conversation is not there.")
        running = self._sessions.get(saved.session_id)
        if running is None:
            record = record or _record(request, grant, avatar, saved.session_id)
            return self._begin(request, grant, avatar, resumed(record), key, restored=saved.snapshot)
        session = self._begin(
            request,
            grant,
            avatar,
            resumed(running.record),
            key,
            restored=running.snapshot,
            take=None if running.over else running.ticket.take_over,
        )
        running.hand_over()
        return session

    async def _look_up(self, key: str, grant: Grant) -> tuple[SavedSession, SessionRecord | None]:
        """What is kept under a key. Raises ``Refusal``."""
        try:
            # What was changed last may not have been written yet.
            await self._kit.archive.flush()
            saved = await self._library.saved.find(hash_of(key))
            record = await self._library.records.find(saved.session_id) if saved else None
        except StoreError as error:
            log.error("an earlier session could not be read", error=str(error))
            raise Refusal(RefusalKind.BACKEND_ERROR, "The earlier conversation cannot be read now.") from None
        if saved is None or saved.license_id != grant.license.id:
            raise Refusal(RefusalKind.NO_SESSION_TO_RESUME, "The earlier conversation is not kept any more.")
        return saved, record

    def _begin(
        self,
        request: CallRequest,
        grant: Grant,
        avatar: Avatar,
        record: SessionRecord,
        key: str | None,
        *,
        notice: Notice | None = None,
        restored: Snapshot | None = None,
        take: Callable[[Grant, Callable[[int], None]], Ticket] | None = None,
    ) -> Session:
        role = self._role(avatar)
        if request.voice:
            role = replace(role, voice=replace(role.voice, name=request.voice))
        if request.prompt:
            role = replace(role, prompt=request.prompt)
        kit = self._kit
        programme = Programme(record.id, avatar, role, request.model == TRANSPARENCY, restored)
        booking = Booking(
            programme,
            Dossier(record, kit.archive.save_record, kit.metrics),
            self._keeping(grant, avatar, record.id, key) if key else None,
            notice,
            grant.max_duration,
        )
        take = take or self._slots.join
        session = Session(booking, kit, lambda moved: take(grant, moved), on_end=self._left)
        self._sessions[session.id] = session
        self._all.add(session)
        self._empty.clear()
        log.info("session admitted", session=session.id, avatar=avatar.id, license_name=grant.license.name)
        return session

    def _keeping(self, grant: Grant, avatar: Avatar, session_id: str, key: str) -> Keeping | None:
        kit = self._kit
        choices = (grant.license.persistence, avatar.persona.persistence, kit.persistence)
        persistent = next(choice for choice in choices if choice is not None)
        if not persistent and not kit.windows.reconnect:
            return None
        return Keeping(
            kit.archive,
            session_id,
            key,
            license_id=grant.license.id,
            avatar_id=avatar.id,
            windows=kit.windows,
            persistent=persistent,
            life=kit.timers.max_duration or kit.windows.resume,
        )

    def _choose(self, request: CallRequest, grant: Grant) -> tuple[Avatar, Notice | None]:
        chosen = request.avatar_id
        if not chosen and not request.name:
            chosen = grant.avatar_id
        if chosen:
            avatar = self._kit.catalogue.get(chosen)
            if avatar is None:
                raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this avatarId.")
            return _granted(avatar, grant), None
        if not request.name:
            raise Refusal(RefusalKind.BAD_REQUEST, "Either name or avatarId is needed.")
        found = self._kit.catalogue.find(request.name)
        if grant.avatar_id:
            found = [avatar for avatar in found if grant.may_see(avatar.id)] or found[:1]
        if not found:
            raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this name.")
        newest, *others = found
        notice = None
        if others:
            text = f"{len(found)} avatars have this name; the one that was updated last was taken."
            notice = Notice(text, newest.id)
        return _granted(newest, grant), notice

    def _left(self, session: Session) -> None:
        self._all.discard(session)
        if self._sessions.get(session.id) is session:
            del self._sessions[session.id]
        if not self._all:
            self._empty.set()


def _record(request: CallRequest, grant: Grant, avatar: Avatar, session_id: str) -> SessionRecord:
    return SessionRecord(
        session_id,
        avatar.id,
        grant.license.id,
        datetime.now(UTC),
        license_name=grant.license.name,
        model=request.model or "",
        origin=request.origin or "",
    )


def _granted(avatar: Avatar, grant: Grant) -> Avatar:
    if not grant.may_see(avatar.id):
        raise Refusal(RefusalKind.UNKNOWN_AVATAR, "This token is for another avatar.")
    return avatar
