"""Reading a knowledge file."""

from pathlib import Path

import pytest

import visavis
from visavis.language.knowledge import Entry, Knowledge, KnowledgeError, ToolIntent

EMBEDDED = sorted((Path(visavis.__file__).parent / "avatar" / "embedded").glob("*/knowledge.toml"))


def test_a_whole_file() -> None:
    knowledge = Knowledge.parse(
        """
        [scripted]
        greeting = "Hello."
        unknown = ["No idea.", "I do not know."]

        [[entry]]
        question = "What are your  hours?"
        phrasings = ["when do you open"]
        answer = "Ten to six."
        more = "Nine on Thursdays."
        topic = "our hours"

        [[entry]]
        question = "Who are you?"
        answer = ["Marla.", "I am Marla."]

        [[tool_intent]]
        tool = "show_map"
        phrasings = ["take me to {place}"]
        arguments = {zoom = 3}
        """
    )
    assert knowledge.entries == (
        Entry("What are your hours?", ("Ten to six.",), ("when do you open",), ("Nine on Thursdays.",), "our hours"),
        Entry("Who are you?", ("Marla.", "I am Marla.")),
    )
    assert knowledge.scripted == {"greeting": ("Hello.",), "unknown": ("No idea.", "I do not know.")}
    assert knowledge.tool_intents == (ToolIntent("show_map", ("take me to {place}",), {"zoom": 3}),)


def test_nothing_is_a_knowledge_too() -> None:
    assert Knowledge.parse("") == Knowledge()


def test_phrases_are_what_visitors_say() -> None:
    knowledge = Knowledge.parse(
        '[[entry]]\nquestion = "Is it free?"\nphrasings = ["what does it cost", "Is it free?"]\nanswer = "It is."\n'
        '[[tool_intent]]\ntool = "t"\nphrasings = ["take me to {place} please"]\n'
    )
    phrases = knowledge.phrases()
    assert phrases[:3] == ("Is it free?", "what does it cost", "take me to please")
    assert "goodbye" in phrases
    assert "It is." not in phrases
    assert len(set(phrases)) == len(phrases)


@pytest.mark.parametrize(
    ("text", "key", "reason"),
    [
        ('[[entry]]\nquestion = "Q"', "entry[1].answer", "missing"),
        ('[[entry]]\nanswer = "A"', "entry[1].question", "missing"),
        ('[[entry]]\nquestion = "Q"\nanswer = 3', "entry[1].answer", "must be text or a list"),
        ('[[entry]]\nquestion = "Q"\nanswer = []', "entry[1].answer", "at least 1"),
        ('[[entry]]\nquestion = "Q"\nanswer = ["A", 3]', "entry[1].answer[2]", "must be text"),
        ('[[entry]]\nquestion = 7\nanswer = "A"', "entry[1].question", "must be text"),
        ('[[entry]]\nquestion = "  "\nanswer = "A"', "entry[1].question", "empty"),
        ('[[entry]]\nquestion = "Q"\nanswer = "A"\nphrases = ["x"]', "entry[1].phrases", "unknown key"),
        (
            '[[entry]]\nquestion = "Q"\nanswer = "A"\n[[entry]]\nquestion = "q"\nanswer = "B"',
            "entry[2].question",
            "same",
        ),
        ('[scripted]\nhullo = "Hi"', "scripted.hullo", "unknown key"),
        ("[scripted]\ngreeting = true", "scripted.greeting", "must be text"),
        ('[[tool_intent]]\nphrasings = ["x"]', "tool_intent[1].tool", "missing"),
        ("entry = 5", "entry", ""),
        ('greeting = "Hi"', "greeting", "unknown key"),
        (f'[[entry]]\nquestion = "Q"\nanswer = "{"x" * 5000}"', "entry[1].answer[1]", "4000"),
        ("[[entry", "nora.toml", ""),
    ],
)
def test_faults_name_the_file_and_the_key(text: str, key: str, reason: str) -> None:
    with pytest.raises(KnowledgeError) as raised:
        Knowledge.parse(text, "nora.toml")
    message = str(raised.value)
    assert message.startswith("nora.toml: ")
    assert key in message
    assert reason in message


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "knowledge.toml"
    path.write_text('[scripted]\ngreeting = "Grüß Gott."', encoding="utf-8")
    assert Knowledge.load(path).scripted["greeting"] == ("Grüß Gott.",)


def test_a_file_whose_faults_would_fill_memory_is_refused_by_a_count() -> None:
    with pytest.raises(KnowledgeError, match="holds more than 50000 values") as caught:
        Knowledge.parse("entry = [" + "{a=1}," * 100_000 + "]")
    assert len(caught.value.faults) == 1


def test_a_file_nested_beyond_reason_is_an_error() -> None:
    with pytest.raises(KnowledgeError, match=r"knowledge\.toml"):
        Knowledge.parse("a = " + "[" * 20_000)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 1_100_000], ids=["missing", "not UTF-8", "too large"])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "knowledge.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(KnowledgeError, match=r"knowledge\.toml"):
        Knowledge.load(path)


@pytest.mark.parametrize("path", EMBEDDED, ids=lambda path: path.parent.name)
def test_the_embedded_avatars_files_are_right(path: Path) -> None:
    assert Knowledge.load(path).entries
