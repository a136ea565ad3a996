"""The persona brain as its visitors meet it."""

import json
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import visavis
from visavis.conversation.farewell import END_CONVERSATION
from visavis.language.brain import PersonaBrain
from visavis.language.emotion_markup import unmarked
from visavis.language.knowledge import Knowledge
from visavis.language.ports import ChatEvent, ChatMessage, ChatRequest, Image, TextDelta, Tool, ToolCall, ToolCallDelta

DATA = Path(__file__).parent / "data"
MUSEUM = Knowledge.load(DATA / "museum.toml")
ANSWERS = {answer: entry.question for entry in MUSEUM.entries for answer in entry.answers}
EMBEDDED = sorted((Path(visavis.__file__).parent / "avatar" / "embedded").glob("*/knowledge.toml"))
FRIDAY = datetime(2025, 11, 21, 15, 45, tzinfo=UTC)


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


QUESTIONS = [tuple(part.strip() for part in line.split("|")) for line in lines("museum_questions.txt")]
OFF_TOPIC = lines("off_topic.txt")
BRAINS: dict[int, PersonaBrain] = {}


def brain(knowledge: Knowledge) -> PersonaBrain:
    """One brain for all conversations: it keeps no state."""
    if id(knowledge) not in BRAINS:
        BRAINS[id(knowledge)] = PersonaBrain(knowledge, name="Marla", now=lambda: FRIDAY)
    return BRAINS[id(knowledge)]


class Visit:
    """A conversation with a persona."""

    def __init__(self, knowledge: Knowledge = MUSEUM, tools: Sequence[Tool] = (), language: str = "en") -> None:
        self.brain = brain(knowledge)
        self.tools = tuple(tools)
        self.language = language
        self.history: list[ChatMessage] = [ChatMessage("system", "You are Marla.")]

    async def answer(self) -> list[ChatEvent]:
        """The answer to the history; it becomes a part of it."""
        request = ChatRequest(tuple(self.history), self.tools, self.language)
        events = [event async for event in self.brain.stream(request)]
        calls = tuple(event for event in events if isinstance(event, ToolCall))
        self.history.append(ChatMessage("assistant", said(events), tool_calls=calls))
        return events

    async def says(self, *texts: str) -> str:
        """What the persona answers to the last of ``texts``, without its marks of emotions."""
        events: list[ChatEvent] = []
        for text in texts:
            self.history.append(ChatMessage("user", text))
            events = await self.answer()
        return unmarked(said(events))

    async def calls(self, *texts: str) -> list[tuple[str, dict[str, object]]]:
        """The tools that the persona calls after the last of ``texts``."""
        await self.says(*texts)
        return [(call.name, json.loads(call.arguments)) for call in self.history[-1].tool_calls]

    async def result(self, output: str) -> str:
        """What the persona says to a tool's result."""
        call_id = self.history[-1].tool_calls[0].call_id
        self.history.append(ChatMessage("tool", output, call_id=call_id))
        return said(await self.answer())


