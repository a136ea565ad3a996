"""Who may speak now: answers, tools, typed text and the user's own turns getting in each other's way."""

import asyncio

import numpy as np
import pytest

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.avatar.face import FaceState
from visavis.conversation.events import (
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    SpeechStarted,
    ToolRequested,
    UserTranscript,
)
from visavis.conversation.parts import ConversationSettings, Role
from visavis.language.ports import Image, Tool, ToolCall
from visavis.speech.ports import Transcript

CALL = ToolCall("call_1", "look_up", "{}")
STORY = " ".join(f"Sentence number {number} is here." for number in range(20))


def faces(theatre: Theatre) -> list[FaceState]:
    """Watch which states the face is asked to take from here on."""
    seen: list[FaceState] = []
    show = theatre.animator.state

    def watch(state: FaceState, at: float) -> None:
        seen.append(state)
        show(state, at)

    theatre.animator.state = watch  # type: ignore[method-assign]
    return seen


def slow_recognizer(theatre: Theatre, seconds: float) -> None:
    """Let each transcript take a while."""
    open_stream = theatre.recognizer.open

    def opened(context: object):  # type: ignore[no-untyped-def]
        stream = open_stream(context)  # type: ignore[arg-type]
        finish = stream.finish

        async def finish_late() -> Transcript:
            await asyncio.sleep(seconds)
            return await finish()

        stream.finish = finish_late  # type: ignore[method-assign]
        return stream

    theatre.recognizer.open = opened  # type: ignore[method-assign]


def test_commit_and_response_create_make_one_answer_to_the_words() -> None:
    async def act(theatre: Theatre) -> None:
        slow_recognizer(theatre, 0.5)
        theatre.conversation.begin()
        theatre.recognizer.script.append("how are you")
        await theatre.microphone(0.6, loud=True)
        theatre.conversation.commit_audio()
        theatre.conversation.respond()
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    assert len(theatre.model.requests) == 1
    assert theatre.model.requests[0].messages[-1].text == "how are you"
    assert theatre.caption == "I see."


def test_two_quick_turns_are_answered_once_and_together() -> None:
    async def act(theatre: Theatre) -> None:
        slow_recognizer(theatre, 1.5)
        theatre.conversation.begin()
        await theatre.user_says("first", seconds=0.4)
        await theatre.user_says("second", seconds=0.4)
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act))
    assert [event.text for event in theatre.of(UserTranscript)] == ["first", "second"]
    assert len(theatre.model.requests) == 1
    assert [message.text for message in theatre.model.requests[0].messages] == ["first", "second"]


def test_a_greeting_does_not_talk_over_the_user() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.recognizer.script.append("hello")
        await theatre.microphone(0.5, loud=True)
        theatre.conversation.begin()
        await theatre.microphone(0.8, loud=True)
        assert not theatre.voice.said
        await theatre.microphone(0.7, loud=False)
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act, Role(greeting="Welcome.")))
    assert theatre.caption == "I see."


def test_noise_before_the_greeting_does_not_lose_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.recognizer.script.append("")
        await theatre.microphone(0.3, loud=True)
        theatre.conversation.begin()
        await theatre.microphone(0.8, loud=False)
        await asyncio.sleep(3)

    assert run_virtual(perform(act, Role(greeting="Welcome."))).caption == "Welcome."


def test_a_tool_result_waits_for_the_user_to_finish() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[CALL], ["Both answered."]]
        await theatre.user_says("look it up")
        theatre.recognizer.script.append("and another thing")
        await theatre.microphone(0.5, loud=True)
        theatre.conversation.add_result("call_1", "found", reply=True)
        await theatre.microphone(1.0, loud=True)
        assert len(theatre.model.requests) == 1
        await theatre.microphone(0.7, loud=False)
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert len(theatre.model.requests) == 2
    assert theatre.caption == "Both answered."


def test_a_cough_while_thinking_does_not_lose_the_question() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[4.0, "Too slow."], ["Here it is."]]
        await theatre.user_says("a question")
        await theatre.user_says("", seconds=0.2)
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    assert theatre.caption == "Here it is."


