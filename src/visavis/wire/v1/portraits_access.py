"""Who may make avatars of photos: the holder of a license key; on a server for this machine alone, its own pages."""

import ipaddress
from urllib.parse import urlsplit

from starlette.requests import Request

from visavis.session.events import Refusal, RefusalKind
from visavis.session.license import Licenses
from visavis.session.rate import AttemptLimits
from visavis.wire.v1.access import asking_license
from visavis.wire.v1.answers import license_key


class PortraitAccess:
    """``free``: nobody configured a license, as only this machine reaches the server: then none is asked for, as
    long as it is called by a name of this machine's own (so that no foreign name can be made to point at it), and from
    this machine: who comes by a proxy on it does not, if the proxy is trusted to tell (``server.trusted_proxies``).
    ``public_url``: the server's address as visitors know it, where it is another than the requests'.
    """

    def __init__(
        self, licenses: Licenses, attempts: AttemptLimits, *, free: bool = False, public_url: str | None = None
    ) -> None:
        self._licenses = licenses
        self._attempts = attempts
        self._free = free
        self._public = _host(public_url) if public_url else None

    def owner(self, request: Request) -> str:
        """The id of the license that asks; empty where none is needed. Raises ``Refusal``.

        A page of another origin is refused whatever it sends: avatars are made on the server's own page.
        """
        origin = request.headers.get("origin")
        if origin is not None and _host(origin) not in (request.headers.get("host", "").lower(), self._public):
            raise Refusal(RefusalKind.ORIGIN_NOT_ALLOWED, "Avatars are made on this server's own page alone.")
        if self.needs_no_license(request):
            return ""
        return asking_license(request, self._licenses, self._attempts).id

    def needs_no_license(self, request: Request) -> bool:
        """Whether the request may do without one, and does."""
        if not self._free or license_key(request):
            return False
        caller = request.client.host if request.client else ""
        return _is_own(caller) and _is_own(_host_name(request.headers.get("host", "")))


def _host(address: str) -> str:
    """Host and port of a URL as a Host header has them: lower case, without the default port; empty if it has none."""
    try:
        parts = urlsplit(address.lower())
        host = parts.netloc.rpartition("@")[2]
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return host.removesuffix(f":{default}") if parts.port == default else host
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    """A Host header without its port; empty if it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_own(name: str) -> bool:
    """Whether a name or address is this machine's to itself."""
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
