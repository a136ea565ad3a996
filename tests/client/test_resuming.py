"""Coming back to a session: by itself when the connection is lost, and by its token in a later call."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from tests.client.stage import Grey, Line, Place, Tone, media, nothing_left, scripted, until
from visavis.client import (
    Call,
    CallEndedError,
    ConnectionState,
    Disconnection,
    DisconnectReason,
    Event,
    HistoryItem,
    NoSessionToResumeError,
    Reconnecting,
    Reconnection,
    Resumed,
    Timeouts,
)

SOON = Reconnection(attempts=3, first_delay=0.05, longest_delay=0.1)
ITEMS = [{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hello, Ada."}]


def call(url: str, **options: Any) -> Call:
    return Call(url, **{"license": "x", "avatar_id": "a", "reconnection": SOON} | options)


class House:
    """A server that keeps a session: what its visitors asked for, and what they said in which visit."""

    def __init__(self) -> None:
        self.queries: list[dict[str, str]] = []
        self.heard: list[list[dict[str, Any]]] = []
        self.closes: list[int | None] = []
        self.leave: Callable[[Line], Awaitable[None]] = lose
        """How it leaves a visitor who asks it to."""
        self.refuse: tuple[str, ...] = ()
        """The codes with which the next ones who come back are refused."""

    async def __call__(self, line: Line) -> None:
        visit = len(self.queries)
        self.queries.append(line.query)
        self.heard.append([])
        resumed = "resume" in line.query
        if resumed and self.refuse:
            code, *rest = self.refuse
            self.refuse = tuple(rest)
            await line.end("conversation.connected.fail", code)
            return
        await line.accept(resumeToken=f"token-{visit}", resumed=resumed)
        await line.state("preparing")
        await line.state("connecting")
        async with media(line, Tone(), Grey()):
            if resumed:
                await line.say(
                    "conversation.connected.resumed", {"items": ITEMS, "variables": {"city": "Rome", "n": 1}}
                )
            await line.begin()
            async for text in line.socket:
                message = line.read(text)
                self.heard[visit].append(message)
                if message["type"] == "leave":
                    await self.leave(line)
                    break
            await line.socket.wait_closed()
            self.closes.append(line.socket.close_code)

    def kinds(self, visit: int) -> list[str]:
        return [message["type"] for message in self.heard[visit]]


async def lose(line: Line) -> None:
    line.socket.transport.abort()


@asynccontextmanager
async def a_house() -> AsyncIterator[tuple[House, Place]]:
    house = House()
    async with nothing_left(), scripted(house) as place:
        yield house, place


async def test_a_lost_connection_comes_back_by_itself() -> None:
    told: list[Event] = []
    async with a_house() as (house, place):
        async with call(place.url, on_event=told.append, variables={"city": "Paris"}, history=["Before."]) as one:
            assert (one.session_id, one.resume_token, one.resumed) == ("one", "token-0", False)
            told.clear()
            pictures = one.video()
            await one.send({"type": "leave"})
            await until(lambda: not one.connected)
            # What is said meanwhile is said when it can be; sound is of no use then.
            await one.send_audio(np.zeros(480, np.int16))
            await one.send_text("Still there?")
            assert one.connected
            assert one.dropped_audio == 480
            assert one.resume_token == "token-1"
            for _ in range(8):
                await anext(pictures)
            assert one.disconnection is None
            assert one.variables == {"city": "Paris", "n": 1}
            assert [item.text for item in one.history] == ["My name is Ada.", "Hello, Ada.", "Still there?"]
        marks = [event for event in told if isinstance(event, ConnectionState | Reconnecting | Resumed | Disconnection)]
        assert [getattr(event, "name", event) for event in marks] == [
            "SearchingForDigitalPerson",
            Reconnecting(1, 3),
            "DownloadingAssets",
            "ConnectingToDigitalPerson",
            Resumed(
                (HistoryItem("user", "My name is Ada."), HistoryItem("assistant", "Hello, Ada.")),
                {"city": "Rome", "n": 1},
            ),
            "Connected",
            "Disconnected",
            one.disconnection,
        ]
    assert [query.get("resume") for query in house.queries] == [None, "token-0"]
    # What was said before is told to a session that begins, and not to one that knows it.
    assert house.kinds(0).count("conversation.item.create") == 1
    assert "conversation.item.create" not in house.kinds(1)
    assert house.heard[1][-1]["data"]["content"] == "Still there?"
    # Lost connections are torn off, so that the server does not take them for a hang-up.
    assert house.closes == [1006, 1000]


async def test_it_comes_back_again_and_again_with_the_newest_token() -> None:
    async with a_house() as (house, place), call(place.url) as one:
        for _ in range(3):
            await one.send({"type": "leave"})
            await until(lambda: not one.connected)
            await until(lambda: one.connected)
        assert [query.get("resume") for query in house.queries] == [None, "token-0", "token-1", "token-2"]


async def test_a_server_that_is_down_for_a_moment_is_tried_again() -> None:
    async with a_house() as (house, place):
        house.refuse = ("shutting_down", "no_slot")
        told: list[Event] = []
        async with call(place.url, on_event=told.append) as one:
            await one.send({"type": "leave"})
            await until(lambda: not one.connected)
            await until(lambda: one.connected)
        assert [event.attempt for event in told if isinstance(event, Reconnecting)] == [1, 2, 3]


@pytest.mark.parametrize(
    ("refusals", "attempts"),
    [
        (("shutting_down",) * 9, 3),
        (("no_session_to_resume",), 1),
        (("invalid_license",), 1),
    ],
)
async def test_a_session_that_does_not_come_back_is_over(refusals: tuple[str, ...], attempts: int) -> None:
    async with a_house() as (house, place):
        house.refuse = refusals
        async with call(place.url) as one:
            events = one.events()
            await one.send({"type": "leave"})
            await until(lambda: not one.connected)
            waiting = asyncio.create_task(one.send_text("Are you there?"))
            async with asyncio.timeout(10):
                last = [event async for event in events][-1]
            assert isinstance(last, Disconnection)
            assert (last.reason, last.code) == (DisconnectReason.CONTROL_DISCONNECTED, "connection_lost")
            with pytest.raises(CallEndedError):
                await waiting
        assert len(house.queries) == 1 + attempts


async def test_reconnecting_can_be_left_out() -> None:
    async with a_house() as (house, place), call(place.url, reconnection=Reconnection(attempts=0)) as one:
        await one.send({"type": "leave"})
        await until(lambda: one.disconnection is not None)
        assert len(house.queries) == 1


async def test_hanging_up_while_it_comes_back() -> None:
    async with a_house() as (house, place):
        house.refuse = ("shutting_down",) * 9
        one = call(place.url, reconnection=Reconnection(attempts=9, first_delay=5))
        await one.connect()
        await one.send({"type": "leave"})
        await until(lambda: not one.connected)
        await one.disconnect()
        assert one.disconnection is not None
        assert one.disconnection.code == "aborted"


async def say_replaced(line: Line) -> None:
    await line.end("conversation.connected.close", "replaced")


async def say_media_failed(line: Line) -> None:
    await line.end("conversation.connected.fail", "media_failed")


async def restart(line: Line) -> None:
    await line.socket.close(1012)


async def test_another_tab_is_not_fought_with() -> None:
    async with a_house() as (house, place), call(place.url) as one:
        house.leave = say_replaced
        await one.send({"type": "leave"})
        await until(lambda: one.disconnection is not None)
        assert one.disconnection is not None
        assert (one.disconnection.code, one.disconnection.reason) == ("replaced", DisconnectReason.NORMAL)
        assert len(house.queries) == 1


@pytest.mark.parametrize("leave", [say_media_failed, restart])
async def test_a_network_that_was_away_for_longer_and_a_restart_are_come_back_from(leave: Any) -> None:
    async with a_house() as (house, place), call(place.url) as one:
        house.leave = leave
        await one.send({"type": "leave"})
        await until(lambda: not one.connected)
        await until(lambda: one.connected)
        assert len(house.queries) == 2


async def test_media_that_stop_are_connected_anew() -> None:
    first = True

    async def freezes(line: Line) -> None:
        nonlocal first
        await line.accept(resumeToken="t", resumed="resume" in line.query)
        async with media(line, Tone(), Grey()) as peer:
            await line.begin()
            if first:
                first = False
                await line.until_heard("leave")
                for sender in peer.getSenders():
                    await sender.stop()
            await line.until_left()

    async with nothing_left(), scripted(freezes) as place:
        async with call(place.url, timeouts=Timeouts(stall=1.0)) as one:
            await one.send({"type": "leave"})
            await until(lambda: not one.connected)
            await until(lambda: one.connected)
        assert place.calls == 2


async def test_media_that_stop_for_good_end_the_call_where_nothing_is_kept() -> None:
    async def freezes(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()) as peer:
            await line.begin()
            await line.until_heard("leave")
            for sender in peer.getSenders():
                await sender.stop()
            await line.until_left()

    async with nothing_left(), scripted(freezes) as place, call(place.url, timeouts=Timeouts(stall=1.0)) as one:
        await one.send({"type": "leave"})
        await until(lambda: one.disconnection is not None)
        assert one.disconnection is not None
        assert (one.disconnection.reason, one.disconnection.error) == (DisconnectReason.NORMAL, "mediaStreamFailed")


async def test_a_later_call_goes_on_with_the_session() -> None:
    async with a_house() as (house, place):
        async with call(place.url, resume="token-9", history=["Not this."], variables={"city": "Oslo"}) as one:
            assert one.resumed
            assert [item.text for item in one.history] == ["My name is Ada.", "Hello, Ada."]
            assert one.variables == {"city": "Oslo", "n": 1}
            await until(lambda: bool(house.heard[0]))
        assert house.queries[0]["resume"] == "token-9"
        (variables,) = (message for message in house.heard[0] if message["type"] == "realtime.session.variables")
        assert variables["data"]["variables"] == {"city": "Oslo", "n": 1}
        assert "conversation.item.create" not in house.kinds(0)


async def test_there_is_nothing_to_go_on_with() -> None:
    async with a_house() as (house, place):
        house.refuse = ("no_session_to_resume",)
        one = call(place.url, resume="token-9")
        with pytest.raises(NoSessionToResumeError) as raised:
            await one.connect()
        assert raised.value.name == "noSessionToResume"
        assert one.resume_token == ""


async def test_leaving_without_hanging_up() -> None:
    async with a_house() as (house, place):
        for keep in (False, True):
            one = call(place.url)
            await one.connect()
            await one.disconnect(keep=keep)
        await until(lambda: len(house.closes) == 2)
        assert house.closes == [1000, 1001]
