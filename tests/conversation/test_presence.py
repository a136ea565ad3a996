"""Silence: whether anybody is there, and whether the language model is."""

import asyncio

import pytest

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.avatar.face import FaceState
from visavis.conversation.events import AnswerAudioDone, AnswerDelta
from visavis.conversation.parts import Role
from visavis.conversation.phrases import still_there
from visavis.language.ports import ChatError, ChatErrorKind, ToolCall

STORY = " ".join(f"Sentence number {number} is here." for number in range(20))


def test_the_question_is_spoken_and_is_no_activity() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.send_text("Hi.")
        await asyncio.sleep(5)
        since = theatre.conversation.quiet_since
        theatre.conversation.ask_presence()
        for _ in range(40):
            await asyncio.sleep(0.1)
            assert theatre.conversation.quiet_since == since
        assert theatre.caption == "I see." + still_there("en")
        theatre.conversation.send_text("Yes.")
        await asyncio.sleep(3)
        assert theatre.conversation.quiet_since > since + 4

    theatre = run_virtual(perform(act))
    assert [(message.role, message.text) for message in theatre.model.requests[1].messages] == [
        ("user", "Hi."),
        ("assistant", "I see."),
        ("assistant", still_there("en")),
        ("user", "Yes."),
    ]


def test_an_answer_to_the_question_stops_it() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.ask_presence()
        await asyncio.sleep(0.4)
        await theatre.user_says("yes")
        assert theatre.conversation.quiet_since is None
        await asyncio.sleep(3)
        assert theatre.conversation.quiet_since is not None

    theatre = run_virtual(perform(act))
    assert theatre.caption.endswith("I see.")
    assert len(theatre.model.requests) == 1


@pytest.mark.parametrize("language", ["de", "fr", "es"])
def test_the_question_is_asked_in_the_avatars_language(language: str) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.ask_presence()
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act, Role(language=language)))
    assert theatre.caption == still_there(language) != still_there("en")


def test_nobody_is_asked_while_somebody_speaks_or_before_the_greeting() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.ask_presence()
        await asyncio.sleep(1)
        theatre.conversation.begin()
        theatre.model.script.append([STORY])
        theatre.conversation.send_text("A story.")
        await asyncio.sleep(2)
        theatre.conversation.ask_presence()
        await asyncio.sleep(40)

    theatre = run_virtual(perform(act))
    assert still_there("en") not in theatre.caption
    assert "number 19" in theatre.caption


def test_an_avatar_that_is_interrupted_is_silent_and_stays_so() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[STORY], ["Yes?"]]
        theatre.conversation.send_text("A story.")
        await asyncio.sleep(3)
        at = theatre.now
        theatre.conversation.interrupt()
        await asyncio.sleep(10)
        assert not theatre.audible_between(at + 0.1, theatre.now)
        assert len(theatre.of(AnswerAudioDone)) == 1
        theatre.conversation.send_text("Hello?")
        await asyncio.sleep(3)

    theatre = run_virtual(perform(act))
    assert theatre.caption.endswith("Yes?")
    assert "number 19" not in theatre.caption


def test_an_answer_that_is_interrupted_before_its_first_word_is_not_given() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script += [[2.0, "Too late."], [ToolCall("call_1", "look_up", "{}")], ["After the tool."]]
        shown: list[FaceState] = []
        show = theatre.animator.state

        def watch(state: FaceState, at: float) -> None:
            shown.append(state)
            show(state, at)

        theatre.animator.state = watch  # type: ignore[method-assign]
        for _ in range(2):
            theatre.conversation.send_text("Hi.")
            await asyncio.sleep(1)
            theatre.conversation.interrupt()
            await asyncio.sleep(20)
            assert shown[-1] is FaceState.IDLE
        assert not theatre.changes[-1].owed

    theatre = run_virtual(perform(act))
    assert not theatre.of(AnswerDelta)
    assert len(theatre.model.requests) == 2


def test_what_the_user_is_saying_is_answered_after_an_interruption() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.recognizer.script.append("hello")
        await theatre.microphone(0.5, loud=True)
        theatre.conversation.interrupt()
        await theatre.microphone(0.7, loud=False)
        await asyncio.sleep(2)

    assert run_virtual(perform(act)).caption == "I see."


@pytest.mark.parametrize(
    ("kind", "lost", "told"),
    [
        (None, False, [True]),
        (ChatErrorKind.UNREACHABLE, True, [False]),
        (ChatErrorKind.REJECTED, True, [False]),
        (ChatErrorKind.UNREACHABLE, False, []),
        (ChatErrorKind.RATE_LIMITED, False, []),
        (ChatErrorKind.TIMEOUT, False, []),
    ],
)
def test_whether_the_model_was_there(kind: ChatErrorKind | None, lost: bool, told: list[bool]) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append([ChatError(kind, "boom", lost=lost)] if kind else [])
        theatre.conversation.send_text("Hi.")
        await asyncio.sleep(8)
        theatre.conversation.ask_presence()
        await asyncio.sleep(3)

    assert run_virtual(perform(act)).reached == told


def test_a_model_that_is_lost_in_mid_answer() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.model.script.append(["One. ", ChatError(ChatErrorKind.BROKEN, "cut", lost=True)])
        theatre.conversation.send_text("Hi.")
        await asyncio.sleep(8)

    assert run_virtual(perform(act)).reached == [True, False]
