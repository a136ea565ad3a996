"""What a client that asks for states is told, and that no other client is told any of it."""

import json
from typing import Any

import pytest

from tests.wire.house import LICENSE, heard_until_closed, open_house, until
from visavis.conversation.events import AnswerDone
from visavis.conversation.snapshot import Snapshot
from visavis.language.ports import ChatMessage, ToolCall
from visavis.session.events import (
    Created,
    Ended,
    Ending,
    Expiring,
    Offered,
    Ready,
    Refusal,
    RefusalKind,
    Restored,
    SessionEvent,
    SessionState,
    StateChanged,
)
from visavis.wire.navtalk.encode import Encoder
from visavis.wire.navtalk.progress import MAX_RESUMED

PLAIN = f"license={LICENSE}&name=mira"
ASKING = PLAIN + "&states=1"

SNAPSHOT = Snapshot(
    items=(
        ChatMessage("user", "What is the weather?"),
        ChatMessage("assistant", "", tool_calls=(ToolCall("c1", "weather", "{}"),)),
        ChatMessage("tool", "rain", call_id="c1"),
        ChatMessage("assistant", "It rains."),
    ),
    variables={"name": "Ann", "visits": 2, "ratio": 0.5, "member": True},
    prompt="Be brief.",
)
WHOLE_CALL: tuple[SessionEvent, ...] = (
    StateChanged(SessionState.QUEUED, 2),
    StateChanged(SessionState.QUEUED, 1),
    StateChanged(SessionState.PREPARING),
    Offered("v=0"),
    StateChanged(SessionState.CONNECTING),
    Restored(SNAPSHOT),
    Created("session-1"),
    Ready(),
    StateChanged(SessionState.CONNECTED),
    AnswerDone("r1", "Good day."),
    Expiring(Ending.SESSION_TIMEOUT, 30.0, "Are you still there?"),
    StateChanged(SessionState.ENDED),
    Ended(Ending.SESSION_TIMEOUT, "The conversation has timed out."),
)

ICE_SERVERS = [
    {"urls": ["stun:stun.example.org:3478"]},
    {"urls": ["turn:turn.example.org:3478"], "username": "user", "credential": "word"},
]
OFFER = {"type": "webrtc.signaling.offer", "data": {"sdp": {"type": "offer", "sdp": "v=0"}}}
CREATED = {"type": "realtime.session.created", "data": {"sessionId": "session-1"}}
UPDATED = {"type": "realtime.session.updated", "data": {}}
DONE = {
    "type": "realtime.response.audio_transcript.done",
    "data": {"content": "Good day.", "transcript": "Good day.", "id": "r1", "response_id": "r1"},
}
OVER = "The conversation has timed out."


def state(name: str, step: str, number: int, percentage: int, **more: int) -> dict[str, Any]:
    data = {"state": name, "name": step, "currentStep": number, "totalSteps": 5, "percentageLoaded": percentage, **more}
    return {"type": "conversation.connected.state", "data": data}


async def whole_call(query: str, *, resumed: bool) -> tuple[list[dict[str, Any]], int, str]:
    async with open_house() as house:
        house.reception.queue = True
        house.reception.resume_key, house.reception.resumed = "key-1", resumed
        async with house.call(query) as client:
            await until(lambda: bool(house.reception.calls))
            house.reception.calls[0].tell(*WHOLE_CALL)
            return await heard_until_closed(client)


@pytest.mark.parametrize("query", [PLAIN, PLAIN + "&states=0", PLAIN + "&states=", PLAIN + "&resume=key-1"])
async def test_clients_that_do_not_ask_hear_the_documented_messages_alone(query: str) -> None:
    messages, code, reason = await whole_call(query, resumed=True)
    assert messages == [
        {
            "type": "conversation.connected.success",
            "data": {"sessionId": "session-1", "iceServers": ICE_SERVERS},
        },
        OFFER,
        CREATED,
        UPDATED,
        DONE,
        {"type": "conversation.connected.close", "message": OVER, "data": {"message": OVER}},
    ]
    assert (code, reason) == (1000, "session_timeout")


