"""A conversation that is left and taken up again."""

import asyncio

import pytest

from tests.conversation.theatre import Theatre, perform
from tests.virtual_time import run_virtual
from visavis.conversation.events import ToolRequested
from visavis.conversation.history import NO_RESULT
from visavis.conversation.parts import ConversationSettings, Role
from visavis.conversation.snapshot import PICTURE_SHOWN, Snapshot, keep
from visavis.conversation.snapshot_json import dump, load
from visavis.language.ports import ChatMessage, Image, Tool, ToolCall
from visavis.speech.ports import Voice

ROLE = Role(prompt="You are {{who}}.", greeting="Welcome.", voice=Voice("alice"), tools=(Tool("look_up"),))
CALL = ToolCall("call_1", "look_up", '{"what": "tea"}')
STORY = " ".join(f"Sentence number {number} is here." for number in range(20))


def left(theatre: Theatre) -> Snapshot:
    """What was kept last, having gone through the store."""
    return load(dump(theatre.changes[-1]))


def texts(messages: tuple[ChatMessage, ...]) -> list[tuple[str, str]]:
    return [(message.role, message.text) for message in messages]


async def full_visit(theatre: Theatre) -> None:
    theatre.conversation.open()
    theatre.conversation.begin()
    theatre.conversation.configure(voice="bob", prompt="You are {{who}}, the {{what}}.", tools=[Tool("other")])
    theatre.conversation.set_variables({"who": "Vera", "what": "guide"})
    await asyncio.sleep(2)
    theatre.model.script += [[CALL], ["It is green."]]
    await theatre.user_says("what is tea")
    await asyncio.sleep(0.2)
    theatre.conversation.add_result("call_1", "a leaf", reply=True)
    await asyncio.sleep(4)


def test_the_conversation_goes_on_as_it_was() -> None:
    before = run_virtual(perform(full_visit, ROLE))

    async def act(theatre: Theatre) -> None:
        theatre.conversation.open()
        theatre.conversation.begin()
        await asyncio.sleep(3)
        assert not theatre.events
        theatre.conversation.send_text("And coffee?")
        await asyncio.sleep(2)

    after = run_virtual(perform(act, ROLE, restored=left(before)))
    request = after.model.requests[0]
    assert texts(request.messages) == [
        ("system", "You are Vera, the guide."),
        ("assistant", "Welcome."),
        ("user", "what is tea"),
        ("assistant", ""),
        ("tool", "a leaf"),
        ("assistant", "It is green."),
        ("user", "And coffee?"),
    ]
    assert request.messages[3].tool_calls == (CALL,)
    assert request.messages[4].call_id == CALL.call_id
    assert request.tools[0] == Tool("other")
    assert len(after.model.requests) == 1


def test_a_snapshot_of_a_restored_conversation_is_the_same() -> None:
    snapshot = left(run_virtual(perform(full_visit, ROLE)))
    assert snapshot.voice == "bob"
    assert snapshot.greeted
    assert not snapshot.owed

    async def act(theatre: Theatre) -> None:
        assert theatre.conversation.snapshot() == snapshot
        assert not theatre.changes

    run_virtual(perform(act, ROLE, restored=snapshot))


def test_a_role_that_no_client_changed_is_not_kept() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)

    snapshot = left(run_virtual(perform(act, ROLE)))
    assert (snapshot.voice, snapshot.prompt, snapshot.tools) == (None, None, None)


def test_a_visitor_who_was_not_greeted_is_greeted() -> None:
    async def leave_early(theatre: Theatre) -> None:
        theatre.conversation.set_variables({"who": "Vera"})
        theatre.conversation.begin()
        await asyncio.sleep(0)

    before = run_virtual(perform(leave_early, ROLE))
    assert not left(before).greeted

    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)

    assert run_virtual(perform(act, ROLE, restored=left(before))).caption == "Welcome."


