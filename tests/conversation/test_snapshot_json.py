"""Snapshots as text."""

import json

import pytest

from visavis.conversation.snapshot import Snapshot
from visavis.conversation.snapshot_json import SnapshotError, dump, load
from visavis.language.ports import ChatMessage, Image, Tool, ToolCall

FULL = Snapshot(
    items=(
        ChatMessage("user", "Wie ist das Wetter in Köln? 🌦"),
        ChatMessage("assistant", tool_calls=(ToolCall("call_1", "get_weather", '{"city": "Köln"}'),)),
        ChatMessage("tool", '{"sky": "clear"}', call_id="call_1"),
        ChatMessage("assistant", "Klar.\x00\u2028", marked="[happy] Klar.\x00\u2028"),
    ),
    variables={"name": "Ada", "age": 36, "height": 1.7, "member": True, "digits": "12", "zero": 0, "one": 1.0},
    voice="alloy",
    prompt="",
    tools=(Tool("get_weather", "Weather", {"type": "object", "properties": {"city": {"enum": ["a", 1, None]}}}),),
    greeted=True,
)


@pytest.mark.parametrize("snapshot", [Snapshot(), FULL])
def test_what_was_dumped_is_loaded(snapshot: Snapshot) -> None:
    text = dump(snapshot)
    text.encode("utf-8")
    assert json.loads(text)["version"] == 1
    found = load(text)
    assert found == snapshot
    assert {name: type(value) for name, value in found.variables.items()} == {
        name: type(value) for name, value in snapshot.variables.items()
    }


def test_pictures_are_left_out() -> None:
    text = dump(Snapshot((ChatMessage("user", "Look.", images=(Image("image/jpeg", b"\xff\xd8pixels"),)),)))
    assert "pixels" not in text
    assert load(text).items == (ChatMessage("user", "Look."),)


def test_text_that_no_utf8_can_hold_does_not_stop_it() -> None:
    assert load(dump(Snapshot((ChatMessage("user", "a\ud800b"),)))).items[0].text == "a?b"


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ("[" * 100_000, "JSON"),
        ("[]", "version 1"),
        ("{}", "version 1"),
        ('{"version": 2, "items": []}', "version 1"),
        ('{"version": true}', "version 1"),
        ('{"version": 1, "items": [{"role": "secret"}]}', "items.0.role"),
        ('{"version": 1, "variables": {"a": {"secret": 1}}}', "variables.a"),
        ('{"version": 1, "greeted": "secret"}', "greeted"),
    ],
)
def test_what_cannot_be_read_is_told_without_its_contents(text: str, part: str) -> None:
    with pytest.raises(SnapshotError, match=part) as caught:
        load(text)
    assert "secret" not in str(caught.value)