async def test_clients_that_ask_are_told_how_far_their_session_is() -> None:
    messages, code, reason = await whole_call(ASKING, resumed=True)
    assert messages == [
        {
            "type": "conversation.connected.success",
            "data": {
                "sessionId": "session-1",
                "iceServers": ICE_SERVERS,
                "resumeToken": "key-1",
                "persistent": False,
                "resumed": True,
            },
        },
        state("queued", "SearchingForDigitalPerson", 1, 25, queuePosition=2),
        state("queued", "SearchingForDigitalPerson", 1, 25, queuePosition=1),
        state("preparing", "DownloadingAssets", 2, 50),
        OFFER,
        state("connecting", "ConnectingToDigitalPerson", 3, 75),
        {
            "type": "conversation.connected.resumed",
            "data": {
                "items": [
                    {"role": "user", "content": "What is the weather?"},
                    {"role": "assistant", "content": "It rains."},
                ],
                "variables": {"name": "Ann", "visits": 2, "ratio": 0.5, "member": True},
            },
        },
        CREATED,
        UPDATED,
        state("connected", "Connected", 4, 100),
        DONE,
        {
            "type": "conversation.connected.expiring",
            "message": "Are you still there?",
            "data": {
                "reason": "sessionTimeout",
                "seconds": 30,
                "preventable": True,
                "message": "Are you still there?",
            },
        },
        {
            "type": "conversation.connected.close",
            "message": OVER,
            "data": {"message": OVER, "code": "session_timeout"},
        },
    ]
    assert (code, reason) == (1000, "session_timeout")


async def test_a_session_that_is_not_kept_has_no_token_to_come_back_with() -> None:
    async with open_house() as house, house.call(ASKING) as client:
        await until(lambda: bool(house.reception.calls))
        house.reception.calls[0].tell(Ended(Ending.NORMAL, "Bye."))
        messages, _, _ = await heard_until_closed(client)
        assert messages[0]["data"] == {"sessionId": "session-1", "iceServers": ICE_SERVERS, "resumed": False}


@pytest.mark.parametrize("kind", RefusalKind)
@pytest.mark.parametrize("query", [PLAIN, ASKING])
async def test_a_refusals_kind_is_told_to_who_asks(kind: RefusalKind, query: str) -> None:
    async with open_house() as house:
        house.reception.refusal = Refusal(kind, "Not now.")
        async with house.call(query) as client:
            messages, _, _ = await heard_until_closed(client)
    told = {"message": "Not now.", "code": kind.value} if query == ASKING else {"message": "Not now."}
    assert messages
    assert [message["data"] for message in messages] == [told] * len(messages)


def told(event: SessionEvent) -> dict[str, Any]:
    [message] = Encoder(states=True).encode(event)
    return json.loads(message.json_text())["data"]


def test_a_place_in_the_queue_is_told_only_while_there_is_one() -> None:
    assert "queuePosition" not in told(StateChanged(SessionState.QUEUED))
    assert "queuePosition" not in told(StateChanged(SessionState.QUEUED, 0))
    assert "queuePosition" not in told(StateChanged(SessionState.PREPARING, 3))


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        (Ending.NORMAL, "normal"),
        (Ending.SESSION_TIMEOUT, "sessionTimeout"),
        (Ending.NO_SLOT, "normal"),
        (Ending.MEDIA_FAILED, "normal"),
        (Ending.CONVERSATION_ENDED, "conversationEnded"),
        (Ending.CONTROL_FAILED, "controlDisconnected"),
        (Ending.CONTROL_DISCONNECTED, "controlDisconnected"),
        (Ending.REPLACED, "normal"),
        (Ending.BACKEND_ERROR, "controlDisconnected"),
    ],
)
def test_an_end_to_come_has_one_of_the_four_reasons(ending: Ending, reason: str) -> None:
    assert told(Expiring(ending, 12.5, "Soon.")) == {
        "reason": reason,
        "seconds": 12.5,
        "preventable": True,
        "message": "Soon.",
    }
    assert told(Expiring(ending, 1, "Soon.", preventable=False))["preventable"] is False


def test_of_a_long_conversation_the_latest_items_that_fit_are_told() -> None:
    size = MAX_RESUMED // 4
    items = tuple(ChatMessage("user" if number % 2 else "assistant", str(number) * size) for number in range(8))
    data = told(Restored(Snapshot(items)))
    assert [item["content"][0] for item in data["items"]] == ["4", "5", "6", "7"]
    whole = told(Restored(Snapshot((*items[:4], ChatMessage("user", "x" * MAX_RESUMED)))))
    assert [len(item["content"]) for item in whole["items"]] == [MAX_RESUMED]


def test_text_that_no_encoding_can_carry_is_mended() -> None:
    data = told(Restored(Snapshot((ChatMessage("user", "a\ud800b"),), {"v": "\udfff"})))
    assert data == {"items": [{"role": "user", "content": "a\ufffdb"}], "variables": {"v": "\ufffd"}}
    assert told(Expiring(Ending.NORMAL, 1, "a\ud800b"))["message"] == "a\ufffdb"
