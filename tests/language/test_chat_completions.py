"""The chat completions client against a server that speaks the protocol, also badly."""

import asyncio
import base64
import json
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from visavis.language.chat_completions import ChatCompletions, ChatTimeouts
from visavis.language.ports import (
    ChatError,
    ChatErrorKind,
    ChatEvent,
    ChatMessage,
    ChatRequest,
    Image,
    TextDelta,
    Tool,
    ToolCall,
    ToolCallDelta,
)

if TYPE_CHECKING:
    from tests.language.conftest import ChatServer, Exchange, Reply

KEY = "sk-very-secret-0123456789"
ASK = ChatRequest((ChatMessage("system", "Be brief."), ChatMessage("user", "Hello?")))
WEATHER = Tool("get_weather", "The weather in a city", {"type": "object", "properties": {"city": {"type": "string"}}})
QUICK = ChatTimeouts(connect=2.0, first_token=0.4, between_tokens=0.4)


@pytest.fixture
async def model(chat_server: "ChatServer") -> AsyncIterator[ChatCompletions]:
    made = ChatCompletions(chat_server.url, "m", api_key=KEY)
    yield made
    await made.close()


async def collect(model: ChatCompletions, request: ChatRequest = ASK) -> list[ChatEvent]:
    async with aclosing(model.stream(request)) as events:
        return [event async for event in events]


async def failing(model: ChatCompletions, request: ChatRequest = ASK) -> tuple[list[ChatEvent], ChatError]:
    """The events before the error, and the error."""
    events: list[ChatEvent] = []
    try:
        async with aclosing(model.stream(request)) as stream:
            async for event in stream:
                events.append(event)
    except ChatError as error:
        return events, error
    pytest.fail("the stream ended without an error")


