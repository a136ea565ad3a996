"""Both unions, over messages that nobody thought of."""

import base64
import json
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from visavis.avatar.emotion import Emotion
from visavis.conversation import events as said
from visavis.conversation.snapshot import Snapshot
from visavis.language.ports import ChatMessage
from visavis.session.events import (
    Answered,
    Created,
    Ended,
    Ending,
    Expiring,
    Offered,
    Ready,
    Refusal,
    RefusalKind,
    Restored,
    SessionState,
    StateChanged,
)
from visavis.session.ports import IceServer, Notice
from visavis.wire.navtalk.bad_message import BadMessage
from visavis.wire.navtalk.client_messages import CLIENT_TYPES
from visavis.wire.navtalk.decode import BackgroundDraft, Decoded, ImageDraft, MessageDraft, decode, finish
from visavis.wire.navtalk.encode import Encoder, success, warning
from visavis.wire.navtalk.farewell import farewell
from visavis.wire.navtalk.server_messages import ServerMessage

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)

# Names and values that mean something here, in places where they do not belong.
NAMES = [
    "type",
    "data",
    "item",
    "content",
    "audio",
    "sdp",
    "candidate",
    "sdpMid",
    "sdpMLineIndex",
    "session",
    "voice",
    "prompt",
    "instructions",
    "tools",
    "reply",
    "call_id",
    "output",
    "result",
    "text",
    "role",
    "image_url",
    "name",
    "parameters",
    "properties",
    "function",
    "variables",
    "background",
    "emotion",
    "intensity",
]
VALUES = (
    *CLIENT_TYPES,
    *("realtime." + kind for kind in CLIENT_TYPES),
    *("message", "function_call_output", "input_text", "input_image", "user", "[]", "{}", "[{", "AAAA", "data:,x"),
    *("[{type=input_text, text=x}]", "[{type=}]", "[{}]", '[{"type":"input_text"}]', "data:image/png;base64,AAAA", ""),
    *("own", "blur", "#2f6f6f", "office", "happy"),
)
plausible = st.recursive(
    st.sampled_from(VALUES) | st.none() | st.booleans() | st.integers(-2, 2) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
messages = st.builds(
    lambda kind, fields, data: {**fields, "type": kind, **data},
    st.sampled_from(sorted(CLIENT_TYPES)),
    st.dictionaries(st.sampled_from(NAMES), plausible, max_size=4),
    st.dictionaries(st.just("data"), plausible, max_size=1),
)


def read(text: str) -> Decoded | None:
    try:
        return decode(text)
    except BadMessage:
        return None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


@given(anything)
def test_any_json_is_read_or_refused(value: Any) -> None:
    read(json.dumps(value))


@settings(max_examples=400)
@given(messages)
def test_any_message_is_read_or_refused_and_its_drafts_finished(message: dict[str, Any]) -> None:
    decoded = read(json.dumps(message))
    for command in decoded.commands if decoded else ():
        if isinstance(command, ImageDraft | MessageDraft | BackgroundDraft):
            finish(command)


words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda text: text.strip())
names = st.text("abcdefgh_", min_size=1, max_size=10)
tools = st.lists(
    st.fixed_dictionaries(
        {"type": st.just("function"), "name": names, "description": words},
        optional={"parameters": st.fixed_dictionaries({"type": st.just("object"), "properties": st.just({})})},
    ),
    min_size=1,
    max_size=3,
)
configuration = st.fixed_dictionaries({}, optional={"voice": names, "prompt": words, "tools": tools})
variables = st.dictionaries(
    names.map(lambda name: "v" + name),
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e9, 1e9) | words,
    max_size=5,
)
replies = st.fixed_dictionaries({}, optional={"reply": st.sampled_from([0, 1])})
descriptions = st.fixed_dictionaries({"type": st.just("answer"), "sdp": words})
texts = st.lists(st.fixed_dictionaries({"type": st.just("input_text"), "text": words}), min_size=1, max_size=3)
item = st.fixed_dictionaries(
    {"type": st.just("message"), "role": st.sampled_from(["user", "assistant"]), "content": texts}
) | st.fixed_dictionaries({"type": st.just("function_call_output"), "call_id": names, "output": words})


