"""Where a call goes."""

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit, urlunsplit

PATH = "/wss/v2/realtime-chat"


@dataclass(frozen=True, slots=True)
class Address:
    """A server's web address and what is asked of it there."""

    server: str
    avatar_id: str | None = None
    name: str | None = None
    model: str | None = None
    voice: str | None = None
    prompt: str | None = field(default=None, repr=False)
    size: str | None = None
    background: str | None = None
    transparent: bool = False

    def url(self, key: str, resume: str = "") -> str:
        """The WebSocket's address, with the secrets in it: not for anybody's eyes. Raises ``ValueError``."""
        parts = urlsplit(self.server)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        asked = {
            "license": key,
            "avatarId": self.avatar_id,
            "name": self.name,
            "model": self.model,
            "voice": self.voice,
            "instructions": self.prompt,
            "size": self.size,
            "background": self.background,
            "transparent": "1" if self.transparent else None,
            "resume": resume,
            "states": "1",
        }
        query = urlencode({name: value for name, value in asked.items() if value})
        return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/") + PATH, query, ""))

    @property
    def loopback(self) -> bool:
        """Whether the server is addressed as this machine's own. Raises ``ValueError``."""
        host = urlsplit(self.server).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