def text(events: list[ChatEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls(events: list[ChatEvent]) -> list[ToolCall]:
    return [event for event in events if isinstance(event, ToolCall)]


def words(*pieces: str) -> "Reply":
    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(role="assistant", content="")
        for piece in pieces:
            await exchange.delta(content=piece)
        await exchange.delta(finish="stop")
        await exchange.end()

    return reply


def refusal(status: int, message: str = "no", **headers: str) -> "Reply":
    async def reply(exchange: "Exchange") -> None:
        await exchange.whole(status, {"error": {"message": message, "code": "c"}}, **headers)

    return reply


async def test_streams_an_answer(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words("Hi", " there", "."))
    assert await collect(model) == [TextDelta("Hi"), TextDelta(" there"), TextDelta(".")]
    sent = chat_server.requests[0]
    assert (sent.method, sent.path) == ("POST", "/v1/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "m",
        "stream": True,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
    }


async def test_words_come_as_the_server_writes_them(chat_server: "ChatServer", model: ChatCompletions) -> None:
    go_on = asyncio.Event()

    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="First")
        await go_on.wait()
        await exchange.delta(content="Second")
        await exchange.end()

    chat_server.answer(reply)
    async with aclosing(model.stream(ASK)) as events:
        assert await anext(events) == TextDelta("First")
        go_on.set()
        assert await anext(events) == TextDelta("Second")


async def test_a_connection_is_used_again(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words("a"))
    for _ in range(3):
        await collect(model)
    assert chat_server.connections == 1


async def test_settings_are_sent(chat_server: "ChatServer") -> None:
    model = ChatCompletions(
        chat_server.url + "/?api-version=7",
        "m",
        temperature=0.3,
        max_tokens=99,
        extra_body={"seed": 5, "stream_options": {"include_usage": True}},
        extra_headers={"X-Team": "blue"},
    )
    chat_server.answer(words("a"))
    await collect(model)
    await model.close()
    sent = chat_server.requests[0]
    assert sent.path == "/v1/chat/completions?api-version=7"
    assert sent.headers["x-team"] == "blue"
    assert sent.headers["authorization"].startswith("Bearer ")
    assert len(sent.headers["authorization"]) > len("Bearer ")
    assert {name: sent.body[name] for name in ("temperature", "max_tokens", "seed")} == {
        "temperature": 0.3,
        "max_tokens": 99,
        "seed": 5,
    }


def test_a_bad_address_is_an_error() -> None:
    for address in ("", "localhost:11434/v1", "ftp://example.com/v1"):
        with pytest.raises(ValueError, match="base_url"):
            ChatCompletions(address, "m")


# --- odd streams


async def odd_comments(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.raw(b": keep-alive\n\n")
    await exchange.raw(b"event: message\nid: 3\nretry: 10\n")
    await exchange.delta(content="Hi")
    await exchange.raw(b":\r\n\r\n")
    await exchange.end()


async def odd_no_done(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(content="Hi", finish="stop")
    await exchange.end(done=False)


async def odd_no_finish_and_no_done(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(content="Hi")
    await exchange.end(done=False)


async def odd_open_after_the_end(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(content="Hi", finish="stop")
    assert await exchange.gone()


async def odd_usage_chunk(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.data({"choices": [], "prompt_filter_results": []})
    await exchange.delta(content="Hi")
    await exchange.data({"choices": [], "usage": {"total_tokens": 3}})
    await exchange.end()


async def odd_nulls(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.data({"choices": None})
    await exchange.data({"choices": [{"index": 0, "delta": None, "finish_reason": None}]})
    await exchange.data({"choices": [{"delta": {"content": None, "tool_calls": None, "role": None}}]})
    await exchange.delta(content="Hi", function_call=None, refusal=None)
    await exchange.end()


async def odd_crlf_split_anywhere(exchange: "Exchange") -> None:
    await exchange.head()
    for byte in b'data: {"choices":[{"delta":{"content":"Hi"}}]}\r\n\r\ndata: [DONE]\r\n\r\n':
        await exchange.raw(bytes([byte]))
    await exchange.end(done=False)


async def odd_without_blank_lines(exchange: "Exchange") -> None:
    await exchange.head()
    line = 'data:{"choices":[{"delta":{"content":"%s"}}]}\n'
    await exchange.raw((line % "H" + line % "i" + "data:[DONE]").encode())
    await exchange.end(done=False)


async def odd_malformed_line(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(content="H")
    await exchange.data('{"choices": [{"delta": {"content": "x"')
    await exchange.data("null")
    await exchange.delta(content="i")
    await exchange.end()


async def odd_content_type(exchange: "Exchange") -> None:
    await exchange.head(Content_Type="application/json")
    await exchange.delta(content="Hi")
    await exchange.end()


async def odd_not_streamed(exchange: "Exchange") -> None:
    message = {"role": "assistant", "content": "Hi"}
    await exchange.whole(200, {"object": "chat.completion", "choices": [{"index": 0, "message": message}]})


async def odd_not_streamed_as_event_stream(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.raw(b'\n\n {"choices": [{"message"')
    await exchange.raw(b': {"content": "Hi"}}]}')
    await exchange.end(done=False)


async def odd_parts(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(content=[{"type": "thinking", "thinking": [{"type": "text", "text": "Hmm"}]}])
    await exchange.delta(content=[{"type": "text", "text": "Hi"}])
    await exchange.end()


async def odd_reasoning(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.delta(reasoning_content="The user greets.")
    await exchange.delta(reasoning="So do I.")
    await exchange.delta(content="Hi")
    await exchange.end()


async def odd_think_tags(exchange: "Exchange") -> None:
    await exchange.head()
    for piece in ("<", "thi", "nk>\nThe user < greets", " me.</", "thin", "k>", "\n\n", "H", "i"):
        await exchange.delta(content=piece)
    await exchange.end()


async def odd_second_choice(exchange: "Exchange") -> None:
    await exchange.head()
    await exchange.data({"choices": [{"index": 1, "delta": {"content": "No"}}]})
    await exchange.delta(content="Hi")
    await exchange.end()


@pytest.mark.parametrize(
    "reply",
    [
        odd_comments,
        odd_no_done,
        odd_no_finish_and_no_done,
        odd_open_after_the_end,
        odd_usage_chunk,
        odd_nulls,
        odd_crlf_split_anywhere,
        odd_without_blank_lines,
        odd_malformed_line,
        odd_content_type,
        odd_not_streamed,
        odd_not_streamed_as_event_stream,
        odd_parts,
        odd_reasoning,
        odd_think_tags,
        odd_second_choice,
    ],
)
async def test_odd_streams(chat_server: "ChatServer", model: ChatCompletions, reply: "Reply") -> None:
    chat_server.answer(reply)
    assert text(await collect(model)) == "Hi"
    assert len(chat_server.requests) == 1


# --- tools


def tool_stream(*pieces: object, finish: str = "tool_calls") -> "Reply":
    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        for piece in pieces:
            await exchange.delta(tool_calls=piece)
        await exchange.delta(finish=finish)
        await exchange.end()

    return reply


def piece(**fields: Any) -> dict[str, Any]:
    """A tool call's piece; ``name`` and ``arguments`` go into its function."""
    function = {name: fields.pop(name) for name in ("name", "arguments") if name in fields}
    return {**fields, "type": "function", "function": function}


async def test_a_tool_call(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(
        tool_stream(
            [piece(index=0, id="call_1", name="get_weather", arguments="")],
            [piece(index=0, arguments='{"city":')],
            [piece(index=0, arguments=' "Paris"}')],
        )
    )
    assert await collect(model, ChatRequest(ASK.messages, (WEATHER,))) == [
        ToolCallDelta("call_1", "get_weather", '{"city":'),
        ToolCallDelta("call_1", "get_weather", ' "Paris"}'),
        ToolCall("call_1", "get_weather", '{"city": "Paris"}'),
    ]
    assert chat_server.requests[0].body["tools"] == [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "The weather in a city",
                "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
            },
        }
    ]


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        pytest.param([[piece(id="c1", name="f", arguments='{"x":1}')]], [("c1", "f", {"x": 1})], id="no index, whole"),
        pytest.param(
            [[piece(index=0, name="f", arguments='{"x"')], [piece(index=0, arguments=":1}")]],
            [(None, "f", {"x": 1})],
            id="no id",
        ),
        pytest.param(
            [[piece(name="f", arguments='{"x"')], [piece(arguments=":1}")]],
            [(None, "f", {"x": 1})],
            id="neither index nor id",
        ),
        pytest.param([[piece(index=0, id="c1", name="f", arguments={"x": 1})]], [("c1", "f", {"x": 1})], id="object"),
        pytest.param([[piece(index=0, id="c1", name="f", arguments=None)]], [("c1", "f", {})], id="no arguments"),
        pytest.param([[piece(index=0, id="c1", name="f", arguments="null")]], [("c1", "f", {})], id="null arguments"),
        pytest.param(piece(index=0, id="c1", name="f", arguments="{}"), [("c1", "f", {})], id="not in a list"),
        pytest.param(
            [[{"index": 0, "id": "c1", "name": "f", "arguments": '{"x":1}'}]], [("c1", "f", {"x": 1})], id="no function"
        ),
        pytest.param(
            [
                [
                    piece(index=0, id="c1", name="f", arguments='{"x":1}'),
                    piece(index=0, id="c2", name="g", arguments="{}"),
                ]
            ],
            [("c1", "f", {"x": 1}), ("c2", "g", {})],
            id="two calls, both at index 0",
        ),
        pytest.param(
            [[piece(name="f", arguments="{}")], [piece(name="g", arguments="{}")]],
            [(None, "f", {}), (None, "g", {})],
            id="two calls, without index and id",
        ),
        pytest.param(
            [
                [piece(index=0, id="c1", name="f", arguments='{"x"'), piece(index=1, id="c2", name="g")],
                [piece(index=1, arguments='{"y":2}'), piece(index=0, arguments=":1}")],
            ],
            [("c1", "f", {"x": 1}), ("c2", "g", {"y": 2})],
            id="two calls, interleaved",
        ),
        pytest.param(
            [
                [piece(index=0, id="c1", name="f", arguments='{"x"')],
                [piece(index=0, id="c1", name="f", arguments=":1}")],
            ],
            [("c1", "f", {"x": 1})],
            id="name and id in every piece",
        ),
        pytest.param(
            [[piece(index=0, id="c1", arguments='{"x"')], [piece(index=0, name="f", arguments=":1}")]],
            [("c1", "f", {"x": 1})],
            id="name comes late",
        ),
    ],
)
async def test_odd_tool_calls(
    chat_server: "ChatServer",
    model: ChatCompletions,
    pieces: Any,
    expected: list[tuple[str | None, str, dict[str, Any]]],
) -> None:
    listed = pieces if isinstance(pieces, list) else [pieces]
    chat_server.answer(tool_stream(*listed, finish="stop"))
    events = await collect(model, ChatRequest(ASK.messages, (WEATHER,)))
    found = calls(events)
    assert [(call.name, json.loads(call.arguments)) for call in found] == [(name, args) for _, name, args in expected]
    assert all(call.call_id == given for call, (given, _, _) in zip(found, expected, strict=True) if given)
    assert len({call.call_id for call in found}) == len(found)
    for call in found:
        told = [
            event.arguments for event in events if isinstance(event, ToolCallDelta) and event.call_id == call.call_id
        ]
        assert "".join(told).strip() in (call.arguments, "", "null")


async def test_a_tool_call_of_the_older_kind(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(function_call={"name": "f", "arguments": '{"x"'})
        await exchange.delta(function_call={"arguments": ":1}"}, finish="function_call")
        await exchange.end()

    chat_server.answer(reply)
    found = calls(await collect(model))
    assert [(call.name, call.arguments) for call in found] == [("f", '{"x":1}')]


async def test_a_tool_call_in_an_answer_that_is_not_streamed(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def reply(exchange: "Exchange") -> None:
        message = {"content": None, "tool_calls": [piece(id="c1", name="f", arguments='{"x":1}')]}
        await exchange.whole(200, {"choices": [{"message": message, "finish_reason": "tool_calls"}]})

    chat_server.answer(reply)
    assert calls(await collect(model)) == [ToolCall("c1", "f", '{"x":1}')]


@pytest.mark.parametrize("arguments", ['{"x":', "[1]", "Paris"])
async def test_broken_arguments_are_no_call(chat_server: "ChatServer", model: ChatCompletions, arguments: str) -> None:
    chat_server.answer(tool_stream([piece(index=0, id="c1", name="f", arguments=arguments)]))
    events, error = await failing(model)
    assert error.kind is ChatErrorKind.BROKEN
    assert not calls(events)


async def test_the_round_trip_of_a_tool(chat_server: "ChatServer", model: ChatCompletions) -> None:
    call = ToolCall("c1", "get_weather", '{"city":"Paris"}')
    other = ToolCall("c2", "get_weather", '{"city":"Rome"}')
    history = (
        *ASK.messages,
        ChatMessage("assistant", "", tool_calls=(call, other)),
        ChatMessage("tool", "rain", call_id="c2"),
        ChatMessage("tool", "sun", call_id="c1"),
    )
    chat_server.answer(words("Sun in Paris."))
    assert text(await collect(model, ChatRequest(history, (WEATHER,)))) == "Sun in Paris."
    assert chat_server.requests[0].body["messages"][2:] == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
                },
                {
                    "id": "c2",
                    "type": "function",
                    "function": {"name": "get_weather", "arguments": '{"city":"Rome"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
        {"role": "tool", "tool_call_id": "c2", "content": "rain"},
    ]


async def test_a_late_result_and_a_missing_one_keep_the_protocols_order(
    chat_server: "ChatServer", model: ChatCompletions
) -> None:
    call = ToolCall("c1", "get_weather", "{}")
    history = (
        ChatMessage("user", "Weather?"),
        ChatMessage("assistant", "One moment.", tool_calls=(call,)),
        ChatMessage("user", "Are you there?"),
        ChatMessage("assistant", "Yes."),
        ChatMessage("tool", "sun", call_id="c1"),
    )
    chat_server.answer(words("Sun."))
    await collect(model, ChatRequest(history))
    messages = chat_server.requests[0].body["messages"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "user", "assistant", "user"]
    assert messages[2]["tool_call_id"] == "c1"
    assert "sun" in messages[5]["content"]


async def test_a_result_without_its_call_is_told_as_words(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words("Sun."))
    await collect(model, ChatRequest((ChatMessage("user", "Hi"), ChatMessage("tool", "sun", call_id="gone"))))
    messages = chat_server.requests[0].body["messages"]
    assert [message["role"] for message in messages] == ["user"]
    assert "sun" in messages[0]["content"]


async def test_messages_of_one_side_are_joined(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words("a"))
    await collect(
        model, ChatRequest((ChatMessage("user", "One."), ChatMessage("user", ""), ChatMessage("user", "Two.")))
    )
    assert chat_server.requests[0].body["messages"] == [{"role": "user", "content": "One.\nTwo."}]


async def test_a_server_that_refuses_tools_is_asked_without(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(refusal(400, '"auto" tool choice requires --enable-auto-tool-choice'), words("Hi"))
    request = ChatRequest(ASK.messages, (WEATHER,))
    assert text(await collect(model, request)) == "Hi"
    assert text(await collect(model, request)) == "Hi"
    assert ["tools" in sent.body for sent in chat_server.requests] == [True, False, False]


# --- pictures

PICTURE = Image("image/jpeg", b"\xff\xd8 picture")
SHOWN = ChatRequest((ChatMessage("user", "What is this?", images=(PICTURE,)),))


async def test_pictures_are_sent_as_data_urls(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words("A cat."))
    assert model.accepts_images
    await collect(model, SHOWN)
    content = chat_server.requests[0].body["messages"][0]["content"]
    assert content[0] == {"type": "text", "text": "What is this?"}
    prefix, _, data = content[1]["image_url"]["url"].partition(",")
    assert (content[1]["type"], prefix) == ("image_url", "data:image/jpeg;base64")
    assert base64.b64decode(data) == PICTURE.data


async def test_a_model_without_eyes_is_told_of_the_picture(chat_server: "ChatServer") -> None:
    model = ChatCompletions(chat_server.url, "m", accepts_images=False)
    chat_server.answer(words("I cannot see it."))
    await collect(model, SHOWN)
    await model.close()
    assert not model.accepts_images
    content = chat_server.requests[0].body["messages"][0]["content"]
    assert content.startswith("What is this?")
    assert "cannot see" in content


async def test_a_server_that_refuses_pictures_is_asked_without(
    chat_server: "ChatServer", model: ChatCompletions
) -> None:
    chat_server.answer(refusal(400, "this model does not support image input"), words("Hi"))
    assert text(await collect(model, SHOWN)) == "Hi"
    assert not model.accepts_images
    assert isinstance(chat_server.requests[1].body["messages"][0]["content"], str)


# --- failures


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ChatErrorKind.REJECTED),
        (401, ChatErrorKind.REJECTED),
        (403, ChatErrorKind.REJECTED),
        (404, ChatErrorKind.REJECTED),
        (307, ChatErrorKind.REJECTED),
    ],
)
async def test_a_refusal_is_not_tried_again(
    chat_server: "ChatServer", model: ChatCompletions, status: int, kind: ChatErrorKind
) -> None:
    chat_server.answer(refusal(status, "model 'm' not found", Location="/elsewhere"))
    _, error = await failing(model)
    assert error.kind is kind
    assert str(status) in str(error)
    assert len(chat_server.requests) == 1


async def test_the_reason_of_a_refusal_is_told(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(refusal(404, "model 'm' not found, try pulling it first"))
    _, error = await failing(model)
    assert "try pulling it first" in str(error)


async def test_429_then_an_answer(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(refusal(429), words("Hi"))
    assert text(await collect(model)) == "Hi"


@pytest.mark.parametrize(
    "headers", [{"Retry_After": "0.3"}, {"retry_after_ms": "300"}], ids=["retry-after", "retry-after-ms"]
)
async def test_retry_after_is_honoured(
    chat_server: "ChatServer", model: ChatCompletions, headers: dict[str, str]
) -> None:
    asked: list[float] = []
    answer = words("Hi")

    async def clocked(exchange: "Exchange") -> None:
        asked.append(asyncio.get_running_loop().time())
        await (refusal(429, **headers) if len(asked) == 1 else answer)(exchange)

    chat_server.answer(clocked)
    assert text(await collect(model)) == "Hi"
    assert asked[1] - asked[0] >= 0.29


@pytest.mark.parametrize("value", ["3600", formatdate(4_000_000_000, usegmt=True)], ids=["seconds", "date"])
async def test_a_long_retry_after_fails_at_once(chat_server: "ChatServer", model: ChatCompletions, value: str) -> None:
    chat_server.answer(refusal(429, Retry_After=value))
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.RATE_LIMITED
    assert len(chat_server.requests) == 1


async def test_429_without_an_end(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(refusal(429, Retry_After="0"))
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.RATE_LIMITED
    assert len(chat_server.requests) == 3


async def test_a_spent_quota_is_not_tried_again(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def reply(exchange: "Exchange") -> None:
        await exchange.whole(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})

    chat_server.answer(reply)
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.RATE_LIMITED
    assert len(chat_server.requests) == 1


async def test_500s_then_an_answer(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(refusal(500, Retry_After="0"), refusal(503, Retry_After="0"), words("Hi"))
    assert text(await collect(model)) == "Hi"


@pytest.mark.parametrize(("status", "kind"), [(500, ChatErrorKind.BROKEN), (503, ChatErrorKind.UNREACHABLE)])
async def test_500s_without_an_end(
    chat_server: "ChatServer", model: ChatCompletions, status: int, kind: ChatErrorKind
) -> None:
    chat_server.answer(refusal(status, Retry_After="0"))
    _, error = await failing(model)
    assert error.kind is kind
    assert len(chat_server.requests) == 3


async def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        model = ChatCompletions(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", "m", api_key=KEY, retries=1)
        _, error = await failing(model)
        assert error.kind is ChatErrorKind.UNREACHABLE
        with pytest.raises(ChatError) as raised:
            await model.check()
        assert raised.value.kind is ChatErrorKind.UNREACHABLE
        assert error.lost
        assert raised.value.lost
        await model.close()


@pytest.mark.parametrize(
    ("status", "lost"), [(400, False), (401, True), (403, True), (429, False), (500, False), (503, False)]
)
async def test_a_refused_key_is_a_lost_model_and_other_refusals_are_not(
    chat_server: "ChatServer", model: ChatCompletions, status: int, lost: bool
) -> None:
    chat_server.answer(refusal(status, Retry_After="0"))
    _, error = await failing(model)
    assert error.lost is lost
    with pytest.raises(ChatError) as raised:
        await model.check()
    assert raised.value.lost is lost


async def test_a_server_that_hangs_up_before_the_first_token_is_asked_again(
    chat_server: "ChatServer", model: ChatCompletions
) -> None:
    async def hang_up(exchange: "Exchange") -> None:
        exchange.writer.close()

    async def hang_up_later(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(role="assistant", content="")
        exchange.writer.close()

    chat_server.answer(hang_up, hang_up_later, words("Hi"))
    assert text(await collect(model)) == "Hi"


async def test_silence_before_the_first_token(chat_server: "ChatServer") -> None:
    async def silent(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(role="assistant", content="")
        while True:  # comments keep the line open, but say nothing
            await exchange.raw(b": ping\n\n")
            await asyncio.sleep(0.05)

    await check_timeout(chat_server, silent, "before the first token", "")


async def test_silence_before_the_headers(chat_server: "ChatServer") -> None:
    async def silent(exchange: "Exchange") -> None:
        await exchange.gone()

    await check_timeout(chat_server, silent, "before the first token", "")


async def test_silence_in_the_middle(chat_server: "ChatServer") -> None:
    async def stalls(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="Hi")
        await exchange.gone()

    await check_timeout(chat_server, stalls, "between two tokens", "Hi")


async def check_timeout(chat_server: "ChatServer", reply: "Reply", when: str, said: str) -> None:
    model = ChatCompletions(chat_server.url, "m", timeouts=QUICK)
    chat_server.answer(reply)
    events, error = await failing(model)
    assert error.kind is ChatErrorKind.TIMEOUT
    assert when in str(error)
    assert text(events) == said
    assert len(chat_server.requests) == 1
    await model.close()


async def test_a_slow_but_steady_model_is_no_silence(chat_server: "ChatServer") -> None:
    async def steady(exchange: "Exchange") -> None:
        await exchange.head()
        for _ in range(4):
            await exchange.delta(reasoning_content="hm")
            await asyncio.sleep(0.15)
        await exchange.delta(content="Hi", finish="stop")
        await exchange.end()

    model = ChatCompletions(chat_server.url, "m", timeouts=QUICK)
    chat_server.answer(steady)
    assert text(await collect(model)) == "Hi"
    await model.close()


async def test_a_cut_in_the_middle_is_not_tried_again(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def cut(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="Hi, I")
        exchange.writer.close()

    chat_server.answer(cut)
    events, error = await failing(model)
    assert error.kind is ChatErrorKind.BROKEN
    assert text(events) == "Hi, I"
    assert len(chat_server.requests) == 1


@pytest.mark.parametrize(
    ("reported", "kind"),
    [
        ({"message": "out of memory", "code": 500}, ChatErrorKind.BROKEN),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, ChatErrorKind.RATE_LIMITED),
        ("the model crashed", ChatErrorKind.BROKEN),
    ],
)
async def test_an_error_inside_the_stream(
    chat_server: "ChatServer", model: ChatCompletions, reported: object, kind: ChatErrorKind
) -> None:
    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="Hi")
        await exchange.data({"error": reported})
        await exchange.end()

    chat_server.answer(reply)
    events, error = await failing(model)
    assert error.kind is kind
    assert text(events) == "Hi"


async def test_a_page_instead_of_an_answer(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def page(exchange: "Exchange") -> None:
        await exchange.whole(200, "<html><body>Sign in to the network</body></html>", Content_Type="text/html")

    chat_server.answer(page)
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.BROKEN


@pytest.mark.parametrize("body", ["{broken", "[]", "{}", ""])
async def test_a_document_that_is_no_answer(chat_server: "ChatServer", model: ChatCompletions, body: str) -> None:
    async def reply(exchange: "Exchange") -> None:
        await exchange.whole(200, body)

    chat_server.answer(reply)
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.BROKEN


async def test_a_filtered_answer(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def reply(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(finish="content_filter")
        await exchange.end()

    chat_server.answer(reply)
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.REJECTED


async def test_a_model_may_have_nothing_to_say(chat_server: "ChatServer", model: ChatCompletions) -> None:
    chat_server.answer(words())
    assert await collect(model) == []
    assert len(chat_server.requests) == 1


# --- closing


async def test_closing_the_stream_closes_the_connection(chat_server: "ChatServer", model: ChatCompletions) -> None:
    seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def endless(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="Hi")
        seen.set_result(await exchange.gone())

    chat_server.answer(endless)
    stream = model.stream(ASK)
    assert await anext(stream) == TextDelta("Hi")
    await stream.aclose()
    assert await asyncio.wait_for(seen, 5)


async def test_cancelling_the_reader_closes_the_connection(chat_server: "ChatServer", model: ChatCompletions) -> None:
    seen: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    asked = asyncio.Event()

    async def silent(exchange: "Exchange") -> None:
        asked.set()
        seen.set_result(await exchange.gone())

    chat_server.answer(silent)
    task = asyncio.create_task(collect(model))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.wait_for(seen, 5)


async def test_cancelled_streams_free_the_pool(chat_server: "ChatServer") -> None:
    model = ChatCompletions(chat_server.url, "m", max_connections=1, timeouts=ChatTimeouts(connect=1.0))

    async def endless(exchange: "Exchange") -> None:
        await exchange.head()
        await exchange.delta(content="Hi")
        await exchange.gone()

    chat_server.answer(endless)
    for _ in range(5):
        stream = model.stream(ASK)
        await anext(stream)
        await stream.aclose()
    held = model.stream(ASK)
    await anext(held)
    _, error = await failing(model)
    assert error.kind is ChatErrorKind.RATE_LIMITED
    assert "busy" in str(error)
    await held.aclose()
    await model.close()
    await model.close()


# --- secrets and the check


async def test_the_key_is_never_told(
    chat_server: "ChatServer", model: ChatCompletions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    messages: list[str] = []
    with structlog.testing.capture_logs() as logged:
        for status in (400, 401, 429, 500):
            chat_server.answer(refusal(status, f"Incorrect API key provided: {KEY}", Retry_After="0"))
            _, error = await failing(model)
            messages.append(str(error))
        chat_server.answer(refusal(401, KEY))
        with pytest.raises(ChatError) as raised:
            await model.check()
        messages.append(str(raised.value))
    everything = "\n".join([*messages, str(logged), caplog.text])
    assert KEY not in everything
    assert len(messages) == 5


async def test_check(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def models(exchange: "Exchange") -> None:
        await exchange.whole(200, {"object": "list", "data": [{"id": "m:latest"}]})

    chat_server.answer(models, refusal(404), refusal(403), refusal(500))
    await model.check()
    assert (chat_server.requests[0].method, chat_server.requests[0].path) == ("GET", "/v1/models")
    await model.check()
    for kind in (ChatErrorKind.REJECTED, ChatErrorKind.BROKEN):
        with pytest.raises(ChatError) as raised:
            await model.check()
        assert raised.value.kind is kind


async def test_check_names_a_model_that_is_not_there(chat_server: "ChatServer", model: ChatCompletions) -> None:
    async def models(exchange: "Exchange") -> None:
        await exchange.whole(200, {"data": [{"id": "another"}]})

    chat_server.answer(models)
    with structlog.testing.capture_logs() as logged:
        await model.check()
    assert [entry["model"] for entry in logged] == ["m"]


async def test_check_of_a_silent_server(chat_server: "ChatServer") -> None:
    async def silent(exchange: "Exchange") -> None:
        await exchange.gone()

    chat_server.answer(silent)
    model = ChatCompletions(chat_server.url, "m", timeouts=ChatTimeouts(connect=0.2, first_token=0.2))
    with pytest.raises(ChatError) as raised:
        await model.check()
    assert raised.value.kind is ChatErrorKind.TIMEOUT
    await model.close()