def fields(kind: str) -> st.SearchStrategy[dict[str, Any]]:
    """Well-formed fields of a message of this kind."""
    with_reply = st.builds(lambda given, reply: {**given, **reply}, st.fixed_dictionaries({"content": words}), replies)
    forms: dict[str, st.SearchStrategy[dict[str, Any]]] = {
        "input_config": configuration.map(lambda given: {"content": json.dumps(given)}) | configuration,
        "session.update": configuration.map(lambda given: {"session": given}),
        "input_function_call": tools.map(lambda given: {"content": json.dumps(given)}),
        "input_audio_buffer.append": st.binary(max_size=40).map(lambda pcm: {"audio": base64.b64encode(pcm).decode()}),
        "input_audio_buffer.commit": st.just({}),
        "input_audio_buffer.clear": st.just({}),
        "conversation.item.create": item.map(lambda given: {"item": given}),
        "response.create": st.just({}),
        "response.cancel": st.just({}),
        "session.keep_alive": st.just({}),
        "session.variables": variables.map(lambda given: {"variables": given}),
        "function_call_output": st.builds(lambda given, call: {**given, "call_id": call}, with_reply, names),
        "input_text": with_reply,
        "input_image": with_reply,
        "set_background": st.sampled_from(["own", "2F6f6f", "#2f6f6f", "office", "data:image/png;base64,AA"]).map(
            lambda given: {"background": given}
        ),
        "set_emotion": st.fixed_dictionaries(
            {"emotion": st.sampled_from(sorted(Emotion)), "intensity": st.floats(0, 1)}
        ),
        "webrtc.signaling.answer": descriptions.map(lambda given: {"sdp": given}),
        "webrtc.signaling.offer": descriptions.map(lambda given: {"sdp": given}),
        "webrtc.signaling.iceCandidate": st.fixed_dictionaries(
            {"candidate": words, "sdpMid": st.sampled_from(["0", "1"]), "sdpMLineIndex": st.integers(0, 1)}
        ).map(lambda given: {"candidate": given}),
    }
    return forms[kind]


well_formed = st.sampled_from(sorted(CLIENT_TYPES)).flatmap(lambda kind: st.tuples(st.just(kind), fields(kind)))


@settings(max_examples=300)
@given(well_formed)
def test_a_message_means_the_same_however_it_is_wrapped(sent: tuple[str, dict[str, Any]]) -> None:
    kind, given_fields = sent
    expected = decode(json.dumps({"type": kind, **given_fields}))
    assert expected.type == kind
    for prefix in ("", "realtime."):
        name = prefix + kind
        for message in (
            {"type": name, **given_fields},
            {"type": name, "data": given_fields},
            {"data": given_fields, "type": name, "event_id": "e1", "seq": 1},
            {"type": name, **given_fields, "data": None},
            {"type": name, **given_fields, "data": {}},
        ):
            assert decode(json.dumps(message)) == expected


identities = st.text("abc_0123", min_size=1, max_size=8)
free = st.text(max_size=30)
remembered = st.builds(
    Snapshot,
    st.lists(
        st.builds(ChatMessage, st.sampled_from(["user", "assistant", "tool"]), free),
        max_size=4,
    ).map(tuple),
    variables.map(lambda given: {name: value for name, value in given.items() if value is not None}),
)
spoken = st.one_of(
    st.builds(StateChanged, st.sampled_from(SessionState), st.none() | st.integers(0, 300)),
    st.builds(Expiring, st.sampled_from(Ending), st.floats(0, 1e6), free, st.booleans()),
    st.builds(Restored, remembered),
    st.builds(Offered, free),
    st.builds(Answered, free),
    st.builds(Created, identities),
    st.just(Ready()),
    st.builds(Ended, st.sampled_from(Ending), free),
    st.just(said.SpeechStarted()),
    st.just(said.SpeechStopped()),
    st.builds(said.UserTranscript, identities, free),
    st.builds(said.AnswerDelta, identities, free),
    st.builds(said.AnswerDone, identities, free),
    st.builds(
        said.AnswerAudio, identities, st.binary(max_size=8).map(lambda b: np.frombuffer(b[: len(b) & ~1], np.int16))
    ),
    st.builds(said.AnswerAudioDone, identities),
    st.builds(said.ToolArguments, identities, identities, identities, free),
    st.builds(said.ToolRequested, identities, identities, identities, identities, free | anything.map(json.dumps)),
)

