"""The reception: who may call, whom, and whether there is room."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

import structlog

from visavis.avatar.catalogue import Avatar
from visavis.avatar.view import View
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
from visavis.session.slots import Slots
from visavis.session.studio import Programme
from visavis.session.views import UnknownBackgroundError

log = structlog.get_logger(__name__)

TRANSPARENCY = "transparency"
"""The model name that selects pass-through."""
_LONGEST_END = 10.0
"""Seconds in which all sessions are freed; what stands behind them has to be closed, too."""
_LONGEST = 256
"""Characters of what a client says of itself that go into its record."""


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
        self._kept: dict[str, Session] = {}
        """The running sessions that can be come back to, by the hashes of their keys."""
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
        """Admit nobody any more, and end all sessions. One that cannot be freed is waited for 10 s."""
        self._open = False
        try:
            async with asyncio.timeout(_LONGEST_END):
                await self._end(list(self._all), "The server is shutting down.")
        except TimeoutError:
            log.error("sessions were not freed in time", sessions=[session.id for session in self._all])

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
            if self._licenses.guessed(request.license):
                self._attempts.failed(request.address)
            raise Refusal(RefusalKind.INVALID_LICENSE, "The license key is missing or not valid.")
        if not grant.allows_origin(request.origin):
            raise Refusal(RefusalKind.ORIGIN_NOT_ALLOWED, "This page may not call here: its origin is not allowed.")
        request = await self._with_background(request)
        if request.resume:
            return await self._resume(request, grant, request.resume)
        avatar, notice = self._choose(request, grant)
        record = _record(request, grant, avatar, f"session-{uuid.uuid4().hex}")
        return self._begin(request, grant, avatar, record, new_key() if request.resumable else None, notice=notice)

    async def _with_background(self, request: CallRequest) -> CallRequest:
        """The request with the picture that it names. Raises ``Refusal``; for who comes back it stays as it was."""
        if request.view.background is None:
            return request
        try:
            background = await self._kit.views.background(request.view.background)
        except UnknownBackgroundError as error:
            if not request.resume:
                raise Refusal(RefusalKind.BAD_REQUEST, f"background: {error}") from None
            # As in the call that goes on: there, a name that is not known changed nothing.
            background = None
        if not self._open:
            raise Refusal(RefusalKind.SHUTTING_DOWN, "The server is shutting down.")
        return replace(request, view=replace(request.view, background=background))

    async def _resume(self, request: CallRequest, grant: Grant, key: str) -> Session:
        """Go on with an earlier session. One that still runs here hands over its slot, and the store is not needed."""
        running = self._kept.get(hash_of(key))
        if running and not running.over:
            return self._go_on(request, grant, key, running)
        saved, record = await self._look_up(key)
        if not self._open:
            raise Refusal(RefusalKind.SHUTTING_DOWN, "The server is shutting down.")
        # Another window may have come back meanwhile.
        running = self._kept.get(hash_of(key))
        if running:
            return self._go_on(request, grant, key, running)
        avatar = self._earlier(grant, saved.license_id, saved.avatar_id)
        record = record or _record(request, grant, avatar, saved.session_id)
        # Who has just lost the connection, or left the page, had a slot before those who wait came.
        returning = datetime.now(UTC) - saved.saved_at <= timedelta(seconds=self._kit.windows.reconnect)
        return self._begin(request, grant, avatar, resumed(record), key, restored=saved.snapshot, returning=returning)

    def _go_on(self, request: CallRequest, grant: Grant, key: str, running: Session) -> Session:
        """Go on with a session that has not been freed yet."""
        avatar = self._earlier(grant, running.record.license_id, running.record.avatar_id)
        session = self._begin(
            request,
            grant,
            avatar,
            resumed(running.record),
            key,
            restored=running.snapshot,
            before=running.view,
            held=None if running.ticket.spent else running,
        )
        running.hand_over()
        return session

    def _earlier(self, grant: Grant, license_id: str, avatar_id: str) -> Avatar:
        """The avatar of an earlier session. Raises ``Refusal``: the session is not for who asks, or the avatar gone."""
        if license_id != grant.license.id:
            raise _nothing_kept()
        avatar = self._kit.catalogue.get(avatar_id)
        if avatar is None or not grant.may_see(avatar.id):
            raise Refusal(RefusalKind.NO_SESSION_TO_RESUME, "The avatar of the earlier conversation is not there.")
        return avatar

    async def _look_up(self, key: str) -> tuple[SavedSession, SessionRecord | None]:
        """What is kept under a key. Raises ``Refusal``."""
        try:
            # What was changed last may not have been written yet.
            await self._kit.archive.flush()
            saved = await self._library.saved.find(hash_of(key))
            record = await self._library.records.find(saved.session_id) if saved else None
        except StoreError as error:
            log.error("an earlier session could not be read", error=str(error))
            raise Refusal(RefusalKind.BACKEND_ERROR, "The earlier conversation cannot be read now.") from None
        if saved is None:
            raise _nothing_kept()
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
        before: View | None = None,
        held: Session | None = None,
        returning: bool = False,
    ) -> Session:
        """Make the session; ``held``: the one whose slot, or place in the queue, it takes over.

        ``before``: how the visitor saw the avatar until now.
        """
        kit = self._kit
        view = kit.views.choose(request.view, before)
        role = self._role(avatar)
        if request.voice:
            role = replace(role, voice=role.voice.renamed(request.voice))
        if request.prompt:
            role = replace(role, prompt=request.prompt)
        programme = Programme(record.id, avatar, role, view, request.model == TRANSPARENCY, restored)
        booking = Booking(
            programme,
            Dossier(record, kit.archive.save_record, kit.metrics),
            self._keeping(grant, avatar, record.id, key) if key else None,
            notice,
            grant.max_duration,
            held.connected_for if held else 0.0,
        )
        take = held.ticket.take_over if held else partial(self._slots.join, returning=returning)
        session = Session(booking, kit, lambda moved: take(grant, moved), on_end=self._left)
        if session.resume_key:
            self._kept[hash_of(session.resume_key)] = session
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
        if session.resume_key and self._kept.get(hash_of(session.resume_key)) is session:
            del self._kept[hash_of(session.resume_key)]
        if not self._all:
            self._empty.set()


def _nothing_kept() -> Refusal:
    return Refusal(RefusalKind.NO_SESSION_TO_RESUME, "The earlier conversation is not kept any more.")


def _record(request: CallRequest, grant: Grant, avatar: Avatar, session_id: str) -> SessionRecord:
    return SessionRecord(
        session_id,
        avatar.id,
        grant.license.id,
        datetime.now(UTC),
        license_name=grant.license.name,
        model=(request.model or "")[:_LONGEST],
        origin=(request.origin or "")[:_LONGEST],
    )


def _granted(avatar: Avatar, grant: Grant) -> Avatar:
    if not grant.may_see(avatar.id):
        raise Refusal(RefusalKind.UNKNOWN_AVATAR, "This token is for another avatar.")
    return avatar