def test_a_client_that_asks_for_a_first_word_gets_none_when_it_comes_back() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.open()
        theatre.conversation.respond()
        theatre.conversation.begin()
        await asyncio.sleep(2)

    items = (ChatMessage("assistant", "Welcome."), ChatMessage("user", "Hi."), ChatMessage("assistant", "Yes?"))
    theatre = run_virtual(perform(act, ROLE, restored=Snapshot(items, greeted=True)))
    assert not theatre.model.requests
    assert not theatre.events


def test_an_answer_that_was_owed_is_given() -> None:
    async def ask_and_leave(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)
        theatre.model.script.append([5.0, "Too late."])
        theatre.conversation.send_text("What is tea?")
        await asyncio.sleep(1)

    before = run_virtual(perform(ask_and_leave, ROLE))
    # Whenever the server dies, the question stands there with its answer owed.
    assert before.changes[-1].items[-1] == ChatMessage("user", "What is tea?")
    assert left(before).owed

    async def glance(theatre: Theatre) -> None:
        theatre.conversation.open()
        assert theatre.conversation.snapshot().owed

    run_virtual(perform(glance, ROLE, restored=left(before)))

    async def act(theatre: Theatre) -> None:
        theatre.conversation.open()
        theatre.conversation.begin()
        await asyncio.sleep(2)

    after = run_virtual(perform(act, ROLE, restored=left(before)))
    assert after.caption == "I see."
    assert after.model.requests[0].messages[-1].text == "What is tea?"
    assert not left(after).owed


def test_a_message_without_a_question_stays_without_an_answer() -> None:
    async def tell_and_leave(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)
        theatre.conversation.add_message("The user looks at page 3.")

    before = run_virtual(perform(tell_and_leave, ROLE))

    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)

    assert not run_virtual(perform(act, ROLE, restored=left(before))).events


def test_a_tool_that_leads_to_another_page() -> None:
    """The page that called it is gone with its result: the avatar goes on there."""

    async def navigate(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)
        theatre.model.script.append([CALL])
        theatre.conversation.send_text("Show me the tea.")
        await asyncio.sleep(0.5)
        assert theatre.of(ToolRequested)

    before = run_virtual(perform(navigate, ROLE))
    assert left(before).owed

    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)

    messages = run_virtual(perform(act, ROLE, restored=left(before))).model.requests[0].messages
    assert messages[-2].tool_calls == (CALL,)
    assert messages[-1] == ChatMessage("tool", NO_RESULT, call_id="call_1")


def test_a_result_that_comes_after_the_return() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.open()
        theatre.conversation.add_result("call_1", "found", reply=True)
        theatre.conversation.begin()
        await asyncio.sleep(2)

    items = (
        ChatMessage("user", "Hi."),
        ChatMessage("assistant", "One moment."),
        ChatMessage("assistant", "", (), (CALL,)),
    )
    theatre = run_virtual(perform(act, ROLE, restored=Snapshot(items, greeted=True)))
    assert [message.text for message in theatre.model.requests[0].messages if message.role == "tool"] == ["found"]
    assert theatre.caption == "I see."


def test_what_was_heard_of_an_answer_is_kept_word_by_word() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)
        theatre.model.script.append([STORY])
        theatre.conversation.send_text("A story.")
        await asyncio.sleep(2.1)
        assert theatre.caption == "Welcome." + theatre.changes[-1].items[-1].text
        assert theatre.changes[-1].items[-1].text.startswith("Sentence number 0 is here. Sentence")

    run_virtual(perform(act, ROLE))


def test_pictures_are_told_about_and_not_kept() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        await asyncio.sleep(2)
        theatre.conversation.add_message("Look at this.", images=(Image("image/jpeg", b"1"),))
        for _ in range(3):
            theatre.conversation.send_image(Image("image/jpeg", b"2"))
        theatre.conversation.add_message("Nice?")

    theatre = run_virtual(perform(act, ROLE))
    assert texts(theatre.changes[-1].items) == [
        ("assistant", "Welcome."),
        ("user", "Look at this."),
        ("user", PICTURE_SHOWN),
        ("user", "Nice?"),
    ]
    assert not any(message.images for message in theatre.changes[-1].items)


