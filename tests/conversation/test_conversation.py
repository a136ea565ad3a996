"""Turn taking on virtual time."""

import asyncio
import itertools
import json

import pytest

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.conversation.events import (
    AnswerAudio,
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    SpeechStarted,
    SpeechStopped,
    ToolArguments,
    ToolRequested,
    UserTranscript,
)
from visavis.conversation.history import NO_RESULT
from visavis.conversation.parts import ConversationSettings, Role
from visavis.language.ports import ChatError, ChatErrorKind, Image, Tool, ToolCall, ToolCallDelta
from visavis.speech.ports import SpeechError

WEATHER = Tool("get_weather", "Weather of a city")
CALL = ToolCall("call_1", "get_weather", '{"city": "Paris"}')


def test_a_turn_is_answered_in_the_documented_order() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["Good morning. ", "How are you?"])
        await theatre.user_says("hello there")
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    kinds = [type(event) for _, event in theatre.events]
    first = [kind for index, kind in enumerate(kinds) if kinds.index(kind) == index]
    assert first == [SpeechStarted, SpeechStopped, UserTranscript, AnswerDelta, AnswerDone, AnswerAudioDone]
    assert theatre.of(UserTranscript)[0].text == "hello there"
    assert theatre.caption == "Good morning. How are you?"
    assert theatre.of(AnswerDone)[0].text == "Good morning. How are you?"
    assert [message.role for message in theatre.model.requests[0].messages] == ["user"]


def test_words_are_told_as_they_sound() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["One two three four five six seven eight."])
        await theatre.user_says("count")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    told = [at for at, event in theatre.events if isinstance(event, AnswerDelta)]
    assert len(told) == 8
    gaps = [later - earlier for earlier, later in itertools.pairwise(told)]
    assert all(abs(gap - theatre.voice.WORD) < 0.03 for gap in gaps)
    assert theatre.when(AnswerAudioDone) == pytest.approx(told[0] + 8 * theatre.voice.WORD, abs=0.05)


def test_words_are_told_in_step_where_the_voice_gives_no_marks() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.voice.marks = False
        theatre.model.script.append(["A somewhat longer sentence that takes a while to say."])
        await theatre.user_says("go")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    told = [at for at, event in theatre.events if isinstance(event, AnswerDelta)]
    assert theatre.caption == "A somewhat longer sentence that takes a while to say."
    assert len(told) > 3
    assert told[-1] - told[0] > 1.0


def test_speaking_over_the_avatar_silences_it_and_keeps_what_was_heard() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([" ".join(f"word{number}" for number in range(40)) + "."])
        await theatre.user_says("tell me a story")
        await asyncio.sleep(1.5)
        start = theatre.now
        await theatre.user_says("stop please", seconds=0.6)
        silent = next(
            at for at, _ in reversed(theatre.sound) if theatre.audible_between(at, at + 0.02) and at < start + 1
        )
        assert silent - start < 0.2
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    cut = theatre.of(AnswerDone)[0].text
    assert cut.startswith("word0 word1")
    assert "word20" not in cut
    remembered = theatre.model.requests[1].messages
    assert [message.role for message in remembered] == ["user", "assistant", "user"]
    assert remembered[1].text.strip() == cut
    assert theatre.figures.interruptions == 1


def test_a_cough_does_not_end_an_answer() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([" ".join(f"word{number}" for number in range(20)) + "."])
        await theatre.user_says("tell me a story")
        await asyncio.sleep(1.5)
        await theatre.user_says("", seconds=0.3)
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act))
    assert theatre.of(UserTranscript)[1].text == ""
    assert len(theatre.model.requests) == 1
    spoken = " ".join(theatre.caption.split())
    assert all(f"word{number}" in spoken for number in range(20))


def test_speech_resumed_before_the_answer_was_heard_is_one_turn_to_the_model() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([3.0, "Too early."])
        await theatre.user_says("I would like")
        await theatre.user_says("a coffee")
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert [message.text for message in theatre.model.requests[-1].messages] == ["I would like", "a coffee"]
    assert "Too early" not in theatre.caption


def test_greeting_once_and_not_twice_when_the_client_asks_too() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.respond()
        await asyncio.sleep(1)
        assert not theatre.events
        theatre.conversation.begin()
        theatre.conversation.begin()
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act, Role(greeting="Welcome, I am Vera.")))
    assert theatre.caption == "Welcome, I am Vera."
    assert not theatre.model.requests


def test_a_question_typed_before_the_greeting_is_answered_instead_of_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.add_message("I was here before.")
        theatre.conversation.open()
        theatre.conversation.add_message("Who are you?")
        theatre.conversation.respond()
        theatre.conversation.begin()
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act, Role(greeting="Welcome.")))
    assert [event.text for event in theatre.of(AnswerDone)] == ["I see."]
    assert theatre.model.requests[0].messages[-1].text == "Who are you?"