def said(events: Sequence[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def tool(tool_name: str, description: str = "", required: Sequence[str] = (), /, **properties: object) -> Tool:
    return Tool(tool_name, description, {"type": "object", "properties": properties, "required": list(required)})


STRING = {"type": "string"}
WEATHER = tool(
    "get_weather",
    "Get the current weather for a city",
    ["city"],
    city=STRING,
    unit={"type": "string", "enum": ["celsius", "fahrenheit"]},
)
TABLE = tool("book_table", "Reserve a table", ["people", "time"], people={"type": "integer"}, time=STRING, name=STRING)
LIGHT = tool(
    "setLight",
    "Switch the light in a room",
    ["room", "on"],
    room={"type": "string", "enum": ["kitchen", "living room", "bedroom"]},
    on={"type": "boolean"},
)
SEARCH = tool("search_products", "Search the catalogue", ["query"], query=STRING)
END = tool("end_conversation", "Hang up")
MAP = tool("show_map", "Show a map", place=STRING)


# --- knowledge


@pytest.mark.parametrize("path", [DATA / "museum.toml", *EMBEDDED], ids=lambda path: path.parent.name)
async def test_an_authors_own_words_get_the_authors_answer(path: Path) -> None:
    knowledge = Knowledge.load(path) if path.parent != DATA else MUSEUM
    wrong: list[tuple[str, str]] = []
    for entry in knowledge.entries:
        for asked in (entry.question, *entry.phrasings):
            told = await Visit(knowledge).says(asked.lower().strip("?."))
            # The clock is the brain's own business.
            own = [unmarked(answer) for answer in entry.answers]
            if told not in own and not told.startswith(("It is 3:45", "Today is Friday")):
                wrong.append((asked, told))
    assert not wrong


async def outcomes(questions: Sequence[tuple[str, ...]]) -> dict[str, list[str]]:
    """How questions in the visitors' own words were met."""
    found: dict[str, list[str]] = {"right": [], "asked": [], "wrong": [], "refused": []}
    for asked, wanted in questions:
        told = await Visit().says(asked)
        if told in ANSWERS:
            found["right" if ANSWERS[told] == wanted else "wrong"].append(asked)
        elif "Did you mean" in told:
            found["asked" if wanted in told else "wrong"].append(asked)
        else:
            found["refused"].append(asked)
    return found


async def test_most_questions_in_other_words_are_answered_and_few_wrongly() -> None:
    found = await outcomes(QUESTIONS)
    assert len(QUESTIONS) >= 60
    # Measured when it was written: 35, 16 and 7 of 62.
    assert len(found["right"]) / len(QUESTIONS) >= 0.5
    assert len(found["right"] + found["asked"]) / len(QUESTIONS) >= 0.75
    assert len(found["wrong"]) / len(QUESTIONS) <= 0.15


async def test_questions_beyond_the_knowledge_are_refused_honestly() -> None:
    answered = [asked for asked in OFF_TOPIC if await Visit().says(asked) in ANSWERS]
    assert len(answered) <= 0.1 * len(OFF_TOPIC)  # 1 of 25 when it was written
    told = await Visit().says("what is the capital of Australia")
    assert told.startswith(("I am afraid I do not know that.", "That is beyond me."))
    assert "I can tell you about" in told
    assert any(entry.topic and entry.topic in told for entry in MUSEUM.entries)


def misheard(text: str, chance: random.Random) -> str:
    """``text`` as a bad recognizer hears it: one letter in twelve wrong, a small word lost, a filler added."""
    letters = [
        chance.choice("aeioutsnr") if char.isalpha() and chance.random() < 0.08 else char for char in text.lower()
    ]
    words = "".join(letters).strip("?").split()
    if len(words) > 4:
        words.pop(chance.randrange(2))
    return " ".join(["um", *words])


async def test_misheard_words_are_often_understood() -> None:
    chance = random.Random(5)
    questions = [
        (misheard(text, chance), entry.question)
        for entry in MUSEUM.entries
        for text in (entry.question, *entry.phrasings)
    ]
    found = await outcomes(questions)
    assert len(found["right"]) / len(questions) >= 0.6
    assert len(found["wrong"]) / len(questions) <= 0.12


async def test_a_question_among_other_sentences() -> None:
    told = await Visit().says("Hello there! We are on holiday with my whole family. Where are the toilets? Thank you.")
    assert ANSWERS[told] == "Where are the toilets?"


async def test_wordings_vary_within_a_conversation_and_not_between_equal_ones() -> None:
    one, other = Visit(), Visit()
    told = [await one.says("how much is a ticket") for _ in range(2)]
    assert len(set(told)) == 2
    assert [await other.says("how much is a ticket") for _ in range(2)] == told


async def test_more_is_told_piece_after_piece() -> None:
    visit = Visit()
    assert await visit.says("is there a tour", "tell me more") == "The tour costs three euros more than the ticket."
    assert await visit.says("tell me more about it") == "Groups should book a week ahead."
    assert "no more" in await visit.says("what else") or "all I know" in visit.history[-1].text


async def test_more_after_an_answer_that_was_cut_off() -> None:
    visit = Visit()
    await visit.says("are there guided tours")
    visit.history[-1] = ChatMessage("assistant", "There is a tour every")
    assert await visit.says("tell me more") == "The tour costs three euros more than the ticket."


async def test_did_you_mean() -> None:
    visit = Visit()
    assert "Did you mean: How can I support the museum?" in await visit.says("can I work here as a volunteer")
    assert ANSWERS[await visit.says("yes please")] == "How can I support the museum?"
    visit = Visit()
    assert await visit.says("can I work here as a volunteer", "no") not in ANSWERS


async def test_a_follow_up_question() -> None:
    told = await Visit().says("are you open today", "and on Sundays?")
    assert ANSWERS[told] == "What are your opening hours?"


class Meanings:
    """An encoder that knows the meaning of two sentences."""

    def __init__(self) -> None:
        self.encoded = 0

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        self.encoded += len(sentences)
        alike = ("when do you open", "is the gate unlocked in the morning")
        return np.array([[sentence in alike, sentence not in alike] for sentence in sentences], np.float32) * [1, 0.3]


class BrokenMeanings:
    """An encoder that fails."""

    def encode(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        raise ValueError("no memory")


async def test_an_encoder_finds_what_has_no_word_in_common() -> None:
    encoder = Meanings()
    learned = PersonaBrain(MUSEUM, encoder=encoder)
    await learned.start()
    await learned.start()
    assert encoder.encoded == sum(1 + len(entry.phrasings) for entry in MUSEUM.entries)
    request = ChatRequest((ChatMessage("user", "is the gate unlocked in the morning"),))
    assert ANSWERS[said([event async for event in learned.stream(request)])] == "What are your opening hours?"
    assert said([event async for event in brain(MUSEUM).stream(request)]) not in ANSWERS
    await learned.close()


async def test_an_encoder_learns_in_the_background_and_may_fail() -> None:
    for encoder in (Meanings(), BrokenMeanings()):
        learning = PersonaBrain(MUSEUM, encoder=encoder)
        request = ChatRequest((ChatMessage("user", "where are the toilets"),))
        for _ in range(2):
            assert ANSWERS[said([event async for event in learning.stream(request)])] == "Where are the toilets?"
        await learning.close()
        await learning.close()


# --- small talk


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("hello", "Welcome to the Harbour Museum."),
        ("um hi there Marla", "Welcome to the Harbour Museum."),
        ("good morning", "Welcome to the Harbour Museum."),
        ("who are you?", "I am Marla, the guide"),
        ("what's your name", "I am Marla, the guide"),
        ("what can you do", "I can tell you about"),
        ("can you help me please", "I can tell you about"),
        ("how are you today", "thank you"),
        ("are you a real person?", "not a human being"),
        ("can you hear me", "can hear you"),
        ("can you see me?", "cannot"),
        ("what time is it", "It is 3:45 in the afternoon."),
        ("tell me the time please", "It is 3:45 in the afternoon."),
        ("what day is it today", "Today is Friday, November 21, 2025."),
        ("what's today's date?", "Today is Friday, November 21, 2025."),
        ("what is my name", "not told me"),
        ("can you repeat that", "not said anything yet"),
        ("good by", "bye"),
    ],
)
async def test_small_talk(text: str, part: str) -> None:
    assert part.casefold() in (await Visit().says(text)).casefold()


async def test_small_talk_says_nothing_of_the_knowledge() -> None:
    for text in ("thank you", "okay great thanks", "never mind", "wait a moment", "that was very helpful", "yes", "no"):
        told = await Visit().says(text)
        assert told
        assert told not in ANSWERS
        assert "do not know" not in told


async def test_what_was_said_is_said_again() -> None:
    visit = Visit()
    told = await visit.says("where is the café")
    assert await visit.says("sorry, what did you say?") == told


async def test_the_visitors_name_is_kept() -> None:
    visit = Visit()
    assert "Anna" in await visit.says("Hi, my name is anna.")
    assert await visit.says("where are the toilets", "do you remember my name") in (
        "Your name is Anna.",
        "You are Anna.",
    )


async def test_a_name_and_a_question_in_one_breath() -> None:
    told = await Visit().says("My name is Bob. When do you open?")
    assert "Bob" in told
    assert told.endswith("We are open from ten to six, every day except Monday.")


@pytest.mark.parametrize("text", ["I am hungry", "I'm not sure", "call me later", "this is great"])
async def test_what_is_no_name_is_not_taken_for_one(text: str) -> None:
    assert "your name" not in (await Visit().says(text, "what is my name")).replace("told me your name", "")


async def test_a_hello_after_its_greeting_is_no_second_introduction() -> None:
    visit = Visit()
    await visit.answer()
    assert "Welcome" not in await visit.says("hello")


async def test_it_may_be_called_by_its_name() -> None:
    for text in ("Marla, where are the toilets?", "hey marla where are the toilets", "where are the toilets marla"):
        assert ANSWERS[await Visit().says(text)] == "Where are the toilets?"


async def test_the_last_part_of_a_name_is_its_name() -> None:
    events = PersonaBrain(Knowledge(), name="house.Vera").stream(ChatRequest((ChatMessage("user", "who are you"),)))
    assert "I am Vera," in said([event async for event in events])


async def test_it_greets_when_it_is_to_speak_first() -> None:
    visit = Visit()
    assert said(await visit.answer()) == "Welcome to the Harbour Museum. I am Marla. What would you like to know?"
    assert said(await visit.answer()) != visit.history[1].text


async def test_nothing_understood() -> None:
    assert "again" in await Visit().says("") or "catch" in await Visit().says("")


async def test_a_persona_without_knowledge_is_honest() -> None:
    visit = Visit(Knowledge())
    assert "Marla" in await visit.says("who are you")
    assert "nobody has taught me" in await visit.says("what can you do")
    assert "know" in await visit.says("when do you open") or "cannot answer" in visit.history[-1].text


# --- tools


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("what is the weather in Paris?", "get_weather", {"city": "Paris"}),
        ("what's the weather like in new york today", "get_weather", {"city": "new york"}),
        ("weather for New York in fahrenheit please", "get_weather", {"city": "New York", "unit": "fahrenheit"}),
        ("book a table for four at seven", "book_table", {"people": 4, "time": "seven"}),
        (
            "Please book a table for twenty two people at half past eight under the name Miller",
            "book_table",
            {"people": 22, "time": "half past eight", "name": "Miller"},
        ),
        ("turn the light off in the living room", "setLight", {"room": "living room", "on": False}),
        ("switch on the kitchen light", "setLight", {"room": "kitchen", "on": True}),
        ("search for red running shoes", "search_products", {"query": "red running shoes"}),
        ("take me to the old lighthouse please", "show_map", {"place": "old lighthouse"}),
        ("show me the map", "show_map", {}),
    ],
)
async def test_a_tool_is_called(text: str, name: str, arguments: dict[str, object]) -> None:
    visit = Visit(tools=[WEATHER, TABLE, LIGHT, SEARCH, MAP, END])
    assert await visit.calls(text) == [(name, arguments)]


