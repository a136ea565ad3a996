"""What every session of a server is made with."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from visavis.avatar.catalogue import Avatar, Catalogue
from visavis.avatar.face import Face, Renderer
from visavis.avatar.package import AvatarPackage
from visavis.avatar.view import View
from visavis.conversation.parts import ConversationSettings, Parts
from visavis.media.peer import PeerSettings
from visavis.session.archive import Archive
from visavis.session.keeping import Windows
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import IceServer
from visavis.session.timers import Timers
from visavis.session.views import Views
from visavis.speech.ports import VisemeEstimator


def _no_network(package: AvatarPackage, path: Path, now: Callable[[], float]) -> None:
    """All faces are puppets."""


@dataclass(frozen=True, slots=True)
class Kit:
    """Shared by all sessions.

    ``control_timeout``: seconds for which the language model may be out of reach; 0: for ever. ``persistence``: whether
    sessions are kept where neither license nor avatar says.
    """

    catalogue: Catalogue
    parts: Callable[[Avatar], Parts]
    estimator: Callable[[], VisemeEstimator]
    renderer: Callable[[AvatarPackage, View], Renderer]
    peer: PeerSettings
    pool: Executor
    metrics: SessionMetrics
    archive: Archive
    ice_servers: tuple[IceServer, ...]
    conversation: ConversationSettings
    timers: Timers
    control_timeout: float = 15.0
    transparency_gap: float = 0.6
    idle_question: bool = True
    persistence: bool = False
    neural: Callable[[AvatarPackage, Path, Callable[[], float]], Face | None] = _no_network
    """The face that a network draws, of a package at a path, on a media clock; None: the puppet's."""
    windows: Windows = field(default_factory=Windows)
    views: Views = field(default_factory=Views)
