"""``visavis talk``: exit code 0 for a talk that was had, else 1 and one line that says why; never a traceback."""

import asyncio
import subprocess
import wave
from pathlib import Path

import av
import pytest

from tests.cli.conftest import Run
from tests.client.stage import Grey, Line, Tone, media, scripted

DELTA = "realtime.response.audio_transcript.delta"
WORDS = "realtime.response.audio_transcript.done"
DONE = "realtime.response.audio.done"


def failed(process: subprocess.CompletedProcess[str]) -> str:
    """The last line of a talk that failed as it should."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stdout + process.stderr
    last = process.stderr.splitlines()[-1]
    assert last.startswith("visavis: ")
    return last.removeprefix("visavis: ")


def one_line(process: subprocess.CompletedProcess[str]) -> str:
    line = failed(process)
    assert (process.stdout, len(process.stderr.splitlines())) == ("", 1)
    return line


async def talk(visavis: Run, url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return await asyncio.to_thread(visavis, "talk", "-s", url, "--license", "x", "--avatar-id", "one", *arguments)


async def answers(line: Line) -> None:
    await line.accept()
    async with media(line, Tone(), Grey()):
        await line.begin()
        await line.until_heard("realtime.input_text")
        for word in ("I am ", "a face."):
            await line.say(DELTA, {"id": "r1", "content": word})
        await line.say(WORDS, {"id": "r1", "content": "I am a face."})
        await asyncio.sleep(0.5)
        await line.say(DONE, {"id": "r1"})
        await line.until_left()


async def hangs_up(line: Line) -> None:
    await line.accept()
    async with media(line, Tone()):
        await line.begin()
        await line.until_heard("realtime.input_text")
        await line.say("conversation.connected.close", message="Time is up.")


async def listens(line: Line) -> None:
    await line.accept()
    async with media(line, Tone()):
        await line.begin()
        await line.until_left()


async def refuses(line: Line) -> None:
    await line.end("conversation.connected.fail", "unknown_avatar", "No such avatar.")


async def test_a_talk_that_is_had_and_filmed(visavis: Run, tmp_path: Path) -> None:
    async with scripted(answers) as place:
        process = await talk(visavis, place.url, "--text", "Who are you?", "--save", "answer.mp4")
    assert process.returncode == 0, process.stderr
    assert process.stdout == "You: Who are you?\nAvatar: I am a face.\n"
    assert "Saved answer.mp4" in process.stderr
    with av.open(str(tmp_path / "answer.mp4")) as container:
        assert {stream.type for stream in container.streams} == {"audio", "video"}


async def test_a_call_that_ends_is_not_waited_for(visavis: Run) -> None:
    async with scripted(hangs_up) as place:
        process = await talk(visavis, place.url, "--text", "Who are you?", "--patience", "100")
    assert failed(process) == "the call ended: Time is up."


async def test_no_answer_is_a_failure_of_the_talk(visavis: Run) -> None:
    async with scripted(listens) as place:
        process = await talk(visavis, place.url, "--text", "Hello?", "--text", "Hello?", "--patience", "0.5")
    assert failed(process) == "no answer to 2 of 2 turns"


async def test_a_film_without_a_picture_is_not_told_as_saved(visavis: Run, tmp_path: Path) -> None:
    async with scripted(listens) as place:
        process = await talk(visavis, place.url, "--text", "Hello?", "--patience", "0.5", "--save", "answer.mp4")
    failed(process)
    assert "Saved" not in process.stderr
    assert "answer.mp4 was not written: no picture came" in process.stderr
    assert not (tmp_path / "answer.mp4").exists()


async def test_a_films_failure_is_told_and_does_not_hide_the_calls(visavis: Run, tmp_path: Path) -> None:
    (tmp_path / "answer.mp4").mkdir()
    async with scripted(answers) as place:
        process = await talk(visavis, place.url, "--text", "Who are you?", "--save", "answer.mp4")
        assert failed(process).startswith("answer.mp4 cannot be written: ")
    async with scripted(refuses) as place:
        process = await talk(visavis, place.url, "--text", "Who are you?", "--save", "answer.mp4")
        assert failed(process) == "the call could not be made (noScene): No such avatar."


def test_a_recording_that_cannot_be_said(visavis: Run, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "deep.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(48_000)
        file.writeframes(bytes(300))
    options = ("talk", "--license", "x")
    assert one_line(visavis(*options, "missing.wav")) == "missing.wav cannot be read: No such file or directory"
    assert one_line(visavis(*options, "deep.wav")) == "deep.wav is not a WAV file of 16-bit PCM: it has 24-bit samples"


@pytest.mark.parametrize("path", ["nowhere/answer.mp4", "answer.xyz"])
def test_a_film_that_cannot_be(visavis: Run, path: str) -> None:
    process = visavis("talk", "--license", "x", "--text", "Hello?", "--save", path)
    assert one_line(process).startswith(f"{path} cannot be written: ")


@pytest.mark.parametrize("address", ["http://[::1", "http://127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1:port"])
def test_no_server_there(visavis: Run, address: str) -> None:
    one_line(visavis("talk", "--license", "x", "--text", "Hello?", "-s", address))
    failed(visavis("talk", "--license", "x", "--text", "Hello?", "-s", address, "--name", "n"))


def test_no_license(visavis: Run) -> None:
    assert one_line(visavis("talk", "--text", "Hello?")).startswith("a license is needed")
