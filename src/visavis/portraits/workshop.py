"""The workshop: takes photos in, has avatars made of them one after the other, and keeps the drafts meanwhile.

A draft belongs to one license. Nobody but the event loop touches drafts; files and processes are dealt with in threads
and in the maker.
"""

import asyncio
import contextlib
import os
import secrets
import time
from collections import deque
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog

from visavis.avatar.catalogue import Catalogue
from visavis.avatar.photo.consent import consent_now
from visavis.avatar.photo.folder import avatar_id
from visavis.avatar.photo.topology import NAMED
from visavis.portraits.draft import Declined, Draft, DraftState, Fault, Findings, Places, Wish, gone, no_room
from visavis.portraits.intake import take_in
from visavis.portraits.maker import Built, Event, Filmed, Maker, MakerError, Order, Reached
from visavis.portraits.shelf import Shelf
from visavis.portraits.speaker import Speaker
from visavis.portraits.voices import VoiceChoice
from visavis.speech.ports import Synthesizer, VisemeEstimator
from visavis.tasks import Tasks

log = structlog.get_logger(__name__)

MAX_NAME: Final = 60
MOST_DRAFTS: Final = 8
LIFETIME: Final = 2 * 3600.0
"""Seconds after which a draft goes, even if it is looked at …"""
IDLE: Final = 15 * 60.0
"""… and after which it goes when nobody asks for it."""
LEFT: Final = 3 * 60.0
"""Seconds after which a draft that nobody asks for gives way to a new one."""
UPLOAD: Final = 5 * 60.0
"""Longest coming of a photo, in seconds: one that trickles in would keep its draft for ever."""
_LOOK: Final = 15.0

_FAILED: Final = Fault(
    "failed", "The avatar could not be made because of a fault in the server, whose log says more. Try again."
)
_WORKING: Final = (DraftState.WAITING, DraftState.BUILDING)


