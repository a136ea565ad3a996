"""Settings: every knob of the server, typed, with its unit and meaning.

The values here are pure: nothing in this module reads a file or the environment (that is config_loading.py), so that
``Settings()`` is the documented defaults and a test can build any variation. Only server.py and the command line
import it; every other part takes plain arguments.
"""

import ipaddress
import os
import secrets
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, SecretStr, model_validator

from visavis.config_values import (
    EvenPixels,
    FolderPath,
    IceUrl,
    IpAddress,
    LicenseKey,
    Milliseconds,
    NotEmpty,
    PictureSize,
    Probability,
    Proxy,
    Seconds,
    SecondsOrNone,
    Section,
    SettingsError,
    StoreUrl,
    WebOrigin,
    WebUrl,
    cores,
    is_loopback,
    is_wildcard,
    setting,
)

SESSIONS_PER_CORE = 4
"""Slots that one core serves with the embedded parts: a visitor who speaks keeps about a fifth of a core busy with
recognition, a talking face about a tenth, and few speak at once."""

DEFAULT_STUN = "stun:stun.l.google.com:19302"


def data_folder() -> Path:
    """What the user keeps of this project (XDG Base Directory Specification)."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "visavis"


def default_store() -> SecretStr:
    """A database file in the user's data folder."""
    return SecretStr(f"sqlite:///{data_folder() / 'visavis.db'}")


class ServerSettings(Section):
    """The web server."""

    host: str = setting(
        "127.0.0.1", "Interface to listen on. Any that others can reach needs a configured license.", min_length=1
    )
    port: int = setting(8000, "TCP port to listen on; 0 lets the system choose.", ge=0, le=65535)
    public_url: WebUrl | None = setting(
        None,
        "Address under which visitors reach the server, such as https://talk.example.org; else each request's own.",
    )
    allowed_origins: tuple[WebOrigin, ...] = setting(
        ("*",), "Web origins whose pages may call the server, such as https://example.org; * allows all."
    )
    max_message_bytes: int = setting(
        16 * 1024 * 1024, "Largest WebSocket message taken (camera pictures travel in one).", unit="bytes", ge=65_536
    )
    trusted_proxies: tuple[Proxy, ...] = setting(
        ("127.0.0.1", "::1"), "Addresses or networks whose X-Forwarded-For and X-Forwarded-Proto headers are believed."
    )
    drain_timeout: SecondsOrNone = setting(
        30.0, "After SIGTERM, how long running calls may go on before they are ended; new ones are refused.", unit="s"
    )
    shutdown_timeout: Seconds = setting(10.0, "Longest wait for open calls to end when the server stops.", unit="s")
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Least serious log entries that are kept."
    )
    log_format: Literal["auto", "console", "json"] = setting(
        "auto", "How log entries are written; auto: console on a terminal, json elsewhere."
    )


class LicenseSettings(Section):
    """A license: the key with which a client may call. One ``[[licenses]]`` table each."""

    key: LicenseKey = setting(..., "The key that clients send.")
    name: str = setting("", "What the license is called in logs.")
    max_sessions: int | None = setting(None, "Calls at a time with this license; else only the server's limit.", ge=1)
    allowed_origins: tuple[WebOrigin, ...] = setting(
        ("*",), "Web origins whose pages may use this license, besides server.allowed_origins; * allows all."
    )
    persistence: bool | None = setting(
        None, "Visitors come back to the session they left; else as the avatar or session.persistence says."
    )


