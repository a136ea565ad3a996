"""What reads a model's stream must not depend on how the stream is chopped."""

from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visavis.language.reasoning import ReasoningFilter
from visavis.language.sse import MAX_EVENT, ServerSentEvent, SseParser

T = TypeVar("T", str, bytes)
CUTS = st.lists(st.integers(1, 7), min_size=1, max_size=60)


def chopped(whole: T, sizes: list[int]) -> list[T]:
    pieces: list[T] = []
    at = 0
    for size in sizes:
        pieces.append(whole[at : at + size])
        at += size
    return [*pieces, whole[at:]]


def speech(pieces: list[str]) -> str:
    thoughts = ReasoningFilter()
    return "".join([*map(thoughts.push, pieces), thoughts.flush()])


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("<think>Hm.</think>\n\nHi <b>you</b>", "Hi <b>you</b>"),
        ("Hi <thinking>hm</thinking>there", "Hi there"),
        ("<think>never closed", ""),
        ("</think>Hi", "Hi"),
        ("1 < 2 <t", "1 < 2 <t"),
        ("<think></think><reasoning>x</reasoning> Hi", "Hi"),
    ],
)
def test_thoughts_are_not_spoken(text: str, spoken: str) -> None:
    assert speech([text]) == spoken
    assert speech(list(text)) == spoken


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "think", ">", "/", "a ", "\n", "Hi"])).map("".join), CUTS)
def test_thoughts_are_found_across_deltas(text: str, sizes: list[int]) -> None:
    assert speech(chopped(text, sizes)) == speech([text])


def events(pieces: list[bytes]) -> list[ServerSentEvent]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.push(piece)] + parser.flush()


def test_an_event_stream() -> None:
    stream = "\ufeff: hi\r\nevent: a\rdata: é1\r\ndata:2\n\nid: 5\ndata\n\n\ndata: last".encode()
    expected = [ServerSentEvent("é1\n2", "a"), ServerSentEvent(""), ServerSentEvent("last")]
    assert events([stream]) == expected
    assert events([bytes([byte]) for byte in stream]) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["data:", " ", "é", "x", "\r", "\n", "\r\n", ":", "event: e"])).map("".join), CUTS)
def test_events_do_not_depend_on_the_chunks(text: str, sizes: list[int]) -> None:
    assert events(chopped(text.encode(), sizes)) == events([text.encode()])


def test_an_endless_event_is_an_error() -> None:
    for piece in (b"x" * 1000, b"data: " + b"x" * 1000 + b"\n"):
        parser = SseParser()
        for _ in range(MAX_EVENT // 1000 - 10):
            assert parser.push(piece) == []
        with pytest.raises(ValueError, match="longer"):
            parser.push(piece * 60)
