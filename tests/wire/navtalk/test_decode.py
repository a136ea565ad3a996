"""Every form of every client message, and what becomes of it."""

import base64
import json
import random
from typing import Any

import cv2
import numpy as np
import pytest

from visavis.language.ports import Tool
from visavis.session.commands import (
    AcceptAnswer,
    AcceptOffer,
    AddCandidate,
    AddMessage,
    AppendAudio,
    ClearAudio,
    CommitAudio,
    Configure,
    Interrupt,
    KeepAlive,
    Respond,
    SendImage,
    SendText,
    SetVariables,
    ToolResult,
)
from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.base64_text import decode_base64
from visavis.wire.navtalk.decode import UNKNOWN, ImageDraft, MessageDraft, decode, finish

SCHEMA = {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]}
FLAT = {"type": "function", "name": "weather", "description": "Tells the weather.", "parameters": SCHEMA}
WEATHER = Tool("weather", "Tells the weather.", SCHEMA)
CANDIDATE = "candidate:1 1 udp 2130706431 192.0.2.7 50000 typ host"


def commands(message: Any) -> tuple[Any, ...]:
    decoded = decode(message if isinstance(message, str) else json.dumps(message))
    assert decoded.flaws == ()
    return decoded.commands


def picture(width: int = 8, height: int = 6, suffix: str = ".jpg") -> bytes:
    done, data = cv2.imencode(suffix, np.full((height, width, 3), (30, 120, 200), np.uint8))
    assert done
    return data.tobytes()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # a: JSON text in content, or an object, or the fields themselves
        (
            {
                "type": "realtime.input_config",
                "data": {"content": json.dumps({"voice": "sage", "prompt": "P", "tools": [FLAT]})},
            },
            (Configure("sage", "P", (WEATHER,)),),
        ),
        ({"type": "realtime.input_config", "data": {"content": {"prompt": "P"}}}, (Configure(prompt="P"),)),
        (
            {
                "type": "realtime.input_config",
                "data": {"instructions": "P", "tools": [], "baseUrl": "http://x", "apiKey": "k", "model": "m"},
            },
            (Configure(prompt="P"),),
        ),
        ({"type": "input_config", "voice": "sage"}, (Configure("sage"),)),
        ({"type": "realtime.input_config", "data": {"content": "{}"}}, ()),
        ({"type": "realtime.input_config", "data": {"content": json.dumps({"voice": "", "prompt": None})}}, ()),
        # b: JSON text of a list, a list, nested definitions, an empty list for "no properties"
        (
            {"type": "realtime.input_function_call", "data": {"content": json.dumps([FLAT])}},
            (Configure(tools=(WEATHER,), extend_tools=True),),
        ),
        (
            {"type": "realtime.input_function_call", "data": {"content": [{"type": "function", "function": FLAT}]}},
            (Configure(tools=(WEATHER,), extend_tools=True),),
        ),
        (
            {
                "type": "realtime.input_function_call",
                "data": {
                    "content": json.dumps(
                        [{"name": "leave", "parameters": {"type": "object", "properties": [], "required": []}}]
                    )
                },
            },
            (
                Configure(
                    tools=(Tool("leave", "", {"type": "object", "properties": {}, "required": []}),), extend_tools=True
                ),
            ),
        ),
        (
            {"type": "input_function_call", "tools": [{"name": "leave", "parameters": []}, {"name": "stay"}]},
            (Configure(tools=(Tool("leave"), Tool("stay")), extend_tools=True),),
        ),
        ({"type": "realtime.input_function_call", "data": {"content": ""}}, ()),
        # c
        (
            {"type": "realtime.input_audio_buffer.append", "data": {"audio": "AQACAA==", "sequenceNumber": 7}},
            (AppendAudio(b"\1\0\2\0"),),
        ),
        ({"type": "input_audio_buffer.append", "audio": "AQACAA=="}, (AppendAudio(b"\1\0\2\0"),)),
        ({"type": "input_audio_buffer.append", "audio": "AQACAA"}, (AppendAudio(b"\1\0\2\0"),)),
        ({"type": "input_audio_buffer.append", "audio": "-_8A\r\n_w=="}, (AppendAudio(b"\xfb\xff\0\xff"),)),
        ({"type": "input_audio_buffer.append", "audio": ""}, ()),
        # d
        ({"type": "realtime.input_audio_buffer.commit", "data": {}}, (CommitAudio(),)),
        ({"type": "input_audio_buffer.commit"}, (CommitAudio(),)),
        ({"type": "realtime.input_audio_buffer.clear"}, (ClearAudio(),)),
        ({"type": "input_audio_buffer.clear", "data": None}, (ClearAudio(),)),
        # e, f
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello."}]},
            },
            (AddMessage("Hello."),),
        ),
        (
            {"type": "realtime.conversation.item.create", "data": {"item": {"role": "user", "content": "Hello."}}},
            (AddMessage("Hello."),),
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi."}]},
            },
            (AddMessage("Hi.", "assistant"),),
        ),
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "content": [
                        {"type": "input_text", "text": "One."},
                        {"type": "item_reference", "id": "x"},
                        {"type": "input_text", "text": " "},
                        {"type": "input_text", "text": "Two."},
                    ],
                },
            },
            (AddMessage("One."), AddMessage("Two.")),
        ),
        # e′: how org.json writes a list of Kotlin maps
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": "[{type=input_text, text=Hello, you}, {type=input_text, text=a=b {c}}]",
                },
            },
            (AddMessage("Hello, you"), AddMessage("a=b {c}")),
        ),
        (
            {"type": "conversation.item.create", "item": {"content": '[{"type":"input_text","text":"As JSON."}]'}},
            (AddMessage("As JSON."),),
        ),
        (
            {"type": "conversation.item.create", "item": {"content": "[{not really}]"}},
            (AddMessage("[{not really}]"),),
        ),
        # g
        (
            {
                "type": "conversation.item.create",
                "item": {"type": "function_call_output", "call_id": "c1", "output": '{"ok":true}'},
            },
            (ToolResult("c1", '{"ok":true}'),),
        ),
        (
            {
                "type": "conversation.item.create",
                "data": {"item": {"type": "function_call_output", "call_id": "c1", "output": {"grad": 20, "ü": None}}},
            },
            (ToolResult("c1", '{"grad": 20, "ü": null}'),),
        ),
        ({"type": "conversation.item.create", "item": {"type": "item_reference", "id": "x"}}, ()),
        # h
        ({"type": "response.create"}, (Respond(),)),
        ({"type": "realtime.response.create", "data": {"response": {}}}, (Respond(),)),
        # i
        (
            {"type": "realtime.function_call_output", "data": {"call_id": "c1", "content": "20"}},
            (ToolResult("c1", "20", reply=True),),
        ),
        (
            {"type": "function_call_output", "callId": "c1", "result": [1, 2], "reply": 0},
            (ToolResult("c1", "[1, 2]", reply=False),),
        ),
        (
            {"type": "realtime.function_call_output", "data": {"call_id": "c1", "output": None, "reply": "1"}},
            (ToolResult("c1", "", reply=True),),
        ),
        # j
        (
            {"type": "realtime.input_image", "data": {"content": "data:image/jpeg;base64,AAAA", "reply": 0}},
            (ImageDraft("data:image/jpeg;base64,AAAA", reply=False),),
        ),
        ({"type": "input_image", "content": "AAAA", "reply": 1}, (ImageDraft("AAAA", reply=True),)),
        ({"type": "realtime.input_image", "data": {"content": "AAAA"}}, (ImageDraft("AAAA", reply=False),)),
        # j′
        (
            {
                "type": "conversation.item.create",
                "item": {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "Look."},
                        {"type": "input_image", "image_url": "AAAA"},
                        {"type": "image_url", "image_url": {"url": "BBBB"}},
                    ],
                },
            },
            (MessageDraft("Look.", "user", ("AAAA", "BBBB")),),
        ),
        # k
        ({"type": "realtime.input_text", "data": {"content": "Hello."}}, (SendText("Hello.", reply=True),)),
        ({"type": "input_text", "text": "Hello.", "reply": 0}, (SendText("Hello.", reply=False),)),
        ({"type": "input_text", "text": " "}, ()),
        # Also by clients that are not NavTalk's
        ({"type": "realtime.response.cancel"}, (Interrupt(),)),
        ({"type": "response.cancel", "data": {"response_id": "r1"}}, (Interrupt(),)),
        ({"type": "realtime.session.keep_alive"}, (KeepAlive(),)),
        ({"type": "session.keep_alive", "data": {}}, (KeepAlive(),)),
        (
            {
                "type": "realtime.session.variables",
                "data": {
                    "variables": {"name": "Ann", "_x1": 2, "ratio": 0.5, "member": True, "old": None, "empty": ""}
                },
            },
            (SetVariables({"name": "Ann", "_x1": 2, "ratio": 0.5, "member": True, "old": None, "empty": ""}),),
        ),
        ({"type": "session.variables", "variables": {"x" * 64: "é" * 2048}}, (SetVariables({"x" * 64: "é" * 2048}),)),
        ({"type": "session.variables", "variables": {}}, ()),
        # l
        (
            {
                "type": "session.update",
                "session": {
                    "instructions": "P",
                    "voice": "sage",
                    "tools": [FLAT],
                    "turn_detection": {"type": "server_vad", "threshold": 0.5},
                    "temperature": 0.9,
                },
            },
            (Configure("sage", "P", (WEATHER,)),),
        ),
        ({"type": "realtime.session.update", "data": {"session": {"voice": "sage"}}}, (Configure("sage"),)),
        ({"type": "session.update", "data": {"instructions": "P"}}, (Configure(prompt="P"),)),
        # m, o
        (
            {"type": "webrtc.signaling.answer", "data": {"sdp": {"type": "answer", "sdp": "v=0"}}},
            (AcceptAnswer("v=0"),),
        ),
        ({"type": "webrtc.signaling.answer", "data": {"type": "answer", "sdp": "v=0"}}, (AcceptAnswer("v=0"),)),
        ({"type": "webrtc.signaling.answer", "sdp": {"type": "answer", "sdp": "v=0"}}, (AcceptAnswer("v=0"),)),
        ({"type": "webrtc.signaling.offer", "data": {"sdp": {"type": "offer", "sdp": "v=0"}}}, (AcceptOffer("v=0"),)),
        ({"type": "webrtc.signaling.offer", "sdp": "v=0"}, (AcceptOffer("v=0"),)),
        # n
        (
            {
                "type": "webrtc.signaling.iceCandidate",
                "data": {
                    "candidate": {
                        "candidate": CANDIDATE,
                        "sdpMid": "1",
                        "sdpMLineIndex": 1,
                        "usernameFragment": "abcd",
                    }
                },
            },
            (AddCandidate(CANDIDATE, "1", 1),),
        ),
        (
            {
                "type": "webrtc.signaling.iceCandidate",
                "data": {"candidate": CANDIDATE, "sdpMid": None, "sdpMLineIndex": "1"},
            },
            (AddCandidate(CANDIDATE, None, 1),),
        ),
        (
            {"type": "webrtc.signaling.iceCandidate", "candidate": {"candidate": CANDIDATE}},
            (AddCandidate(CANDIDATE, None, 0),),
        ),
        ({"type": "webrtc.signaling.iceCandidate", "data": {"candidate": None}}, ()),
        ({"type": "webrtc.signaling.iceCandidate", "data": {"candidate": {"candidate": "", "sdpMid": "0"}}}, ()),
        ({"type": "webrtc.signaling.iceCandidate", "data": {"candidate": ""}}, ()),
        ({"type": "webrtc.signaling.iceCandidate"}, ()),
    ],
)
def test_every_form_of_a_message_is_understood(message: Any, expected: tuple[Any, ...]) -> None:
    assert commands(message) == expected