def test_a_question_typed_before_the_first_word_of_the_greeting_sounds_is_answered_after_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.add_message("Who are you?")
        theatre.conversation.respond()
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act, Role(greeting="Welcome.")))
    assert [event.text for event in theatre.of(AnswerDone)] == ["Welcome.", "I see."]
    said = [(message.role, message.text) for message in theatre.model.requests[0].messages]
    assert said == [("assistant", "Welcome."), ("user", "Who are you?")]


def test_an_answer_that_was_never_heard_leaves_nothing_behind() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([2.0, "Too late."])
        theatre.conversation.send_text("One.")
        await asyncio.sleep(1)
        theatre.conversation.send_text("Two.")
        assert [message.text for message in theatre.conversation.snapshot().items] == ["One.", "Two."]
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    said = [(message.role, message.text) for message in theatre.model.requests[-1].messages]
    assert said == [("user", "One."), ("user", "Two.")]


def test_remembered_texts_and_a_wish_to_be_greeted_are_met_by_the_greeting() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.add_message("I was here before.")
        theatre.conversation.open()
        theatre.conversation.respond()
        theatre.conversation.begin()
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act, Role(greeting="Welcome.")))
    assert [event.text for event in theatre.of(AnswerDone)] == ["Welcome."]


def test_an_avatar_without_a_greeting_speaks_first_when_it_is_asked_to() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.respond()
        theatre.conversation.begin()
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act))
    assert theatre.caption == "I see."


def test_history_is_context_and_is_not_answered() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.add_message("My name is Ada.")
        theatre.conversation.add_message("Pleased to meet you.", role="assistant")
        theatre.conversation.begin()
        await asyncio.sleep(2)
        assert not theatre.model.requests
        theatre.conversation.send_text("What is my name?")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act, Role(prompt="Be kind.")))
    sent = [(message.role, message.text) for message in theatre.model.requests[0].messages]
    assert sent == [
        ("system", "Be kind."),
        ("user", "My name is Ada."),
        ("assistant", "Pleased to meet you."),
        ("user", "What is my name?"),
    ]


def test_a_tool_call_is_told_and_its_result_spoken_about() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[ToolCallDelta("call_1", "get_weather", CALL.arguments), CALL], ["It is sunny."]]
        await theatre.user_says("how is the weather in Paris")
        await asyncio.sleep(0.3)
        theatre.conversation.add_result("call_1", '{"sky": "clear"}')
        theatre.conversation.respond()
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act, Role(tools=(WEATHER,))))
    assert theatre.of(ToolArguments)[0].delta == CALL.arguments
    requested = theatre.of(ToolRequested)[0]
    assert (requested.call_id, requested.name, json.loads(requested.arguments)) == (
        "call_1",
        "get_weather",
        {"city": "Paris"},
    )
    assert theatre.caption == "It is sunny."
    messages = theatre.model.requests[1].messages
    assert [message.role for message in messages] == ["user", "assistant", "tool"]
    assert messages[2].text == '{"sky": "clear"}'
    assert len(theatre.model.requests) == 2


def test_a_result_that_never_comes_does_not_block_the_conversation() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[CALL], ["I have opened it."]]
        await theatre.user_says("open the page")
        await asyncio.sleep(4)
        assert theatre.caption == ""
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act, settings=ConversationSettings(tool_timeout=5.0)))
    assert theatre.caption == "I have opened it."
    assert theatre.model.requests[1].messages[-1].text == NO_RESULT


def test_a_late_result_is_taken_and_an_unknown_one_dropped() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[CALL, "One moment."], ["It is sunny."]]
        await theatre.user_says("how is the weather")
        await asyncio.sleep(20)
        theatre.conversation.add_result("call_9", "nonsense", reply=True)
        assert len(theatre.model.requests) == 1
        theatre.conversation.add_result("call_1", "sunny", reply=True)
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert theatre.caption.endswith("It is sunny.")
    assert [message.role for message in theatre.model.requests[1].messages] == [
        "user",
        "assistant",
        "assistant",
        "tool",
    ]
    assert theatre.model.requests[1].messages[3].text == "sunny"


def test_a_model_that_only_calls_tools_is_stopped() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[ToolCall(f"call_{n}", "f", "{}")] for n in range(40)]
        await theatre.user_says("loop")
        await asyncio.sleep(300)

    theatre = run_virtual(perform(act))
    assert len(theatre.model.requests) < 12


