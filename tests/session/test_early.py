"""What comes before there is a conversation to take it."""

import pytest

from visavis.language.ports import Image, Tool
from visavis.session.commands import (
    AcceptOffer,
    AddMessage,
    AppendAudio,
    Command,
    Configure,
    KeepAlive,
    SendImage,
    SendText,
    ToolResult,
)
from visavis.session.early import EarlyCommands

TEXT = "x" * 200_000


def taken(early: EarlyCommands) -> list[Command]:
    return list(iter(early.take, None))


def test_they_keep_their_order() -> None:
    early = EarlyCommands()
    commands = [Configure("alice"), SendText("one"), AddMessage("two"), KeepAlive()]
    for command in commands:
        early.put(command)
    assert taken(early) == commands


def test_they_are_at_most_256() -> None:
    early = EarlyCommands()
    for number in range(300):
        early.put(SendText(str(number)))
    assert taken(early) == [SendText(str(number)) for number in range(256)]


@pytest.mark.parametrize(
    "command",
    [
        SendText(TEXT),
        AddMessage(TEXT),
        ToolResult("call", TEXT),
        Configure(prompt=TEXT),
        Configure(tools=(Tool("t", TEXT),)),
        Configure(tools=(Tool("t", "", {"description": TEXT}),)),
        AcceptOffer(TEXT),
        AppendAudio(TEXT.encode()),
        SendImage(Image("image/jpeg", TEXT.encode())),
    ],
    ids=lambda command: type(command).__name__,
)
def test_they_hold_ten_megabytes_whatever_they_are(command: Command) -> None:
    early = EarlyCommands()
    for _ in range(100):
        early.put(command)
    early.put(KeepAlive())
    kept = taken(early)
    assert 45 <= kept.count(command) <= 52
    assert kept[-1] == KeepAlive()