async def test_the_events_of_a_call() -> None:
    visit = Visit(tools=[WEATHER])
    visit.history.append(ChatMessage("user", "what is the weather in Paris"))
    delta, call = await visit.answer()
    assert isinstance(delta, ToolCallDelta)
    assert isinstance(call, ToolCall)
    assert (delta.call_id, delta.name, delta.arguments) == (call.call_id, call.name, call.arguments)


@pytest.mark.parametrize(
    "text", ["when do you open", "hello", "who built the lighthouse", "tell me a story", "how much is a ticket"]
)
async def test_no_tool_is_called_for_other_talk(text: str) -> None:
    assert await Visit(tools=[WEATHER, TABLE, LIGHT, SEARCH, MAP, END]).calls(text) == []


async def test_no_tool_is_called_that_is_not_there() -> None:
    assert await Visit().calls("what is the weather in Paris") == []


async def test_missing_arguments_are_asked_for() -> None:
    visit = Visit(tools=[WEATHER, TABLE])
    assert await visit.says("I would like to book a table") == "How many people, please?"
    assert await visit.says("there are four of us") == "Which time, please?"
    assert await visit.calls("at half past seven") == [("book_table", {"people": 4, "time": "half past seven"})]


async def test_an_option_is_asked_for() -> None:
    visit = Visit(tools=[LIGHT])
    assert "kitchen, living room or bedroom" in await visit.says("switch on the light")
    assert await visit.calls("in the bedroom") == [("setLight", {"room": "bedroom", "on": True})]


