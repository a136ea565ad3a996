"""A call whose server does what it should not, and a call that is left in the middle."""

import asyncio
import contextlib
from typing import Any

import pytest

from tests.client.stage import Grey, Line, Tone, media, nothing_left, scripted, until
from visavis.client import (
    AudioFrame,
    Call,
    CallEndedError,
    DisconnectReason,
    MediaStreamFailedError,
    NoSceneError,
    ServerConnectionFailedError,
    Timeouts,
    VideoFrame,
    list_avatars,
)


def call(url: str, **options: object) -> Call:
    return Call(url, license="x", name="n", **options)  # type: ignore[arg-type]


def peer_of(one: Call) -> Any:
    """The WebRTC connection that the call has now."""
    link = one._outlet._link
    assert link is not None
    assert link._receiver._connection is not None
    return link._receiver._connection


async def with_media(line: Line) -> None:
    await line.accept()
    async with media(line, Tone(), Grey()):
        await line.begin()
        await line.until_left()


async def test_hanging_up_frees_the_peer_and_every_task() -> None:
    async with nothing_left(), scripted(with_media) as place:
        async with nothing_left():
            pictures: list[VideoFrame] = []
            async with call(place.url, on_video=pictures.append) as one:
                assert one.session_id == "one"
                assert one.connected
                # It is connected when there is a picture, not before.
                assert pictures
                await until(lambda: len(pictures) > 2)
                connection = peer_of(one)
            assert connection.connectionState == "closed"
            assert connection.iceConnectionState == "closed"
            assert not one.connected
        await until(lambda: place.open == 0)


async def test_a_close_that_is_cancelled_still_frees_everything() -> None:
    async with nothing_left(), scripted(with_media) as place:
        one = call(place.url)
        await one.connect()
        connection = peer_of(one)
        closing = asyncio.create_task(one.disconnect())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])
        assert closing.cancelled()
        await until(lambda: place.open == 0 and connection.connectionState == "closed")


