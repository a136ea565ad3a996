"""``visavis serve``: it says where it is, ends in order, and refuses in one line what cannot work."""

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from visavis.cli.running import address
from visavis.config import LicenseSettings, ServerSettings, Settings


@contextmanager
def serving(folder: Path, environment: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process and the line it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "visavis", "serve", "--port", "0", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=(folder / "log").open("w"),
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.e2e
def test_prints_one_line_with_the_license_answers_and_ends_in_order(tmp_path, clean_environment) -> None:
    with serving(tmp_path, clean_environment) as (process, line):
        found = re.fullmatch(r"visavis is ready: (http://127\.0\.0\.1:(\d+)/)\?license=(dev_\S+)\n", line)
        assert found is not None, line + (tmp_path / "log").read_text()
        page, _, license = found.groups()
        with urllib.request.urlopen(f"{page}?license={license}", timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"{page}healthz", timeout=10) as answer:
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""
    log = (tmp_path / "log").read_text()
    assert "GET /" in log
    assert license not in log
    assert "Traceback" not in log


@pytest.mark.e2e
def test_a_configured_license_is_not_printed(tmp_path, clean_environment) -> None:
    with serving(tmp_path, {**clean_environment, "VISAVIS_LICENSE": "hunter2"}, "--host", "0.0.0.0") as (process, line):
        assert re.fullmatch(r"visavis is ready: http://127\.0\.0\.1:\d+/\n", line), (tmp_path / "log").read_text()
        process.send_signal(signal.SIGTERM)
        process.wait(20)
    assert "hunter2" not in (tmp_path / "log").read_text()


def test_public_interface_without_license_is_refused(visavis) -> None:
    done = visavis("serve", "--host", "0.0.0.0", "--port", "0")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("visavis: server.host is 0.0.0.0, which others can reach, and no license is configured: set")
    assert "VISAVIS_LICENSE" in line
    assert done.stdout == ""


def test_wrong_flag_value_names_the_flag(visavis) -> None:
    done = visavis("serve", "--speech", "loud")
    assert done.returncode == 2
    assert done.stderr.startswith("visavis: speech.provider: input should be 'auto',")
    assert done.stderr.endswith("got 'loud' (from --speech)\n")


def test_taken_port_is_a_plain_line(visavis) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        port = sock.getsockname()[1]
        done = visavis("serve", "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"visavis: port {port} on 127.0.0.1 is in use")
    assert "Traceback" not in done.stderr


def test_foreign_address_is_a_plain_line(visavis) -> None:
    done = visavis("serve", "--host", "203.0.113.7", VISAVIS_LICENSE="k")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("visavis: cannot listen on port 8000 of 203.0.113.7: ")


def test_part_that_cannot_start_is_a_plain_line(visavis) -> None:
    done = visavis("serve", "--port", "0", "--speech", "piper", "--set", "speech.model=nowhere.onnx")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("visavis: speech.provider piper cannot be used: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("server", "show", "expected"),
    [
        ({}, True, "http://127.0.0.1:81/?license=a%2Bb"),
        ({}, False, "http://127.0.0.1:81/"),
        ({"host": "0.0.0.0"}, False, "http://127.0.0.1:81/"),
        ({"host": "::1"}, False, "http://[::1]:81/"),
        ({"host": "localhost"}, False, "http://localhost:81/"),
        ({"public_url": "https://talk.example.org/"}, False, "https://talk.example.org/"),
    ],
)
def test_printed_address(server: dict[str, str], show: bool, expected: str) -> None:
    settings = Settings(server=ServerSettings(**server), licenses=(LicenseSettings(key=SecretStr("a+b")),))
    assert address(settings, 81, show_license=show) == expected
