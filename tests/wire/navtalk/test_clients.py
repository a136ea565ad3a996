"""Protocol-level doubles of the known clients: each reads and sends as that client's source does, and is as strict."""

import base64
import json
from typing import Any

import httpx

from tests.wire.house import LICENSE, Entry, House, heard, heard_until_closed, open_house, opened, say
from visavis.conversation.events import (
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    SpeechStarted,
    SpeechStopped,
    ToolRequested,
    UserTranscript,
)
from visavis.language.ports import Tool
from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    AddMessage,
    AppendAudio,
    ClearAudio,
    Command,
    CommitAudio,
    Configure,
    Respond,
    ToolResult,
)
from visavis.session.events import Answered, Ended, Ending, Refusal, RefusalKind
from visavis.wire.navtalk.settings import NavtalkSettings

ENTRIES = (Entry("mira", "Mira"),)
TOOL = ToolRequested("resp_1", "item_1", "call_1", "weather", '{"place":"Rome"}')
TURN = (
    SpeechStarted(),
    SpeechStopped(),
    UserTranscript("item_1", "Hello."),
    AnswerDelta("resp_1", "Good "),
    AnswerDelta("resp_1", "day."),
    AnswerDone("resp_1", "Good day."),
    AnswerAudioDone("resp_1"),
)
CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMLineIndex": 0, "sdpMid": "0"}


async def look_up(house: House, path: str, by_header: bool) -> dict[str, Any]:
    headers = {"license": LICENSE} if by_header else {}
    separator = "" if by_header else f"&license={LICENSE}"
    async with httpx.AsyncClient(base_url=house.http, trust_env=False) as client:
        answer = await client.get(f"/api/open/v1/avatar/{path}{separator}", headers=headers)
    body = answer.json()
    assert body["code"] == 200
    return body["data"]


async def hear_turn(client: Any) -> list[dict[str, Any]]:
    return [await heard(client) for _ in range(len(TURN))]


async def commands(house: House, count: int) -> list[Command]:
    return await house.reception.calls[-1].wait_for(count)


async def test_javascript_sdk() -> None:
    async with open_house(entries=ENTRIES) as house:
        found = await look_up(house, "detail?avatarId=mira", by_header=False)
        assert found["thumbnailUrl"]
        assert found["providerName"]
        async with house.call(f"license={LICENSE}&avatarId=mira") as client:
            definition = {
                "type": "function",
                "name": "weather",
                "description": "",
                "parameters": {"type": "object", "properties": [], "required": []},
            }
            await say(client, "realtime.input_function_call", {"content": json.dumps([definition])})
            updates = 0
            for _ in range(4):
                message = await heard(client)
                match message["type"]:
                    case "realtime.session.created":
                        item = {
                            "type": "message",
                            "role": "user",
                            "content": [{"type": "input_text", "text": "Before."}],
                        }
                        await say(client, "conversation.item.create", item=item)
                    case "realtime.session.updated":
                        updates += 1
                    case "webrtc.signaling.offer":
                        assert message["data"]["sdp"]["type"] == "offer"
                        await say(client, "webrtc.signaling.answer", {"sdp": {"type": "answer", "sdp": "v=0"}})
                        await say(client, "webrtc.signaling.iceCandidate", {"candidate": CANDIDATE})
            assert updates == 1
            # The microphone: 8192 samples at a time, in pieces of 4096 base64 characters, each a message of its own.
            pcm = bytes(range(256)) * 64
            encoded = base64.b64encode(pcm).decode()
            for start in range(0, len(encoded), 4096):
                await say(client, "realtime.input_audio_buffer.append", {"audio": encoded[start : start + 4096]})
            got = await commands(house, 10)
            assert (
                Configure(
                    tools=(Tool("weather", "", {**definition["parameters"], "properties": {}}),), extend_tools=True
                )
                in got
            )
            assert AddMessage("Before.") in got
            assert AcceptAnswer("v=0") in got
            assert AddCandidate(CANDIDATE["candidate"], "0", 0) in got
            assert b"".join(command.pcm for command in got if isinstance(command, AppendAudio)) == pcm
            house.reception.calls[0].tell(TOOL)
            assert (await heard(client))["type"].endswith("arguments.delta")
            detail = await heard(client)
            assert detail["raw_data"]["name"] == "weather"
            assert detail["data"]["arguments"] == {"place": "Rome"}
            house.reception.calls[0].tell(Ended(Ending.BACKEND_ERROR, "Broken."))
            # Only the close resets its page.
            _, code, _ = await heard_until_closed(client)
            assert code == 1011


