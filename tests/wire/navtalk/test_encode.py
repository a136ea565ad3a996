"""Every event of a session, as the message that all known clients can read."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from visavis.conversation.events import (
    AnswerAudio,
    AnswerAudioDone,
    AnswerDelta,
    AnswerDone,
    SpeechStarted,
    SpeechStopped,
    ToolArguments,
    ToolRequested,
    UserTranscript,
)
from visavis.session.events import Answered, Created, Ended, Ending, Offered, Ready, SessionEvent
from visavis.session.ports import IceServer
from visavis.wire.navtalk.encode import Encoder, success


def told(event: SessionEvent, encoder: Encoder | None = None) -> list[dict[str, Any]]:
    return [json.loads(message.json_text()) for message in (encoder or Encoder()).encode(event)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            Offered("v=0\r\n"),
            {"type": "webrtc.signaling.offer", "data": {"sdp": {"type": "offer", "sdp": "v=0\r\n"}}},
        ),
        (
            Answered("v=0\r\n"),
            {
                "type": "webrtc.signaling.answer",
                "data": {"sdp": {"type": "answer", "sdp": "v=0\r\n"}},
                "sdp": {"type": "answer", "sdp": "v=0\r\n"},
            },
        ),
        (Created("s1"), {"type": "realtime.session.created", "data": {"sessionId": "s1"}}),
        (Ready(), {"type": "realtime.session.updated", "data": {}}),
        (SpeechStarted(), {"type": "realtime.input_audio_buffer.speech_started", "data": {}}),
        (SpeechStopped(), {"type": "realtime.input_audio_buffer.speech_stopped", "data": {}}),
        (
            UserTranscript("i1", "Hello."),
            {
                "type": "realtime.conversation.item.input_audio_transcription.completed",
                "data": {"content": "Hello.", "transcript": "Hello.", "item_id": "i1"},
            },
        ),
        (
            UserTranscript("i1", ""),
            {
                "type": "realtime.conversation.item.input_audio_transcription.completed",
                "data": {"content": "", "transcript": "", "item_id": "i1"},
            },
        ),
        (
            AnswerDelta("r1", "Good "),
            {
                "type": "realtime.response.audio_transcript.delta",
                "data": {"content": "Good ", "delta": "Good ", "id": "r1", "response_id": "r1"},
            },
        ),
        (
            AnswerDone("r1", "Good day."),
            {
                "type": "realtime.response.audio_transcript.done",
                "data": {"content": "Good day.", "transcript": "Good day.", "id": "r1", "response_id": "r1"},
            },
        ),
        (AnswerAudioDone("r1"), {"type": "realtime.response.audio.done", "data": {"id": "r1", "response_id": "r1"}}),
        (
            Ended(Ending.NORMAL, "Bye."),
            {"type": "conversation.connected.close", "message": "Bye.", "data": {"message": "Bye."}},
        ),
    ],
)
def test_every_event_has_the_shape_that_all_clients_read(event: SessionEvent, expected: dict[str, Any]) -> None:
    assert told(event) == [expected]


def test_ice_servers_are_arrays_and_name_no_user_without_one() -> None:
    message = json.loads(success("s1", (IceServer(("stun:a", "stun:b")),)).json_text())
    assert message["data"]["iceServers"] == [{"urls": ["stun:a", "stun:b"]}]


def test_a_call_without_ice_servers_or_id_cannot_be_told() -> None:
    for session, servers in (("s1", ()), ("", (IceServer(("stun:a",)),)), ("s1", (IceServer(()),))):
        with pytest.raises(ValueError):
            success(session, servers)


def test_the_answers_sound_is_only_told_where_it_was_asked_for() -> None:
    event = AnswerAudio("r1", np.array([1, -2, 300], np.int16))
    assert told(event) == []
    [message] = told(event, Encoder(audio_delta=True))
    assert message["type"] == "realtime.response.audio.delta"
    assert message["data"]["id"] == "r1"
    assert base64.b64decode(message["data"]["delta"]) == b"\1\0\xfe\xff\x2c\1"


REQUEST = ToolRequested("r1", "i1", "c1", "weather", '{"place": "Rome", "days": null}')


def test_a_tool_call_is_told_in_all_three_shapes_after_its_arguments() -> None:
    delta, done = told(REQUEST)
    assert delta == {
        "type": "realtime.response.function_call_arguments.delta",
        "data": {"call_id": "c1", "delta": REQUEST.arguments},
    }
    assert done == {
        "type": "realtime.response.function_call_arguments.done",
        "data": {
            "name": "weather",
            "function_name": "weather",
            "call_id": "c1",
            "arguments": {"place": "Rome", "days": None},
        },
        "raw_data": {
            "type": "response.function_call_arguments.done",
            "name": "weather",
            "arguments": REQUEST.arguments,
            "call_id": "c1",
            "event_id": "event_1",
            "item_id": "i1",
            "output_index": 0,
            "response_id": "r1",
        },
    }


def test_arguments_are_text_where_that_was_chosen() -> None:
    assert told(REQUEST, Encoder("string"))[1]["data"]["arguments"] == REQUEST.arguments


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '"x"', '{"x": NaN}', '{"x": 1e999}', "[" * 5000])
def test_arguments_that_are_no_object_stay_text(arguments: str) -> None:
    request = ToolRequested("r1", "i1", "c1", "f", arguments)
    done = told(request)[-1]
    assert done["data"]["arguments"] == done["raw_data"]["arguments"] == arguments


@pytest.mark.parametrize(
    ("streamed", "whole"), [(["{", '"x":', "1}"], '{"x":1}'), (["{"], '{"x":1}'), ([""], "{}"), ([], "{}")]
)
def test_the_deltas_of_a_call_make_its_arguments(streamed: list[str], whole: str) -> None:
    encoder = Encoder()
    messages = [
        *(message for text in streamed for message in told(ToolArguments("r1", "c1", "f", text), encoder)),
        *told(ToolArguments("r1", "another", "g", "[]"), encoder),
        *told(ToolRequested("r1", "i1", "c1", "f", whole), encoder),
    ]
    deltas = [
        message["data"]["delta"]
        for message in messages
        if message["type"].endswith(".delta") and message["data"]["call_id"] == "c1"
    ]
    assert "".join(deltas) == whole
    assert messages[-1]["type"].endswith(".done")


def test_calls_that_are_never_made_are_forgotten() -> None:
    encoder = Encoder()
    for number in range(1000):
        told(ToolArguments("r1", f"c{number}", "f", "x" * 100), encoder)
    # The first one was forgotten, so its arguments are told whole.
    [delta, _] = told(ToolRequested("r1", "i1", "c0", "f", "x" * 100 + "y"), encoder)
    assert delta["data"]["delta"] == "x" * 100 + "y"
    [delta, _] = told(ToolRequested("r1", "i1", "c999", "f", "x" * 100 + "y"), encoder)
    assert delta["data"]["delta"] == "y"


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (UserTranscript("i1", "a\ud800b"), ("data", "content")),
        (AnswerDelta("r1", "a\ud800b"), ("data", "delta")),
        (AnswerDone("r1", "a\udfffb"), ("data", "transcript")),
        (Ended(Ending.NORMAL, "a\ud800b"), ("message",)),
        (ToolRequested("r1", "i1", "c1", "f", '{"x": "a\ud800b"}'), ("data", "arguments", "x")),
        (ToolRequested("r1", "i1", "c1", "f", '{"x": "a\\ud800b"}'), ("data", "arguments", "x")),
    ],
)
def test_text_that_no_encoding_can_carry_is_mended(event: SessionEvent, path: tuple[str, ...]) -> None:
    value: Any = told(event)[-1]
    for step in path:
        value = value[step]
    assert value == "a\ufffdb"


def test_a_pair_of_surrogates_is_one_character() -> None:
    [message] = told(AnswerDelta("r1", "\ud83d\ude42"))
    assert message["data"]["delta"] == "🙂"