@pytest.mark.parametrize("kind", ["response.stop", "ping", "", "realtime.", "REALTIME.INPUT_TEXT", "data"])
def test_unknown_types_are_passed_over(kind: str) -> None:
    decoded = decode(json.dumps({"type": kind, "data": {"content": 5}}))
    assert (decoded.type, decoded.commands, decoded.flaws) == (UNKNOWN, (), ())


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", BadKind.NOT_JSON),
        ("{", BadKind.NOT_JSON),
        ("\ufeff{}", BadKind.NOT_JSON),
        ("{}{}", BadKind.NOT_JSON),
        ("5", BadKind.NOT_OBJECT),
        ("null", BadKind.NOT_OBJECT),
        ('["response.create"]', BadKind.NOT_OBJECT),
        ("{}", BadKind.NO_TYPE),
        ('{"type":7}', BadKind.NO_TYPE),
        ('{"data":{"type":"response.create"}}', BadKind.NO_TYPE),
        ('{"type":"response.create","x":NaN}', BadKind.BAD_NUMBER),
        ('{"type":"response.create","x":-Infinity}', BadKind.BAD_NUMBER),
        ('{"type":"response.create","x":1e999}', BadKind.BAD_NUMBER),
        ('{"type":"response.create","x":' + "9" * 5000 + "}", BadKind.BAD_NUMBER),
        ('{"type":"response.create","x":"\\ud800"}', BadKind.BAD_TEXT),
        ('{"type":"response.create","\\udfff":1}', BadKind.BAD_TEXT),
        ('{"type":"response.create","x":' + "[" * 100_000, BadKind.TOO_COMPLEX),
        ('{"type":"response.create","x":' + "[" * 15_000, BadKind.TOO_COMPLEX),
        ('{"type":"response.create","x":' + "[" * 80 + "]" * 80 + "}", BadKind.TOO_COMPLEX),
        ('{"type":"response.create","x":[' + "0," * 200_000 + "0]}", BadKind.TOO_COMPLEX),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":"AAA!"}}', BadKind.BAD_BASE64),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":"A"}}', BadKind.BAD_BASE64),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":"AA=A"}}', BadKind.BAD_BASE64),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":"ÄÄÄÄ"}}', BadKind.BAD_BASE64),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":"AA==AA=="}}', BadKind.BAD_BASE64),
        ('{"type":"realtime.input_audio_buffer.append","data":{"audio":5}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_audio_buffer.append","data":{}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_audio_buffer.append","data":"AAAA"}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_config","data":{"content":"not json"}}', BadKind.NOT_JSON),
        ('{"type":"realtime.input_config","data":{"content":"[1]"}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_config","data":{"voice":5}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_function_call","data":{"content":"5"}}', BadKind.BAD_SHAPE),
        ('{"type":"session.update","session":5}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create"}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create","item":null}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create","item":{"type":"message"}}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create","item":{"type":"message","content":[5]}}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create","item":{"role":"root","content":"x"}}', BadKind.BAD_SHAPE),
        ('{"type":"conversation.item.create","item":{"type":"function_call_output"}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.function_call_output","data":{"content":"x"}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_text","data":{}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.input_image","data":{"content":{}}}', BadKind.BAD_SHAPE),
        ('{"type":"webrtc.signaling.answer","data":{"sdp":{}}}', BadKind.BAD_SHAPE),
        ('{"type":"webrtc.signaling.answer","data":{"sdp":""}}', BadKind.BAD_SHAPE),
        ('{"type":"webrtc.signaling.iceCandidate","data":{"candidate":[]}}', BadKind.BAD_SHAPE),
        (
            '{"type":"webrtc.signaling.iceCandidate","data":{"candidate":{"candidate":"x","sdpMLineIndex":-1}}}',
            BadKind.BAD_SHAPE,
        ),
        ('{"type":"realtime.session.variables"}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.session.variables","data":{"variables":null}}', BadKind.BAD_SHAPE),
        ('{"type":"realtime.session.variables","data":{"variables":["x"]}}', BadKind.BAD_SHAPE),
        (json.dumps({"type": "session.variables", "variables": {f"v{n}": n for n in range(65)}}), BadKind.BAD_SHAPE),
    ],
)
def test_what_cannot_be_used_is_named(text: str, kind: BadKind) -> None:
    with pytest.raises(BadMessage) as bad:
        decode(text)
    assert bad.value.kind is kind


