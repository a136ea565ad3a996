"""The command as a person runs it: a process of its own, in an empty folder, without settings from outside."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """The environment without any of our variables, wide enough that no line is broken."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VISAVIS_")}
    return {**kept, "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


@pytest.fixture
def visavis(tmp_path: Path, clean_environment: dict[str, str]) -> Run:
    """Runs ``visavis`` with the given arguments; variables by keyword."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "visavis", *arguments],
            cwd=tmp_path,
            env={**clean_environment, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run