async def test_a_visitor_may_change_their_mind() -> None:
    visit = Visit(tools=[WEATHER])
    assert await visit.says("how is the weather") == "Which city, please?"
    assert await visit.calls("never mind") == []
    assert ANSWERS[await visit.says("where are the toilets")] == "Where are the toilets?"
    visit = Visit(tools=[WEATHER])
    assert ANSWERS[await visit.says("how is the weather", "where are the toilets")] == "Where are the toilets?"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("sunny and 21 degrees", "Sunny and 21 degrees."),
        ('{"temperature": 21, "sky": "clear"}', "The temperature is 21, the sky is clear."),
        ('{"message": "It rains."}', "It rains."),
        ('{"error": "no such city"}', "That did not work, I am sorry. No such city."),
        ('{"success": false}', "That did not work, I am sorry."),
        ('{"ok": true}', "Done."),
        ("", "Done."),
        ('[{"name": "Cog"}, {"name": "Barge"}]', "I found two: Cog and Barge."),
        ("[]", "I found nothing."),
        ("{broken", "{broken."),
        ("42", "42."),
    ],
)
async def test_a_result_is_told(output: str, told: str) -> None:
    visit = Visit(tools=[WEATHER])
    await visit.calls("what is the weather in Paris")
    assert await visit.result(output) == told


