import pytest

from visavis.media.description import PeerError, read

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)


def section(kind: str, mid: str, *, direction: str = "recvonly", port: int = 9, extra: tuple[str, ...] = ()) -> str:
    codec = {"audio": "96 opus/48000/2", "video": "101 H264/90000"}[kind]
    lines = [
        f"m={kind} {port} UDP/TLS/RTP/SAVPF {codec.split()[0]}",
        "c=IN IP4 0.0.0.0",
        f"a=rtpmap:{codec}",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        FINGERPRINT,
        "a=setup:active",
        f"a=mid:{mid}",
        f"a={direction}",
        "a=rtcp-mux",
        *extra,
    ]
    return "\n".join(line for line in lines if line)


def sdp(*sections: str) -> str:
    return "\n".join(["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1", *sections])


GOOD = sdp(section("audio", "0"), section("video", "1"))


def test_reads_what_is_needed() -> None:
    found = read(GOOD)
    assert [(s.kind, s.mid, s.receives, s.sends) for s in found.sections] == [
        ("audio", "0", True, False),
        ("video", "1", True, False),
    ]
    assert found.sections[0].codecs == {"opus"}
    assert found.sections[1].codecs == {"h264"}
    assert (found.sections[0].username, found.sections[0].password) == ("abcd", "abcdefghijklmnopqrstuv")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r\n\r\n"])
def test_any_line_ends_become_crlf(ending: str) -> None:
    text = read(ending.join(GOOD.splitlines())).sdp
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")


def test_useless_candidates_are_left_out() -> None:
    found = read(
        sdp(
            section(
                "audio",
                "0",
                extra=(
                    "a=candidate:1 1 udp 2113937151 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 56350 typ host",
                    "a=candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
                    "a=candidate:3 1 udp 2113937151 192.0.2.7 50000 typ host",
                    "a=end-of-candidates",
                ),
            ),
            section("video", "1"),
        )
    ).sdp
    assert found.count("a=candidate") == 1
    assert "192.0.2.7 50000" in found
    assert "end-of-candidates" not in found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("   \r\n", "empty"),
        ("hello", "no media sections"),
        ("v=0\r\nm=audio", "cannot be read"),
        ("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 96", "no ICE"),
        (GOOD.replace("a=rtpmap:96 opus/48000/2", "a=rtpmap:96 opus/loud"), "cannot be read"),
        (GOOD.replace(FINGERPRINT, ""), "fingerprint"),
        (GOOD.replace("a=ice-ufrag:abcd", ""), "ICE"),
        (GOOD.replace("a=rtcp-mux", ""), "rtcp-mux"),
        (GOOD.replace("m=video 9 ", "m=video 0 "), "rejected the video"),
        (GOOD.replace("a=setup:active", "a=setup:sideways"), "cannot be read"),
        (sdp(section("audio", "0", extra=("a=candidate:1 1 udp x y z typ host",))), "candidate"),
        ("v=0\n" + "a=x\n" * 100_000, "too long"),
        (sdp(*[section("audio", str(n)) for n in range(9)]), "more than 8"),
    ],
)
def test_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(PeerError, match=message):
        read(text)
