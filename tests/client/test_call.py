"""A call whose server does what it should not, and a call that is left in the middle."""

import asyncio

import pytest

from tests.client.stage import Grey, Line, Tone, media, nothing_left, scripted, until
from visavis.client import AudioFrame, Call, CallClosed, CallError, CallRefused, CallUnreachable, VideoFrame
from visavis.client.directory import list_avatars


def call(url: str, **options: object) -> Call:
    return Call(url, license="x", name="n", **options)  # type: ignore[arg-type]


async def with_media(line: Line) -> None:
    await line.accept()
    async with media(line, Tone(), Grey()):
        await line.say("realtime.session.updated")
        await line.until_left()


async def test_hanging_up_frees_the_peer_and_every_task() -> None:
    async with nothing_left(), scripted(with_media) as place:
        async with nothing_left():
            pictures: list[VideoFrame] = []
            async with call(place.url, on_video=pictures.append) as one:
                await one.wait_ready()
                await one.wait_media()
                await until(lambda: len(pictures) > 2)
                connection = one._receiver._connection
                assert connection is not None
            assert connection.connectionState == "closed"
            assert connection.iceConnectionState == "closed"
        await until(lambda: place.open == 0)


async def test_a_close_that_is_cancelled_still_frees_everything() -> None:
    async with nothing_left(), scripted(with_media) as place:
        one = call(place.url)
        await one.__aenter__()
        await one.wait_media()
        connection = one._receiver._connection
        assert connection is not None
        closing = asyncio.create_task(one.close())
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
        for _ in range(5):
            async with call(place.url):
                pass
        await until(lambda: place.open == 0)


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
        with pytest.raises(CallUnreachable, match="does not speak this protocol"):
            await call(place.url).__aenter__()
        await until(lambda: place.open == 0)
        assert place.calls == 1


async def test_a_refusal_is_told_and_lets_go() -> None:
    async def refuses(line: Line) -> None:
        await line.say("conversation.connected.fail", message="No such avatar.")
        await line.until_left()

    async with nothing_left(), scripted(refuses) as place:
        with pytest.raises(CallRefused, match=r"No such avatar\."):
            await call(place.url).__aenter__()
        await until(lambda: place.open == 0)


async def test_a_mute_server_is_given_up() -> None:
    async with nothing_left(), scripted(Line.until_left) as place:
        with pytest.raises(CallUnreachable, match="does not answer"):
            await call(place.url, timeout=0.2).__aenter__()
        await until(lambda: place.open == 0)


async def test_a_cancelled_call_is_let_go() -> None:
    async with nothing_left(), scripted(Line.until_left) as place:
        entering = asyncio.create_task(call(place.url).__aenter__())
        await until(lambda: place.open == 1)
        entering.cancel()
        await asyncio.wait([entering])
        assert entering.cancelled()
        await until(lambda: place.open == 0)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "ftp://127.0.0.1", "http://127.0.0.1:port", "nowhere"])
async def test_no_server_there(address: str) -> None:
    with pytest.raises(CallUnreachable):
        await call(address).__aenter__()


@pytest.mark.parametrize("kind", ["on_audio", "on_video"])
async def test_a_callback_that_raises_ends_the_call(kind: str) -> None:
    count = 0

    def breaks(frame: AudioFrame | VideoFrame) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise LookupError("no such thing")

    async with nothing_left(), scripted(with_media) as place:
        async with call(place.url, **{kind: breaks}) as one:
            kinds = [event.type async for event in one.events()]
            assert kinds[0] == "conversation.connected.success"
            assert one.over is not None
            assert one.over.kind == "failed"
            assert "LookupError: no such thing" in str(one.over)
            with pytest.raises(CallClosed, match="no such thing") as raised:
                await one.send_text("Hello?")
            assert isinstance(raised.value.__cause__, LookupError)
            # Nothing is left that could grow: the connection is gone before anybody hangs up.
            await until(lambda: place.open == 0)
            await until(lambda: one._receiver._connection is None)
        assert count == 3


async def test_the_end_is_told_to_everybody_who_asks() -> None:
    async def ends(line: Line) -> None:
        await line.accept()
        await line.say("realtime.session.updated")

    async with scripted(ends) as place, call(place.url) as one:
        async with asyncio.timeout(10):
            first = [event.type async for event in one.events()]
            assert first == ["conversation.connected.success", "realtime.session.updated"]
            for _ in range(2):
                assert [event async for event in one.events()] == []
            await asyncio.gather(*[_drained(one) for _ in range(3)])


async def _drained(one: Call) -> None:
    async for _ in one.events():
        pass


async def test_words_that_are_no_message_end_the_call() -> None:
    async def babbles(line: Line) -> None:
        await line.accept()
        await line.socket.send("]")
        await line.until_left()

    async with nothing_left(), scripted(babbles) as place, call(place.url) as one:
        with pytest.raises(CallClosed, match="The call failed"):
            await one.wait_ready()
        await until(lambda: place.open == 0)


async def test_why_the_server_hangs_up() -> None:
    async def times_out(line: Line) -> None:
        await line.accept()
        await line.say("conversation.connected.close", message="Time is up.")
        await line.socket.close(1000)

    async with scripted(times_out) as place, call(place.url) as one:
        await _drained(one)
        assert one.over is not None
        assert (one.over.kind, str(one.over)) == ("conversation.connected.close", "Time is up.")


async def test_media_that_do_not_come_are_not_waited_for_without_end() -> None:
    async def silent(line: Line) -> None:
        await line.accept()
        await line.until_left()

    async with scripted(silent) as place, call(place.url, timeout=0.2) as one:
        with pytest.raises(CallError, match="Picture and sound could not be connected in time"):
            await one.wait_media()


@pytest.mark.parametrize("body", ["[]", '{"data": [{"name": "n"}]}', '{"data": ["n"]}', "nothing"])
async def test_a_list_of_avatars_that_is_none(body: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CallUnreachable):
            await list_avatars(f"http://127.0.0.1:{port}", "x")
