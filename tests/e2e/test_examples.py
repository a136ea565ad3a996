"""The programs of ``examples/``, as a reader runs them, against the real server."""

import asyncio
import sys
import wave
from pathlib import Path

import av
import pytest

from tests.e2e.voices import spoken
from visavis.bench.server_process import ServerProcess
from visavis.client import MICROPHONE_RATE

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "examples"
ANSWER = "I have no age."


async def run(name: str, *arguments: str | Path) -> tuple[int | None, str]:
    """Its exit code and what it printed, both streams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *map(str, arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(90):
            out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode, out.decode()


async def test_a_typed_question_is_answered_in_captions(server: ServerProcess) -> None:
    code, out = await run("talk_to_avatar.py", server.url, server.license, "How old are you?")
    assert code == 0, out
    assert f"> How old are you?\n{ANSWER}" in out


async def test_a_recording_is_understood_and_the_answer_filmed(server: ServerProcess, tmp_path: Path) -> None:
    (question,) = await spoken(("en-us", "How old are you?"))
    with wave.open(str(tmp_path / "question.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(MICROPHONE_RATE)
        file.writeframes(question.tobytes())
    film = tmp_path / "answer.mp4"
    code, out = await run("speak_wav.py", server.url, server.license, tmp_path / "question.wav", film)
    assert code == 0, out
    assert "You: How old are you" in out
    assert ANSWER in out
    with av.open(str(film)) as container:
        kinds = {stream.type for stream in container.streams}
        assert container.duration is not None
        assert container.duration > 2_000_000
    assert kinds == {"audio", "video"}


async def test_a_tool_of_ones_own_is_run_and_its_result_told(server: ServerProcess) -> None:
    code, out = await run("own_tool.py", server.url, server.license, "How much disk space is free?")
    assert code == 0, out
    assert "(asks for get_free_disk_space with {})" in out
    assert "gigabytes" in out.split("(asks for")[1]


@pytest.mark.parametrize("name", ["talk_to_avatar.py", "own_tool.py"])
async def test_a_wrong_license_is_one_line(server: ServerProcess, name: str) -> None:
    code, out = await run(name, server.url, "wrong", "Hello?")
    assert code == 1
    assert out.startswith("The call failed: ")
    assert len(out.splitlines()) == 1