def test_the_latest_messages_are_kept() -> None:
    many = [ChatMessage("user", str(number)) for number in range(500)]
    assert keep(many) == tuple(many[-200:])
    long = [ChatMessage("user", str(number) + "x" * 30_000) for number in range(20)]
    assert keep(long) == tuple(long[-8:])
    endless = keep([ChatMessage("user", "x" * 1_000_000)])[0].text
    assert 60_000 < len(endless) < 70_000


def test_no_result_is_kept_without_its_call() -> None:
    calls = [ChatMessage("assistant", tool_calls=(CALL,)), ChatMessage("tool", "a leaf", call_id="call_1")]
    tail = [ChatMessage("user", str(number)) for number in range(199)]
    assert keep([*calls, *tail]) == tuple(tail)
    assert keep([*calls, *tail[1:]]) == (*calls, *tail[1:])


@pytest.mark.parametrize("greeting", ["Hello {{name}}!", "Hello {{ name }}!"])
@pytest.mark.parametrize(("name", "said"), [("Ada", "Hello Ada!"), (None, "Hello!"), ("{{who}}", "Hello {{who}}!")])
def test_a_greeting_by_name(greeting: str, name: str | None, said: str) -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.set_variables({"name": "nobody", "who": "x"})
        theatre.conversation.set_variables({"name": name})
        theatre.conversation.begin()
        await asyncio.sleep(2)

    assert run_virtual(perform(act, Role(greeting=greeting))).caption == said


def test_variables_count_from_the_next_answer_on() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        for values in ({"n": 3, "b": True, "f": 0.5}, {"n": 0, "b": False}):
            theatre.conversation.set_variables(values)
            theatre.conversation.send_text("Hi.")
            await asyncio.sleep(2)

    theatre = run_virtual(perform(act, Role(prompt="{{n}}, {{b}}, {{f}}{{none}}; {{no name}} {n} {{}}")))
    assert [request.messages[0].text for request in theatre.model.requests] == [
        "3, true, 0.5; {{no name}} {n} {{}}",
        "0, false, 0.5; {{no name}} {n} {{}}",
    ]
    assert theatre.changes[-1].variables == {"n": 0, "b": False, "f": 0.5}


def test_variables_are_bounded() -> None:
    async def act(theatre: Theatre) -> None:
        for number in range(100):
            theatre.conversation.set_variables({f"v{number}": number})
        theatre.conversation.set_variables({"v0": None})
        theatre.conversation.set_variables({"v99": 99})

    kept = run_virtual(perform(act)).changes[-1].variables
    assert len(kept) == 64
    assert kept["v99"] == 99


def test_what_variables_make_of_a_prompt_is_bounded() -> None:
    async def act(theatre: Theatre) -> None:
        theatre.conversation.begin()
        theatre.conversation.set_variables({"long": "x" * 4096})
        theatre.conversation.configure(prompt="{{long}}" * 10_000)
        theatre.conversation.send_text("Hi.")
        await asyncio.sleep(2)

    prompt = run_virtual(perform(act)).model.requests[0].messages[0].text
    assert prompt == "x" * 256 * 1024


@pytest.mark.parametrize(
    ("tools", "taken"), [([Tool(f"t{n}") for n in range(200)], 128), ([Tool("t", "d" * 300_000)], 0)]
)
def test_tools_are_bounded_however_they_come(tools: list[Tool], taken: int) -> None:
    async def act(theatre: Theatre) -> None:
        for tool in tools:
            theatre.conversation.configure(tools=[tool], extend_tools=True)
        theatre.conversation.begin()
        theatre.conversation.send_text("Hi.")
        await asyncio.sleep(2)

    theatre = run_virtual(perform(act, settings=ConversationSettings(model_may_end=False)))
    assert theatre.changes[-1].tools == tuple(tools[:taken])
    assert theatre.model.requests[0].tools == tuple(tools[:taken])