@pytest.mark.parametrize("kind", list(ChatErrorKind))
def test_a_failing_model_is_apologized_for(kind: ChatErrorKind) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[ChatError(kind, "boom")], ["Here I am again."]]
        await theatre.user_says("hello")
        await asyncio.sleep(8)
        await theatre.user_says("are you there")
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    assert "moment" in theatre.caption
    assert theatre.caption.endswith("Here I am again.")
    assert "boom" not in theatre.caption
    assert theatre.figures.failures == ["chat"]


def test_an_answer_that_breaks_off_keeps_its_first_words() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["The answer is. ", ChatError(ChatErrorKind.BROKEN, "cut")])
        await theatre.user_says("hello")
        await asyncio.sleep(9)

    theatre = run_virtual(perform(act))
    assert theatre.caption.startswith("The answer is.")
    assert "Sorry" in theatre.caption


def test_a_failing_voice_still_tells_the_words() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.voice.failing = True
        await theatre.user_says("hello")
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert theatre.caption == "I see."
    assert theatre.figures.failures == ["speech"]
    assert theatre.of(AnswerAudioDone)


def test_a_failing_recognizer_is_told_as_an_empty_turn_and_apologized_for() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await theatre.user_says(SpeechError("worker died"))
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act))
    assert theatre.of(UserTranscript)[0].text == ""
    assert "hearing" in theatre.caption
    assert not theatre.model.requests


def test_typed_text_interrupts_and_is_answered() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[" ".join(f"word{number}" for number in range(40)) + "."], ["Yes."]]
        theatre.conversation.send_text("talk")
        await asyncio.sleep(2)
        theatre.conversation.send_text("really?")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act))
    assert theatre.caption.endswith("Yes.")
    assert len(theatre.of(AnswerAudioDone)) == 2


def test_a_picture_is_context_or_is_answered() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.send_image(Image("image/jpeg", b"1"))
        await asyncio.sleep(1)
        assert not theatre.model.requests
        theatre.conversation.send_image(Image("image/jpeg", b"2"), reply=True)
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act))
    images = [message.images for message in theatre.model.requests[0].messages]
    assert [image.data for group in images for image in group] == [b"1", b"2"]


def test_configuration_counts_from_the_next_answer() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.configure(prompt="Be brief.", tools=[WEATHER])
        theatre.conversation.configure(tools=[Tool("other")], extend_tools=True)
        theatre.conversation.send_text("hello")
        await asyncio.sleep(2)
        theatre.conversation.configure(tools=[])
        theatre.conversation.send_text("hello")
        await asyncio.sleep(2)

    settings = ConversationSettings(model_may_end=False)
    theatre = run_virtual(perform(act, Role(prompt="Old."), settings))
    assert theatre.model.requests[0].messages[0].text == "Be brief."
    assert [tool.name for tool in theatre.model.requests[0].tools] == ["get_weather", "other"]
    assert theatre.model.requests[1].tools == ()


def test_a_copy_of_the_sound_only_where_it_was_asked_for() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.send_text("hello")
        await asyncio.sleep(2)

    assert not run_virtual(perform(act)).of(AnswerAudio)
    copied = run_virtual(perform(act, settings=ConversationSettings(copy_sound=True))).of(AnswerAudio)
    assert sum(len(event.pcm) for event in copied) == 2 * 6000


def test_a_microphone_that_falls_silent_ends_the_turn() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.recognizer.script.append("hello")
        await theatre.microphone(1.0, loud=True)
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    assert theatre.of(UserTranscript)[0].text == "hello"
    assert theatre.caption == "I see."


def test_every_start_of_speech_gets_its_stop_and_its_transcript() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        for number in range(6):
            await theatre.user_says("" if number % 2 else f"turn {number}", seconds=0.4)
        theatre.recognizer.script.append("never told")
        await theatre.microphone(0.3, loud=True)
        await theatre.conversation.clear_audio()
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert len(theatre.of(SpeechStarted)) == len(theatre.of(SpeechStopped)) == len(theatre.of(UserTranscript)) == 7
    assert theatre.of(UserTranscript)[-1].text == ""


def test_the_avatar_does_not_interrupt_itself_by_its_echo() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([" ".join(f"word{number}" for number in range(24)) + "."])
        await theatre.user_says("talk", silence=0.6)
        await asyncio.sleep(0.5)
        # What the visitor's loudspeaker plays comes back 160 ms later.
        for _ in range(150):
            late = [pcm for at, pcm in theatre.sound if at <= theatre.now - 0.16]
            if late:
                theatre.conversation.push_audio(late[-1])
            await asyncio.sleep(0.02)
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    assert len(theatre.of(SpeechStarted)) == 1
    assert "word23" in theatre.caption