class SessionSettings(Section):
    """A visitor's call."""

    max_sessions: int = setting(
        lambda: SESSIONS_PER_CORE * cores(),
        "Slots: calls at a time.",
        shown=f"{SESSIONS_PER_CORE} for each CPU core",
        ge=1,
        le=10_000,
    )
    queue_size: int = setting(20, "Visitors who may wait for a slot; 0: nobody waits.", ge=0, le=100_000)
    queue_timeout: Seconds = setting(60.0, "Longest wait for a slot.", unit="s")
    prepare_timeout: Seconds = setting(30.0, "Longest wait for an avatar's face and parts.", unit="s")
    start_timeout: Seconds = setting(
        120.0, "Ends a call that is not connected so long after it was made, its time in the queue counted.", unit="s"
    )
    media_timeout: Seconds = setting(20.0, "Ends a call whose picture and sound do not come up in time.", unit="s")
    media_lost_timeout: Seconds = setting(10.0, "Ends a call whose media connection is lost for longer.", unit="s")
    max_duration: SecondsOrNone = setting(3600.0, "Ends a call that lasts longer; 0: no limit.", unit="s")
    idle_timeout: SecondsOrNone = setting(300.0, "Ends a call in which nobody says anything; 0: no limit.", unit="s")
    idle_warning: SecondsOrNone = setting(30.0, "How long before that end the visitor is told; 0: never.", unit="s")
    idle_question: bool = setting(True, "The avatar then also asks whether the visitor is still there.")
    control_timeout: SecondsOrNone = setting(
        15.0,
        "Ends a call whose language model cannot be reached for so long, or not at the start; 0: calls go on without.",
        unit="s",
    )
    model_may_end: bool = setting(True, "Give the language model a tool to end the conversation.")
    persistence: bool = setting(False, "Visitors come back to the session they left, where the avatar does not say.")
    resume_window: Seconds = setting(86_400.0, "How long a session is kept for a visitor who left.", unit="s")
    reconnect_window: SecondsOrNone = setting(
        30.0, "How long any session is kept for a client that lost its network; 0: not.", unit="s"
    )
    tool_timeout: Seconds = setting(
        6.0, "Wait for a client's tool result before the conversation goes on without it.", unit="s"
    )


class LimitSettings(Section):
    """How often one address may try."""

    connects_per_minute: int = setting(120, "Calls that one address may begin in a minute; 0: any number.", ge=0)
    failures_per_minute: int = setting(
        10, "Wrong licenses from one address in a minute before it has to wait; 0: any number.", ge=0
    )
    token_lifetime: Seconds = setting(3600.0, "Longest life of a client token.", unit="s")


class StoreSettings(Section):
    """Where sessions are recorded and kept."""

    url: StoreUrl = setting(
        default_store,
        "Database: sqlite:///PATH, or postgresql://USER:PASSWORD@HOST/NAME (with the extra 'postgres').",
        shown="SQLite in the user's data folder",
    )
    records_days: int = setting(30, "Session records are deleted after so many days; 0: never.", unit="days", ge=0)


class IceServerSettings(Section):
    """A STUN or TURN server that clients are told. One ``[[ice.servers]]`` table each."""

    urls: Annotated[tuple[IceUrl, ...], NotEmpty] = setting(..., "Addresses such as turn:turn.example.org:3478.")
    username: str | None = setting(None, "TURN user name.")
    credential: SecretStr | None = setting(None, "TURN password.")

    @model_validator(mode="after")
    def _turn_has_credentials(self) -> "IceServerSettings":
        if any(url.startswith("turn") for url in self.urls) and (self.username is None or self.credential is None):
            raise ValueError("a TURN server needs username and credential")
        return self


class IceSettings(Section):
    """How media finds its way between server and client."""

    servers: Annotated[tuple[IceServerSettings, ...], NotEmpty] = setting(
        # NavTalk's clients demand an entry, and fall back to this very server where they get none. They gather their
        # own addresses without waiting for it, so it costs nothing without Internet.
        (IceServerSettings(urls=(DEFAULT_STUN,)),),
        "STUN and TURN servers that clients are told; at least one, as some clients refuse to call without.",
    )
    gather_with_servers: bool = setting(
        False,
        "Use the servers above for the server's own candidates too: for a server behind NAT without public_address.",
    )
    public_address: IpAddress | None = setting(
        None, "IP address that clients are told instead of the server's own: for a server behind 1:1 NAT."
    )
    bind_addresses: tuple[IpAddress, ...] = setting(
        (), "Local IP addresses for media; empty: server.host, or every interface when that is a wildcard."
    )
    port_min: int = setting(0, "First UDP port for media; 0: the system chooses.", ge=0, le=65535)
    port_max: int = setting(0, "Last UDP port for media; 0: the system chooses.", ge=0, le=65535)

    @model_validator(mode="after")
    def _port_range(self) -> "IceSettings":
        if (self.port_min == 0) != (self.port_max == 0):
            raise ValueError("port_min and port_max are set together or not at all")
        if self.port_min > self.port_max:
            raise ValueError("port_min must not be above port_max")
        return self


