"""A conversation as the app has it: captions, what the avatar does, answers, tools, variables; and what goes out."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from tests.client.stage import Grey, Line, Tone, media, nothing_left, scripted, until
from visavis.client import (
    MICROPHONE_RATE,
    Activity,
    Call,
    CallEndedError,
    Caption,
    DisconnectReason,
    Event,
    Expiring,
    HistoryItem,
    Message,
    Notice,
    Pcm,
    Tool,
    ToolCall,
)
from visavis.session.commands import (
    AppendAudio,
    ClearAudio,
    Configure,
    Interrupt,
    KeepAlive,
    Respond,
    SendText,
    SetVariables,
    ToolResult,
)
from visavis.wire.navtalk.decode import ImageDraft, decode

DELTA = "realtime.response.audio_transcript.delta"
WORDS = "realtime.response.audio_transcript.done"
DONE = "realtime.response.audio.done"
HEARD = "realtime.conversation.item.input_audio_transcription.completed"
STARTED = "realtime.input_audio_buffer.speech_started"
STOPPED = "realtime.input_audio_buffer.speech_stopped"
TOOL = "realtime.response.function_call_arguments.done"


class Other:
    """The other end of a call: what it heard, and a way to say something."""

    def __init__(self) -> None:
        self.line: Line
        self.texts: list[str] = []
        self.on_message: Callable[[dict[str, Any]], Awaitable[None]] | None = None

    async def __call__(self, line: Line) -> None:
        self.line = line
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            async for text in line.socket:
                self.texts.append(str(text))
                if self.on_message:
                    await self.on_message(json.loads(text))

    async def says(self, response: str, *words: str) -> None:
        for word in words:
            await self.line.say(DELTA, {"id": response, "content": word})
        await self.line.say(WORDS, {"id": response, "content": "".join(words)})
        await self.line.say(DONE, {"id": response})

    async def uses(self, name: str, arguments: Any, number: int = 1) -> None:
        raw = {"response_id": f"r{number}", "arguments": json.dumps(arguments)}
        data = {"name": name, "call_id": f"c{number}", "arguments": arguments}
        await self.line.say(TOOL, data, raw_data=raw)
        await self.line.say(DONE, {"id": f"r{number}"})

    @property
    def commands(self) -> list[Any]:
        """What the real server would make of what it heard."""
        return [command for text in self.texts for command in decode(text).commands]

    def results(self) -> list[tuple[str, Any]]:
        """The results of tools."""
        return [(one.call_id, one.output) for one in self.commands if isinstance(one, ToolResult)]


@asynccontextmanager
async def talking(**options: Any) -> AsyncIterator[tuple[Other, Call, list[Event]]]:
    other = Other()
    told: list[Event] = []
    async with (
        nothing_left(),
        scripted(other) as place,
        Call(place.url, license="x", avatar_id="a", on_event=told.append, **options) as call,
    ):
        told.clear()
        yield other, call, told


async def caught_up(other: Other, call: Call) -> None:
    """All that the server said so far has come."""
    events = call.events()
    await other.line.say("mark")
    async for event in events:
        if isinstance(event, Message) and event.type == "mark":
            events.close()
            return


async def test_captions_and_activity_of_a_spoken_turn() -> None:
    async with talking() as (other, call, told):
        assert call.activity is Activity.IDLE
        await other.line.say(STARTED)
        await other.line.say(STOPPED)
        await other.line.say(HEARD, {"content": " How old are you? "})
        await other.says("r1", "I have ", "no age.")
        await until(lambda: len(told) == 9)
        assert told == [
            Caption("user-1", "user", "", "pending"),
            Activity.LISTENING,
            Activity.THINKING,
            Caption("user-1", "user", "How old are you?", "final"),
            Caption("r1", "avatar", "I have ", "partial"),
            Activity.SPEAKING,
            Caption("r1", "avatar", "I have no age.", "partial"),
            Caption("r1", "avatar", "I have no age.", "final"),
            Activity.IDLE,
        ]
        assert call.history == (HistoryItem("user", "How old are you?"), HistoryItem("assistant", "I have no age."))


async def test_what_was_not_understood_is_no_history_and_awaits_nothing() -> None:
    async with talking() as (other, call, told):
        await other.line.say(STARTED)
        await other.line.say(STOPPED)
        await other.line.say(HEARD, {"content": ""})
        await caught_up(other, call)
        assert Caption("user-1", "user", "", "final") in told
        assert call.activity is Activity.IDLE
        assert call.history == ()


async def test_an_answer_that_was_spoken_over() -> None:
    async with talking() as (other, call, _):
        await other.line.say(DELTA, {"id": "r1", "content": "Once upon "})
        await other.line.say(STARTED)
        await other.line.say(WORDS, {"id": "r1", "content": "Once"})
        await other.line.say(DONE, {"id": "r1"})
        await caught_up(other, call)
        assert call.activity is Activity.LISTENING
        assert call.history == (HistoryItem("assistant", "Once"),)


async def test_the_end_of_the_last_answer_is_not_the_end_of_the_next() -> None:
    async with talking() as (other, call, _):
        await other.line.say(DELTA, {"id": "r1", "content": "Once upon "})
        await caught_up(other, call)
        await call.send_text("Wait.")
        await caught_up(other, call)
        await other.line.say(DONE, {"id": "r1"})
        await caught_up(other, call)
        assert call.activity is Activity.THINKING
        await other.line.say(DELTA, {"id": "r2", "content": "Yes?"})
        await caught_up(other, call)
        assert call.activity is Activity.SPEAKING
        await other.line.say(DONE, {"id": "r2"})
        await caught_up(other, call)
        assert call.activity is Activity.IDLE


async def test_a_call_that_ends_leaves_no_caption_open() -> None:
    async with talking() as (other, call, told):
        await other.line.say(DELTA, {"id": "r1", "content": "Once upon "})
        await other.line.say(STARTED)
        await caught_up(other, call)
    assert [event for event in told if isinstance(event, Caption)][-2:] == [
        Caption("user-1", "user", "", "final"),
        Caption("r1", "avatar", "Once upon ", "final"),
    ]
    assert call.activity is Activity.IDLE


async def test_what_has_no_event_of_its_own_is_told_as_it_came() -> None:
    messages: list[Message] = []
    async with talking(on_message=messages.append) as (other, call, told):
        await other.line.say("something.new", {"n": 1}, beside=2)
        await other.line.say("conversation.connected.warning", {"message": "Two of that name."})
        expiring = {"reason": "sessionTimeout", "seconds": 30, "message": "Are you there?"}
        await other.line.say("conversation.connected.expiring", expiring, message="Are you there?")
        await caught_up(other, call)
        new, notice, end, _ = told
        assert isinstance(new, Message)
        assert (new.type, new.data, new.body["beside"]) == ("something.new", {"n": 1}, 2)
        assert notice == Notice("Two of that name.")
        assert end == Expiring(DisconnectReason.SESSION_TIMEOUT, 30.0, "Are you there?")
        assert messages[0].type == "conversation.connected.success"
        assert {"webrtc.signaling.offer", "realtime.session.updated", "something.new"} <= {m.type for m in messages}


async def test_asking_in_writing_gives_the_whole_answer() -> None:
    async with talking() as (other, call, told):

        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "realtime.input_text":
                # It was about to say something else, of which the rest is cut off.
                await other.line.say(WORDS, {"id": "r0", "content": ""})
                await other.line.say(DONE, {"id": "r0"})
                await other.uses("look_up", {}, 1)
                await other.says("r2", "I have ", "no age.")

        await other.line.say(DELTA, {"id": "r9", "content": "Hello"})
        await caught_up(other, call)
        other.on_message = answer
        assert await call.ask("How old are you?") == "I have no age."
        assert Caption("user-1", "user", "How old are you?", "final") in told


async def test_an_answer_that_began_before_is_none() -> None:
    async with talking() as (other, call, _):
        await other.line.say(DELTA, {"id": "r1", "content": "Hello"})
        await caught_up(other, call)
        asking = asyncio.create_task(call.ask("How old are you?"))
        await until(lambda: SendText("How old are you?") in other.commands)
        await other.line.say(WORDS, {"id": "r1", "content": "Hello"})
        await other.line.say(DONE, {"id": "r1"})
        await caught_up(other, call)
        assert not asking.done()
        await other.says("r2", "None.")
        assert await asking == "None."


async def test_asking_aloud_sends_the_recording_and_silence_until_the_answer() -> None:
    recording = np.full(MICROPHONE_RATE // 2, 1000, np.int16)
    async with talking() as (other, call, _):

        async def answer(message: dict[str, Any]) -> None:
            if samples(other).tolist()[-4800:] == [0] * 4800 and samples(other).any():
                other.on_message = None
                await other.line.say(STARTED)
                await other.line.say(STOPPED)
                await other.line.say(HEARD, {"content": "Hm?"})
                await other.says("r1", "Yes.")

        other.on_message = answer
        assert await call.ask(recording) == "Yes."
        heard = samples(other)
        first = int(np.flatnonzero(heard)[0])
        assert first > 0
        assert np.array_equal(heard[first : first + len(recording)], recording)
        assert not heard[first + len(recording) :].any()
        await asyncio.sleep(0.1)
        assert len(samples(other)) - len(heard) <= MICROPHONE_RATE // 5


def samples(other: Other) -> Pcm:
    """All the sound that the server heard."""
    pieces = [command.pcm for command in other.commands if isinstance(command, AppendAudio)]
    return np.frombuffer(b"".join(pieces), "<i2").astype(np.int16)


async def test_no_answer_in_time_and_no_call_any_more() -> None:
    async with talking() as (other, call, _):
        with pytest.raises(TimeoutError):
            await call.ask("Hello?", patience=0.1)
        asking = asyncio.create_task(call.ask("Hello?"))
        await until(lambda: len(other.commands) == 2)
        await other.line.end("conversation.connected.close", "conversation_ended", "Goodbye.")
        with pytest.raises(CallEndedError, match="Goodbye") as raised:
            await asking
        assert raised.value.reason is DisconnectReason.CONVERSATION_ENDED
        with pytest.raises(CallEndedError):
            await call.ask("Hello?")
        with pytest.raises(CallEndedError):
            await call.idle(0.0)


async def test_waiting_until_all_is_quiet() -> None:
    async with talking() as (other, call, _):
        async with asyncio.timeout(5):
            await call.idle(0.05)
        await other.line.say(DELTA, {"id": "r1", "content": "Hello"})
        await caught_up(other, call)
        waiting = asyncio.create_task(call.idle(0.1))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await other.line.say(DONE, {"id": "r1"})
        async with asyncio.timeout(5):
            await waiting


async def weather(city: str) -> dict[str, str]:
    return {"city": city, "sky": "süßlich"}


async def fails() -> None:
    raise LookupError("no such thing")


async def sleeps() -> None:
    await asyncio.sleep(60)


async def refers() -> object:
    return object()


CITY = {"type": "object", "properties": {"city": {"type": "string"}}}
TOOLS = [
    Tool("weather", "Get the weather", weather, CITY),
    Tool("fails", "Fail", fails),
    Tool("sleeps", "Sleep", sleeps, timeout=0.1),
    Tool("refers", "Give what is no JSON", refers),
]


async def test_tools_are_announced_run_and_their_results_returned() -> None:
    async with talking(tools=TOOLS) as (other, call, told):
        (announced,) = other.commands
        assert isinstance(announced, Configure)
        assert announced.extend_tools
        assert announced.tools is not None
        assert [tool.name for tool in announced.tools] == ["weather", "fails", "sleeps", "refers"]
        assert announced.tools[0].parameters == CITY
        await other.uses("weather", {"city": "Paris"}, 1)
        await until(lambda: len(other.commands) == 3)
        assert told[0] == Activity.THINKING
        assert told[1] == ToolCall("c1", "weather", {"city": "Paris"}, "r1")
        assert call.activity is Activity.THINKING
        assert json.loads(other.results()[0][1]) == {"city": "Paris", "sky": "süßlich"}
        assert other.commands[-1] == Respond()


async def test_tools_that_go_wrong_say_so_to_the_model() -> None:
    async with talking(tools=TOOLS) as (other, _, __):
        for number, (name, arguments) in enumerate(
            [("fails", {}), ("sleeps", {}), ("refers", {}), ("weather", {"town": "Paris"}), ("weather", "Paris")]
        ):
            await other.uses(name, arguments, number)
        await until(lambda: len(other.results()) == 5)
        told = {call_id: json.loads(output)["error"] for call_id, output in other.results()}
        assert told["c0"] == "no such thing"
        assert told["c1"] == "the tool did not answer in time"
        assert "JSON" in told["c2"]
        assert "town" in told["c3"]
        assert told["c4"] == "the arguments are no JSON object"


async def test_tools_come_and_go() -> None:
    async with talking() as (other, call, told):
        await call.add_tool(TOOLS[0])
        await until(lambda: len(other.commands) == 1)
        await other.uses("weather", {"city": "Rome"}, 1)
        await until(lambda: len(other.results()) == 1)
        call.remove_tool("weather")
        await other.uses("weather", {"city": "Rome"}, 2)
        await until(lambda: len(other.results()) == 2)
        assert "no tool" in other.results()[1][1]
        # Tools that the app knows by another way are left to it.
        await other.uses("elsewhere", {}, 3)
        await caught_up(other, call)
        await asyncio.sleep(0.05)
        assert len(other.results()) == 2
        assert ToolCall("c3", "elsewhere", {}, "r3") in told
        await call.send_tool_result("c3", "done", reply=False)
        await until(lambda: len(other.results()) == 3)
        assert other.results()[2] == ("c3", "done")
        assert other.commands[-1] == ToolResult("c3", "done")


async def test_a_tool_that_runs_is_stopped_with_the_call() -> None:
    stopped = asyncio.Event()
    begun = asyncio.Event()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            stopped.set()

    async with talking(tools=[Tool("waits", "Wait", waits)]) as (other, _, __):
        await other.uses("waits", {})
        await begun.wait()
    assert stopped.is_set()


async def test_a_tool_can_hang_up() -> None:
    async with talking() as (other, call, _):

        async def hang_up() -> None:
            await call.disconnect()

        events = call.events()
        await call.add_tool(Tool("hang_up", "Hang up", hang_up))
        await other.uses("hang_up", {})
        async with asyncio.timeout(5):
            assert [event async for event in events][-1] == call.disconnection


async def test_only_so_many_tools_run_at_once() -> None:
    async with talking(tools=[Tool("waits", "Wait", sleeps)]) as (other, _, __):
        for number in range(34):
            await other.uses("waits", {}, number)
        await until(lambda: len(other.results()) == 2)
        assert all("too many" in output for _, output in other.results())


async def test_a_session_that_begins_is_told_what_was_before() -> None:
    history = ["Good morning.", HistoryItem("assistant", "Hello, Ada."), HistoryItem("user", "Hello.")]
    async with talking(history=history, variables={"name": "Ada", "age": 36}) as (other, call, _):
        await caught_up(other, call)
        first, *said = other.commands
        assert first == SetVariables({"name": "Ada", "age": 36})
        assert [(one.role, one.text) for one in said] == [
            ("user", "Good morning."),
            ("assistant", "Hello, Ada."),
            ("user", "Hello."),
        ]
        assert [item.text for item in call.history] == ["Good morning.", "Hello, Ada.", "Hello."]


async def test_variables_change() -> None:
    async with talking(variables={"name": "Ada"}) as (other, call, _):
        await call.set_variables({"city": "Paris", "name": None, "ok": True})
        assert call.variables == {"city": "Paris", "ok": True}
        await until(lambda: len(other.commands) == 2)
        assert other.commands[1] == SetVariables({"city": "Paris", "name": None, "ok": True})


@pytest.mark.parametrize(
    "values",
    [{"no name": 1}, {"1st": 1}, {"x" * 65: 1}, {"x": "é" * 2049}, {"x": []}, {f"v{n}": n for n in range(65)}],
)
async def test_variables_that_no_server_takes(values: Any) -> None:
    with pytest.raises(ValueError):
        Call("http://127.0.0.1:1", license="x", name="n", variables=values)


async def test_all_that_is_said_is_what_the_server_understands() -> None:
    picture = b"\xff\xd8\xff\xe0" + bytes(20)
    async with talking() as (other, call, _):
        await call.send_audio(np.array([1, -2], np.int16))
        await call.send_text("Hello?")
        await call.send_text("By the way.", reply=False)
        await call.interrupt()
        await call.keep_alive()
        await call.configure(voice="v", prompt="p", tools=[{"type": "function", "name": "t"}])
        await call.send_tool_result("c1", "out")
        await call.send_image(picture, reply=True)
        await call.send({"type": "response.create"})
        await until(lambda: len(other.commands) == 10)
        audio, hello, by_the_way, interrupt, alive, configure, result, respond, image, again = other.commands
        assert audio == AppendAudio(np.array([1, -2], "<i2").tobytes())
        assert hello == SendText("Hello?", reply=True)
        assert (by_the_way.text, by_the_way.role) == ("By the way.", "user")
        assert (interrupt, alive, respond, again) == (Interrupt(), KeepAlive(), Respond(), Respond())
        assert (configure.voice, configure.prompt, configure.tools[0].name) == ("v", "p", "t")
        assert result == ToolResult("c1", "out")
        assert isinstance(image, ImageDraft)
        assert image.reply


async def test_a_transparent_avatar_is_silenced_by_the_protocols_own_word() -> None:
    async with talking(model="transparency") as (other, call, _):
        await call.interrupt()
        await until(lambda: other.commands == [ClearAudio()])