async def test_a_result_that_stands_before_other_words_is_told() -> None:
    visit = Visit(tools=[WEATHER])
    call = ToolCall("c1", "get_weather", "{}")
    visit.history += [
        ChatMessage("user", "weather in Paris"),
        ChatMessage("assistant", tool_calls=(call,)),
        ChatMessage("tool", "It rains.", call_id="c1"),
        ChatMessage("assistant", "Hello, Bob."),
    ]
    assert said(await visit.answer()) == "It rains."
    assert said(await visit.answer()) != "It rains."


async def test_a_long_result_is_cut_at_a_sentence() -> None:
    visit = Visit(tools=[WEATHER])
    await visit.calls("what is the weather in Paris")
    told = await visit.result("It will rain for a while. " * 100)
    assert len(told) < 420
    assert told.endswith("while.")


@pytest.mark.parametrize("name", ["end_conversation", "end_call", "hangUp", "close-session"])
async def test_a_goodbye_ends_the_call(name: str) -> None:
    visit = Visit(tools=[WEATHER, tool(name, "", ["reason"], reason=STRING)])
    calls = await visit.calls("okay thank you, goodbye")
    assert [called for called, _ in calls] == [name]
    assert "bye" in visit.history[-1].text.casefold()
    assert await visit.result('{"ok": true}') == ""


@pytest.mark.parametrize(
    "text",
    [
        "bye",
        "Good bye.",
        "good by",
        "okay, see you later",
        "I have to go now",
        "please end the call",
        "Have a nice day!",
    ],
)
async def test_a_clear_goodbye_ends_the_call(text: str) -> None:
    visit = Visit(tools=[END_CONVERSATION])
    assert await visit.calls(text) == [("end_conversation", {})]
    assert visit.history[-1].text


