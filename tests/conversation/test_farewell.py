"""The language model hangs up: when its last word was heard, and only if nobody has more to say."""

import asyncio

import pytest

from tests.conversation.theatre import Line, Theatre, perform
from tests.virtual_time import run_virtual
from visavis.conversation.events import AnswerAudioDone, AnswerDelta, ToolArguments, ToolRequested
from visavis.conversation.farewell import END_CONVERSATION, with_ending
from visavis.conversation.parts import ConversationSettings, Role
from visavis.language.brain import PersonaBrain
from visavis.language.knowledge import Knowledge
from visavis.language.ports import ChatError, ChatErrorKind, Tool, ToolCall, ToolCallDelta

HANG_UP = ToolCall("call_1", "end_conversation", "{}")
HANGING_UP = ToolCallDelta("call_1", "end_conversation", "{}")
GOODBYE = "Goodbye, it was nice to talk with you."


def test_the_call_ends_when_the_last_word_was_heard() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([GOODBYE, HANGING_UP, HANG_UP, 0.2])
        await theatre.user_says("goodbye")
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act))
    assert theatre.caption == GOODBYE
    assert len(theatre.ended) == 1
    assert theatre.ended[0] >= theatre.when(AnswerDelta, 7) + theatre.voice.WORD - 0.03
    assert theatre.ended[0] == pytest.approx(theatre.when(AnswerAudioDone), abs=0.01)
    assert not theatre.audible_between(theatre.ended[0] + 0.02, 1e9)
    assert not theatre.of(ToolArguments)
    assert not theatre.of(ToolRequested)
    assert theatre.model.requests[0].tools == (END_CONVERSATION,)


@pytest.mark.parametrize(("language", "said"), [("en", "Goodbye"), ("de-DE", "Wiedersehen"), ("sw", "Goodbye")])
def test_a_model_that_hangs_up_without_a_word_says_goodbye(language: str, said: str) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([HANG_UP])
        theatre.conversation.send_text("Bye.")
        await asyncio.sleep(6)

    theatre = run_virtual(perform(act, Role(language=language)))
    assert said in theatre.caption
    assert theatre.ended == [pytest.approx(theatre.when(AnswerAudioDone), abs=0.01)]


def test_a_goodbye_that_is_talked_over_ends_nothing() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[GOODBYE, HANG_UP], ["Of course."]]
        await theatre.user_says("goodbye", silence=0.6)
        await asyncio.sleep(1)
        await theatre.user_says("wait, one more thing")
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    assert not theatre.ended
    assert theatre.caption.endswith("Of course.")
    assert not any(message.tool_calls for message in theatre.model.requests[1].messages)


@pytest.mark.parametrize("by", ["typing", "interrupting"])
def test_a_goodbye_that_is_stopped_ends_nothing(by: str) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[GOODBYE, HANG_UP], ["Of course."]]
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(1)
        if by == "typing":
            theatre.conversation.send_text("One more thing.")
        else:
            theatre.conversation.interrupt()
        await asyncio.sleep(5)

    assert not run_virtual(perform(act)).ended


@pytest.mark.parametrize("after", [0.4, 1.7])
def test_a_cough_does_not_keep_the_call_from_ending(after: float) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[GOODBYE, HANG_UP]]
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(after)
        await theatre.user_says("", seconds=0.3)
        await asyncio.sleep(5)

    theatre = run_virtual(perform(act))
    assert len(theatre.ended) == 1
    assert " ".join(theatre.caption.split()).startswith("Goodbye, it was nice to talk with")
    assert len(theatre.model.requests) == 1


def test_a_stream_that_breaks_off_ends_nothing() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([GOODBYE, HANG_UP, ChatError(ChatErrorKind.BROKEN, "cut")])
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(12)

    assert not run_virtual(perform(act)).ended


def test_a_voice_that_fails_does_not_keep_the_call_from_ending() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.voice.failing = True
        theatre.model.script.append([GOODBYE, HANG_UP])
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(6)

    assert len(run_virtual(perform(act)).ended) == 1


@pytest.mark.parametrize("theirs", ["end_conversation", "hangUp"])
def test_a_clients_own_tool_is_used_instead(theirs: str) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.configure(tools=[Tool(theirs)])
        lines: list[Line] = [GOODBYE, ToolCall("call_1", theirs, "{}")]
        theatre.model.script.append(lines)
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(8)

    theatre = run_virtual(perform(act))
    assert theatre.model.requests[0].tools == (Tool(theirs),)
    assert [event.name for event in theatre.of(ToolRequested)] == [theirs]
    assert not theatre.ended


def test_a_model_that_may_not_end_is_given_no_tool_for_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([GOODBYE, HANG_UP])
        theatre.conversation.send_text("goodbye")
        await asyncio.sleep(8)

    theatre = run_virtual(perform(act, settings=ConversationSettings(model_may_end=False)))
    assert theatre.model.requests[0].tools == ()
    assert not theatre.ended


def test_the_tool_stands_beside_others() -> None:
    weather = Tool("get_weather")
    assert with_ending((weather,)) == (weather, END_CONVERSATION)


def test_the_embedded_persona_hangs_up_after_a_goodbye() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await theatre.user_says("good bye to the old days")
        await asyncio.sleep(8)
        await theatre.user_says("that was all, thank you")
        await asyncio.sleep(8)
        assert not theatre.ended
        await theatre.user_says("okay, goodbye")
        await asyncio.sleep(8)

    theatre = run_virtual(perform(act, model=PersonaBrain(Knowledge())))
    assert "bye" in theatre.caption.lower()
    assert theatre.ended == [pytest.approx(theatre.when(AnswerAudioDone, 2), abs=0.01)]