async def test_hanging_up_while_media_are_being_offered() -> None:
    async def offers(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.until_left()

    async with nothing_left(), scripted(offers) as place:
        for moment in (0.0, 0.01, 0.05, 0.2, 0.5):
            one = call(place.url)
            connecting = asyncio.create_task(one.connect())
            await asyncio.sleep(moment)
            await one.disconnect()
            with pytest.raises(CallEndedError):
                await connecting
            assert one.disconnection is None
        await until(lambda: place.open == 0)


async def test_a_call_connects_once() -> None:
    async with scripted(with_media) as place, call(place.url) as one:
        with pytest.raises(RuntimeError):
            await one.connect()


async def test_a_call_that_was_never_made() -> None:
    one = call("http://127.0.0.1:1")
    await one.disconnect()
    with pytest.raises(CallEndedError):
        await one.send_text("Hello?")
    assert [event async for event in one.events()] == []


async def no_json(line: Line) -> None:
    await line.socket.send("hello")
    await line.until_left()


async def no_object(line: Line) -> None:
    await line.socket.send('["hello"]')
    await line.until_left()


async def no_ice_servers(line: Line) -> None:
    await line.accept([{"username": "u"}])
    await line.until_left()


async def ice_servers_of_numbers(line: Line) -> None:
    await line.accept([{"urls": [7]}])
    await line.until_left()


@pytest.mark.parametrize("script", [no_json, no_object, no_ice_servers, ice_servers_of_numbers])
async def test_what_does_not_speak_the_protocol_is_let_go(script: object) -> None:
    async with nothing_left(), scripted(script) as place:  # type: ignore[arg-type]
        with pytest.raises(ServerConnectionFailedError, match="does not speak this protocol") as raised:
            await call(place.url).connect()
        assert raised.value.code == "bad_protocol"
        await until(lambda: place.open == 0)
        assert place.calls == 1


async def test_a_refusal_is_told_and_lets_go() -> None:
    async def refuses(line: Line) -> None:
        await line.end("conversation.connected.fail", message="No such avatar.", code="unknown_avatar")

    async with nothing_left(), scripted(refuses) as place:
        with pytest.raises(NoSceneError, match=r"No such avatar\."):
            await call(place.url).connect()
        await until(lambda: place.open == 0)


async def test_a_mute_server_is_given_up() -> None:
    async with nothing_left(), scripted(Line.until_left) as place:
        with pytest.raises(ServerConnectionFailedError, match="does not answer"):
            await call(place.url, timeouts=Timeouts(answer=0.2)).connect()
        await until(lambda: place.open == 0)


async def test_a_cancelled_call_is_let_go() -> None:
    async with nothing_left(), scripted(Line.until_left) as place:
        connecting = asyncio.create_task(call(place.url).connect())
        await until(lambda: place.open == 1)
        connecting.cancel()
        await asyncio.wait([connecting])
        assert connecting.cancelled()
        await until(lambda: place.open == 0)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1:port", "nowhere"])
async def test_no_server_there(address: str) -> None:
    with pytest.raises(ServerConnectionFailedError) as raised:
        await call(address).connect()
    assert raised.value.code == "unreachable"
    assert "license" not in str(raised.value)


@pytest.mark.parametrize("kind", ["on_audio", "on_video"])
async def test_a_callback_that_raises_ends_the_call(kind: str) -> None:
    count = 0

    def breaks(frame: AudioFrame | VideoFrame) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise LookupError("no such thing")

    async with nothing_left(), scripted(with_media) as place:
        one = call(place.url, **{kind: breaks})
        events = one.events()
        with contextlib.suppress(LookupError):  # Where that is before the call is connected.
            await one.connect()
        async with asyncio.timeout(10):
            assert [event async for event in events]
        with pytest.raises(CallEndedError, match="no such thing") as raised:
            await one.send_text("Hello?")
        assert raised.value.code == "app_failed"
        assert isinstance(raised.value.__cause__, LookupError)
        # Nothing is left that could grow: the connection is gone before anybody hangs up.
        await until(lambda: place.open == 0)
        assert count == 3


async def test_a_callback_that_raises_while_the_call_is_made_is_what_connecting_raises() -> None:
    def breaks(_: object) -> None:
        raise LookupError("no such thing")

    for kind in ("on_state", "on_event", "on_message", "on_video"):
        async with nothing_left(), scripted(with_media) as place:
            with pytest.raises(LookupError):
                await call(place.url, **{kind: breaks}).connect()
            await until(lambda: place.open == 0)


async def test_words_that_are_no_message_end_the_call() -> None:
    async def babbles(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_heard("realtime.input_text")
            await line.socket.send("]")
            await line.until_left()

    async with nothing_left(), scripted(babbles) as place, call(place.url) as one:
        events = one.events()
        await one.send_text("Hello?")
        assert [event async for event in events]
        assert one.disconnection is not None
        assert (one.disconnection.code, one.disconnection.reason) == (
            "bad_protocol",
            DisconnectReason.CONTROL_DISCONNECTED,
        )
        await until(lambda: place.open == 0)


async def test_media_that_do_not_come_are_not_waited_for_without_end() -> None:
    async def offers_nothing(line: Line) -> None:
        await line.accept()
        await line.state("preparing")
        await line.state("connecting")
        await line.begin()
        await line.until_left()

    async with nothing_left(), scripted(offers_nothing) as place:
        with pytest.raises(MediaStreamFailedError, match="could not be connected in time") as raised:
            await call(place.url, timeouts=Timeouts(media=0.2)).connect()
        assert raised.value.code == "media_timeout"
        await until(lambda: place.open == 0)


@pytest.mark.parametrize("body", ["[]", '{"data": [{"name": "n"}]}', '{"data": ["n"]}', "nothing"])
async def test_a_list_of_avatars_that_is_none(body: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ServerConnectionFailedError):
            await list_avatars(f"http://127.0.0.1:{port}", "x")


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.01, 0.1])
async def test_hanging_up_in_the_middle_of_an_end_frees_everything_all_the_same(moment: float) -> None:
    async def ends(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_heard("realtime.input_text")
            await line.end("conversation.connected.close", "normal")
            await line.until_left()

    async with nothing_left(), scripted(ends) as place:
        one = call(place.url)
        await one.connect()
        connection = peer_of(one)
        await one.send_text("Goodbye.")
        await until(lambda: not one.connected)
        await asyncio.sleep(moment)
        await asyncio.gather(*[one.disconnect() for _ in range(3)])
        assert connection.connectionState == "closed"
        assert one.disconnection is not None
        assert one.disconnection.code == "normal"


async def test_hanging_up_twice_at_once() -> None:
    async with nothing_left(), scripted(with_media) as place:
        one = call(place.url)
        await one.connect()
        connection = peer_of(one)
        first = asyncio.create_task(one.disconnect())
        await asyncio.sleep(0)
        await one.disconnect()
        assert connection.connectionState == "closed"
        await first