@pytest.mark.parametrize(
    "text",
    [
        "thank you",
        "when does the tour end",
        "can I call you",
        "stop",
        "hello",
        "that was all, thank you",
        "I have to know now",
        "thank you good boy",
        "good bye to the old days was a fine song",
        "how do I say goodbye in French",
        "did the keeper say goodbye",
        "she said bye and left",
        "when do I have to go",
    ],
)
async def test_only_a_clear_goodbye_ends_the_call(text: str) -> None:
    for ending in (END, END_CONVERSATION):
        assert await Visit(tools=[ending]).calls(text) == []


# --- languages and pictures


async def test_another_language_is_met_with_one_notice_in_it() -> None:
    visit = Visit()
    assert (
        await visit.says("Guten Tag, wo ist das Museum und was kostet es?")
        == "Es tut mir leid, ich spreche nur Englisch."
    )
    assert await visit.says("Sprechen Sie kein Deutsch? Was ist das?") == "I am sorry, I only speak English."
    assert await Visit().says("你好，请问几点开门？") == "对不起，我只会说英语。"


async def test_a_session_in_another_language_begins_with_a_notice() -> None:
    visit = Visit(language="fr-FR")
    told = await visit.says("where are the toilets")
    assert told.startswith("Je suis désolée, je ne parle qu'anglais.")
    assert told.endswith("The toilets are next to the cloakroom, on the ground floor.")
    assert await visit.says("who built the lighthouse") == MUSEUM.entries[14].answers[0]


async def test_a_language_that_the_table_lacks() -> None:
    assert (await Visit(language="sw").says("where are the toilets")).startswith("I am sorry, I only speak English.")


async def test_english_is_not_taken_for_another_language() -> None:
    for text in (*(asked for asked, _ in QUESTIONS), *OFF_TOPIC):
        assert "only speak English" not in await Visit().says(text)


async def test_a_picture_is_not_seen_and_it_says_so() -> None:
    visit = Visit()
    assert not visit.brain.accepts_images
    picture = Image("image/jpeg", b"x")
    for text in ("", "what is this?"):
        visit.history = [ChatMessage("user", text, images=(picture,))]
        assert "cannot" in said(await visit.answer())
    visit.history = [ChatMessage("user", "where are the toilets", images=(picture,))]
    assert said(await visit.answer()) in ANSWERS


MOODY = Knowledge.parse("""
[scripted]
greeting = "[happy] Hello, I am Marla."

[[entry]]
question = "Can I see the dinosaur?"
phrasings = ["Where is the big skeleton?"]
answer = ["[amused 0.6] You can, but it looks back.", "[happy] Of course, it loves visitors."]
more = "[concerned 0.5] Just do not wake it."

[[entry]]
question = "Are you happy today?"
answer = "[happy] Very much so."
""")


@pytest.mark.parametrize("kept", [True, False])
async def test_marks_of_emotions_are_given_out_and_change_nothing_else(kept: bool) -> None:
    """Whether the history has them (``kept``) or not, as where they are switched off."""
    visit = Visit(MOODY)

    async def says(text: str) -> str:
        visit.history.append(ChatMessage("user", text))
        told = said(await visit.answer())
        if not kept:
            visit.history[-1] = replace(visit.history[-1], text=unmarked(told))
        return told

    assert await says("hello") == "[happy] Hello, I am Marla."
    first = await says("where is the big skeleton")
    assert first in MOODY.entries[0].answers
    assert unmarked(await says("say that again please")) == unmarked(first)
    assert await says("tell me more") == "[concerned 0.5] Just do not wake it."
    # The names of emotions are no words of the answers.
    assert await says("concerned and amused") not in (*MOODY.entries[0].answers, *MOODY.entries[0].more)
    again = await says("can I see the dinosaur")
    assert again in MOODY.entries[0].answers
    assert (await says("thank you")).startswith("[happy] ")
