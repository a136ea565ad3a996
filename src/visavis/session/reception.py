"""The reception: who may call, whom, and whether there is room."""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace

import structlog

from visavis.avatar.catalogue import Avatar
from visavis.conversation.conversation import Role
from visavis.session.events import Ending, Refusal, RefusalKind
from visavis.session.license import Licenses
from visavis.session.ports import CallRequest, Notice
from visavis.session.session import Kit, Session
from visavis.session.slots import Slots

log = structlog.get_logger(__name__)

TRANSPARENCY = "transparency"
"""The model name that selects pass-through."""


class FrontDesk:
    """A ``Reception``: checks the license, finds the avatar, takes a slot, and knows the running sessions."""

    def __init__(self, licenses: Licenses, slots: Slots, kit: Kit, role: Callable[[Avatar], Role]) -> None:
        self._licenses = licenses
        self._slots = slots
        self._kit = kit
        self._role = role
        self._sessions: set[Session] = set()
        self._open = True
        kit.metrics.slots.set(slots.capacity)

    @property
    def sessions(self) -> int:
        """How many are running."""
        return len(self._sessions)

    @property
    def slots(self) -> int:
        """How many there can be."""
        return self._slots.capacity

    async def admit(self, request: CallRequest) -> Session:
        """See ``Reception``."""
        try:
            return self._admit(request)
        except Refusal as refusal:
            self._kit.metrics.refused(refusal.kind)
            log.info("call refused", kind=refusal.kind.value)
            raise

    async def close(self) -> None:
        """Admit nobody any more, and end all sessions."""
        self._open = False
        sessions = list(self._sessions)
        results = await asyncio.gather(*(session.leave(Ending.NORMAL) for session in sessions), return_exceptions=True)
        for session, result in zip(sessions, results, strict=True):
            if isinstance(result, BaseException):
                log.error("a session could not be left", session=session.id, exc_info=result)

    def _admit(self, request: CallRequest) -> Session:
        if not self._open:
            raise Refusal(RefusalKind.SHUTTING_DOWN, "The server is shutting down.")
        license = self._licenses.authorize(request.license)
        if license is None:
            raise Refusal(RefusalKind.INVALID_LICENSE, "The license key is missing or not valid.")
        avatar, notice = self._choose(request)
        role = self._role(avatar)
        if request.voice:
            role = replace(role, voice=replace(role.voice, name=request.voice))
        if request.prompt:
            role = replace(role, prompt=request.prompt)
        slot = self._slots.take(license)
        session = Session(
            f"session-{uuid.uuid4().hex}",
            avatar,
            role,
            self._kit,
            slot,
            transparent=request.model == TRANSPARENCY,
            notice=notice,
            on_end=self._left,
        )
        self._sessions.add(session)
        self._kit.metrics.active.set(len(self._sessions))
        log.info("session admitted", session=session.id, avatar=avatar.id, license_name=license.name)
        return session

    def _choose(self, request: CallRequest) -> tuple[Avatar, Notice | None]:
        if request.avatar_id:
            avatar = self._kit.catalogue.get(request.avatar_id)
            if avatar is None:
                raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this avatarId.")
            return avatar, None
        if not request.name:
            raise Refusal(RefusalKind.BAD_REQUEST, "Either name or avatarId is needed.")
        found = self._kit.catalogue.find(request.name)
        if not found:
            raise Refusal(RefusalKind.UNKNOWN_AVATAR, "There is no avatar with this name.")
        newest, *others = found
        notice = None
        if others:
            text = f"{len(found)} avatars have this name; the one that was updated last was taken."
            notice = Notice(text, newest.id)
        return newest, notice

    def _left(self, session: Session) -> None:
        self._sessions.discard(session)
        self._kit.metrics.active.set(len(self._sessions))
