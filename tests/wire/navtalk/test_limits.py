"""What a client may send and how fast, over a real web server; and what becomes of a client that does not read."""

import asyncio
import base64
import json
import socket

import cv2
import numpy as np
import pytest
import websockets

from tests.wire.house import LICENSE, House, heard, heard_until_closed, open_house, opened, say, until
from visavis.conversation.events import AnswerAudio, AnswerDelta, SpeechStarted
from visavis.session.commands import AddMessage, AppendAudio, ClearAudio, Respond, SendImage
from visavis.session.events import Ended, Ending
from visavis.wire.navtalk.limits import TokenBucket
from visavis.wire.navtalk.settings import NavtalkSettings
from visavis.wire.websocket import BoundedWebSocket

SECOND = bytes(48_000)


def sound(pcm: bytes) -> str:
    data = {"audio": base64.b64encode(pcm).decode()}
    return json.dumps({"type": "realtime.input_audio_buffer.append", "data": data})


def picture(width: int, height: int) -> str:
    rows = np.linspace(0, 255, height, dtype=np.uint8)[:, None, None]
    done, data = cv2.imencode(".jpg", np.broadcast_to(rows, (height, width, 3)).copy())
    assert done
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


async def still_lives(house: House, client: websockets.ClientConnection) -> None:
    """The call goes on in both directions."""
    call = house.reception.calls[-1]
    await say(client, "response.create")
    async with asyncio.timeout(10), call.arrived:
        await call.arrived.wait_for(lambda: Respond() in call.commands)
    call.tell(SpeechStarted())
    assert (await heard(client))["type"] == "realtime.input_audio_buffer.speech_started"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{", "not_json"),
        ("[]", "not_object"),
        ("{}", "no_type"),
        ('{"type":"response.create","x":NaN}', "bad_number"),
        ('{"type":"response.create","x":"\\ud800"}', "bad_text"),
        ('{"type":"response.create","x":' + "[" * 50_000, "too_complex"),
        ('{"type":"input_audio_buffer.append","audio":"!"}', "bad_base64"),
        ('{"type":"input_audio_buffer.append","audio":"AAAA"}', "odd_audio"),
        ('{"type":"input_text"}', "bad_shape"),
        ('{"type":"input_function_call","content":[5]}', "bad_tool"),
        ('{"type":"input_image","content":"AAAA"}', "bad_image"),
    ],
)
async def test_a_bad_message_is_counted_and_the_call_goes_on(text: str, kind: str) -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        await client.send(text)
        await still_lives(house, client)
        assert house.count("bad_messages_total", kind=kind) == 1


async def test_unknown_types_are_counted_as_one() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        await say(client, "response.stop")
        await say(client, "made.up.by.a.client")
        await still_lives(house, client)
        assert house.count("received_messages_total", type="unknown") == 2
        assert house.count("received_messages_total", type="made.up.by.a.client") == 0


async def test_binary_frames_are_dropped() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        await client.send(SECOND)
        await client.send(b"")
        await still_lives(house, client)
        assert house.count("dropped_messages_total", cause="binary") == 2


async def test_an_oversized_message_is_dropped_and_a_larger_one_closes_the_connection() -> None:
    async with open_house(NavtalkSettings(max_message_bytes=100_000)) as house, house.call() as client:
        await opened(client)
        await client.send(json.dumps({"type": "input_text", "text": "ü" * 60_000}, ensure_ascii=False))
        await still_lives(house, client)
        assert house.count("dropped_messages_total", cause="oversized") == 1
        await client.send("x" * 200_001)
        _, code, _ = await heard_until_closed(client)
        assert code == 1009
        async with asyncio.timeout(5):
            await house.reception.calls[0].left.wait()


async def test_a_picture_of_many_megabytes_arrives_small() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        large = picture(4000, 3000)
        padded = base64.b64encode(base64.b64decode(large.partition(",")[2]) + bytes(9_000_000)).decode()
        await say(client, "realtime.input_image", {"content": "data:image/jpeg;base64," + padded, "reply": 1})
        [command] = await house.reception.calls[0].wait_for(1)
        assert isinstance(command, SendImage)
        assert command.reply
        unpacked = cv2.imdecode(np.frombuffer(command.image.data, np.uint8), cv2.IMREAD_COLOR)
        assert unpacked is not None
        assert unpacked.shape == (768, 1024, 3)


