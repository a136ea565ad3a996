"""The programs of ``examples/``, as a reader runs them, against the real server."""

import asyncio
import sys
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests.e2e.voices import spoken
from visavis.bench.server_process import ServerProcess
from visavis.client import AUDIO_RATE, MICROPHONE_RATE

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


async def test_a_typed_question_is_answered_and_filmed(server: ServerProcess, tmp_path: Path) -> None:
    film = tmp_path / "answer.mp4"
    code, out = await run("ask_and_film.py", server.url, server.license, "How old are you?", film)
    assert code == 0, out
    assert f"> How old are you?\n{ANSWER}" in out
    with av.open(str(film)) as container:
        kinds = {stream.type for stream in container.streams}
        assert container.duration is not None
        assert container.duration > 2_000_000
    assert kinds == {"audio", "video"}


async def test_recordings_are_understood_and_the_answers_kept_as_sound(server: ServerProcess, tmp_path: Path) -> None:
    questions = []
    for number, question in enumerate(await spoken(("en-us", "How old are you?"), ("en-us", "Are you a real person?"))):
        questions.append(tmp_path / f"question{number}.wav")
        with wave.open(str(questions[-1]), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(MICROPHONE_RATE)
            file.writeframes(question.tobytes())
    answers = tmp_path / "answers.wav"
    code, out = await run("voice_bot.py", server.url, server.license, answers, *questions)
    assert code == 0, out
    first, second = out.index("You: How old are you"), out.index("You: Are you a real person")
    assert ANSWER in out[first:second]
    assert "Avatar: " in out[second:]
    with wave.open(str(answers)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        assert file.getframerate() == AUDIO_RATE
    assert len(pcm) > 4 * AUDIO_RATE
    assert np.abs(pcm).max() > 2000


async def test_a_conversation_goes_on_in_the_next_run_with_a_tool(server: ServerProcess, tmp_path: Path) -> None:
    kept = tmp_path / "session.token"
    code, out = await run("come_back.py", server.url, server.license, kept, "How much disk space is free?")
    assert code == 0, out
    steps = [line[2:] for line in out.splitlines() if line.startswith("[")]
    assert steps[0] == "25 %] SearchingForDigitalPerson"
    assert steps[-2:] == ["00 %] Connected", " 0 %] Disconnected"]
    assert "(asks for get_free_disk_space)" in out
    assert "gigabytes" in out.split("(asks for")[1]
    token = kept.read_text()
    assert token
    assert token not in out
    assert kept.stat().st_mode & 0o77 == 0
    code, out = await run("come_back.py", server.url, server.license, kept, "How old are you?")
    assert code == 0, out
    assert "(earlier) user: How much disk space is free?" in out
    assert ANSWER in out


async def test_a_conversation_that_is_not_kept_any_more_begins_anew(server: ServerProcess, tmp_path: Path) -> None:
    kept = tmp_path / "session.token"
    kept.write_text("of-another-server")
    code, out = await run("come_back.py", server.url, server.license, kept, "How old are you?")
    assert code == 0, out
    assert ANSWER in out
    assert kept.read_text() not in ("", "of-another-server")


@pytest.mark.parametrize("name", ["ask_and_film.py", "come_back.py"])
async def test_a_wrong_license_is_one_line(server: ServerProcess, name: str, tmp_path: Path) -> None:
    arguments = {"ask_and_film.py": ["Hello?", tmp_path / "a.mp4"], "come_back.py": [tmp_path / "token", "Hello?"]}
    code, out = await run(name, server.url, "wrong", *arguments[name])
    assert code == 1
    assert out.startswith("The call failed: ")
    assert len(out.splitlines()) == 1
