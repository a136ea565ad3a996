"""Who comes with the project: what each of them answers by heart, shows while saying it, and sounds like."""

from itertools import combinations
from pathlib import Path

import pytest

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.emotion import Emotion
from visavis.avatar.persona import Persona, read_avatar_file
from visavis.language.brain import PersonaBrain
from visavis.language.emotion_markup import MARK, unmarked
from visavis.language.knowledge import Knowledge
from visavis.language.ports import ChatMessage, ChatRequest, TextDelta
from visavis.language.small_talk import plain
from visavis.speech.flite_voices import flite_voice


class Somebody:
    """One of the people: who it is, what it knows, and a brain to ask."""

    def __init__(self, folder: Path) -> None:
        self.persona: Persona = read_avatar_file(folder / "avatar.toml").persona
        assert self.persona.knowledge is not None
        self.knowledge = Knowledge.load(self.persona.knowledge)
        self.name = self.persona.name.rpartition(".")[2]
        self.brain = PersonaBrain(self.knowledge, name=self.name)

    @property
    def texts(self) -> list[str]:
        """All that it may say."""
        told = [text for entry in self.knowledge.entries for text in (*entry.answers, *entry.more)]
        return [*told, *(text for texts in self.knowledge.scripted.values() for text in texts), self.persona.greeting]

    async def says(self, *texts: str) -> str:
        """What it says to the last of ``texts``."""
        history: list[ChatMessage] = []
        told = ""
        for text in texts:
            history.append(ChatMessage("user", text))
            events = [event async for event in self.brain.stream(ChatRequest(tuple(history)))]
            told = "".join(event.text for event in events if isinstance(event, TextDelta))
            history.append(ChatMessage("assistant", told))
        return told


PEOPLE = [Somebody(file.parent) for file in sorted(EMBEDDED.glob("*/avatar.toml"))]
everybody = pytest.mark.parametrize("person", PEOPLE, ids=lambda person: person.name)


@everybody
async def test_a_question_gets_its_own_answer(person: Somebody) -> None:
    assert len(person.knowledge.entries) >= 40
    wrong = {
        asked: told
        for entry in person.knowledge.entries
        for sentence in (entry.question, *entry.phrasings)
        # As a recognizer writes it, and as a person types it.
        for asked in (sentence, sentence.lower().rstrip(".?"))
        if (told := await person.says(asked)) not in entry.answers
    }
    assert not wrong


@everybody
async def test_more_is_told_until_there_is_none(person: Somebody) -> None:
    for entry in person.knowledge.entries:
        asked = [entry.question]
        for piece in entry.more:
            asked.append("tell me more")
            assert await person.says(*asked) == piece
        if entry.more:
            assert (await person.says(*asked, "tell me more")).startswith(person.knowledge.scripted["no_more"])


@everybody
async def test_every_phrase_is_understood(person: Somebody) -> None:
    refusals = (*person.knowledge.scripted["unknown"], "I am not sure")
    told = {phrase: await person.says("Who else is there?", phrase) for phrase in person.persona.phrases}
    assert not {phrase: text for phrase, text in told.items() if text.startswith(refusals)}
    assert (await person.says("how do I fix a flat tyre")).startswith(refusals)
    assert person.name in await person.says("what is your name")
    assert (await person.says("I'm feeling down")).startswith("[concerned")
    assert "emergency number" in await person.says("I just want to die")
    assert "I can tell you about" in await person.says("how do I fix a flat tyre")


@everybody
def test_words_can_be_spoken(person: Somebody) -> None:
    for text in map(unmarked, person.texts):
        # No digits, no abbreviations, nothing that is not said.
        assert not any(char.isdigit() or char in "()[]*/_%&" for char in text), text
        assert text[-1] in ".!?", text
        assert len(text.split()) <= 60, text


@everybody
def test_phrases_are_whole_sentences_and_not_too_many(person: Somebody) -> None:
    phrases = {plain(phrase) for phrase in (*person.persona.phrases, *person.knowledge.phrases())}
    assert len(phrases) <= 520
    assert max(len(phrase.split()) for phrase in phrases) <= 10
    asked = [plain(phrase) for entry in person.knowledge.entries for phrase in (entry.question, *entry.phrasings)]
    assert not [phrase for phrase in asked if asked.count(phrase) > 1]
    # A phrase that begins a longer one has to be waited for.
    assert not [(one, other) for one in asked for other in asked if other.startswith(f"{one} ")]


@everybody
def test_the_face_takes_part(person: Somebody) -> None:
    shown = [mark["name"].lower() for text in person.texts for mark in MARK.finditer(text)]
    assert len(set(shown) - {Emotion.NEUTRAL}) >= 5
    # Not in every sentence: a face that grimaces all the time is none.
    share = sum(bool(MARK.search(text)) for text in person.texts) / len(person.texts)
    assert 0.3 < share < 0.85
    assert MARK.match(person.persona.greeting)
    # Every mark in the prompt and the texts is one: a bracket would be spoken.
    for text in (*person.texts, person.persona.prompt):
        assert unmarked(text).count("[") == 0, text
    assert len(MARK.findall(person.persona.prompt)) >= 2


def test_they_are_different_people() -> None:
    voices = [flite_voice(person.persona.voice) for person in PEOPLE]
    assert None not in voices
    assert len(set(voices)) == len(PEOPLE)
    for one, other in combinations(PEOPLE, 2):
        assert one.persona.greeting != other.persona.greeting
        mine, theirs = ({unmarked(text) for text in person.texts} for person in (one, other))
        # They have their own words, also for the same things.
        assert len(mine & theirs) < 0.03 * min(len(mine), len(theirs)), mine & theirs
    for person in PEOPLE:
        assert person.name in person.persona.prompt
        assert any(person.name in phrase for phrase in person.persona.phrases)
