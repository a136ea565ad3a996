from pathlib import Path

import pytest

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.persona import PersonaError, read_avatar_file
from visavis.language.knowledge import Knowledge

FULL = """
name = "Ana"
package = "../other/face"
voice = "en-gb"
language = "en-GB"
rate = 1.2
prompt = " You are Ana. "
greeting = "Hello."
knowledge = "facts.toml"
model = "small"
provider_name = "openai"
phrases = ["Where is the museum?"]

[[tools]]
name = "open_door"
description = "Opens the door"
parameters = { type = "object", properties = { door = { type = "string" } } }
"""


def written(folder: Path, text: str) -> Path:
    (folder / "facts.toml").write_text("")
    path = folder / "avatar.toml"
    path.write_text(text)
    return path


def test_every_key_is_read(tmp_path: Path) -> None:
    read = read_avatar_file(written(tmp_path, FULL))
    persona = read.persona
    assert read.package == "../other/face"
    assert (persona.name, persona.voice, persona.language, persona.rate) == ("Ana", "en-gb", "en-GB", 1.2)
    assert (persona.prompt, persona.greeting, persona.model) == ("You are Ana.", "Hello.", "small")
    assert persona.knowledge == (tmp_path / "facts.toml").resolve()
    assert persona.phrases == ("Where is the museum?",)
    assert persona.tools[0]["parameters"]["properties"] == {"door": {"type": "string"}}


def test_a_name_is_enough(tmp_path: Path) -> None:
    read = read_avatar_file(written(tmp_path, 'name = "Ana"'))
    assert read.package == "face"
    assert read.persona.provider_name == "openai"
    assert read.persona.tools == ()
    assert read.persona.knowledge is None


@pytest.mark.parametrize(
    ("text", "persistence"), [("", None), ("persistence = true", True), ("persistence = false", False)]
)
def test_persistence_is_left_to_the_server_where_it_is_not_said(
    tmp_path: Path, text: str, persistence: bool | None
) -> None:
    persona = read_avatar_file(written(tmp_path, f'name = "Ana"\n{text}')).persona
    assert persona.persistence is persistence


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "name"),
        ('name = "Ana"\nvoise = "x"', "voise"),
        ('name = "Ana"\nrate = 9.0', "rate"),
        ('name = "Ana"\nrate = "fast"', "rate"),
        ('name = "Ana"\nlanguage = "klingon!"', "language"),
        ('name = "Ana"\nphrases = [1]', "phrases.0"),
        ('name = "Ana"\npersistence = "yes"', "persistence"),
        ('name = "Ana"\n[[tools]]\nname = "a b"', "tools.0.name"),
        ('name = "Ana"\n[[tools]]\nname = "ab"\nurl = "x"', "tools.0.url"),
        ('name = "Ana"\nknowledge = "none.toml"', "knowledge"),
        ('name = "Ana"\nknowledge = "../secret.toml"', "knowledge"),
    ],
)
def test_a_wrong_key_is_named_with_its_file(tmp_path: Path, text: str, key: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(PersonaError) as caught:
        read_avatar_file(path)
    assert caught.value.key == key
    assert str(path) in str(caught.value)
    assert key in str(caught.value)


@pytest.mark.parametrize("data", [b"name = ", b"\xff\xfe"])
def test_what_is_no_toml_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "avatar.toml").write_bytes(data)
    with pytest.raises(PersonaError, match=r"avatar\.toml: is not TOML"):
        read_avatar_file(tmp_path / "avatar.toml")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PersonaError, match=r"avatar\.toml: No such file"):
        read_avatar_file(tmp_path / "avatar.toml")


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "avatar.toml").write_text("#" * 2_000_000)
    with pytest.raises(PersonaError, match="is larger than"):
        read_avatar_file(tmp_path / "avatar.toml")


def test_vera_can_introduce_herself() -> None:
    persona = read_avatar_file(EMBEDDED / "vera" / "avatar.toml").persona
    assert persona.name == "visavis.Vera"
    assert persona.greeting
    assert persona.prompt
    assert len(persona.phrases) >= 60
    assert persona.knowledge is not None
    knowledge = Knowledge.load(persona.knowledge)
    assert len(knowledge.entries) >= 40
    for entry in knowledge.entries:
        assert entry.phrasings
        for answer in entry.answers:
            # Spoken in a breath or two.
            assert len(answer.split()) <= 32