async def test_sound_does_not_wait_for_a_picture_but_what_follows_it_does() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        parts = [{"type": "input_text", "text": "Look."}, {"type": "input_image", "image_url": picture(4000, 3000)}]
        await say(client, "conversation.item.create", item={"type": "message", "role": "user", "content": parts})
        await say(client, "response.create")
        await client.send(sound(b"\1\0"))
        commands = await house.reception.calls[0].wait_for(3)
        shown, answered = (
            next(at for at, command in enumerate(commands) if isinstance(command, kind))
            for kind in (AddMessage, Respond)
        )
        assert shown < answered
        assert commands[0] == AppendAudio(b"\1\0")


async def test_a_flood_of_pictures_is_thinned_out() -> None:
    async with open_house(NavtalkSettings(images_per_second=0.1, images_burst=3)) as house, house.call() as client:
        await opened(client)
        for _ in range(10):
            await say(client, "realtime.input_image", {"content": picture(64, 48)})
        await still_lives(house, client)
        assert sum(isinstance(command, SendImage) for command in house.reception.calls[0].commands) == 3
        assert house.count("dropped_messages_total", cause="image_flood") == 7


async def test_a_flood_of_sound_is_cut_to_what_the_bucket_holds() -> None:
    settings = NavtalkSettings(audio_pace=0.5, audio_burst=5)
    async with open_house(settings) as house, house.call() as client:
        await opened(client)
        for _ in range(60):
            await client.send(sound(SECOND))
        await say(client, "input_audio_buffer.clear")
        call = house.reception.calls[0]
        async with asyncio.timeout(20), call.arrived:
            await call.arrived.wait_for(lambda: ClearAudio() in call.commands)
        taken = sum(isinstance(command, AppendAudio) for command in call.commands)
        assert 5 <= taken <= 15
        assert house.count("dropped_messages_total", cause="audio_flood") == 60 - taken
        await still_lives(house, client)


async def test_in_transparency_mode_sound_may_come_faster_than_real_time() -> None:
    async with open_house() as house, house.call(f"license={LICENSE}&name=m&model=transparency") as client:
        await opened(client)
        for _ in range(60):
            await client.send(sound(SECOND))
        commands = await house.reception.calls[0].wait_for(60)
        assert commands == [AppendAudio(SECOND)] * 60


async def test_a_flood_of_messages_is_dropped_and_does_not_hold_up_another_call() -> None:
    settings = NavtalkSettings(messages_per_second=100, messages_burst=200)
    async with open_house(settings) as house, house.call() as quiet, house.call() as loud:
        await opened(quiet)
        await opened(loud)

        async def flood() -> None:
            for _ in range(3000):
                await loud.send('{"type":"ping"}')

        flooding = asyncio.create_task(flood())
        first, second = house.reception.calls
        for number in range(20):
            await quiet.send(sound(bytes([number, 0])))
            await first.wait_for(number + 1)
        await flooding
        counted = (("dropped_messages_total", {"cause": "flood"}), ("received_messages_total", {"type": "unknown"}))
        await until(lambda: sum(house.count(name, **labels) for name, labels in counted) >= 3000, 20)
        assert house.count("dropped_messages_total", cause="flood") > 1000
        assert not second.left.is_set()


async def test_a_command_that_the_session_fails_on_does_not_end_the_call() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        call = house.reception.calls[0]
        call.broken = RuntimeError("broken")
        await say(client, "input_text", {"content": "Hello."})
        await client.send(sound(b"\1\0"))
        await until(lambda: house.count("failures_total") == 2)
        call.broken = None
        await still_lives(house, client)


async def test_a_session_that_ends_without_a_word_is_a_backend_error() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        house.reception.calls[0].fail(RuntimeError("lost"))
        messages, code, _ = await heard_until_closed(client)
        assert [message["type"] for message in messages] == ["conversation.connected.backend_error"]
        assert "lost" not in json.dumps(messages)
        assert code == 1011


