"""The composition root: settings in, application out. The only place where parts meet."""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Literal

import cv2
import structlog
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge, GCCollector, ProcessCollector
from pydantic import SecretStr

from visavis.avatar.catalogue import Catalogue
from visavis.avatar.files import PackageError
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.closing import close_part
from visavis.config import Settings
from visavis.config_values import SettingsError
from visavis.conversation.listening import ListeningSettings
from visavis.conversation.parts import ConversationSettings
from visavis.media.encoder import VideoCodec
from visavis.media.ice import IceServer as PeerIceServer
from visavis.media.peer import PeerSettings
from visavis.neural import Neural
from visavis.portraits.maker import MakerProcess
from visavis.portraits.voices import voices_of
from visavis.portraits.workshop import Workshop
from visavis.providers import Providers
from visavis.session.keeping import Windows
from visavis.session.kit import Kit
from visavis.session.license import License, Licenses
from visavis.session.metrics import SessionMetrics
from visavis.session.ports import IceServer
from visavis.session.rate import AttemptLimits
from visavis.session.reception import FrontDesk
from visavis.session.records import StoreError
from visavis.session.slots import Slots
from visavis.session.timers import Timers
from visavis.session.tokens import TokenRequest
from visavis.session.views import Views
from visavis.speech.estimator import NetVisemeEstimator
from visavis.speech.models import ModelStore
from visavis.store.store import Store
from visavis.store.writer import StoreWriter
from visavis.tasks import Tasks
from visavis.web.pages import web_router
from visavis.wire.http import Health, monitoring_router
from visavis.wire.navtalk.endpoint import navtalk_router
from visavis.wire.navtalk.settings import NavtalkSettings
from visavis.wire.v1.client_tokens import client_tokens_router
from visavis.wire.v1.portraits import portraits_router
from visavis.wire.v1.portraits_access import PortraitAccess
from visavis.wire.v1.sessions import sessions_router