class Workshop:
    """Makes avatars of photos into ``folder``, where ``catalogue`` finds them.

    ``most``: drafts at a time; one more takes the place of one that was left for ``LEFT`` seconds, or is declined.
    Builds wait in line behind each other, at most one for each draft. ``upload``: seconds in which a photo must have
    come. ``clock``: seconds. ``open`` before the first call, ``close`` after the last.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        folder: Path,
        maker: Maker,
        synthesizer: Synthesizer,
        estimator: Callable[[], VisemeEstimator],
        *,
        voices: Sequence[VoiceChoice] = (),
        most: int = MOST_DRAFTS,
        upload: float = UPLOAD,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.voices: Final = tuple(voices)
        self._catalogue = catalogue
        self._folder = folder
        self._maker = maker
        self._speaker = Speaker(synthesizer, estimator)
        self._most = most
        self._upload = upload
        self._clock = clock
        self._shelf = Shelf(folder)
        self._drafts: dict[str, Draft] = {}
        self._line: deque[Draft] = deque()
        self._current: Draft | None = None
        self._work: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._tasks = Tasks()
        # Nothing is removed that is just being moved to its place, and no place is taken twice.
        self._moving = asyncio.Lock()
        self._closed = False

    async def open(self) -> None:
        """Begin to work, and remove what a server that ended abruptly left behind."""
        await asyncio.to_thread(self._shelf.sweep)
        self._tasks.spawn(self._serve())
        self._tasks.spawn(self._expire())

    async def close(self) -> None:
        """Stop, and remove all drafts. Idempotent."""
        self._closed = True
        await self._tasks.close()
        self._drafts.clear()
        self._line.clear()
        await asyncio.to_thread(self._shelf.close)

    async def begin(self, owner: str, name: str, consent: str, voice: str = "") -> Draft:
        """A new draft. ``consent``: the statement that was agreed to. Raises ``Declined``."""
        plain = self._check_name(name, None)
        try:
            given = consent_now(consent)
        except ValueError:
            raise Declined("no_consent", "Without the consent of the person in the photo no avatar is made.") from None
        self._check_voice(voice)
        if self._closed:
            raise Declined("busy", "The server is about to stop.")
        leaving = self._one_to_leave()
        now = self._clock()
        id = secrets.token_urlsafe(18)
        draft = Draft(id, owner, plain, voice, given, Path(), now, now)
        # It counts, and has its name, before anything is waited for, so that many at once are not one too many.
        self._drafts[id] = draft
        try:
            if leaving is not None:
                await self.discard(leaving)
            draft.folder = await asyncio.to_thread(self._shelf.place)
        except BaseException as error:
            self._drafts.pop(id, None)
            if not isinstance(error, OSError):
                raise
            log.error("the avatars' folder cannot be written", folder=str(self._folder), error=str(error))
            raise no_room() from None
        log.info("draft begun", draft=_short(draft), drafts=len(self._drafts))
        return draft

    def find(self, id: str, owner: str) -> Draft:
        """The draft, if it is the owner's. It counts as asked for. Raises ``Declined``."""
        draft = self._drafts.get(id)
        if draft is None or draft.owner != owner:
            raise gone()
        draft.asked = self._clock()
        return draft

    def ahead(self, draft: Draft) -> int:
        """How many are made before it."""
        if draft not in self._line:
            return 0
        return self._line.index(draft) + (self._current is not None)

    async def receive(self, draft: Draft, body: AsyncIterable[bytes]) -> None:
        """Take the photo in, and line the draft up; until it is all here, nothing changes. Raises ``Declined``."""
        self._check_free(draft)
        draft.busy = True
        try:
            async with asyncio.timeout(self._upload):
                await take_in(body, draft.photo)
        except TimeoutError:
            raise Declined("too_slow", f"The photo did not come within {self._upload / 60:g} minutes.") from None
        finally:
            draft.busy = False
            if draft.id not in self._drafts:
                # What was written while the draft went.
                await self._clear(draft)
        if draft.id not in self._drafts:
            raise gone()
        draft.findings, draft.built, draft.film, draft.warnings = None, False, False, ()
        draft.wish = Wish()
        self._line_up(draft)

    def change(
        self,
        draft: Draft,
        *,
        points: Places | None = None,
        glasses: bool | None = None,
        voice: str | None = None,
    ) -> None:
        """Make the avatar anew: with points placed by hand, with or without glasses, with another voice.

        None leaves a thing as it is. Raises ``Declined``.
        """
        self._check_free(draft)
        if voice is not None:
            self._check_voice(voice)
        face = points is not None or glasses is not None
        if face:
            if draft.findings is None:
                raise Declined("no_photo", "There is no photo yet in which a face was found.")
            if points is not None:
                _check_points(points, draft.findings)
            wish = draft.wish
            draft.wish = Wish(wish.points if points is None else points, wish.glasses if glasses is None else glasses)
        draft.voice = draft.voice if voice is None else voice
        if face or (voice is not None and draft.built):
            self._line_up(draft, face=face)

    async def save(self, draft: Draft) -> str:
        """Put the avatar where avatars are; its id. The draft is then gone. Raises ``Declined``."""
        self._check_free(draft)
        if not draft.built:
            raise Declined("not_ready", "The avatar is not made yet.")
        self._check_name(draft.name, draft)
        draft.busy = True
        try:
            async with self._moving:
                id = await asyncio.to_thread(self._put, draft)
        finally:
            draft.busy = False
        await self.discard(draft)
        log.info("avatar made of a photo", avatar=id)
        return id

    async def discard(self, draft: Draft) -> None:
        """Stop what is done with it, and remove everything. Idempotent."""
        if self._drafts.pop(draft.id, None) is None:
            return
        with contextlib.suppress(ValueError):
            self._line.remove(draft)
        if self._current is draft and self._work is not None:
            self._work.cancel()
            await asyncio.wait([self._work])
        await self._clear(draft)

    async def _clear(self, draft: Draft) -> None:
        async with self._moving:
            await asyncio.to_thread(self._shelf.clear, draft.folder)

    def _check_free(self, draft: Draft) -> None:
        if draft.busy or draft.state in _WORKING:
            raise Declined("busy_draft", "The avatar is being made just now. Wait until it is done.")

    def _check_voice(self, voice: str) -> None:
        if voice and voice not in {choice.name for choice in self.voices}:
            raise Declined("voice_invalid", "This server does not have this voice.")

    def _check_name(self, name: str, draft: Draft | None) -> str:
        """The name without needless white space. Raises ``Declined``."""
        plain = " ".join(name.split())
        if not plain or len(plain) > MAX_NAME or not plain.isprintable():
            raise Declined("name_invalid", f"The name must have 1 to {MAX_NAME} letters.")
        others = {other.name.casefold() for other in self._drafts.values() if other is not draft}
        if self._catalogue.find(plain) or plain.casefold() in others:
            raise Declined("name_taken", f"There is an avatar called {plain} already. Choose another name.")
        return plain

    def _one_to_leave(self) -> Draft | None:
        """The draft that makes room for one more; None where there is room. Raises ``Declined``."""
        if len(self._drafts) < self._most:
            return None
        now = self._clock()
        idle = [d for d in self._drafts.values() if now - d.asked > LEFT and d is not self._current and not d.busy]
        if not idle:
            raise Declined("busy", "Too many avatars are being made here now. Try again in some minutes.")
        return min(idle, key=lambda draft: draft.asked)

    def _line_up(self, draft: Draft, *, face: bool = True) -> None:
        draft.fault = None
        draft.state, draft.stage, draft.share = DraftState.WAITING, "", 0.0
        draft.face = face
        self._line.append(draft)
        self._wake.set()

    async def _serve(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._line:
                self._current = draft = self._line.popleft()
                self._work = asyncio.create_task(self._make(draft))
                try:
                    # Cancelled alone, a build ends without the workshop.
                    await asyncio.wait([self._work])
                except asyncio.CancelledError:
                    self._work.cancel()
                    await asyncio.wait([self._work])
                    raise
                finally:
                    self._current = self._work = None

    async def _make(self, draft: Draft) -> None:
        """Have the draft made, and leave it in a state that a person can go on from."""
        draft.state = DraftState.BUILDING
        draft.film = False
        order = Order(draft.folder, draft.name, draft.voice, draft.consent, draft.wish, draft.face)
        speaking = asyncio.create_task(self._speaker.say(draft.name, draft.voice))
        try:
            async with aclosing(self._maker.make(order, speaking)) as events:
                async for event in events:
                    _note(draft, event)
        except MakerError as error:
            log.error("an avatar could not be made", draft=_short(draft), error=str(error))
            draft.fault = _FAILED
        except Exception:
            log.exception("an avatar could not be made", draft=_short(draft))
            draft.fault = _FAILED
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        draft.asked = self._clock()
        if draft.built:
            draft.state = DraftState.READY
        elif draft.findings is not None:
            draft.state = DraftState.POINTS
        else:
            draft.state = DraftState.EMPTY

    def _put(self, draft: Draft) -> str:
        """Move the avatar to its place, in one step; its id. Raises ``Declined``. Blocks."""
        base = avatar_id(draft.name)
        for number in range(1, 1000):
            id = base if number == 1 else f"{base[:60]}-{number}"
            target = self._folder / id
            if os.path.lexists(target) or self._catalogue.get(id) is not None:
                continue
            try:
                draft.avatar.rename(target)
            except OSError as error:
                log.error("an avatar could not be saved", avatar=id, error=str(error))
                raise no_room() from None
            self._catalogue.reload()
            return id
        raise Declined("name_taken", f"There are too many avatars called {draft.name}. Choose another name.")

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            await self.tidy()

    async def tidy(self) -> None:
        """Discard the drafts whose time is over."""
        now = self._clock()
        for draft in list(self._drafts.values()):
            working = draft.busy or draft.state in _WORKING
            if not working and (now - draft.asked > IDLE or now - draft.begun > LIFETIME):
                log.info("a draft expired", draft=_short(draft))
                await self.discard(draft)


def _note(draft: Draft, event: Event) -> None:
    """Write down what the maker told."""
    match event:
        case Reached():
            draft.stage, draft.share = event.stage, event.share
        case Findings():
            draft.findings = event
        case Built():
            draft.built, draft.warnings = True, event.warnings
            if draft.findings is not None:
                draft.findings = replace(draft.findings, points=event.points)
        case Filmed():
            draft.film = True
        case Fault():
            draft.fault = event


def _check_points(points: Places, findings: Findings) -> None:
    if unknown := sorted(set(points) - set(NAMED)):
        raise Declined("points_invalid", f"There is no point {unknown[0][:40]!r} in a face.")
    if any(not (0 <= x <= findings.width and 0 <= y <= findings.height) for x, y in points.values()):
        raise Declined("points_invalid", "A point lies outside the photo.")


def _short(draft: Draft) -> str:
    """What a log shows of a draft: enough to follow it, too little to ask for it."""
    return draft.id[:6]