def test_the_reason_repeats_nothing_that_was_sent() -> None:
    secret = "sk-53cr37"
    for message in (
        f'{{"type":"realtime.input_config","data":{{"voice":["{secret}"]}}}}',
        f'{{"type":"{secret}',
        f'{{"type":"conversation.item.create","item":{{"role":"{secret}","content":"x"}}}}',
    ):
        with pytest.raises(BadMessage) as bad:
            decode(message)
        assert secret not in str(bad.value)


def test_base64_of_any_length_is_decoded_whole() -> None:
    for size in (0, 1, 2, 3, 4, 200_000, 786_432, 1_000_001):
        data = random.Random(size).randbytes(size)
        encoded = base64.b64encode(data).decode()
        assert decode_base64(encoded) == data
        assert decode_base64(base64.urlsafe_b64encode(data).decode().rstrip("=")) == data
        assert decode_base64(base64.encodebytes(data).decode()) == data


def test_half_a_sample_at_the_end_is_left_out() -> None:
    sent = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(b"\1\0\2").decode()})
    decoded = decode(sent)
    assert decoded.commands == (AppendAudio(b"\1\0"),)
    assert decoded.flaws == (BadKind.ODD_AUDIO,)


def test_a_broken_tool_does_not_take_the_others_with_it() -> None:
    tools = [{"description": "no name"}, FLAT, 5, {"name": "x", "parameters": "{"}, {"name": "y", "parameters": [1]}]
    decoded = decode(json.dumps({"type": "realtime.input_function_call", "data": {"content": json.dumps(tools)}}))
    assert decoded.commands == (Configure(tools=(WEATHER,), extend_tools=True),)
    assert decoded.flaws == (BadKind.BAD_TOOL,) * 4


