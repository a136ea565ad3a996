"""The command itself."""

import subprocess
import sys

from visavis import __version__


def test_version_and_help(visavis) -> None:
    assert visavis("--version").stdout == f"visavis {__version__}\n"
    done = visavis("--help")
    assert done.returncode == 0
    for command in ("serve", "settings", "doctor", "key"):
        assert command in done.stdout


def test_unknown_command_is_an_error_without_traceback(visavis) -> None:
    done = visavis("dance")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_keys_are_new_long_and_valid_licenses(visavis) -> None:
    keys = {visavis("key", "new").stdout.strip() for _ in range(2)}
    assert len(keys) == 2
    for key in keys:
        assert key.startswith("sk_")
        assert len(key) > 30
        assert visavis("settings", VISAVIS_LICENSE=key).returncode == 0


def test_parsing_a_command_loads_nothing_heavy() -> None:
    """What makes ``--help`` slow: numerical, media and web libraries."""
    code = "import sys, visavis.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"numpy", "av", "cv2", "fastapi", "uvicorn", "onnxruntime", "pydantic", "httpx"} & set(
        loaded.stdout.split()
    )
