"""Session descriptions from clients: checked before they reach the peer connection, in words a client can be told."""

from dataclasses import dataclass
from typing import Any

from aiortc.sdp import SessionDescription

from visavis.media.ice import parse_candidate

LONGEST = 200_000
"""Characters of a description; browsers send 5 000 to 20 000."""

MOST_SECTIONS = 8
"""Media sections of a description; a call has two, three with a camera."""


class PeerError(Exception):
    """The client's side of the negotiation is of no use; the message says why and is fit to be sent to it."""


@dataclass(frozen=True, slots=True)
class Section:
    """One media section of a client's description."""

    kind: str
    mid: str
    sends: bool
    """Whether the client will send."""
    receives: bool
    """Whether the client takes what is sent to it."""
    codecs: frozenset[str]
    """Names of its codecs, lower case: ``h264``, ``opus``."""
    username: str
    """ICE user fragment."""
    password: str
    """ICE password."""


@dataclass(frozen=True, slots=True)
class Description:
    """A client's description that can be handed to the peer connection as ``sdp``."""

    sdp: str
    sections: tuple[Section, ...]


def read(sdp: str) -> Description:
    """Check a client's description. Raises ``PeerError``.

    Candidates that are of no use are left out, and so is ``end-of-candidates``: a client that hides its addresses is
    found by the checks it sends, which may come after it said that there are no more candidates.
    """
    if not sdp.strip():
        raise PeerError("the session description is empty")
    if len(sdp) > LONGEST:
        raise PeerError("the session description is too long")
    lines = [line for line in sdp.splitlines() if line.strip() and _useful(line)]
    text = "\r\n".join(lines) + "\r\n"
    try:
        parsed = SessionDescription.parse(text)
        sections = tuple(_section(media) for media in parsed.media)
    except PeerError:
        raise
    except Exception as error:
        # The parser raises whatever its next operation raises: ValueError, KeyError, AssertionError, StopIteration …
        raise PeerError(f"the session description cannot be read ({type(error).__name__})") from error
    if not sections:
        raise PeerError("the session description has no media sections")
    if len(sections) > MOST_SECTIONS:
        raise PeerError(f"the session description has more than {MOST_SECTIONS} media sections")
    return Description(text, sections)


def _useful(line: str) -> bool:
    if line.startswith("a=end-of-candidates"):
        return False
    if line.startswith("a=candidate:"):
        try:
            return parse_candidate(line) is not None
        except ValueError as error:
            raise PeerError(f"the session description has a candidate that cannot be read: {error}") from error
    return True


def _section(media: Any) -> Section:
    if media.port == 0:
        raise PeerError(f"the client rejected the {media.kind} section")
    if media.ice is None or not media.ice.usernameFragment or not media.ice.password:
        raise PeerError(f"the {media.kind} section has no ICE user fragment or password")
    if media.dtls is None or not media.dtls.fingerprints:
        raise PeerError(f"the {media.kind} section has no DTLS fingerprint")
    if media.kind in ("audio", "video") and not media.rtcp_mux:
        raise PeerError(f"the {media.kind} section does not multiplex RTCP (rtcp-mux)")
    # Without a direction attribute both sides send and receive (RFC 8866 §6.7).
    direction = media.direction or "sendrecv"
    return Section(
        kind=media.kind,
        mid=media.rtp.muxId,
        sends=direction in ("sendonly", "sendrecv"),
        receives=direction in ("recvonly", "sendrecv"),
        codecs=frozenset(codec.name.lower() for codec in media.rtp.codecs),
        username=media.ice.usernameFragment,
        password=media.ice.password,
    )
