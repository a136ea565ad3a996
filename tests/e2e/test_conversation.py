"""Talking to the real server: spoken questions in, the avatar's sound, words and tool calls out."""

import asyncio
import json

import numpy as np
import pytest

from tests.e2e.conftest import visit
from tests.e2e.voices import SILENCE, spoken
from visavis.bench.server_process import ServerProcess
from visavis.bench.visitor import Visitor
from visavis.client import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRANSCRIPT = "realtime.conversation.item.input_audio_transcription.completed"
DELTA = "realtime.response.audio_transcript.delta"
DONE = "realtime.response.audio_transcript.done"
AUDIO_DONE = "realtime.response.audio.done"
TOOL = "realtime.response.function_call_arguments.done"

QUESTIONS = [
    ("en-us", "How old are you?"),
    ("en-us+f3", "Are you a real person?"),
    ("en-gb", "Where are you from?"),
    ("en-us+m3", "What is your name?"),
]


def of(visitor: Visitor, kind: str) -> list[Message]:
    return [event for event in visitor.events if event.type == kind]


async def greeted(visitor: Visitor) -> None:
    assert await visitor.until(lambda: len(of(visitor, AUDIO_DONE)) >= 1, 20)


async def ask(visitor: Visitor, text: str) -> str:
    """Type a question; the answer's words."""
    before = len(of(visitor, DONE))
    await visitor.call.send_text(text)
    assert await visitor.until(lambda: len(of(visitor, DONE)) > before, 25)
    return of(visitor, DONE)[-1].text


async def test_the_greeting_is_held_until_media_flows_and_is_heard_whole(server: ServerProcess) -> None:
    async with visit(server) as visitor:
        await greeted(visitor)
        first = of(visitor, DELTA)[0].at
        heard = visitor.heard_since(0.0)
        assert visitor.first_picture is not None
        assert visitor.first_picture < first
        assert heard is not None
        assert abs(heard - first) < 0.5
        assert of(visitor, DONE)[0].text.startswith("Hi, I'm Vera.")


async def test_the_documented_order(server: ServerProcess) -> None:
    async with visit(server) as visitor:
        await greeted(visitor)
        # The states are told only to clients that ask for them, as this one does.
        kinds = [event.type for event in visitor.events if event.type != "conversation.connected.state"]
    assert kinds[:4] == [
        "conversation.connected.success",
        "webrtc.signaling.offer",
        "realtime.session.created",
        "realtime.session.updated",
    ]
    assert kinds.count("realtime.session.created") == kinds.count("realtime.session.updated") == 1


async def test_spoken_questions_in_several_voices_are_understood_and_answered(server: ServerProcess) -> None:
    recordings = await spoken(*QUESTIONS)
    async with visit(server) as visitor:
        await greeted(visitor)
        for (_, question), pcm in zip(QUESTIONS, recordings, strict=True):
            answers = len(of(visitor, AUDIO_DONE))
            ended = await visitor.say(pcm)
            await visitor.say(np.concatenate((SILENCE, SILENCE)))
            assert await visitor.until(lambda count=answers: len(of(visitor, AUDIO_DONE)) > count, 25)
            said = "".join(letter for letter in question.lower() if letter.isalpha() or letter == " ")
            assert of(visitor, TRANSCRIPT)[-1].text.lower().rstrip(".?!") == said
            heard = visitor.heard_since(ended)
            assert heard is not None
            assert heard - ended < 3.0
        assert len(of(visitor, "realtime.input_audio_buffer.speech_started")) == len(QUESTIONS)
        assert len(of(visitor, "realtime.input_audio_buffer.speech_stopped")) == len(QUESTIONS)


async def test_speaking_over_the_avatar_stops_it(server: ServerProcess) -> None:
    (interruption,) = await spoken(("en-gb", "Wait a moment, I have another question for you."))
    async with visit(server) as visitor:
        assert await visitor.until(lambda: len(of(visitor, DELTA)) >= 2, 15)
        start = asyncio.get_running_loop().time()
        await visitor.say(interruption)
        greeting = of(visitor, DONE)[0]
        assert greeting.at - start < 1.0
        assert not greeting.text.endswith("just say hello.")
        after = [level for at, level in visitor.sound if start + 0.6 < at < start + len(interruption) / 24_000]
        assert max(after) < 300


async def test_silence_is_no_turn(server: ServerProcess) -> None:
    async with visit(server) as visitor:
        await greeted(visitor)
        rng = np.random.default_rng(7)
        noise = (rng.standard_normal(24_000 * 3) * 60).astype(np.int16)
        await visitor.say(noise)
        assert not of(visitor, "realtime.input_audio_buffer.speech_started")


async def test_a_tool_is_called_and_its_result_is_spoken_about(server: ServerProcess) -> None:
    tool = {
        "type": "function",
        "name": "get_weather",
        "description": "Get the current weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
    async with visit(server) as visitor:
        await greeted(visitor)
        await visitor.call.configure(tools=[tool])
        await visitor.call.send_text("What is the weather in Paris?")
        assert await visitor.until(lambda: bool(of(visitor, TOOL)), 10)
        call = of(visitor, TOOL)[0]
        assert call.data["name"] == call.data["function_name"] == "get_weather"
        assert call.data["arguments"] == {"city": "Paris"}
        raw = call.body["raw_data"]
        assert json.loads(raw["arguments"]) == {"city": "Paris"}
        deltas = of(visitor, "realtime.response.function_call_arguments.delta")
        assert "".join(event.data["delta"] for event in deltas) == raw["arguments"]
        before = len(of(visitor, DONE))
        await visitor.call.send_tool_result(call.data["call_id"], '{"sky": "sunny", "temperature": 21}')
        assert await visitor.until(lambda: len(of(visitor, DONE)) > before, 20)
        assert "sunny" in of(visitor, DONE)[-1].text


async def test_a_tool_that_returns_nothing_does_not_block(server: ServerProcess) -> None:
    tool = {"type": "function", "name": "open_page", "description": "Open the pricing page of the shop"}
    async with visit(server) as visitor:
        await greeted(visitor)
        await visitor.call.configure(tools=[tool])
        await visitor.call.send_text("Please open the pricing page.")
        assert await visitor.until(lambda: bool(of(visitor, TOOL)), 10)
        assert await ask(visitor, "How old are you?")


async def test_history_from_an_earlier_call_is_known(server: ServerProcess) -> None:
    async with visit(server) as visitor:
        await greeted(visitor)
        await visitor.call.send_text("My name is Ada.", reply=False)
        assert "Ada" in await ask(visitor, "What is my name?")


async def test_one_session_does_not_hear_another(server: ServerProcess) -> None:
    (question,) = await spoken(("en-us", "How old are you?"))
    async with visit(server) as one, visit(server) as other:
        await greeted(one)
        await greeted(other)
        await one.say(np.concatenate((question, SILENCE)))
        assert await one.until(lambda: bool(of(one, TRANSCRIPT)), 10)
        assert not of(other, TRANSCRIPT)
        assert one.call.session_id != other.call.session_id