def test_a_cough_while_a_tool_is_awaited_does_not_lose_the_answer() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[CALL], ["Here it is."]]
        await theatre.user_says("a question")
        await theatre.user_says("", seconds=0.2)
        await asyncio.sleep(10)

    assert run_virtual(perform(act)).caption == "Here it is."


def test_a_cough_in_a_long_answer_loses_none_of_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([STORY])
        await theatre.user_says("a story", silence=0.6)
        await asyncio.sleep(3)
        await theatre.user_says("", seconds=0.3)
        await asyncio.sleep(40)

    theatre = run_virtual(perform(act))
    assert len(theatre.model.requests) == 1
    told = " ".join(theatre.caption.split())
    assert all(f"number {number} is here." in told for number in range(20))


def test_parallel_tool_calls_are_answered_once() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[CALL, ToolCall("call_2", "look_up", "{}")], ["Both found."]]
        await theatre.user_says("two things")
        await asyncio.sleep(0.3)
        theatre.conversation.add_result("call_1", "one", reply=True)
        await asyncio.sleep(0.5)
        assert len(theatre.model.requests) == 1
        theatre.conversation.add_result("call_2", "two", reply=True)
        await asyncio.sleep(4)

    theatre = run_virtual(perform(act))
    assert len(theatre.model.requests) == 2
    assert [m.text for m in theatre.model.requests[1].messages if m.role == "tool"] == ["one", "two"]
    assert theatre.caption == "Both found."


def test_one_of_two_results_is_spoken_about_when_the_other_never_comes() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [["Looking.", CALL, ToolCall("call_2", "look_up", "{}")], ["One found."]]
        await theatre.user_says("two things")
        await asyncio.sleep(2)
        theatre.conversation.add_result("call_1", "one", reply=True)
        await asyncio.sleep(8)

    assert run_virtual(perform(act)).caption.endswith("One found.")


def test_words_before_a_tool_call_stand_before_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [["Let me look that up.", CALL], ["Done."]]
        await theatre.user_says("please")
        await asyncio.sleep(0.2)
        theatre.conversation.add_result("call_1", "found", reply=True)
        await asyncio.sleep(6)

    messages = run_virtual(perform(act)).model.requests[1].messages
    assert [message.role for message in messages] == ["user", "assistant", "assistant", "tool"]
    assert messages[1].text == "Let me look that up."


def test_an_endless_caller_of_tools_is_told_about() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[ToolCall(f"call_{n}", "f", "{}")] for n in range(40)]
        await theatre.user_says("loop")
        shown = faces(theatre)
        await asyncio.sleep(200)
        assert shown[-1] is FaceState.IDLE

    theatre = run_virtual(perform(act))
    assert theatre.caption == "Sorry, I have no answer to that."


def test_a_goodbye_is_heard_before_the_client_is_told_to_hang_up() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        hang_up = ToolCall("call_1", "end_conversation", "{}")
        theatre.model.script += [["Goodbye, it was nice to talk with you.", hang_up], [""]]
        await theatre.user_says("goodbye")
        await asyncio.sleep(5)
        assert theatre.caption == "Goodbye, it was nice to talk with you."
        assert theatre.when(ToolRequested) >= theatre.when(AnswerDelta, 7) + 0.2
        assert theatre.when(ToolRequested) <= theatre.when(AnswerAudioDone)
        theatre.conversation.add_result("call_1", "ok", reply=True)
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act, Role(tools=(Tool("end_conversation"),))))
    assert len(theatre.model.requests) == 2
    assert theatre.caption == "Goodbye, it was nice to talk with you."
    assert len(theatre.of(AnswerDone)) == 1
    assert len(theatre.of(AnswerAudioDone)) == 2


def test_a_goodbye_that_is_talked_over_does_not_end_the_call() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        hang_up = ToolCall("call_1", "end_conversation", "{}")
        theatre.model.script += [["Goodbye, it was nice to talk with you.", hang_up], ["Of course."]]
        await theatre.user_says("goodbye", silence=0.6)
        await asyncio.sleep(1)
        await theatre.user_says("wait, one more thing")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act, Role(tools=(Tool("end_conversation"),))))
    assert not theatre.of(ToolRequested)
    assert theatre.caption.endswith("Of course.")


