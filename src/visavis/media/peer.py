"""Peer: the WebRTC connection of one session, from the offer to the last packet."""

import asyncio
import ipaddress
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.exceptions import InvalidAccessError, InvalidStateError, OperationError

from visavis.media import description
from visavis.media.camera import CameraFrame, CameraSink
from visavis.media.clock import MediaClock
from visavis.media.congestion import CongestionGuard
from visavis.media.description import Description, PeerError
from visavis.media.encoder import VideoCodec, available
from visavis.media.ice import IceError, IceServer, IceSettings, IceSteering, parse_candidate
from visavis.media.playout import Playout
from visavis.media.ports import VideoSource
from visavis.media.sender import SteeredSender, SteeredVideoSender
from visavis.media.track import AudioTrack, VideoTrack

__all__ = [
    "CameraFrame",
    "IceServer",
    "Peer",
    "PeerError",
    "PeerSettings",
    "PeerState",
    "PeerStats",
    "VideoCodec",
]

logger = structlog.get_logger(__name__)

MOST_CANDIDATES = 64
"""Candidates of a client that are tried; a browser has a handful."""

CLOSING = 5.0
"""Seconds that closing the connection may take."""


class PeerState(StrEnum):
    """How the connection is."""

    NEW = "new"
    """No answer yet."""
    CONNECTING = "connecting"
    """The answer is there; ICE and DTLS are under way."""
    CONNECTED = "connected"
    """Media flows."""
    LOST = "lost"
    """Nothing was heard of the client for ``lost_after`` seconds; it may come back."""
    FAILED = "failed"
    """It did not connect within ``connect_timeout``, or was lost for good (ICE consent expired, about 30 s)."""
    CLOSED = "closed"
    """Closed by either side."""


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """How a peer sends and where it can be reached. Bitrates in bits per second."""

    fps: float = 25.0
    start_bitrate: int = 250_000
    """What the picture starts with; the client's estimate raises it."""
    min_bitrate: int = 100_000
    max_bitrate: int = 900_000
    audio_bitrate: int = 32_000
    expected_loss: int = 20
    """Per cent of packets lost that the sound prepares for by in-band error correction."""
    codecs: tuple[VideoCodec, ...] = (VideoCodec.H264, VideoCodec.VP8)
    """Offered in this order; those that this installation cannot encode are left out."""
    ice_servers: tuple[IceServer, ...] = ()
    """What the server itself gathers from; seldom needed where ``public_address`` is set."""
    bind: tuple[str, ...] = ()
    """See ``IceSettings``."""
    public_address: str | None = None
    """See ``IceSettings``."""
    ports: tuple[int, int] | None = None
    """See ``IceSettings``."""
    connect_timeout: float = 15.0
    """Seconds from the answer to media."""
    lost_after: float = 6.0
    """Seconds of silence before a connection counts as lost. Browsers are heard every 1 to 2.5 s."""
    camera_interval: float = 1.0
    """Seconds between two frames of the visitor's camera."""

    def __post_init__(self) -> None:
        """Raises ``ValueError`` for values that cannot work."""
        if not 1 <= self.fps <= 60:
            raise ValueError("fps must be from 1 to 60")
        if not 0 < self.min_bitrate <= self.start_bitrate <= self.max_bitrate:
            raise ValueError("bitrates must be 0 < min <= start <= max")
        if not self.codecs:
            raise ValueError("at least one video codec is needed")
        if self.ports is not None and not 0 < self.ports[0] <= self.ports[1] < 65536:
            raise ValueError("the UDP port range must be first <= last, from 1 to 65535")
        for address in (*self.bind, *([self.public_address] if self.public_address else [])):
            ipaddress.ip_address(address)


@dataclass(frozen=True, slots=True)
class PeerStats:
    """What a peer has done so far. ``bitrate`` (bits per second) is what the picture aims at, ``rtt`` in seconds."""

    codec: VideoCodec | None
    frames_sent: int
    frames_late: int
    """Left out because they could not be ready in time: the machine is busy."""
    frames_held: int
    """Left out because the link had no room for them."""
    frames_failed: int
    """Left out because painting or encoding raised an error."""
    keyframes: int
    bitrate: int
    rtt: float | None
    loss: float
    """Share of video packets lost, by the last receiver report."""
    nacks: int
    resent: int
    underruns: int
    audio_skipped: int
    camera_frames: int

    @property
    def frames_skipped(self) -> int:
        """Pictures that were left out, for whatever reason."""
        return self.frames_late + self.frames_held + self.frames_failed