def test_a_tool_is_no_larger_than_a_model_can_be_asked_with_every_time() -> None:
    tools = [
        {"name": "large", "parameters": {"type": "object", "properties": {"x": {"description": "d" * 70_000}}}},
        {"name": "long", "description": "d" * 60_000},
    ]
    decoded = decode(json.dumps({"type": "realtime.input_function_call", "content": tools}))
    assert decoded.flaws == (BadKind.BAD_TOOL,)
    (command,) = decoded.commands
    assert isinstance(command, Configure)
    assert [tool.name for tool in command.tools or ()] == ["long"]


@pytest.mark.parametrize(
    "bad",
    [
        {"": 1},
        {"1x": 1},
        {"a-b": 1},
        {"naïve": 1},
        {"x\n": 1},
        {"x" * 65: 1},
        {"x": []},
        {"x": {"y": 1}},
        {"x": "é" * 2049},
    ],
)
def test_a_broken_variable_does_not_take_the_others_with_it(bad: dict[str, Any]) -> None:
    sent = {"type": "realtime.session.variables", "data": {"variables": {"before": "1", **bad, "after": True}}}
    decoded = decode(json.dumps(sent))
    assert decoded.commands == (SetVariables({"before": "1", "after": True}),)
    assert decoded.flaws == (BadKind.BAD_VARIABLE,)
    [command] = decoded.commands
    assert isinstance(command, SetVariables)
    assert command.values["after"] is True
    assert decode(json.dumps({"type": "session.variables", "variables": bad})).commands == ()


