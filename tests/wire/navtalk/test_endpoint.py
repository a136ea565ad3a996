"""The WebSocket over a real web server, with a scripted session behind it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator

import pytest
import websockets

from tests.wire.house import LICENSE, ScriptedCall, heard, heard_until_closed, open_house, opened, say, until
from visavis.conversation.events import AnswerAudioDone, AnswerDelta, AnswerDone, SpeechStarted, UserTranscript
from visavis.session.commands import (
    AcceptAnswer,
    AddCandidate,
    AddMessage,
    AppendAudio,
    Command,
    Configure,
    Respond,
    SetVariables,
)
from visavis.session.events import Ended, Ending, Refusal, RefusalKind, SessionEvent
from visavis.session.ports import CallRequest, Notice
from visavis.wire.navtalk.settings import NavtalkSettings
from visavis.wire.redaction import redact_logs


async def test_a_call_begins_in_the_documented_order() -> None:
    async with open_house() as house, house.call() as client:
        first = await heard(client)
        assert first == {
            "type": "conversation.connected.success",
            "data": {
                "sessionId": "session-1",
                "iceServers": [
                    {"urls": ["stun:stun.example.org:3478"]},
                    {"urls": ["turn:turn.example.org:3478"], "username": "user", "credential": "word"},
                ],
            },
        }
        rest = [await heard(client) for _ in range(3)]
        assert rest == [
            {"type": "webrtc.signaling.offer", "data": {"sdp": {"type": "offer", "sdp": "v=0\r\n"}}},
            {"type": "realtime.session.created", "data": {"sessionId": "session-1"}},
            {"type": "realtime.session.updated", "data": {}},
        ]


async def test_a_warning_follows_the_success() -> None:
    async with open_house() as house:
        house.reception.notice = Notice("Two avatars have this name.", "avatar-2")
        async with house.call() as client:
            assert (await heard(client))["type"] == "conversation.connected.success"
            assert await heard(client) == {
                "type": "conversation.connected.warning",
                "message": "Two avatars have this name.",
                "data": {"message": "Two avatars have this name.", "avatarId": "avatar-2"},
            }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("license=a%2Bb&name=Mira+Lane", CallRequest("a+b", name="Mira Lane")),
        ("license=a&name=Mira%20Lane&avatarId=7", CallRequest("a", avatar_id="7", name="Mira Lane")),
        ("license=a&character=Mira", CallRequest("a", name="Mira")),
        ("license=a&name=M&model=transparency", CallRequest("a", name="M", model="transparency")),
        (
            "license=a&name=M&voice=sage&instructions=Be+brief.&x=1",
            CallRequest("a", name="M", voice="sage", prompt="Be brief."),
        ),
        ("name=&avatarId=", CallRequest("")),
        ("token=t&avatarId=7", CallRequest("t", avatar_id="7")),
        ("license=a&token=t&name=M", CallRequest("a", name="M")),
        ("license=a&name=M&states=1&resume=k%2B1", CallRequest("a", name="M", resumable=True, resume="k+1")),
        ("license=a&name=M&states=0&resume=", CallRequest("a", name="M")),
    ],
)
async def test_the_query_says_who_calls_whom(query: str, expected: CallRequest) -> None:
    async with open_house() as house:
        async with house.call(query) as client:
            await opened(client)
        request = house.reception.requests[0]
        assert request.address == "127.0.0.1"
        fields = ("license", "avatar_id", "name", "model", "voice", "prompt", "resumable", "resume")
        assert [getattr(request, name) for name in fields] == [getattr(expected, name) for name in fields]


async def test_a_slash_at_the_end_of_the_path_is_taken() -> None:
    async with open_house() as house, house.call(path="/wss/v2/realtime-chat/") as client:
        await opened(client)


@pytest.mark.parametrize(
    ("kind", "types", "code", "reason"),
    [
        (RefusalKind.INVALID_LICENSE, ["conversation.connected.fail"], 1008, None),
        (RefusalKind.UNKNOWN_AVATAR, ["conversation.connected.fail"], 1008, None),
        (RefusalKind.BAD_REQUEST, ["conversation.connected.fail"], 1008, None),
        (RefusalKind.LICENSE_LIMIT, ["conversation.connected.connection_limit_exceeded"], 1008, None),
        (
            RefusalKind.NO_CREDIT,
            ["conversation.connected.insufficient_balance", "realtime.session.insufficient_balance"],
            1008,
            "Insufficient points",
        ),
        (RefusalKind.NO_SLOT, ["conversation.connected.gpu_full", "realtime.session.gpu_full"], 1013, None),
        (RefusalKind.BACKEND_ERROR, ["conversation.connected.backend_error"], 1011, None),
        (RefusalKind.SHUTTING_DOWN, ["conversation.connected.fail"], 1013, None),
        (RefusalKind.ORIGIN_NOT_ALLOWED, ["conversation.connected.fail"], 1008, None),
        (RefusalKind.RATE_LIMITED, ["conversation.connected.fail"], 1013, None),
        (RefusalKind.NO_SESSION_TO_RESUME, ["conversation.connected.fail"], 1008, None),
    ],
)
async def test_a_refusal_is_told_before_the_close(
    kind: RefusalKind, types: list[str], code: int, reason: str | None
) -> None:
    async with open_house() as house:
        house.reception.refusal = Refusal(kind, "Not now.")
        async with house.call() as client:
            messages, closed, why = await heard_until_closed(client)
        assert [message["type"] for message in messages] == types
        assert all(message["message"] == message["data"]["message"] == "Not now." for message in messages)
        assert closed == code
        assert why == (reason or kind.value)


async def test_an_admission_that_breaks_or_hangs_is_a_backend_error() -> None:
    async with open_house(NavtalkSettings(admit_timeout=0.2)) as house:
        house.reception.refusal = RuntimeError("no such table: licenses")
        async with house.call() as client:
            messages, code, _ = await heard_until_closed(client)
        assert [message["type"] for message in messages] == ["conversation.connected.backend_error"]
        assert "table" not in json.dumps(messages)
        assert code == 1011
        house.reception.delay = 60
        async with house.call() as client:
            messages, code, _ = await heard_until_closed(client)
        assert [message["type"] for message in messages] == ["conversation.connected.backend_error"]


@pytest.mark.parametrize(
    ("origin", "admitted"), [("https://good.example", True), ("https://evil.example", False), (None, True)]
)
async def test_only_pages_of_allowed_origins_may_call(origin: str | None, admitted: bool) -> None:
    async with open_house(NavtalkSettings(allowed_origins=("https://good.example",))) as house:
        async with house.call(origin=origin) as client:
            if admitted:
                await opened(client)
            else:
                messages, code, reason = await heard_until_closed(client)
                assert [message["type"] for message in messages] == ["conversation.connected.fail"]
                assert (code, reason) == (1008, "origin_not_allowed")
        assert len(house.reception.requests) == admitted


@pytest.mark.parametrize(
    ("ending", "kinds", "code"),
    [
        (Ending.NORMAL, ["conversation.connected.close"], 1000),
        (Ending.SESSION_TIMEOUT, ["conversation.connected.close"], 1000),
        (Ending.CONVERSATION_ENDED, ["conversation.connected.close"], 1000),
        (Ending.REPLACED, ["conversation.connected.close"], 1000),
        (Ending.NO_SLOT, ["conversation.connected.gpu_full", "realtime.session.gpu_full"], 1013),
        (Ending.MEDIA_FAILED, ["conversation.connected.fail"], 1011),
        (Ending.CONTROL_FAILED, ["conversation.connected.backend_error"], 1011),
        (Ending.CONTROL_DISCONNECTED, ["conversation.connected.backend_error"], 1011),
        (Ending.BACKEND_ERROR, ["conversation.connected.backend_error"], 1011),
    ],
)
async def test_an_ending_is_told_after_all_else_and_the_socket_closed(
    ending: Ending, kinds: list[str], code: int
) -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        call = house.reception.calls[0]
        call.tell(AnswerDone("r1", "Goodbye."), AnswerAudioDone("r1"), Ended(ending, "It is over."))
        messages, closed, reason = await heard_until_closed(client)
        assert [message["type"] for message in messages] == [
            "realtime.response.audio_transcript.done",
            "realtime.response.audio.done",
            *kinds,
        ]
        assert messages[-1]["message"] == messages[-1]["data"]["message"] == "It is over."
        assert (closed, reason) == (code, ending.value)
        async with asyncio.timeout(5):
            await call.left.wait()


@pytest.mark.parametrize(
    ("code", "lost", "cause"),
    [
        (1000, False, "left"),
        (1005, False, "left"),
        (1001, True, "left"),
        (1006, True, "lost"),
        (1011, True, "lost"),
        (4000, True, "lost"),
    ],
)
@pytest.mark.parametrize("waiting", [False, True])
async def test_a_client_that_goes_is_left_at_once_and_the_call_told_how(
    code: int, lost: bool, cause: str, waiting: bool
) -> None:
    async with open_house() as house:
        house.reception.queue = waiting
        client = await house.call()
        if waiting:
            assert (await heard(client))["type"] == "conversation.connected.success"
        else:
            await opened(client)
        if code == 1006:
            client.transport.abort()
        elif code == 1005:
            # A close frame without a code, as a browser's close() sends it.
            client.transport.write(b"\x88\x80\0\0\0\0")
        else:
            await client.close(code)
        call = house.reception.calls[0]
        async with asyncio.timeout(5):
            await call.left.wait()
        assert (call.leaves, call.lost) == (1, lost)
        await until(lambda: house.count("closed_total", cause=cause) == 1)
        client.transport.abort()


async def test_a_client_that_hangs_up_before_all_it_said_is_read_has_hung_up() -> None:
    class Busy(ScriptedCall):
        async def handle(self, command: Command) -> None:
            await asyncio.sleep(0.3)

    async with open_house() as house:
        house.reception.calls_made = Busy
        client = await house.call()
        await opened(client)
        call = house.reception.calls[0]
        # In one packet, so that telling finds the connection closed while the command is still carried out.
        said = b'{"type":"response.cancel"}'
        client.transport.write(
            b"\x81" + bytes([0x80 | len(said)]) + bytes(4) + said + b"\x88\x82" + bytes(4) + b"\x03\xe8"
        )
        while not call.left.is_set():
            call.tell(AnswerDelta("r1", "and "))
            await asyncio.sleep(0.01)
        assert call.lost is False
        client.transport.abort()


async def test_a_session_whose_events_end_with_their_reader_learns_first_how_it_was_left() -> None:
    class Session(ScriptedCall):
        async def events(self) -> AsyncIterator[SessionEvent]:
            try:
                async for event in super().events():
                    yield event
            finally:
                if not self.left.is_set():
                    await self.leave()

    async with open_house() as house:
        house.reception.calls_made = Session
        client = await house.call()
        await opened(client)
        client.transport.abort()
        call = house.reception.calls[0]
        async with asyncio.timeout(5):
            await call.left.wait()
        assert call.lost is True


async def test_commands_reach_a_session_that_waits() -> None:
    async with open_house() as house:
        house.reception.queue = True
        async with house.call() as client:
            assert (await heard(client))["type"] == "conversation.connected.success"
            await say(client, "realtime.input_config", {"content": json.dumps({"prompt": "Be brief."})})
            await say(client, "realtime.session.variables", {"variables": {"name": "Ann"}})
            call = house.reception.calls[0]
            assert await call.wait_for(2) == [Configure(prompt="Be brief."), SetVariables({"name": "Ann"})]
            call.open()
            assert (await heard(client))["type"] == "webrtc.signaling.offer"


async def test_what_a_client_says_reaches_the_session_in_order() -> None:
    async with open_house() as house, house.call() as client:
        # In onopen, before anything was heard.
        await say(client, "realtime.input_config", {"content": json.dumps({"voice": "sage", "prompt": "Be brief."})})
        await opened(client)
        call = house.reception.calls[0]
        assert await call.wait_for(1) == [Configure("sage", "Be brief.")]
        await say(client, "webrtc.signaling.answer", {"sdp": {"type": "answer", "sdp": "v=0\r\n"}})
        candidate = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0", "sdpMLineIndex": 0}
        await say(client, "webrtc.signaling.iceCandidate", {"candidate": candidate})
        await call.wait_for(3)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]}
        await say(client, "conversation.item.create", item=item)
        await say(client, "response.create")
        await call.wait_for(5)
        pcm = bytes(range(256)) * 12
        await say(client, "realtime.input_audio_buffer.append", {"audio": base64.b64encode(pcm).decode()})
        assert (await call.wait_for(6))[1:] == [
            AcceptAnswer("v=0\r\n"),
            AddCandidate(candidate["candidate"], "0", 0),
            AddMessage("Hello."),
            Respond(),
            AppendAudio(pcm),
        ]


async def test_what_the_session_tells_reaches_the_client_in_order() -> None:
    async with open_house() as house, house.call() as client:
        await opened(client)
        call = house.reception.calls[0]
        call.tell(SpeechStarted(), UserTranscript("i1", ""))
        call.tell(*(AnswerDelta("r1", f"{number} ") for number in range(50)))
        heard_types = [(await heard(client))["type"] for _ in range(2)]
        assert heard_types[1] == "realtime.conversation.item.input_audio_transcription.completed"
        deltas = [await heard(client) for _ in range(50)]
        assert [delta["data"]["delta"] for delta in deltas] == [f"{number} " for number in range(50)]


async def test_no_license_in_any_log(caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]) -> None:
    redact_logs()
    caplog.set_level("DEBUG")
    async with open_house(access_log=True) as house:
        async with house.call() as client:
            await opened(client)
        async with house.call(f"l%69cense={LICENSE}&name=mira") as client:
            await opened(client)
        house.reception.refusal = Refusal(RefusalKind.NO_SLOT, "Full.")
        async with house.call() as client:
            await heard_until_closed(client)
        house.reception.refusal = RuntimeError("broken")
        async with house.call() as client:
            await heard_until_closed(client)
    # The client in this process logs its own request.
    logged = "\n".join(record.getMessage() for record in caplog.records if record.name != "websockets.client")
    printed = "".join(capsys.readouterr())
    assert "realtime-chat" in logged
    assert "admission failed" in printed
    assert LICENSE not in logged + printed


async def test_the_server_goes_away() -> None:
    async with open_house() as house:
        client = await house.call()
        await opened(client)
        call = house.reception.calls[0]
    assert call.left.is_set()
    with pytest.raises(websockets.ConnectionClosed):
        await heard(client)


async def test_calls_leave_nothing_behind() -> None:
    async with open_house() as house:
        for number in range(20):
            async with house.call() as client:
                await opened(client)
                if number % 2:
                    house.reception.calls[-1].tell(Ended(Ending.NORMAL, "Bye."))
                    await heard_until_closed(client)
        await until(lambda: house.open_sockets() == 0)
        assert all(call.leaves == 1 for call in house.reception.calls)
        assert not {name for name in (task.get_name() for task in asyncio.all_tasks()) if name.startswith("wire-")}
        await until(lambda: house.count("connections") == 0)
        assert house.count("closed_total", cause="normal") == 10
        assert house.count("closed_total", cause="left") == 10