async def test_ios_sdk() -> None:
    async with open_house(entries=ENTRIES) as house:
        found = await look_up(house, "getByName?name=Mira", by_header=True)
        assert found["url"].startswith("http://")
        assert found["providerName"] == "openai"
        async with house.call(f"license={LICENSE}&name=Mira") as client:
            first = await heard(client)
            # An offer before the success is dropped, and so is every offer without a session.
            assert first["type"] == "conversation.connected.success"
            assert isinstance(first["data"]["sessionId"], str)
            for server in first["data"]["iceServers"]:
                assert isinstance(server["urls"], list)
                assert all(isinstance(url, str) for url in server["urls"])
            offer = await heard(client)
            assert isinstance(offer["data"]["sdp"]["sdp"], str)
            await heard(client)
            await heard(client)
            call = house.reception.calls[0]
            call.tell(*TURN, TOOL)
            turn = await hear_turn(client)
            assert [turn[2]["data"]["content"], turn[5]["data"]["content"]] == ["Hello.", "Good day."]
            await heard(client)
            data = (await heard(client))["data"]
            assert data["name"] == "weather"
            assert isinstance(data["arguments"], dict)
            await say(client, "webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": "v=1"}})
            assert await commands(house, 1) == [AcceptOffer("v=1")]
            call.tell(Answered("v=2"))
            assert (await heard(client))["sdp"] == {"type": "answer", "sdp": "v=2"}


async def test_android_sdk() -> None:
    async with open_house(entries=ENTRIES) as house:
        found = await look_up(house, "detail?avatarId=mira", by_header=True)
        assert isinstance(found["thumbnailUrl"], str)
        async with house.call(f"license={LICENSE}&avatarId=mira&name=Mira+Lane") as client:
            await opened(client)
            assert house.reception.requests[0].name == "Mira Lane"
            history = "[{type=input_text, text=Hello, it's me.}, {type=input_text, text=Are you {there}?}]"
            item = {"type": "message", "role": "user", "content": history}
            await say(client, "conversation.item.create", item=item)
            await say(client, "webrtc.signaling.answer", {"sdp": {"type": "answer", "sdp": "v=0"}})
            await say(client, "realtime.input_audio_buffer.append", {"audio": "AQA=", "sequenceNumber": 1})
            got = await commands(house, 4)
            assert set(map(repr, got)) == {
                repr(AddMessage("Hello, it's me.")),
                repr(AddMessage("Are you {there}?")),
                repr(AcceptAnswer("v=0")),
                repr(AppendAudio(b"\1\0")),
            }
            house.reception.calls[0].tell(*TURN, TOOL)
            await hear_turn(client)
            await heard(client)
            assert (await heard(client))["data"]["function_name"] == "weather"


async def test_flutter_sample() -> None:
    async with open_house(entries=ENTRIES) as house:
        found = await look_up(house, "getByName?name=Mira", by_header=True)
        assert isinstance(found["thumbnailUrl"], str)
        assert isinstance(found["providerName"], str)
        async with house.call() as client:
            messages = [await heard(client) for _ in range(4)]
            call = house.reception.calls[0]
            call.tell(*TURN, TOOL, Ended(Ending.NORMAL, "Bye."))
            rest, _, _ = await heard_until_closed(client)
            messages += rest
            # Every single message is cast so.
            assert all(isinstance(message["data"], dict) for message in messages)
            assert messages[0]["data"]["iceServers"]


async def test_clinic_app() -> None:
    async with open_house() as house, house.call() as client:
        settings = {"voice": "cedar", "prompt": "You work in a clinic."}
        await say(client, "realtime.input_config", {"content": json.dumps(settings)})
        await opened(client)
        await say(client, "response.create")
        assert await commands(house, 2) == [Configure("cedar", "You work in a clinic."), Respond()]
        call = house.reception.calls[0]
        call.tell(*TURN, TOOL)
        turn = await hear_turn(client)
        summed: dict[str, str] = {}
        for message in turn:
            if message["type"].endswith("audio_transcript.delta"):
                data = message["data"]
                summed[data["response_id"]] = summed.get(data["response_id"], "") + data["delta"]
        assert summed == {"resp_1": "Good day."}
        assert turn[5]["data"]["transcript"] == "Good day."
        await heard(client)
        await heard(client)
        result = {"type": "function_call_output", "call_id": "call_1", "output": '{"error":"unknown tool"}'}
        await say(client, "conversation.item.create", item=result)
        await say(client, "response.create")
        assert (await commands(house, 4))[2:] == [ToolResult("call_1", '{"error":"unknown tool"}'), Respond()]


async def test_clinic_app_refused_for_credit() -> None:
    async with open_house() as house:
        house.reception.refusal = Refusal(RefusalKind.NO_CREDIT, "No points are left.")
        async with house.call() as client:
            messages, _, reason = await heard_until_closed(client)
            assert messages[0]["data"]["message"] == "No points are left."
            assert reason == "Insufficient points"