# What each known client reads of each message: the path to it, and the type that it must have there.
READ_BY_CLIENTS: dict[str, tuple[tuple[str, type | tuple[type, ...]], ...]] = {
    "conversation.connected.success": (("data.sessionId", str), ("data.iceServers", list)),
    "conversation.connected.state": (
        ("data.state", str),
        ("data.name", str),
        ("data.currentStep", int),
        ("data.totalSteps", int),
        ("data.percentageLoaded", int),
    ),
    "conversation.connected.expiring": (
        ("message", str),
        ("data.reason", str),
        ("data.seconds", (int, float)),
        ("data.message", str),
    ),
    "conversation.connected.resumed": (("data.items", list), ("data.variables", dict)),
    "conversation.connected.warning": (("message", str), ("data.message", str), ("data.avatarId", str)),
    **dict.fromkeys(
        (
            "conversation.connected.fail",
            "conversation.connected.close",
            "conversation.connected.insufficient_balance",
            "conversation.connected.connection_limit_exceeded",
            "conversation.connected.gpu_full",
            "conversation.connected.backend_error",
            "realtime.session.gpu_full",
            "realtime.session.insufficient_balance",
        ),
        (("message", str), ("data.message", str)),
    ),
    "realtime.session.created": (("data.sessionId", str),),
    "realtime.session.updated": (),
    "realtime.input_audio_buffer.speech_started": (),
    "realtime.input_audio_buffer.speech_stopped": (),
    "realtime.conversation.item.input_audio_transcription.completed": (
        ("data.content", str),
        ("data.transcript", str),
        ("data.item_id", str),
    ),
    "realtime.response.audio_transcript.delta": (
        ("data.content", str),
        ("data.delta", str),
        ("data.id", str),
        ("data.response_id", str),
    ),
    "realtime.response.audio_transcript.done": (
        ("data.content", str),
        ("data.transcript", str),
        ("data.id", str),
        ("data.response_id", str),
    ),
    "realtime.response.audio.delta": (("data.delta", str), ("data.id", str)),
    "realtime.response.audio.done": (("data.id", str), ("data.response_id", str)),
    "realtime.response.function_call_arguments.delta": (("data.call_id", str), ("data.delta", str)),
    "realtime.response.function_call_arguments.done": (
        ("data.name", str),
        ("data.function_name", str),
        ("data.call_id", str),
        ("data.arguments", (dict, str)),
        ("raw_data.type", str),
        ("raw_data.name", str),
        ("raw_data.arguments", str),
        ("raw_data.call_id", str),
        ("raw_data.event_id", str),
        ("raw_data.item_id", str),
        ("raw_data.output_index", int),
        ("raw_data.response_id", str),
    ),
    "webrtc.signaling.offer": (("data.sdp.type", str), ("data.sdp.sdp", str)),
    "webrtc.signaling.answer": (("data.sdp.type", str), ("data.sdp.sdp", str), ("sdp.type", str), ("sdp.sdp", str)),
}

ASKED_FOR = (
    "conversation.connected.state",
    "conversation.connected.expiring",
    "conversation.connected.resumed",
)
"""What only clients that ask for states are told."""

server_union: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)


def check(message: ServerMessage) -> str:
    """The message's type, after it went over the wire and was found whole."""
    text = message.json_text()
    text.encode()
    parsed = json.loads(text, parse_constant=lambda name: (_ for _ in ()).throw(ValueError(name)))
    assert isinstance(parsed["data"], dict)
    for path, kind in READ_BY_CLIENTS[parsed["type"]]:
        value = parsed
        for step in path.split("."):
            value = value[step]
        assert isinstance(value, kind), path
    assert server_union.validate_python(parsed) == message
    return parsed["type"]


@settings(max_examples=300)
@given(st.lists(spoken, max_size=6), st.sampled_from(["object", "string"]), st.booleans(), st.booleans())
def test_every_message_can_be_read_by_every_client(told: list[Any], form: Any, audio_delta: bool, states: bool) -> None:
    encoder = Encoder(form, audio_delta, states)
    for event in told:
        for message in encoder.encode(event):
            assert check(message) not in ASKED_FOR or states


servers = st.builds(
    IceServer,
    st.lists(words, min_size=1, max_size=2).map(tuple),
    st.none() | words,
    st.none() | words,
)


@given(identities, st.lists(servers, min_size=1, max_size=3).map(tuple), free)
def test_the_first_messages_can_be_read_by_every_client(
    session: str, ice_servers: tuple[IceServer, ...], text: str
) -> None:
    message = success(session, ice_servers)
    check(message)
    for entry in json.loads(message.json_text())["data"]["iceServers"]:
        assert isinstance(entry["urls"], list)
        assert all(isinstance(url, str) for url in entry["urls"])
    check(warning(Notice(text, session)))


def test_every_refusal_and_ending_can_be_read_and_fits_a_close_frame() -> None:
    told = set()
    causes = (*(Refusal(kind, "No.") for kind in RefusalKind), *(Ended(ending, "Over.") for ending in Ending))
    for cause in causes:
        last = farewell(cause)
        told |= {check(message) for message in last.messages}
        kind = cause.kind if isinstance(cause, Refusal) else cause.ending
        assert all(message.data.code is None for message in last.messages)
        assert all(message.data.code == kind.value for message in farewell(cause, states=True).messages)
        assert last.messages
        assert last.code in (1000, 1008, 1011, 1013)
        assert len(last.reason.encode()) <= 123
    assert told == {kind for kind in READ_BY_CLIENTS if kind.startswith(("conversation.", "realtime.session."))} - {
        "conversation.connected.success",
        "conversation.connected.warning",
        *ASKED_FOR,
        "realtime.session.created",
        "realtime.session.updated",
    }