class MediaSettings(Section):
    """Picture and sound as they are sent."""

    width: EvenPixels = setting(512, "Picture width; even.", unit="pixels")
    height: EvenPixels = setting(512, "Picture height; even.", unit="pixels")
    sizes: tuple[PictureSize, ...] = setting(
        ("512x512", "720x720", "1280x720"),
        "Sizes that clients may ask for besides width x height; a larger picture costs more of a core.",
        unit="pixels",
    )
    fps: int = setting(25, "Picture rate.", unit="1/s", ge=5, le=60)
    video_codecs: Annotated[tuple[Literal["h264", "vp8"], ...], NotEmpty] = setting(
        ("h264", "vp8"), "Video codecs that are offered, best first."
    )
    video_bitrate_min: int = setting(80_000, "Video bit rate below which it never falls.", unit="bit/s", ge=30_000)
    video_bitrate_start: int = setting(
        250_000,
        "Video bit rate at the start of a call with a picture of width x height. Larger ones get more: by the power of "
        "0.75 of their pixels, of which transparent ones have twice as many.",
        unit="bit/s",
        ge=30_000,
    )
    video_bitrate_max: int = setting(
        900_000,
        "Video bit rate above which it never rises, with a picture of width x height; scaled in the same way.",
        unit="bit/s",
        ge=30_000,
    )
    audio_bitrate: int = setting(32_000, "Opus bit rate.", unit="bit/s", ge=8_000, le=256_000)
    expected_packet_loss: int = setting(
        20, "Packet loss that Opus prepares for by in-band error correction; 0: none.", unit="%", ge=0, le=50
    )
    workers: int = setting(cores, "Threads that paint and encode.", shown="one for each CPU core", ge=1, le=256)

    @model_validator(mode="after")
    def _bitrates(self) -> "MediaSettings":
        if not self.video_bitrate_min <= self.video_bitrate_start <= self.video_bitrate_max:
            raise ValueError("video_bitrate_min, video_bitrate_start and video_bitrate_max must not fall")
        return self

    @model_validator(mode="after")
    def _codecs_once(self) -> "MediaSettings":
        if len(set(self.video_codecs)) != len(self.video_codecs):
            raise ValueError("video_codecs names a codec twice")
        return self


class AvatarSettings(Section):
    """Who can be called."""

    renderer: Literal["puppet", "wav2lip", "musetalk"] = setting(
        "puppet", "What draws the faces: the puppet, or a neural network of your own weights (docs/neural.md)."
    )
    network: FolderPath | None = setting(None, "Folder with the network's files.")
    device: str = setting("cuda", "Where the network runs: cuda or cpu (wav2lip); cuda, cuda:1, mps or cpu (musetalk).")
    network_batch: int = setting(16, "Most mouths that the network draws at once.", ge=8, le=128)
    network_ms: int = setting(
        120, "Milliseconds that the network is given for a mouth; sound waits for it.", ge=20, le=2000
    )

    folder: FolderPath | None = setting(
        None, "Folder with your own avatars, besides the embedded ones; else visavis/avatars in the user's data folder."
    )
    uploads: bool = setting(
        True,
        "Serve the page /avatars/new, where whoever has a license makes an avatar of a photo (docs/own-avatar.md).",
    )
    backgrounds: FolderPath | None = setting(
        None, "Folder with pictures (JPEG, PNG, WebP) that clients may put behind an avatar, by their files' names."
    )
    default: str = setting("", "Avatar of the call page, by name or id; empty: the first of the catalogue.")
    provider_name: str = setting(
        "openai",
        "Provider that the REST look-ups report; clients offer camera and tools only for openai.",
        min_length=1,
    )

    @property
    def own_folder(self) -> Path:
        """Where one's own avatars are: in ``folder``, or where that is not set, in the user's data folder."""
        return self.folder or data_folder() / "avatars"


