"""The application on uvicorn: whatever ends it, the application's own end is reached, in order."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
from contextlib import asynccontextmanager
from fastapi import FastAPI, WebSocket
from visavis.config import Settings
from visavis.config_values import SettingsError

def create_app(settings):
    @asynccontextmanager
    async def lifespan(app):
        print("loading", flush=True)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task({start})
            yield
        finally:
            await asyncio.sleep(0.1)
            print("freed", flush=True)

    async def drain(seconds):
        print("draining", seconds, flush=True)
        {drain}

    app = FastAPI(lifespan=lifespan)
    app.state.drain = drain
    return app

async def nothing():
    pass

async def forever():
    await asyncio.sleep(600)

async def fails():
    raise SettingsError("speech.provider piper cannot be used: there is no model")

import visavis.server
visavis.server.create_app = create_app
import typer
from visavis.cli.running import run_server

settings = Settings.model_validate({{"server": {{"port": 0, "shutdown_timeout": 0.5, "drain_timeout": {grace}}}}})
typer.run(lambda: run_server(settings.with_license(), show_license=False))
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    processes: list[subprocess.Popen[str]] = []

    def begin(start: str = "nothing()", drain: str = "pass", grace: float = 1.5) -> subprocess.Popen[str]:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(start=start, drain=drain, grace=grace))
        process = subprocess.Popen(
            [sys.executable, str(program)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate(timeout=10)


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


@pytest.mark.parametrize(
    ("number", "drained"), [(signal.SIGINT, ["draining 0"]), (signal.SIGTERM, ["draining 1.5", "draining 0"])]
)
def test_a_signal_drains_then_frees_and_is_no_error(start: Start, number: signal.Signals, drained: list[str]) -> None:
    process = start()
    assert line(process) == "loading\n"
    assert re.fullmatch(r"visavis is ready: http://127\.0\.0\.1:\d+/\n", line(process))
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert out.splitlines() == [*drained, "freed"]
    assert process.returncode == 0
    assert "Traceback" not in errors


def test_calls_have_their_grace_after_sigterm_unless_a_second_signal_comes(start: Start) -> None:
    process = start(drain="await asyncio.sleep(600 if seconds else 0)", grace=600.0)
    line(process)
    line(process)
    process.send_signal(signal.SIGTERM)
    assert line(process) == "draining 600.0\n"
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=30)
    assert out.splitlines() == ["draining 0", "freed"]
    assert process.returncode == 0
    assert "Traceback" not in errors


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_loading_frees_what_was_loaded(start: Start, number: signal.Signals) -> None:
    process = start("forever()")
    assert line(process) == "loading\n"
    time.sleep(0.2)
    process.send_signal(number)
    out, errors = process.communicate(timeout=20)
    assert out == "freed\n"
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_calls_that_do_not_end_are_not_waited_for_without_end(start: Start) -> None:
    process = start(drain="await asyncio.sleep(600)")
    line(process)
    line(process)
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert out.splitlines()[:2] == ["draining 1.5", "draining 0"]
    assert out.splitlines()[-1] == "freed"
    assert "calls did not end in time" in out + errors
    assert process.returncode == 0


def test_a_part_that_cannot_start_is_one_line(start: Start) -> None:
    process = start("fails()")
    out, errors = process.communicate(timeout=20)
    assert out == "loading\nfreed\n"
    assert errors == "visavis: speech.provider piper cannot be used: there is no model\n"
    assert process.returncode == 2
