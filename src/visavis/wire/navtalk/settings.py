"""The wire's settings, as plain values."""

from dataclasses import dataclass
from typing import Any

from visavis.wire.navtalk.encode import ToolArgumentsForm
from visavis.wire.websocket import BoundedWebSocket


@dataclass(frozen=True, slots=True)
class NavtalkSettings:
    """How NavTalk clients are served. Times in seconds.

    ``allowed_origins``: web origins whose pages may call; ``*`` allows all, and a client without one always may.
    ``public_url``: the address in picture links; None takes each request's own.
    """

    allowed_origins: tuple[str, ...] = ("*",)
    public_url: str | None = None
    provider_name: str = "openai"
    tool_arguments: ToolArgumentsForm = "object"
    audio_delta: bool = False

    max_message_bytes: int = 16 * 1024 * 1024
    messages_per_second: float = 500.0
    messages_burst: int = 2000
    bytes_per_second: float = 8 * 1024 * 1024
    images_per_second: float = 2.0
    images_burst: int = 8
    audio_pace: float = 4.0
    """Microphone sound taken, in multiples of real time, once ``audio_burst`` seconds of it are used up."""
    audio_burst: float = 10.0
    passthrough_pace: float = 30.0
    """The same in transparency mode, where sound may come as fast as a synthesizer makes it."""
    passthrough_burst: float = 180.0
    loop_share: float = 0.2
    """Share of the event loop's time that reading one client's messages may take, in the long run."""

    admit_timeout: float = 10.0
    send_timeout: float = 10.0
    close_timeout: float = 5.0
    leave_timeout: float = 15.0
    outbox_size: int = 512
    """Messages waiting for a slow reader, beyond which the call is ended; copies of sound give way at half of it."""


def uvicorn_options(settings: NavtalkSettings) -> dict[str, Any]:
    """What uvicorn has to be told for this wire, as keyword arguments of ``uvicorn.Config``.

    A message above ``max_message_bytes`` is dropped and the call goes on; one above twice that is not even read, and
    the connection is closed with 1009. Compression is off: it saves little on base64, costs memory for each
    connection, and lets a small frame become a large one.
    """
    return {
        "loop": "asyncio",
        "ws": BoundedWebSocket,
        "ws_max_size": 2 * settings.max_message_bytes,
        "ws_per_message_deflate": False,
        "ws_ping_interval": 20.0,
        "ws_ping_timeout": 20.0,
    }
