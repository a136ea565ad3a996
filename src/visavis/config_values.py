"""The values that settings may have: types with their rules, each error in plain words."""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr


class SettingsError(Exception):
    """Settings that cannot be used. ``problems`` has one plain line for each, without secrets."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def cores() -> int:
    """How many CPU cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def setting(default: Any, description: str, *, unit: str = "", shown: str = "", **rules: Any) -> Any:
    """Declare a setting: its default (a function is called for it), what it means, its unit, and pydantic's rules.

    ``shown`` replaces the default in the documentation where it depends on the machine.
    """
    source = {"default_factory": default} if callable(default) else {"default": default}
    arguments: dict[str, Any] = {**source, **rules, "json_schema_extra": {"unit": unit, "shown": shown}}
    return Field(description=description, **arguments)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server bound to ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Whether ``host`` means every interface."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def _web_url(value: str) -> str:
    if not value.startswith(("http://", "https://")) or "?" in value or "#" in value:
        raise ValueError("should be an http:// or https:// address without query or fragment")
    return value.rstrip("/")


def _origin(value: str) -> str:
    if value == "*":
        return value
    # As browsers write it (RFC 6454 §6.2), which is what it is compared with: lower case, no default port.
    match = re.fullmatch(r"((https?)://[^/?#\s]+?)(:\d+)?", value.lower())
    if not match:
        raise ValueError("should be * or a web origin such as https://example.org, without a path")
    host, scheme, port = match.groups()
    return host if port in (None, {"http": ":80", "https": ":443"}[scheme]) else f"{host}{port}"


def _ip_address(value: str) -> str:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError(f"should be an IP address, not {value!r}") from None


def _proxy(value: str) -> str:
    if value != "*":
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"should be an IP address, a network such as 10.0.0.0/8, or *, not {value!r}") from None
    return value


def _ice_url(value: str) -> str:
    # RFC 7064, RFC 7065
    if not re.fullmatch(
        r"(stuns?:{0}|turns?:{0}(\?transport=(udp|tcp))?)".format(r"([\w.-]+|\[[\da-fA-F:]+\])(:\d+)?"), value
    ):
        raise ValueError("should be like stun:stun.example.org:3478 or turn:turn.example.org:3478?transport=udp")
    return value


def _license_key(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or not key.isprintable() or " " in key:
        raise ValueError("should be a string without spaces; 'visavis key new' makes one")
    return value


def _store_url(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"sqlite:///.+|postgresql://.+", value.get_secret_value()):
        raise ValueError("should be like sqlite:///visavis.db or postgresql://user:password@host/name")
    return value


def _not_empty(value: tuple[Any, ...]) -> tuple[Any, ...]:
    # An AfterValidator, unlike min_length, stays silent where an item is already wrong.
    if not value:
        raise ValueError("should have at least one entry")
    return value


def _even(value: int) -> int:
    if value % 2:
        raise ValueError("should be even")
    return value


def _picture_size(value: str) -> str:
    width, _, height = value.partition("x")
    if not re.fullmatch(r"[1-9][0-9]{1,3}x[1-9][0-9]{1,3}", value) or not all(
        64 <= int(side) <= 2048 and int(side) % 2 == 0 for side in (width, height)
    ):
        raise ValueError("should be like 1280x720, both numbers even and from 64 to 2048")
    return value


WebUrl = Annotated[str, AfterValidator(_web_url)]
WebOrigin = Annotated[str, AfterValidator(_origin)]
IpAddress = Annotated[str, AfterValidator(_ip_address)]
NotEmpty = AfterValidator(_not_empty)
Proxy = Annotated[str, AfterValidator(_proxy)]
IceUrl = Annotated[str, AfterValidator(_ice_url)]
LicenseKey = Annotated[SecretStr, AfterValidator(_license_key)]
StoreUrl = Annotated[SecretStr, AfterValidator(_store_url)]
EvenPixels = Annotated[int, Field(ge=64, le=2048), AfterValidator(_even)]
PictureSize = Annotated[str, AfterValidator(_picture_size)]
FolderPath = Annotated[Path, AfterValidator(Path.expanduser)]
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
SecondsOrNone = Annotated[float, Field(ge=0, le=604_800, allow_inf_nan=False)]
Milliseconds = Annotated[int, Field(ge=0, le=10_000)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A group of settings; frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