def test_typed_text_over_speech_shows_thinking() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[STORY], [3.0, "Yes."]]
        theatre.conversation.send_text("talk")
        await asyncio.sleep(2)
        shown = faces(theatre)
        theatre.conversation.send_text("really?")
        await asyncio.sleep(1)
        assert set(shown) == {FaceState.THINKING}
        await asyncio.sleep(4)
        assert shown[-2:] == [FaceState.SPEAKING, FaceState.IDLE]

    run_virtual(perform(act))


def test_an_interrupted_model_that_is_far_ahead_is_stopped() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([f"Sentence {number} of many. " for number in range(400)])
        await theatre.user_says("talk", silence=0.6)
        await asyncio.sleep(2)
        assert theatre.model.running == 1
        await theatre.user_says("stop")
        await asyncio.sleep(0.1)
        assert theatre.model.running == 0

    run_virtual(perform(act))


def test_a_fault_in_the_recognizer_ends_the_turn_and_is_apologized_for() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.recognizer.script.append(RuntimeError("a bug"))  # type: ignore[arg-type]
        await theatre.microphone(0.6, loud=True)
        await theatre.microphone(0.7, loud=False)
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    assert [event.text for event in theatre.of(UserTranscript)] == [""]
    assert "hearing" in theatre.caption


def test_a_fault_in_the_voice_costs_one_sentence() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["One is first. Two is broken. Three is last."])
        synthesize = theatre.voice.synthesize

        async def faulty(text: str, voice: object):  # type: ignore[no-untyped-def]
            if "Two" in text:
                raise RuntimeError("a bug")
            async for chunk in synthesize(text, voice):  # type: ignore[arg-type]
                yield chunk

        theatre.voice.synthesize = faulty  # type: ignore[method-assign]
        await theatre.user_says("count")
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act))
    assert theatre.of(AnswerDone)[0].text == "One is first. Two is broken. Three is last."
    assert theatre.figures.failures == ["speech"]


def test_camera_pictures_do_not_push_out_the_conversation() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.add_message("My name is Ada.")
        for number in range(600):
            theatre.conversation.send_image(Image("image/jpeg", str(number).encode()))
        theatre.conversation.send_text("What is my name?")
        await asyncio.sleep(3)

    messages = run_virtual(perform(act)).model.requests[0].messages
    assert messages[0].text == "My name is Ada."
    assert len(messages) == 6
    assert messages[-2].images[0].data == b"599"


@pytest.mark.parametrize("delay", [0.1, 0.25, 0.4])
def test_the_echo_of_an_answers_end_is_no_turn(delay: float) -> None:
    async def act(theatre: Theatre) -> None:
        rng = np.random.default_rng(3)
        theatre.voice.timbre = rng.standard_normal(24_000 * 60)
        theatre.conversation.begin()
        theatre.model.script.append([" ".join(f"word{number}" for number in range(10)) + "."])
        await theatre.user_says("talk", silence=0.6)
        for _ in range(250):
            heard = [pcm for at, pcm in theatre.sound if at <= theatre.now - delay]
            theatre.conversation.push_audio(heard[-1])
            await asyncio.sleep(0.02)

    theatre = run_virtual(perform(act))
    assert len(theatre.of(SpeechStarted)) == 1
    assert len(theatre.of(AnswerAudioDone)) == 1


def test_a_user_who_repeats_what_was_offered_is_heard() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["Would you like to hear about the prices or about the opening hours of the shop?"])
        await theatre.user_says("hello", silence=0.6)
        await asyncio.sleep(3)
        await theatre.user_says("about the opening hours of the shop")
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert theatre.of(UserTranscript)[1].text == "about the opening hours of the shop"
    assert len(theatre.model.requests) == 2


def test_words_and_answers_keep_their_order() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        for number in range(5):
            theatre.model.script.append([f"Answer {number}."])
            await theatre.user_says(f"question {number}")
            await asyncio.sleep(2)

    theatre = run_virtual(perform(act, settings=ConversationSettings(echo_guard=False)))
    assert "".join(event.text for event in theatre.of(AnswerDelta)) == "".join(f"Answer {n}." for n in range(5))
