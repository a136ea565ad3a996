"""What Vera answers to words that nobody foresaw, and what she does not. test_personas.py has what all are held to."""

from pathlib import Path

import pytest

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.persona import read_avatar_file
from visavis.language.brain import PersonaBrain
from visavis.language.knowledge import Knowledge
from visavis.language.ports import ChatMessage, ChatRequest, TextDelta
from visavis.language.small_talk import plain

PERSONA = read_avatar_file(EMBEDDED / "vera" / "avatar.toml").persona
assert PERSONA.knowledge is not None
KNOWLEDGE = Knowledge.load(PERSONA.knowledge)
QUESTION_OF = {answer: entry.question for entry in KNOWLEDGE.entries for answer in entry.answers}
VERA = PersonaBrain(KNOWLEDGE, name=PERSONA.name)

OTHER_WORDS = [
    tuple(part.strip() for part in line.split("|"))
    for line in (Path(__file__).parent / "data" / "vera_questions.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
OFF_TOPIC = [
    "what is the capital of France",
    "who won the world cup",
    "how do I bake bread",
    "what is the meaning of life",
    "who is the president of America",
    "how tall is Mount Everest",
    "what is two plus two",
    "tell me about the Roman empire",
    "how do vaccines work",
    "can you recommend a good film",
    "what should I have for dinner",
    "when does the next train leave",
    "how far away is the moon",
    "who wrote Hamlet",
    "how do I fix a flat tyre",
]


async def says(*texts: str) -> str:
    """What she says to the last of ``texts``."""
    history: list[ChatMessage] = []
    told = ""
    for text in texts:
        history.append(ChatMessage("user", text))
        events = [event async for event in VERA.stream(ChatRequest(tuple(history)))]
        told = "".join(event.text for event in events if isinstance(event, TextDelta))
        history.append(ChatMessage("assistant", told))
    return told


async def test_most_questions_in_other_words_are_answered() -> None:
    assert len(OTHER_WORDS) >= 60
    known = {plain(phrase) for phrase in KNOWLEDGE.phrases()}
    assert not [asked for asked, _ in OTHER_WORDS if plain(asked) in known]
    right, asked_back, wrong = 0, 0, 0
    for asked, wanted in OTHER_WORDS:
        told = await says(asked)
        right += QUESTION_OF.get(told) == wanted
        asked_back += told.endswith(f"Did you mean: {wanted}")
        wrong += QUESTION_OF.get(told, wanted) != wanted
    # By words alone, measured when it was written: 44, 5 and 15 of 70.
    assert right >= 42
    assert right + asked_back >= 46
    assert wrong <= 17


async def test_what_she_does_not_know_she_says() -> None:
    told = [await says(asked) for asked in OFF_TOPIC]
    refused = [text for text in told if text.startswith(KNOWLEDGE.scripted["unknown"])]
    # By words alone, measured when it was written: 10 of 15 refused, 3 answered, 2 asked about.
    assert len(refused) >= 10
    assert sum(text in QUESTION_OF for text in told) <= 3
    for text in refused:
        assert "I can tell you about" in text
        assert any(entry.topic in text for entry in KNOWLEDGE.entries if entry.topic)


async def test_subjects_are_named_in_a_sentence() -> None:
    topics = [entry.topic for entry in KNOWLEDGE.entries if entry.topic]
    assert len(topics) >= 6
    told = await says("what can you do?")
    assert told == f"I can tell you about {topics[0]}, {topics[1]} and {topics[2]}."
    assert await says("hello", "what can you do?") != told


async def test_another_joke_is_another_joke() -> None:
    told = [await says(*said) for at in range(3) for said in [("tell me a joke", *["another one please"] * at)]]
    assert len(set(told)) == 3


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("hello", "I'm Vera"),
        ("hi Vera", "I'm Vera"),
        ("Vera, who are you?", "I'm Vera"),
        ("who am I speaking to", "I'm Vera"),
        ("thank you", ""),
        ("can you see my shirt?", "only hear what you say"),
        ("what time is it?", "It is "),
        ("what day is it today?", "Today is "),
        ("my name is Ada", "Ada"),
        ("goodbye Vera", "ye"),
    ],
)
async def test_small_talk(asked: str, part: str) -> None:
    told = await says(asked)
    assert told
    assert part in told
    assert not any(told.startswith(refusal) for refusal in KNOWLEDGE.scripted["unknown"])


async def test_words_that_are_nearly_the_same() -> None:
    """A "not" turns a question round; an ending does not."""
    assert QUESTION_OF[await says("what can't you do")] == "What can't you do?"
    assert await says("what can you do") not in QUESTION_OF
    assert QUESTION_OF[await says("do you know jokes")] == "Tell me a joke."
    assert QUESTION_OF[await says("can I have other faces")] == "Can I make my own avatar?"


async def test_she_says_again_what_she_said() -> None:
    assert await says("Can I interrupt you?", "please repeat that") == await says("Can I interrupt you?")
