"""What a session is on the air with: the face, the stage, the conversation, the camera and the peer."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.catalogue import Avatar
from visavis.avatar.emotion import Feeling
from visavis.avatar.face import Face
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.face import PuppetFace
from visavis.avatar.view import Background, View
from visavis.closing import close_part
from visavis.conversation.conversation import Conversation
from visavis.conversation.events import ConversationEvent
from visavis.conversation.parts import ConversationObserver, Parts, Role
from visavis.conversation.snapshot import Snapshot
from visavis.conversation.stage import Stage
from visavis.conversation.transparency import Transparency
from visavis.media.clock import MediaClock
from visavis.media.peer import Peer, PeerSettings, PeerState
from visavis.media.playout import LEAD, Playout
from visavis.session.camera import Camera
from visavis.session.commands import NamedBackground
from visavis.session.events import Picture
from visavis.session.kit import Kit
from visavis.session.views import Views


@dataclass(frozen=True, slots=True)
class Programme:
    """What is to be played: ``restored`` where a conversation goes on, ``transparent`` for pushed sound alone.

    ``view``: how it is to be seen.
    """

    session_id: str
    avatar: Avatar
    role: Role
    view: View
    transparent: bool = False
    restored: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of what happens: of events, figures, changes worth keeping, the avatar's goodbye,
    whether the language model was there, and media."""

    emit: Callable[[ConversationEvent], None]
    observer: ConversationObserver
    on_change: Callable[[], None]
    on_end: Callable[[], None]
    on_reached: Callable[[bool], None]
    on_peer: Callable[[PeerState], None]


class Studio:
    """All parts of one session that cost something; ``close`` frees them."""

    def __init__(
        self,
        stage: Stage,
        playout: Playout,
        conversation: Conversation | Transparency,
        camera: Camera | None,
        peer: Peer,
        uncount: Callable[[], None],
        *,
        picture: Picture,
        view: View,
        views: Views,
    ) -> None:
        self.conversation = conversation
        self.peer = peer
        self.picture = picture
        """What is sent of the avatar."""
        self.view = view
        """As it was asked for, and changed since."""
        self._views = views
        self._stage = stage
        self._playout = playout
        self._camera = camera
        self._uncount = uncount

    @classmethod
    async def open(cls, kit: Kit, programme: Programme, parts: Parts | None, listeners: Listeners) -> "Studio":
        """Load the face and make everything else; ``parts`` is None in transparency mode. Raises ``PackageError``."""
        package = await kit.catalogue.load(programme.avatar)
        clock = MediaClock()
        face = await asyncio.to_thread(_face, kit, programme, package, clock)
        playout = Playout(clock, lead=max(LEAD, face.latency))
        stage = Stage(clock, playout, face)
        if parts is None:
            conversation: Conversation | Transparency = Transparency(
                stage, kit.estimator(), listeners.emit, gap=kit.transparency_gap
            )
        else:
            conversation = Conversation(
                programme.role,
                parts,
                stage,
                listeners.emit,
                listeners.observer,
                kit.conversation,
                restored=programme.restored,
                on_change=listeners.on_change,
                on_end=listeners.on_end,
                on_reached=listeners.on_reached,
            )
        camera = None
        if isinstance(conversation, Conversation) and conversation.accepts_images:
            camera = Camera(kit.pool, conversation.send_image)
        peer = Peer(
            rates_for(kit.peer, stage.width * stage.height, kit.views.default),
            stage,
            playout,
            clock,
            kit.pool,
            on_state=listeners.on_peer,
            on_camera=camera.take if camera else None,
        )
        return cls(
            stage,
            playout,
            conversation,
            camera,
            peer,
            kit.metrics.follow(peer.stats),
            picture=_picture(face, package, programme.view),
            view=programme.view,
            views=kit.views,
        )

    async def stand_before(self, background: Background | NamedBackground) -> None:
        """Put something else behind the avatar. Raises ``UnknownBackgroundError``."""
        found = await self._views.background(background)
        self._stage.behind(found)
        self.view = replace(self.view, background=found)

    def feel(self, feeling: Feeling) -> None:
        """Let the avatar's face show a feeling."""
        self._stage.feel(feeling)

    async def close(self) -> None:
        """End the conversation and the media, and free everything."""
        if self._camera:
            await close_part("camera", self._camera.close)
        await close_part("conversation", self.conversation.close)
        await close_part("peer", self.peer.close)
        await close_part("playout", self._playout.close)
        await close_part("figures", self._uncount)
        await close_part("stage", self._stage.strike)


def _face(kit: Kit, programme: Programme, package: AvatarPackage, clock: MediaClock) -> Face:
    """What a network draws, where the settings say so; else the puppet. Blocks."""
    face = kit.neural(package, programme.avatar.package, clock.now)
    if face is not None:
        return face
    animator = Animator(zlib.crc32(programme.session_id.encode()), HOUSE.with_overrides(package.manifest.overrides))
    return PuppetFace(animator, kit.renderer(package, programme.view))


def _picture(face: Face, package: AvatarPackage, view: View) -> Picture:
    if not isinstance(face, PuppetFace):
        # A network draws one opaque picture of its own size.
        return Picture(face.width, face.height, transparent=False, backgrounds=False)
    # A person who was not cut out of the picture still has something beside it where the view is no square.
    seen = package.matte is not None or view.width != view.height
    return Picture(view.width, view.height, view.transparent, backgrounds=seen and not view.transparent)


def rates_for(settings: PeerSettings, pixels: int, usual: View) -> PeerSettings:
    """The video bit rates for frames of so many pixels, where the settings are for those of the ``usual`` view.

    Bits grow with pixels to the power of 0.75: neighbouring pixels of a larger picture have more in common.
    """
    factor = (pixels / (usual.frame_width * usual.height)) ** 0.75
    start, highest = (
        max(settings.min_bitrate, round(rate * factor)) for rate in (settings.start_bitrate, settings.max_bitrate)
    )
    return replace(settings, start_bitrate=start, max_bitrate=highest)
