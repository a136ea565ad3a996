"""Checks of what the server stands on: Python, libraries, ports, the license rule, codecs."""

import socket
import sys
from collections.abc import Iterator
from importlib import metadata

import numpy as np
from av.error import FFmpegError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from visavis.cli.findings import Finding, bad, ok, warn
from visavis.config import Settings
from visavis.config_values import cores, is_loopback
from visavis.media.encoder import AUDIO_PACKET, OpusEncoder, VideoCodec, open_video
from visavis.speech.ports import SPEECH_RATE

SESSIONS_PER_CORE_LIMIT = 10
"""Talking faces that a core can paint and encode at best, with recognition elsewhere."""


def python() -> Iterator[Finding]:
    """Python and the libraries are of the versions that the project asks for."""
    running = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata.metadata("visavis")["Requires-Python"]
    if SpecifierSet(wanted).contains(running):
        yield ok("Python", running)
    else:
        yield bad("Python", f"{running}, needed {wanted}", "remove .venv and run make with PYTHON=python3.13")
    wrong: list[str] = []
    for line in metadata.requires("visavis") or ():
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append(f"{requirement.name} {version}, needed {requirement.specifier}")
    if wrong:
        yield bad("libraries", "; ".join(wrong), "run: pip install -r requirements.lock")
    else:
        shown = ", ".join(f"{name} {metadata.version(name)}" for name in ("aiortc", "av", "onnxruntime", "numpy"))
        yield ok("libraries", shown)


def licenses(settings: Settings) -> Iterator[Finding]:
    """Others reach the server only with a configured license, and by https."""
    host = settings.server.host
    if settings.exposure_problem is not None:
        yield bad(
            "license",
            f"none, and others can reach {host}",
            "set VISAVIS_LICENSE to the output of 'visavis key new', or server.host to 127.0.0.1",
        )
    elif settings.licenses:
        yield ok("license", f"{len(settings.licenses)} configured")
    else:
        yield ok("license", "a new development license at each start; only this machine can call")
    url = settings.server.public_url
    if url is not None and not url.startswith("https://"):
        yield warn("public address", url, "browsers give a microphone to https pages only: see docs/deployment.md")
    elif url is None and not is_loopback(host):
        yield warn(
            "public address",
            "server.public_url is not set",
            "browsers give a microphone to https pages only: put a TLS proxy before it and set server.public_url",
        )


def tcp_port(settings: Settings) -> Iterator[Finding]:
    """The server's port can be had."""
    host, port = settings.server.host, settings.server.port
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(where)
    except OSError as error:
        advice = "stop the program that has it (a visavis that runs already?), or set server.port"
        yield bad("TCP port", f"{host}:{port}: {error.strerror or error}", advice)
    else:
        yield ok("TCP port", f"{host}:{port} is free")


def load(settings: Settings) -> Iterator[Finding]:
    """There are not more slots than the machine can serve."""
    slots, count = settings.session.max_sessions, cores()
    if slots > count * SESSIONS_PER_CORE_LIMIT:
        yield warn(
            "slots",
            f"{slots} on {count} cores",
            f"set session.max_sessions to {count * SESSIONS_PER_CORE_LIMIT} or less",
        )
    else:
        yield ok("slots", f"{slots} on {count} cores")


def codecs(settings: Settings) -> Iterator[Finding]:
    """Each codec that is offered encodes something here and now."""
    media = settings.media
    for codec in map(VideoCodec, media.video_codecs):
        try:
            encoder = open_video(
                codec,
                media.width,
                media.height,
                media.fps,
                bitrate=media.video_bitrate_start,
                floor=media.video_bitrate_min,
                ceiling=media.video_bitrate_max,
            )
            encoder.buffer[: media.height] = np.linspace(16, 235, media.width, dtype=np.uint8)
            data, _ = encoder.encode(0, True)
            encoder.close()
        except (FFmpegError, ValueError) as error:
            yield bad(codec.name, str(error), f'take "{codec}" out of media.video_codecs, or reinstall PyAV')
        else:
            yield ok(codec.name, f"a picture of {media.width}×{media.height} in {len(data)} bytes")
    try:
        opus = OpusEncoder(bitrate=media.audio_bitrate, expected_loss=media.expected_packet_loss)
        tone = np.sin(np.arange(AUDIO_PACKET) * 2 * np.pi * 440 / SPEECH_RATE) * 8_000
        data = opus.encode(tone.astype(np.int16), 0)
        opus.close()
    except (FFmpegError, ValueError) as error:
        yield bad("Opus", str(error), "reinstall PyAV: pip install --force-reinstall av")
    else:
        yield ok("Opus", f"20 ms of sound in {len(data)} bytes")