async def test_a_call_that_cannot_be_told_is_left() -> None:
    async with open_house() as house:
        house.reception.ice_servers = ()
        async with house.call() as client:
            messages, code, _ = await heard_until_closed(client)
        assert [message["type"] for message in messages] == ["conversation.connected.backend_error"]
        assert code == 1011
        assert house.reception.calls[0].left.is_set()


async def deaf(house: House) -> socket.socket:
    """A client that makes a call, and never reads."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(client, ("127.0.0.1", house.port))
    path = house.url().partition(f":{house.port}")[2]
    request = (
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    await loop.sock_sendall(client, request.encode())
    await until(lambda: bool(house.reception.calls))
    return client


async def test_a_client_that_does_not_read_is_left_after_the_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("visavis.wire.websocket.LINGER", 0.2)
    settings = NavtalkSettings(send_timeout=0.3, close_timeout=0.2)
    async with open_house(settings) as house:
        client = await deaf(house)
        with client:
            call = house.reception.calls[0]
            call.tell(*(AnswerDelta("r1", "x" * 100_000) for _ in range(200)))
            async with asyncio.timeout(10):
                await call.left.wait()
            await until(lambda: house.count("closed_total", cause="slow_reader") == 1)
            # The server does not keep the socket for the unread rest either.
            await until(lambda: house.open_sockets() == 0)


async def test_events_beyond_the_outbox_end_the_call() -> None:
    settings = NavtalkSettings(outbox_size=20, send_timeout=0.3, close_timeout=0.2)
    async with open_house(settings) as house:
        client = await deaf(house)
        with client:
            call = house.reception.calls[0]
            call.tell(*(AnswerDelta("r1", "x" * 1_000_000) for _ in range(200)))
            async with asyncio.timeout(10):
                await call.left.wait()
            await until(lambda: house.count("closed_total", cause="slow_reader") == 1)


async def test_copies_of_sound_give_way_to_a_slow_reader_and_nothing_else_does() -> None:
    settings = NavtalkSettings(audio_delta=True, outbox_size=40)
    async with open_house(settings) as house, house.call(max_queue=1) as client:
        await opened(client)
        call = house.reception.calls[0]
        second = np.zeros(24_000, np.int16)
        for number in range(300):
            call.tell(AnswerAudio("r1", second))
            if number % 30 == 0:
                call.tell(AnswerDelta("r1", f"{number}"))
        await until(call.told.empty)
        call.tell(Ended(Ending.NORMAL, "Bye."))
        messages, code, _ = await heard_until_closed(client)
        words = [message["data"]["delta"] for message in messages if "audio_transcript" in message["type"]]
        assert words == [f"{number}" for number in range(0, 300, 30)]
        copies = sum(message["type"] == "realtime.response.audio.delta" for message in messages)
        dropped = house.count("dropped_messages_total", cause="slow_reader")
        assert copies + dropped == 300
        assert dropped > 0
        assert code == 1000


async def test_a_read_is_bounded() -> None:
    # uvicorn parses all that one read gave before anything else may run.
    sizes: list[int] = []

    class Watched(BoundedWebSocket):
        def data_received(self, data: bytes) -> None:
            sizes.append(len(data))
            super().data_received(data)

    async with open_house(ws=Watched) as house, house.call() as client:
        await opened(client)
        await client.send("x" * 1_000_000)
        await still_lives(house, client)
    assert sum(sizes) > 1_000_000
    assert max(sizes) <= 4096


def test_a_token_bucket_fills_up_to_its_burst() -> None:
    now = 0.0
    bucket = TokenBucket(2.0, 10.0, lambda: now)
    assert bucket.take(10)
    assert not bucket.take(1)
    now = 1.0
    assert bucket.take(2)
    assert not bucket.take(0.5)
    now = 1000.0
    assert not bucket.take(11)
    assert bucket.take(10)


def test_a_debt_takes_its_time() -> None:
    now = 0.0
    bucket = TokenBucket(0.5, 1.0, lambda: now)
    assert bucket.spend(1.0) == 0
    assert bucket.spend(1.0) == 2.0
    now = 1.0
    assert bucket.spend(0.0) == 1.0
    now = 4.0
    assert bucket.spend(1.0) == 0