class Peer:
    """One session's connection: it offers, sends picture and sound on one clock, and says how the connection is.

    The playout is closed with the peer. ``on_state`` is told each new state; ``on_camera`` gets a frame of the
    visitor's camera every ``camera_interval`` seconds where the client adds one (without it a camera is declined and
    nothing is received). Both are called on the event loop and must not block. ``executor`` is the pool that all
    sessions share.

    Raises ``ValueError`` when none of the codecs is available or an ICE server's URL is malformed.
    """

    def __init__(
        self,
        settings: PeerSettings,
        source: VideoSource,
        playout: Playout,
        clock: MediaClock,
        executor: Executor,
        *,
        on_state: Callable[[PeerState], None] | None = None,
        on_camera: Callable[[CameraFrame], None] | None = None,
    ) -> None:
        self._settings = settings
        self._codecs = tuple(codec for codec in settings.codecs if available(codec))
        if not self._codecs:
            raise ValueError(f"none of the video codecs is available: {', '.join(settings.codecs)}")
        self._playout = playout
        self._executor = executor
        self._on_state = on_state
        self._on_camera = on_camera
        self._state = PeerState.NEW
        self._changed = asyncio.Event()
        self._candidates = 0
        self._negotiation = asyncio.Lock()
        self._cameras: dict[str, CameraSink] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._pulse = _Pulse(self._came_back)
        self._closing: asyncio.Task[None] | None = None

        self._guard = CongestionGuard(
            start=settings.start_bitrate, floor=settings.min_bitrate, ceiling=settings.max_bitrate
        )
        self._audio = AudioTrack(
            playout, clock, executor, bitrate=settings.audio_bitrate, expected_loss=settings.expected_loss
        )
        self._video = VideoTrack(
            source,
            clock,
            executor,
            self._guard,
            fps=settings.fps,
            floor=settings.min_bitrate,
            ceiling=settings.max_bitrate,
        )
        # An empty list, not None: None would mean a public STUN server of aiortc's choice.
        self._connection = RTCPeerConnection(
            RTCConfiguration(
                iceServers=[server.for_aiortc() for server in settings.ice_servers],
                bundlePolicy=RTCBundlePolicy.MAX_BUNDLE,
            )
        )
        audio = self._connection.addTransceiver(self._audio, direction="sendonly")
        video = self._connection.addTransceiver(self._video, direction="sendonly")
        self._senders = (audio, video)
        audio.setCodecPreferences([c for c in RTCRtpSender.getCapabilities("audio").codecs if c.name == "opus"])
        video.setCodecPreferences(_video_preferences(self._codecs))
        self._audio_sender = SteeredSender(audio.sender, clock, self._audio.sent_until, self._pulse.beat)
        self._video_sender = SteeredVideoSender(
            video.sender,
            clock,
            self._video.sent_until,
            self._pulse.beat,
            guard=self._guard,
            on_rate=self._video.aim,
            on_keyframe=self._video.request_keyframe,
        )
        self._video.before_keyframe = self._video_sender.before_keyframe
        self._ice = IceSteering(
            audio.receiver.transport.transport,
            IceSettings(bind=settings.bind, public_address=settings.public_address, ports=settings.ports),
            self._pulse.beat,
        )
        self._connection.on("connectionstatechange", self._follow)

    @property
    def state(self) -> PeerState:
        """How the connection is now."""
        return self._state

    async def changed(self, known: PeerState) -> PeerState:
        """Return the state as soon as it is another than ``known``."""
        while self._state is known:
            self._changed.clear()
            await self._changed.wait()
        return self._state

    async def offer(self) -> str:
        """The offer: sound and picture in one stream, all candidates inside. To be called once.

        Takes at most as long as STUN and TURN servers have for their answers (0.6 s). Raises ``PeerError`` when no
        socket could be opened, or the peer is closed.
        """
        async with self._negotiation:
            try:
                await self._connection.setLocalDescription(await self._connection.createOffer())
            except IceError as error:
                raise PeerError(str(error)) from error
            except InvalidStateError as error:
                raise PeerError("the connection is closed") from error
            return _with_crlf(self._connection.localDescription.sdp)

    async def answer(self, sdp: str) -> None:
        """Take the client's answer; it may decline the picture. Raises ``PeerError``; the offer then still stands."""
        answer = description.read(sdp)
        kinds = [section.kind for section in answer.sections]
        if kinds != ["audio", "video"]:
            raise PeerError(f"the answer must have the offer's sections audio and video, not {', '.join(kinds)}")
        for section in answer.sections:
            if section.kind == "audio" or section.receives:
                self._check_receivable(section)
        async with self._negotiation:
            await self._apply(answer, "answer")
            self._video.codec = self._negotiated()
            if self._state is PeerState.NEW:
                self._become(PeerState.CONNECTING)
                self._arm(self._settings.connect_timeout, self._give_up)

    async def accept_offer(self, sdp: str) -> str:
        """Answer the client's own offer: an ICE restart, an added camera. Raises ``PeerError``."""
        offer = description.read(sdp)
        if self._ice.remote_username is None:
            raise PeerError("the server's own offer has not been answered yet")
        async with self._negotiation:
            mids = [transceiver.mid for transceiver in self._senders]
            if [section.mid for section in offer.sections[:2]] != mids:
                raise PeerError("the offer must keep the sections of the call, audio and video, in their place")
            await self._apply(offer, "offer")
            receiving = self._choose_directions(offer)
            first = offer.sections[0]
            if first.username != self._ice.remote_username:
                self._ice.restart(first.username, first.password)
            try:
                await self._connection.setLocalDescription(await self._connection.createAnswer())
            except (InvalidStateError, ValueError) as error:
                raise PeerError(f"the offer cannot be answered: {error}") from error
            await self._attach_cameras(receiving)
            return _with_crlf(self._connection.localDescription.sdp)

    async def add_candidate(
        self, candidate: str | None, sdp_mid: str | None = None, sdp_mline_index: int | None = None
    ) -> None:
        """Take a candidate of the client's, also before its answer; an empty one (the end of candidates) is noted.

        All media share one transport, so the section that is named does not matter. A ``.local`` or TCP candidate is
        ignored. Raises ``ValueError`` for one that cannot be read, and beyond ``MOST_CANDIDATES``.
        """
        del sdp_mid, sdp_mline_index
        if not candidate or not candidate.strip():
            return
        parsed = parse_candidate(candidate)
        if parsed is None or self._closing is not None:
            return
        self._candidates += 1
        if self._candidates > MOST_CANDIDATES:
            raise ValueError(f"more than {MOST_CANDIDATES} ICE candidates")
        await self._senders[0].receiver.transport.transport.addRemoteCandidate(parsed)

    def request_keyframe(self) -> None:
        """Send a keyframe soon."""
        self._video.request_keyframe()

    def stats(self) -> PeerStats:
        """What was done so far."""
        return PeerStats(
            codec=self._video.codec,
            frames_sent=self._video.sent,
            frames_late=self._video.late,
            frames_held=self._video.held,
            frames_failed=self._video.failed,
            keyframes=self._video.keyframes,
            bitrate=self._video.bitrate,
            rtt=self._video_sender.rtt,
            loss=self._video_sender.loss,
            nacks=self._video_sender.nacks,
            resent=self._video_sender.resent,
            underruns=self._playout.underruns,
            audio_skipped=self._audio.skipped,
            camera_frames=sum(camera.received for camera in self._cameras.values()),
        )

    async def close(self) -> None:
        """End the connection and free sockets, tasks and encoders. Idempotent; safe to cancel, closing then goes on."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(), name="peer-close")
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        self._disarm()
        self._playout.close()
        for camera in self._cameras.values():
            await camera.close()
        try:
            await asyncio.wait_for(self._connection.close(), CLOSING)
        except TimeoutError:
            logger.error("peer_close_timeout", seconds=CLOSING)
        await self._audio.close()
        await self._video.close()
        self._become(PeerState.CLOSED)
        self._untangle()

    def _untangle(self) -> None:
        """Cut the references that go round in a circle, so that everything is freed now and not by a collection.

        A collection would visit every object of the process and hold all sessions up meanwhile.
        """
        self._pulse.on_return = None
        self._audio_sender.release()
        self._video_sender.release()
        self._ice.release()
        self._senders[0].receiver.transport.remove_all_listeners()

    async def _apply(self, remote: Description, kind: str) -> None:
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(remote.sdp, kind))
        except OperationError as error:
            raise PeerError(f"the {kind} has no codec that the server can use") from error
        except InvalidStateError as error:
            raise PeerError(f"the {kind} comes at the wrong time ({self._connection.signalingState})") from error
        except (ValueError, InvalidAccessError) as error:
            raise PeerError(f"the {kind} does not fit: {error}") from error

    def _check_receivable(self, section: description.Section) -> None:
        if not section.receives:
            raise PeerError(f"the client does not want to receive {section.kind}")
        usable = {"opus"} if section.kind == "audio" else {codec.value for codec in self._codecs}
        if not section.codecs & usable:
            raise PeerError(f"the client shares no {section.kind} codec with the server ({', '.join(sorted(usable))})")

    def _negotiated(self) -> VideoCodec:
        transceiver: Any = self._senders[1]
        return VideoCodec(transceiver._codecs[0].name.lower())

    def _choose_directions(self, offer: Description) -> list[RTCRtpTransceiver]:
        """Set what the answer says of each section; the transceivers that will receive a camera."""
        receiving: list[RTCRtpTransceiver] = []
        for section in offer.sections:
            transceiver = next((t for t in self._connection.getTransceivers() if t.mid == section.mid), None)
            if transceiver is None:
                continue
            sending = transceiver in self._senders
            # A browser's addTrack puts a camera into the section it already receives in: that one may become sendrecv.
            if section.kind == "video" and section.sends and self._on_camera is not None:
                transceiver.direction = "sendrecv" if sending else "recvonly"
                receiving.append(transceiver)
            else:
                transceiver.direction = "sendonly" if sending else "inactive"
        return receiving

    async def _attach_cameras(self, receiving: list[RTCRtpTransceiver]) -> None:
        wanted = {str(transceiver.mid): transceiver for transceiver in receiving}
        for mid in [mid for mid in self._cameras if mid not in wanted]:
            await self._cameras.pop(mid).close()
        for mid, transceiver in wanted.items():
            if mid not in self._cameras and self._on_camera is not None:
                self._cameras[mid] = CameraSink(
                    transceiver.receiver, self._executor, self._on_camera, interval=self._settings.camera_interval
                )

    def _follow(self) -> None:
        """The peer connection has a new state."""
        match self._connection.connectionState:
            case "connected":
                self._pulse.beat()
                self._become(PeerState.CONNECTED)
                self._arm(self._settings.lost_after, self._check_alive)
            case "failed":
                self._give_up()
            case "closed":
                # Consent that expired closes the connection, too: that is not a farewell.
                if self._state is PeerState.LOST:
                    self._give_up()
                else:
                    self._become(PeerState.CLOSED)
            case _:
                pass

    def _give_up(self) -> None:
        self._disarm()
        self._become(PeerState.FAILED)

    def _came_back(self) -> None:
        """The client was heard."""
        if self._state is PeerState.LOST:
            self._become(PeerState.CONNECTED)
            self._video.request_keyframe()

    def _check_alive(self) -> None:
        quiet = asyncio.get_running_loop().time() - self._pulse.at
        if quiet < self._settings.lost_after:
            self._arm(self._settings.lost_after - quiet, self._check_alive)
        else:
            self._become(PeerState.LOST)
            self._arm(self._settings.lost_after, self._check_alive)

    def _become(self, state: PeerState) -> None:
        if state is self._state or self._state is PeerState.CLOSED:
            return
        if self._state is PeerState.FAILED and state is not PeerState.CLOSED:
            return
        self._state = state
        self._changed.set()
        if self._on_state is not None:
            self._on_state(state)

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()
        if self._closing is None:
            self._timer = asyncio.get_running_loop().call_later(seconds, then)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Pulse:
    """When the client was last heard: an authenticated ICE check, or RTCP."""

    def __init__(self, on_return: Callable[[], None]) -> None:
        self.at = 0.0
        self.on_return: Callable[[], None] | None = on_return

    def beat(self) -> None:
        self.at = asyncio.get_running_loop().time()
        if self.on_return is not None:
            self.on_return()


def _video_preferences(codecs: tuple[VideoCodec, ...]) -> list[Any]:
    """aiortc's capabilities in our order; of H.264 the constrained baseline profile (42e01f) first."""
    capabilities = RTCRtpSender.getCapabilities("video").codecs
    chosen: list[Any] = []
    for codec in codecs:
        same = [c for c in capabilities if c.mimeType.lower() == codec.mime.lower()]
        chosen += sorted(same, key=lambda c: c.parameters.get("profile-level-id") != "42e01f")
    return chosen + [c for c in capabilities if c.name == "rtx"]


def _with_crlf(sdp: str) -> str:
    """Every line of ``sdp`` ended by CRLF, the last one too (RFC 8866 §5)."""
    return "".join(f"{line}\r\n" for line in sdp.splitlines() if line)
