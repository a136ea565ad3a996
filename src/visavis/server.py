"""The composition root: settings in, application out. The only place where parts meet."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal

import cv2
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge, GCCollector, ProcessCollector
from pydantic import SecretStr

from visavis.avatar.catalogue import Catalogue
from visavis.avatar.face import Renderer
from visavis.avatar.files import PackageError
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.closing import close_part
from visavis.config import Settings
from visavis.conversation.conversation import ConversationSettings
from visavis.conversation.listening import ListeningSettings
from visavis.media.encoder import VideoCodec
from visavis.media.ice import IceServer as PeerIceServer
from visavis.media.peer import PeerSettings
from visavis.providers import Providers
from visavis.session.license import License, Licenses
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import IceServer
from visavis.session.reception import FrontDesk
from visavis.session.session import Kit
from visavis.session.slots import Slots
from visavis.session.timers import Timers
from visavis.speech.estimator import NetVisemeEstimator
from visavis.tasks import Tasks
from visavis.web.pages import web_router
from visavis.wire.http import Health, monitoring_router
from visavis.wire.navtalk.endpoint import navtalk_router
from visavis.wire.navtalk.settings import NavtalkSettings

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The server's ASGI application. Its lifespan raises ``SettingsError`` when a part cannot start.

    ``app.state.drain``: admits nobody any more and ends all calls.
    """
    # The render pool's threads are the parallelism; OpenCV's own would only fight them.
    cv2.setNumThreads(1)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry)
    providers = Providers(settings)
    catalogue = Catalogue(settings.avatars.folder, default=settings.avatars.default)
    licenses = Licenses(
        License(license.key.get_secret_value(), license.name, license.max_sessions) for license in settings.licenses
    )
    pool = ThreadPoolExecutor(settings.media.workers, thread_name_prefix="picture")
    kit = Kit(
        catalogue=catalogue,
        parts=providers.parts,
        estimator=NetVisemeEstimator,
        renderer=lambda package: _renderer(package, settings),
        peer=peer_settings(settings),
        pool=pool,
        metrics=SessionMetrics(registry),
        ice_servers=tuple(
            IceServer(server.urls, server.username, _secret(server.credential)) for server in settings.ice.servers
        ),
        conversation=conversation_settings(settings),
        timers=Timers(
            media=settings.session.media_timeout,
            media_lost=settings.session.media_lost_timeout,
            max_duration=settings.session.max_duration,
            idle=settings.session.idle_timeout,
        ),
        transparency_gap=settings.navtalk.transparency_gap_ms / 1000,
    )
    desk = FrontDesk(licenses, Slots(settings.session.max_sessions), kit, providers.role)
    status = Status(desk)
    tasks = Gauge("visavis_tasks", "Tasks on the event loop.", registry=registry)
    tasks.set_function(lambda: len(asyncio.all_tasks()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as closing:
            # Closed in reverse: first the sessions, last what they stand on.
            closing.callback(pool.shutdown, wait=False, cancel_futures=True)
            closing.push_async_callback(close_part, "providers", providers.close)
            watching = Tasks()
            closing.push_async_callback(close_part, "catalogue", watching.close)
            closing.push_async_callback(close_part, "sessions", desk.close)
            try:
                watching.spawn(catalogue.watch())
                await providers.start()
                await asyncio.to_thread(providers.prepare, catalogue.all())
                await _load_first(catalogue)
                # What is there now stays: collections after calls need not visit it.
                gc.collect()
                gc.freeze()
                status.now = "ok"
                yield
            finally:
                status.now = "stopping"

    app = FastAPI(title="visavis", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(monitoring_router(status.health, registry))
    app.include_router(navtalk_router(desk, navtalk_settings(settings), catalogue, licenses, registry))
    app.include_router(web_router())
    app.state.drain = desk.close
    return app


async def _load_first(catalogue: Catalogue) -> None:
    """Have the first avatar's face ready, so that the first call connects as soon as the later ones."""
    try:
        for avatar in catalogue.all()[:1]:
            await catalogue.load(avatar)
    except PackageError as error:
        log.warning("the first avatar cannot be shown", error=str(error))


class Status:
    """How the server is, for whoever watches it."""

    def __init__(self, desk: FrontDesk) -> None:
        self._desk = desk
        self.now: Literal["ok", "starting", "stopping"] = "starting"

    def health(self) -> Health:
        """The figures of this instant."""
        return Health(self.now, self._desk.sessions, self._desk.slots)


def peer_settings(settings: Settings) -> PeerSettings:
    """The media settings as the peers take them."""
    media, ice = settings.media, settings.ice
    return PeerSettings(
        fps=media.fps,
        start_bitrate=media.video_bitrate_start,
        min_bitrate=media.video_bitrate_min,
        max_bitrate=media.video_bitrate_max,
        audio_bitrate=media.audio_bitrate,
        expected_loss=media.expected_packet_loss,
        codecs=tuple(VideoCodec(name) for name in media.video_codecs),
        ice_servers=tuple(
            PeerIceServer(server.urls, server.username, _secret(server.credential)) for server in ice.servers
        )
        if ice.gather_with_servers
        else (),
        bind=settings.media_addresses,
        public_address=ice.public_address,
        ports=(ice.port_min, ice.port_max) if ice.port_min else None,
    )


def conversation_settings(settings: Settings) -> ConversationSettings:
    """The turn settings as the conversations take them."""
    turn = settings.turn
    return ConversationSettings(
        listening=ListeningSettings(
            threshold=turn.vad_threshold,
            release=turn.vad_threshold * 0.7,
            start=turn.start_ms / 1000,
            pre_roll=turn.pre_roll_ms / 1000,
            default_silence=turn.silence_medium_ms / 1000,
            barge_in=turn.barge_in_ms / 1000,
            barge_in_threshold=max(turn.vad_threshold, 0.7),
        ),
        tool_timeout=settings.session.tool_timeout,
        echo_guard=turn.echo_guard,
        copy_sound=settings.navtalk.audio_delta,
    )


def navtalk_settings(settings: Settings) -> NavtalkSettings:
    """The wire's settings."""
    return NavtalkSettings(
        allowed_origins=settings.server.allowed_origins,
        public_url=settings.server.public_url,
        provider_name=settings.avatars.provider_name,
        tool_arguments=settings.navtalk.tool_arguments,
        audio_delta=settings.navtalk.audio_delta,
        max_message_bytes=settings.server.max_message_bytes,
    )


def _renderer(package: AvatarPackage, settings: Settings) -> Renderer:
    return PuppetRenderer(package, settings.media.width, settings.media.height)


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