class RecognizerSettings(Section):
    """Speech to text."""

    provider: Literal["pocketsphinx", "whisper", "transcriptions"] = setting(
        "pocketsphinx",
        "pocketsphinx: embedded; whisper: faster-whisper; transcriptions: any /v1/audio/transcriptions.",
    )
    model: str = setting(
        "", "Model name, or folder of local weights; empty: base (whisper), whisper-1 (transcriptions)."
    )
    base_url: WebUrl = setting("https://api.openai.com/v1", "Service address for transcriptions, with its /v1.")
    api_key: SecretStr | None = setting(None, "Key for that service.")
    workers: int = setting(
        lambda: min(8, max(2, cores())),
        "Worker processes (pocketsphinx; further ones start when several visitors speak) or threads (whisper).",
        shown="one for each CPU core, 2 to 8",
        ge=1,
        le=64,
    )
    timeout: Seconds = setting(15.0, "Longest wait for an utterance's words.", unit="s")


class ChatSettings(Section):
    """What the avatar thinks with."""

    provider: Literal["persona", "openai"] = setting(
        "persona", "persona: embedded, answers from the avatar's knowledge; openai: any OpenAI-compatible chat service."
    )
    base_url: WebUrl = setting("https://api.openai.com/v1", "Service address for openai, with its /v1.")
    model: str = setting("", "Model name; openai needs one.")
    api_key: SecretStr | None = setting(None, "Key for that service.")
    temperature: float | None = setting(None, "Sampling temperature; else the service's own.", ge=0, le=2)
    max_tokens: int | None = setting(None, "Longest answer; else the service's own limit.", unit="tokens", ge=1)
    connect_timeout: Seconds = setting(5.0, "Longest wait for a connection.", unit="s")
    first_token_timeout: Seconds = setting(20.0, "Longest wait for an answer to begin.", unit="s")
    stall_timeout: Seconds = setting(15.0, "Longest pause within an answer.", unit="s")
    images: bool = setting(True, "Hand the visitor's pictures to the model: off for models that only read text.")
    greeting: bool = setting(True, "Speak the avatar's first message when a call begins.")
    emotions: bool = setting(True, "The model chooses what the face shows, by marks such as [happy] in its answers.")
    system_prompt: str = setting("", "Replaces every avatar's prompt; empty: each avatar's own.")

    @model_validator(mode="after")
    def _openai_has_model(self) -> "ChatSettings":
        if self.provider == "openai" and not self.model:
            raise ValueError("model is needed with provider openai")
        return self


class SpeechSettings(Section):
    """Text to speech."""

    provider: Literal["auto", "espeak", "flite", "piper", "openai"] = setting(
        "auto", "auto: flite for English where it is installed, else espeak; openai: any /v1/audio/speech."
    )
    base_url: WebUrl = setting("https://api.openai.com/v1", "Service address for openai, with its /v1.")
    model: str = setting("", "Voice model: a name or file for piper; empty: tts-1 for openai.")
    api_key: SecretStr | None = setting(None, "Key for that service.")
    voice: str = setting("", "Voice where the avatar names none; empty: the provider's own.")
    rate: float = setting(1.0, "Pace; 1 is the voice's normal one.", ge=0.5, le=2)
    timeout: Seconds = setting(15.0, "Longest wait for the first sound of a sentence.", unit="s")

    @model_validator(mode="after")
    def _piper_has_model(self) -> "SpeechSettings":
        if self.provider == "piper" and not self.model:
            raise ValueError("model is needed with provider piper")
        return self


