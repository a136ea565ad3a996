"""docs/protocol.md says what the code does: its examples are messages, and its tables are whole."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from visavis.avatar.emotion import Emotion, Feeling
from visavis.avatar.view import ColourBackground
from visavis.session.commands import KeepAlive, SetBackground, SetEmotion, SetVariables
from visavis.session.events import Ended, Ending, Refusal, RefusalKind
from visavis.wire.navtalk.bad_message import BadKind
from visavis.wire.navtalk.client_messages import CLIENT_TYPES
from visavis.wire.navtalk.decode import decode
from visavis.wire.navtalk.farewell import Farewell, farewell
from visavis.wire.navtalk.server_messages import ServerMessage

PAGE = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text(encoding="utf-8")
EXAMPLES: list[dict[str, Any]] = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)]

SERVER: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)
SERVER_TYPES = set(SERVER.json_schema()["discriminator"]["mapping"])
EXTENSION = {
    "conversation.connected.success",
    "conversation.connected.state",
    "conversation.connected.expiring",
    "conversation.connected.resumed",
    "conversation.connected.close",
    "realtime.session.keep_alive",
    "realtime.session.variables",
}


def section(title: str) -> str:
    """The page's text under a heading of the second level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The tables' cells, line by line, without their heads."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_every_message_of_the_extension_has_an_example() -> None:
    told = {example["type"] for example in EXAMPLES if json.dumps(example["type"]) in section("Connection states")}
    assert told == EXTENSION
    states = [example["data"]["state"] for example in EXAMPLES if example["type"] == "conversation.connected.state"]
    assert states == ["queued", "preparing", "connecting", "connected"]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["type"])
def test_the_examples_are_messages(example: dict[str, Any]) -> None:
    if example["type"].removeprefix("realtime.") in CLIENT_TYPES:
        decoded = decode(json.dumps(example))
        assert decoded.commands
        assert decoded.flaws == ()
    else:
        message = SERVER.validate_python(example)
        assert json.loads(message.json_text()) == example


def test_the_examples_of_client_messages_mean_what_the_page_says() -> None:
    commands = [
        command
        for example in EXAMPLES
        if example["type"].startswith(("realtime.session.", "realtime.set_"))
        for command in decode(json.dumps(example)).commands
    ]
    assert commands == [
        KeepAlive(),
        SetVariables({"guest": "Ann", "nights": 2, "member": True, "room": None}),
        SetBackground(ColourBackground(0x2F, 0x6F, 0x6F)),
        SetEmotion(Feeling(Emotion.CONCERNED, 0.6)),
    ]


def listed(table: str) -> dict[str, tuple[list[str], int]]:
    """Events and close code by code, of a table of refusals or endings."""
    return {
        code.strip("`"): (re.findall(r"`([^`]+)`", events), int(close)) for code, _, events, close in rows(table)[1:]
    }


def done(last: Farewell) -> tuple[list[str], int]:
    return [message.type for message in last.messages], last.code


def test_every_refusal_and_ending_is_listed_with_its_event_and_close_code() -> None:
    refusals, _, endings = section("Refusals and endings").partition("A running call ends")
    assert listed(refusals) == {kind.value: done(farewell(Refusal(kind, ""))) for kind in RefusalKind}
    assert listed(endings) == {ending.value: done(farewell(Ended(ending, ""))) for ending in Ending}


def test_every_flaw_and_every_client_message_is_listed() -> None:
    text = section("What clients say")
    flaws = {name for row in rows(text) for name in re.findall(r"`([^`]+)`", row[0])}
    assert {kind.value for kind in BadKind} <= flaws
    written = {name.removeprefix("realtime.") for name in flaws}
    shortened = {f"input_audio_buffer{name}" for name in written if name.startswith(".")}
    assert written | shortened >= CLIENT_TYPES


def test_every_server_message_is_listed() -> None:
    missing = {
        kind
        for kind in SERVER_TYPES
        if kind not in PAGE and kind.rpartition(".")[2] not in re.findall(r"`\.(\w+)`", PAGE)
    }
    assert missing == set()
