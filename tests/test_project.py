"""The project's own files: the lock holds what pyproject.toml asks for, and make finds or refuses its Python."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")


def locked(name: str) -> list[tuple[Requirement, int]]:
    """The entries of a lock file, each with its number of hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(entry.partition(" --hash")[0]), entry.count("--hash=sha256:")) for entry in entries]


@pytest.mark.parametrize(("name", "extras"), [("requirements.lock", ("",)), ("requirements-dev.lock", ("", "dev"))])
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_satisfies_pyproject(name: str, extras: tuple[str, ...], python: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + [
        line for extra in extras for line in project["optional-dependencies"].get(extra, ())
    ]
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux", "extra": ""}

    def applies(requirement: Requirement) -> bool:
        return requirement.marker is None or requirement.marker.evaluate(environment)

    versions = {entry.name: next(iter(entry.specifier)).version for entry, _ in locked(name) if applies(entry)}
    for requirement in map(Requirement, wanted):
        if applies(requirement):
            known = versions.get(requirement.name.lower())
            assert known is not None, f"{requirement.name} is not locked: run make lock"
            assert requirement.specifier.contains(known), f"{requirement} is locked at {known}: run make lock"


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_is_pinned_hashed_and_says_nothing_of_its_origin(name: str) -> None:
    entries = locked(name)
    assert len(entries) > 40
    for entry, hashes in entries:
        assert str(entry.specifier).startswith("=="), entry
        assert hashes > 0, entry
    assert not re.search(r"https?:|file:|--index|--find-links|--extra|/\w+/", (ROOT / name).read_text(encoding="utf-8"))


def test_development_lock_has_the_same_versions() -> None:
    development = {str(entry) for entry, _ in locked("requirements-dev.lock")}
    assert {str(entry) for entry, _ in locked("requirements.lock")} <= development


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What tools/bootstrap.sh looks at, alone in a folder."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "bootstrap.sh", tmp_path / "tools")
    for name in ("requirements.lock", "requirements-dev.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def bootstrap(checkout: Path, purpose: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "tools" / "bootstrap.sh", purpose],
        env={"PATH": "/usr/bin:/bin", **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_unsuitable_python_is_refused_in_one_line(checkout: Path) -> None:
    old = program(checkout / "old", "exit 1")
    done = bootstrap(checkout, "run", PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr == f"visavis: PYTHON={old} is not a Python from 3.11 to 3.13\n"


def test_ready_environment_is_left_alone(checkout: Path) -> None:
    """The second make run neither asks pip nor the network: all it does is look at the Python there."""
    program(checkout / ".venv" / "bin" / "python", f'echo "$@" >>{checkout}/calls')
    files = ["requirements.lock", "pyproject.toml", "tools/bootstrap.sh"]
    stamp = subprocess.run(
        ["cksum"], input=b"".join((checkout / f).read_bytes() for f in files), capture_output=True, check=True
    )
    (checkout / ".venv" / ".ready-to-run").write_bytes(stamp.stdout)
    done = bootstrap(checkout, "run")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert len((checkout / "calls").read_text().splitlines()) == 1


def test_changed_lock_is_installed_again_and_a_failure_is_told(checkout: Path) -> None:
    program(
        checkout / ".venv" / "bin" / "python",
        'case "$*" in *" -r "*) echo "ERROR: no matching distribution"; exit 1;; esac',
    )
    (checkout / ".venv" / ".ready-to-run").write_text("of another lock\n")
    done = bootstrap(checkout, "run")
    assert done.returncode == 1
    assert "ERROR: no matching distribution" in done.stderr
    assert "visavis: pip could not install the above" in done.stderr
    assert (checkout / ".venv" / ".ready-to-run").read_text() == "of another lock\n"