class TurnSettings(Section):
    """When the visitor has begun and ended to speak."""

    vad_threshold: Probability = setting(0.5, "Probability from which a frame counts as speech.")
    start_ms: Milliseconds = setting(64, "Speech that begins a turn.", unit="ms")
    pre_roll_ms: Milliseconds = setting(300, "Sound before the turn's start that is recognized with it.", unit="ms")
    detector: Literal["adaptive", "fixed"] = setting(
        "adaptive", "adaptive: chooses one of the three silences by voice and words; fixed: always silence_medium_ms."
    )
    silence_short_ms: Milliseconds = setting(224, "Silence that ends a turn that is surely complete.", unit="ms")
    silence_medium_ms: Milliseconds = setting(480, "Silence that ends a turn that may be complete.", unit="ms")
    silence_long_ms: Milliseconds = setting(900, "Silence that ends a turn that seems incomplete.", unit="ms")
    echo_guard: bool = setting(True, "Keep the avatar's own voice, heard back, from interrupting it.")
    barge_in_ms: Milliseconds = setting(96, "Speech that interrupts the avatar.", unit="ms")

    @model_validator(mode="after")
    def _silences(self) -> "TurnSettings":
        if not self.silence_short_ms <= self.silence_medium_ms <= self.silence_long_ms:
            raise ValueError("silence_short_ms, silence_medium_ms and silence_long_ms must not fall")
        return self


class NavtalkSettings(Section):
    """The unified WebSocket's choices where its clients disagree."""

    tool_arguments: Literal["object", "string"] = setting(
        "object", "Form of a tool call's arguments in data; raw_data always has the string."
    )
    audio_delta: bool = setting(
        False, "Also send the answer's sound as realtime.response.audio.delta; some clients then play it twice."
    )
    transparency_gap_ms: Milliseconds = setting(
        600, "Pause in pushed sound that ends an utterance in transparency mode.", unit="ms"
    )


class Settings(Section):
    """All settings of a server."""

    server: ServerSettings = ServerSettings()
    licenses: tuple[LicenseSettings, ...] = setting(
        (), "Licenses; none: a development license for each start, as long as only this machine can reach the server."
    )
    session: SessionSettings = Field(default_factory=SessionSettings)
    limits: LimitSettings = LimitSettings()
    store: StoreSettings = Field(default_factory=StoreSettings)
    ice: IceSettings = IceSettings()
    media: MediaSettings = Field(default_factory=MediaSettings)
    avatars: AvatarSettings = AvatarSettings()
    recognizer: RecognizerSettings = Field(default_factory=RecognizerSettings)
    chat: ChatSettings = ChatSettings()
    speech: SpeechSettings = SpeechSettings()
    turn: TurnSettings = TurnSettings()
    navtalk: NavtalkSettings = NavtalkSettings()
    _development: bool = PrivateAttr(False)

    @model_validator(mode="after")
    def _licenses_differ(self) -> "Settings":
        keys = [license.key.get_secret_value() for license in self.licenses]
        if len(set(keys)) != len(keys):
            raise ValueError("two licenses have the same key")
        return self

    @property
    def exposure_problem(self) -> str | None:
        """Why these settings must not be served as they are: reachable by others, and no license. Else None."""
        if self.licenses or is_loopback(self.server.host):
            return None
        return (
            f"server.host is {self.server.host}, which others can reach, and no license is configured: set "
            "VISAVIS_LICENSE or add a [[licenses]] table to visavis.toml ('visavis key new' makes a key), "
            "or leave server.host at 127.0.0.1"
        )

    def with_license(self) -> "Settings":
        """These settings with a license to call by: a fresh development license where none is configured.

        Raises ``SettingsError`` when others could reach the server without a configured license.
        """
        if self.exposure_problem is not None:
            raise SettingsError(self.exposure_problem)
        if self.licenses:
            return self
        key = LicenseSettings(key=SecretStr(f"dev_{secrets.token_urlsafe(18)}"), name="development")
        settings = self.model_copy(update={"licenses": (key,)})
        settings._development = True
        return settings

    @property
    def development(self) -> bool:
        """Whether the license is one that ``with_license`` made: only this machine can reach the server."""
        return self._development

    @property
    def media_addresses(self) -> tuple[str, ...]:
        """Local IP addresses to gather candidates on; empty: every interface's."""
        if self.ice.bind_addresses:
            return self.ice.bind_addresses
        host = self.server.host
        if host == "localhost":
            return ("127.0.0.1",)
        if is_wildcard(host):
            return ()
        try:
            return (str(ipaddress.ip_address(host)),)
        except ValueError:
            return ()