def test_texts_have_a_largest_length() -> None:
    for message in (
        {"type": "input_text", "text": "x" * 200_001},
        {"type": "input_config", "prompt": "x" * 200_001},
        {"type": "conversation.item.create", "item": {"content": "x" * 200_001}},
        {"type": "function_call_output", "call_id": "1", "output": "x" * 200_001},
        {"type": "webrtc.signaling.answer", "sdp": "x" * 200_001},
    ):
        with pytest.raises(BadMessage) as bad:
            decode(json.dumps(message))
        assert bad.value.kind is BadKind.BAD_SHAPE


def test_a_finished_draft_is_the_command_with_its_picture() -> None:
    data = picture()
    encoded = base64.b64encode(data).decode()
    command, flaws = finish(ImageDraft("data:image/jpeg;base64," + encoded, reply=True))
    assert isinstance(command, SendImage)
    assert (command.reply, command.image.data, flaws) == (True, data, ())
    command, flaws = finish(MessageDraft("Look.", "user", (encoded, "AAAA", encoded)))
    assert isinstance(command, AddMessage)
    assert [image.data for image in command.images] == [data, data]
    assert (command.text, command.role, flaws) == ("Look.", "user", (BadKind.BAD_IMAGE,))


def test_a_draft_without_a_usable_picture_keeps_its_text() -> None:
    assert finish(ImageDraft("AAAA", reply=True)) == (None, (BadKind.BAD_IMAGE,))
    assert finish(MessageDraft("", "user", ("AAAA",))) == (None, (BadKind.BAD_IMAGE,))
    assert finish(MessageDraft("Look.", "user", ("!",))) == (AddMessage("Look."), (BadKind.BAD_BASE64,))