async def test_recruitment_app() -> None:
    async with open_house(NavtalkSettings(tool_arguments="string")) as house:
        async with house.call() as client:
            tools = [{"type": "function", "name": "end_conversation", "description": "", "parameters": {}}]
            await say(client, "realtime.input_config", {"content": json.dumps({"prompt": "Ask.", "tools": tools})})
            await opened(client)
            await say(client, "response.create")
            assert await commands(house, 2) == [Configure(None, "Ask.", (Tool("end_conversation"),)), Respond()]
            call = house.reception.calls[0]
            call.tell(ToolRequested("resp_1", "item_1", "call_1", "end_conversation", '{"reason":"done"}'))
            await heard(client)
            payload = (await heard(client))["data"]
            assert payload["function_name"] == "end_conversation"
            assert json.loads(payload["arguments"]) == {"reason": "done"}
        house.reception.refusal = Refusal(RefusalKind.NO_SLOT, "All rooms are taken.")
        async with house.call() as client:
            messages, _, _ = await heard_until_closed(client)
            # It knows only the older name.
            known = [message for message in messages if message["type"] == "realtime.session.gpu_full"]
            assert [message["message"] for message in known] == ["All rooms are taken."]


async def test_hotel_and_tutor_apps() -> None:
    async with open_house() as house, house.call(f"license={LICENSE}&name=Mira&model=gpt-realtime") as client:
        await opened(client)
        assert house.reception.requests[0].model == "gpt-realtime"
        session = {
            "instructions": "You stand at the desk.",
            "voice": "marin",
            "temperature": 0.9,
            "turn_detection": {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 600},
            "tools": [{"type": "function", "name": "end_conversation", "description": "Ends it.", "parameters": {}}],
        }
        await say(client, "session.update", session=session)
        typed = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "A room, please."}]}
        await say(client, "conversation.item.create", item=typed)
        await say(client, "response.create")
        assert await commands(house, 3) == [
            Configure("marin", "You stand at the desk.", (Tool("end_conversation", "Ends it."),)),
            AddMessage("A room, please."),
            Respond(),
        ]
        call = house.reception.calls[0]
        call.tell(*TURN, TOOL)
        turn = await hear_turn(client)
        # A transcript is taken only after the turn's beginning; nothing of the sound itself is sent.
        kinds = [message["type"] for message in turn]
        assert kinds.index("realtime.input_audio_buffer.speech_started") < 2
        assert "realtime.response.audio.delta" not in kinds
        assert kinds[-1] == "realtime.response.audio.done"
        summed = ""
        message = await heard(client)
        while message["type"].endswith("arguments.delta"):
            assert message["data"]["call_id"] == "call_1"
            summed += message["data"]["delta"]
            message = await heard(client)
        assert message["data"]["name"] == "weather"
        assert json.loads(summed) == {"place": "Rome"}


async def test_wordpress_plugin() -> None:
    async with open_house(entries=ENTRIES) as house:
        async with httpx.AsyncClient(base_url=house.http, trust_env=False) as http:
            body = (await http.get("/api/open/v1/avatar/list", headers={"license": LICENSE})).json()
        listed = [avatar for avatar in body["data"] if avatar["status"] == "SUCCESS" and not avatar["videoFile"]]
        assert [avatar["avatarId"] for avatar in listed] == ["mira"]
        async with house.call(f"license={LICENSE}&avatarId=mira") as client:
            await opened(client)
            house.reception.calls[0].tell(SpeechStarted(), SpeechStopped(), UserTranscript("item_1", ""))
            messages = [await heard(client) for _ in range(3)]
            # An empty transcript takes its "typing" bubble away.
            assert messages[-1]["data"]["content"] == ""


async def test_avatar_core_in_transparency_mode() -> None:
    query = f"license={LICENSE}&character=Mira&model=transparency"
    async with open_house() as house, house.call(query) as client:
        await opened(client)
        request = house.reception.requests[0]
        assert (request.name, request.model) == ("Mira", "transparency")
        # A minute of synthesized speech at once, then the silence that it adds, in the bare form.
        await say(client, "input_audio_buffer.clear")
        for _ in range(60):
            await say(client, "input_audio_buffer.append", audio=base64.b64encode(bytes(48_000)).decode())
        await say(client, "input_audio_buffer.append", audio=base64.b64encode(bytes(16_800)).decode())
        await say(client, "input_audio_buffer.commit")
        got = await commands(house, 63)
        assert [type(command) for command in got] == [ClearAudio, *[AppendAudio] * 61, CommitAudio]