log = structlog.get_logger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The server's ASGI application. Its lifespan raises ``SettingsError`` when a part cannot start.

    ``app.state.drain``: admits nobody any more, and ends all calls after as many seconds as it is given.
    """
    # The render pool's threads are the parallelism; OpenCV's own would only fight them.
    cv2.setNumThreads(1)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    GCCollector(registry)
    providers = Providers(settings)
    catalogue = Catalogue(settings.avatars.own_folder, default=settings.avatars.default)
    licenses = Licenses(
        (
            License(
                license.key.get_secret_value(),
                license.name,
                license.max_sessions,
                license.allowed_origins,
                license.persistence,
            )
            for license in settings.licenses
        ),
        token_lifetime=settings.limits.token_lifetime,
    )
    attempts = AttemptLimits(settings.limits.connects_per_minute, settings.limits.failures_per_minute)
    with _store_settings():
        store = Store(settings.store.url.get_secret_value())
    writer = StoreWriter(store, records_days=settings.store.records_days)
    pool = ThreadPoolExecutor(settings.media.workers, thread_name_prefix="picture")
    neural = Neural(settings)
    kit = Kit(
        catalogue=catalogue,
        parts=providers.parts,
        estimator=NetVisemeEstimator,
        renderer=PuppetRenderer,
        neural=neural.open,
        peer=peer_settings(settings),
        pool=pool,
        metrics=SessionMetrics(registry),
        archive=writer,
        ice_servers=tuple(
            IceServer(server.urls, server.username, _secret(server.credential)) for server in settings.ice.servers
        ),
        conversation=conversation_settings(settings),
        timers=timers(settings),
        control_timeout=settings.session.control_timeout,
        transparency_gap=settings.navtalk.transparency_gap_ms / 1000,
        idle_question=settings.session.idle_question,
        persistence=settings.session.persistence,
        windows=Windows(settings.session.resume_window, settings.session.reconnect_window),
        views=views(settings),
    )
    slots = Slots(settings.session.max_sessions, queue_size=settings.session.queue_size)
    workshop = _workshop(settings, catalogue, providers) if settings.avatars.uploads else None
    desk = FrontDesk(licenses, slots, attempts, kit, store, providers.role)
    status = Status(desk)
    tasks = Gauge("visavis_tasks", "Tasks on the event loop.", registry=registry)
    tasks.set_function(lambda: len(asyncio.all_tasks()))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as closing:
            # Closed in reverse: first the sessions, last what they stand on.
            closing.callback(pool.shutdown, wait=False, cancel_futures=True)
            closing.push_async_callback(close_part, "network", neural.close)
            closing.push_async_callback(close_part, "providers", providers.close)
            closing.push_async_callback(close_part, "store", store.close)
            closing.push_async_callback(close_part, "records", writer.close)
            watching = Tasks()
            closing.push_async_callback(close_part, "catalogue", watching.close)
            closing.push_async_callback(close_part, "sessions", desk.close)
            if workshop:
                closing.push_async_callback(close_part, "workshop", workshop.close)
            try:
                with _store_settings():
                    await store.open()
                writer.start()
                watching.spawn(catalogue.watch())
                await providers.start()
                await neural.start()
                await asyncio.to_thread(providers.prepare, catalogue.all())
                if workshop:
                    await workshop.open()
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
    app.include_router(navtalk_router(desk, navtalk_settings(settings), catalogue, licenses, registry, attempts))
    app.include_router(client_tokens_router(licenses, catalogue, attempts))
    app.include_router(sessions_router(store.records, writer.flush, licenses, attempts))
    if workshop:
        access = PortraitAccess(licenses, attempts, free=settings.development, public_url=settings.server.public_url)
        app.include_router(
            portraits_router(workshop, access, _token_maker(settings, licenses), lambda: _networks() is not None)
        )
    app.include_router(web_router(portraits=workshop is not None))
    app.state.drain = desk.drain
    return app


@contextmanager
def _store_settings() -> Generator[None]:
    try:
        yield
    except StoreError as error:
        raise SettingsError(f"store.url cannot be used: {error}") from None


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
        now = self.now if self._desk.open else "stopping"
        return Health(now, self._desk.taken, self._desk.waiting, self._desk.slots)


def _workshop(settings: Settings, catalogue: Catalogue, providers: Providers) -> Workshop:
    """What makes avatars of photos."""
    return Workshop(
        catalogue,
        settings.avatars.own_folder,
        MakerProcess(_networks),
        providers.synthesizer,
        NetVisemeEstimator,
        voices=voices_of(settings.speech.provider),
    )


def _networks() -> Path | None:
    """Where the face networks are, which may come while the server runs."""
    return ModelStore().find("face-landmarks")


def _token_maker(settings: Settings, licenses: Licenses) -> Callable[[str], str]:
    """Makes tokens of the first license, for calling the avatar of an id."""

    def issue(avatar_id: str) -> str:
        license = licenses.license(settings.licenses[0].key.get_secret_value())
        assert license is not None
        return licenses.issue(license, TokenRequest(avatar_id)).token

    return issue


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


def views(settings: Settings) -> Views:
    """The pictures that visitors may ask for."""
    media = settings.media
    sizes = [(int(width), int(height)) for width, _, height in (size.partition("x") for size in media.sizes)]
    return Views(View(media.width, media.height), sizes, settings.avatars.backgrounds)


def timers(settings: Settings) -> Timers:
    """The limits of a session's life as the sessions take them."""
    session = settings.session
    return Timers(
        queue=session.queue_timeout,
        prepare=session.prepare_timeout,
        start=session.start_timeout,
        media=session.media_timeout,
        media_lost=session.media_lost_timeout,
        max_duration=session.max_duration,
        idle=session.idle_timeout,
        idle_warning=session.idle_warning,
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
        model_may_end=settings.session.model_may_end,
        emotions=settings.chat.emotions,
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


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
