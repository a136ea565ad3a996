"""Connecting: the states on the way, every error by its name, retries, time limits; and every reason of an end."""

import asyncio
import itertools
import json
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from tests.client.stage import Grey, Line, Script, Tone, media, nothing_left, scripted, until
from visavis.client import (
    Call,
    CallEndedError,
    CallError,
    ConnectionState,
    ControlFailedError,
    Disconnection,
    DisconnectReason,
    MediaStreamFailedError,
    NoSceneError,
    NoSessionToResumeError,
    NotSupportedError,
    NoUserMediaError,
    Pcm,
    RetryOptions,
    ServerConnectionFailedError,
    SessionTimeoutError,
    Timeouts,
)

STEPS = [
    ("SearchingForDigitalPerson", 1, 5, 25),
    ("DownloadingAssets", 2, 5, 50),
    ("ConnectingToDigitalPerson", 3, 5, 75),
    ("Connected", 4, 5, 100),
    ("Disconnected", 0, 5, 0),
]


def call(url: str, **options: Any) -> Call:
    return Call(url, license="secret-license", avatar_id="a", **options)


def shown(state: ConnectionState) -> tuple[str, int, int, int]:
    return (state.name, state.current_step, state.total_steps, state.percentage_loaded)


def ends_with(*last: Any, **more: Any) -> Script:
    """A server that connects and then, when it is told something, says these last words."""

    async def script(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_heard("realtime.input_text")
            await line.end(*last, **more)
            await line.until_left()

    return script


async def end_of(place_url: str, **options: Any) -> Disconnection:
    """How a call ends when something was said."""
    told: list[object] = []
    async with call(place_url, on_event=told.append, **options) as one:
        events = one.events()
        await one.send_text("Hello?")
        async with asyncio.timeout(20):
            assert [event async for event in events][-1] == told[-1]
        assert one.state.name == "Disconnected"
        with pytest.raises(CallEndedError) as raised:
            await one.send_text("Hello?")
        assert one.disconnection is not None
        assert (raised.value.code, raised.value.reason) == (one.disconnection.code, one.disconnection.reason)
    assert told[-1] == one.disconnection
    assert sum(isinstance(event, Disconnection) for event in told) == 1
    return one.disconnection


async def test_every_state_is_told_in_its_order_with_the_place_in_the_queue() -> None:
    async def queues(line: Line) -> None:
        assert line.query == {"license": "secret-license", "avatarId": "a", "states": "1"}
        await line.accept()
        for place in (3, 2, 2, 1):
            await line.state("queued", queuePosition=place)
        await line.state("preparing")
        await line.state("connecting")
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.state("connected")
            await line.until_left()

    states: list[ConnectionState] = []
    async with nothing_left(), scripted(queues) as place:
        one = call(place.url, on_state=states.append)
        assert shown(one.state) == STEPS[-1]
        events = one.events()
        async with one:
            assert shown(one.state) == STEPS[3]
        assert [shown(state) for state in states] == [STEPS[0]] * 4 + STEPS[1:]
        assert [state.queue_position for state in states] == [None, 3, 2, 1, None, None, None, None]
        assert [event async for event in events if isinstance(event, ConnectionState)] == states


async def test_a_server_that_tells_no_states() -> None:
    async def says_little(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_left()

    states: list[ConnectionState] = []
    async with scripted(says_little) as place, call(place.url, on_state=states.append):
        assert [shown(state) for state in states] == [STEPS[0], STEPS[2], STEPS[3]]


async def test_it_is_connected_when_the_microphone_is_taken_and_a_picture_has_come() -> None:
    go_on = asyncio.Event()

    async def is_slow(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await go_on.wait()
            await line.begin()
            await line.until_left()

    async with scripted(is_slow) as place:
        one = call(place.url)
        pictures = one.video()
        connecting = asyncio.create_task(one.connect())
        await anext(pictures)
        assert not connecting.done()
        go_on.set()
        assert await connecting == "one"
        await one.disconnect()


async def test_sound_alone_is_enough_where_no_picture_is_offered() -> None:
    async def is_heard(line: Line) -> None:
        await line.accept()
        async with media(line, Tone()):
            await line.begin()
            await line.until_left()

    async with scripted(is_heard) as place, call(place.url) as one:
        assert one.connected


BEFORE = [
    ("invalid_license", "conversation.connected.fail", ServerConnectionFailedError, "serverConnectionFailed"),
    ("bad_request", "conversation.connected.fail", ServerConnectionFailedError, "serverConnectionFailed"),
    ("origin_not_allowed", "conversation.connected.fail", ServerConnectionFailedError, "serverConnectionFailed"),
    ("shutting_down", "conversation.connected.fail", ServerConnectionFailedError, "serverConnectionFailed"),
    ("no_credit", "conversation.connected.insufficient_balance", ServerConnectionFailedError, "serverConnectionFailed"),
    ("unknown_avatar", "conversation.connected.fail", NoSceneError, "noScene"),
    ("license_limit", "conversation.connected.connection_limit_exceeded", NoSceneError, "noScene"),
    ("no_slot", "conversation.connected.gpu_full", NoSceneError, "noScene"),
    ("rate_limited", "conversation.connected.fail", NoSceneError, "noScene"),
    ("backend_error", "conversation.connected.backend_error", ControlFailedError, "controlFailed"),
    ("control_failed", "conversation.connected.backend_error", ControlFailedError, "controlFailed"),
    ("control_disconnected", "conversation.connected.backend_error", ControlFailedError, "controlFailed"),
    ("media_failed", "conversation.connected.fail", MediaStreamFailedError, "mediaStreamFailed"),
    ("session_timeout", "conversation.connected.close", SessionTimeoutError, "sessionTimeout"),
    ("conversation_ended", "conversation.connected.close", ServerConnectionFailedError, "serverConnectionFailed"),
    ("normal", "conversation.connected.close", ServerConnectionFailedError, "serverConnectionFailed"),
    ("replaced", "conversation.connected.close", ServerConnectionFailedError, "serverConnectionFailed"),
    ("no_session_to_resume", "conversation.connected.fail", NoSessionToResumeError, "noSessionToResume"),
]


@pytest.mark.parametrize("admitted", [False, True])
@pytest.mark.parametrize(("code", "kind", "error", "name"), BEFORE)
async def test_errors_of_connecting(code: str, kind: str, error: type[CallError], name: str, admitted: bool) -> None:
    async def refuses(line: Line) -> None:
        if admitted:
            await line.accept()
        await line.end(kind, code, "For a reason.")

    told: list[object] = []
    async with nothing_left(), scripted(refuses) as place:
        one = call(place.url, on_event=told.append)
        with pytest.raises(error, match=r"^For a reason\.$") as raised:
            await one.connect()
        assert type(raised.value) is error
        assert (raised.value.name, raised.value.code) == (name, code)
        # It never was connected, and so cannot be disconnected.
        assert not any(isinstance(event, Disconnection) for event in told)
        assert one.state.name == "Disconnected"
        await until(lambda: place.open == 0)


async def test_the_reason_of_the_close_is_read_where_the_last_words_have_no_code() -> None:
    async def refuses(line: Line) -> None:
        await line.say("conversation.connected.fail", message="No.")
        await line.socket.close(1008, "unknown_avatar")

    async with scripted(refuses) as place:
        with pytest.raises(NoSceneError):
            await call(place.url).connect()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("conversation.connected.fail", "serverConnectionFailed"),
        ("conversation.connected.gpu_full", "noScene"),
        ("realtime.session.gpu_full", "noScene"),
        ("conversation.connected.connection_limit_exceeded", "noScene"),
        ("realtime.session.insufficient_balance", "serverConnectionFailed"),
        ("conversation.connected.backend_error", "controlFailed"),
        ("conversation.connected.close", "serverConnectionFailed"),
    ],
)
async def test_the_last_words_alone_say_why(kind: str, name: str) -> None:
    async def refuses(line: Line) -> None:
        await line.say(kind, message="No.")
        # And forgets to close.
        await line.until_left()

    async with nothing_left(), scripted(refuses) as place:
        with pytest.raises(CallError) as raised:
            await call(place.url).connect()
        assert (raised.value.name, str(raised.value)) == (name, "No.")


AFTER = [
    ("backend_error", "conversation.connected.backend_error", "controlDisconnected", "controlFailed"),
    ("control_failed", "conversation.connected.backend_error", "controlDisconnected", "controlFailed"),
    ("control_disconnected", "conversation.connected.backend_error", "controlDisconnected", "controlFailed"),
    ("media_failed", "conversation.connected.fail", "normal", "mediaStreamFailed"),
    ("session_timeout", "conversation.connected.close", "sessionTimeout", "sessionTimeout"),
    ("conversation_ended", "conversation.connected.close", "conversationEnded", ""),
    ("normal", "conversation.connected.close", "normal", ""),
    ("replaced", "conversation.connected.close", "normal", ""),
]


@pytest.mark.parametrize(("code", "kind", "reason", "error"), AFTER)
async def test_reasons_of_an_end(code: str, kind: str, reason: str, error: str) -> None:
    async with nothing_left(), scripted(ends_with(kind, code, "For a reason.")) as place:
        assert await end_of(place.url) == Disconnection("one", DisconnectReason(reason), code, "For a reason.", error)
        await until(lambda: place.open == 0)
        assert place.calls == 1


async def test_hanging_up_is_normal() -> None:
    told: list[object] = []
    async with scripted(ends_with("conversation.connected.close", "normal")) as place:
        async with call(place.url, on_event=told.append) as one:
            pass
        assert one.disconnection == told[-1]
        assert one.disconnection == Disconnection("one", DisconnectReason.NORMAL, "aborted", "Hung up.")
        await one.disconnect()
        assert told.count(one.disconnection) == 1


async def test_a_server_that_vanishes_without_a_word() -> None:
    async def vanishes(line: Line) -> None:
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_heard("realtime.input_text")
            line.socket.transport.abort()

    async with nothing_left(), scripted(vanishes) as place:
        end = await end_of(place.url)
        # Nothing was kept to come back to.
        assert place.calls == 1
        assert (end.reason, end.code, end.error) == (
            DisconnectReason.CONTROL_DISCONNECTED,
            "connection_lost",
            "serverConnectionFailed",
        )


async def test_a_server_that_vanishes_before_there_is_a_call() -> None:
    async def vanishes(line: Line) -> None:
        await line.accept(resumeToken="t")
        line.socket.transport.abort()

    async with nothing_left(), scripted(vanishes) as place:
        with pytest.raises(ServerConnectionFailedError) as raised:
            await call(place.url).connect()
        assert raised.value.code == "connection_lost"


@asynccontextmanager
async def busy(times: int, code: str = "no_slot") -> AsyncIterator[tuple[str, list[float]]]:
    """A server that refuses so many times, and the loop times of all attempts."""
    attempts: list[float] = []

    async def script(line: Line) -> None:
        attempts.append(asyncio.get_running_loop().time())
        if len(attempts) <= times:
            await line.end("conversation.connected.gpu_full", code)
            return
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_left()

    async with nothing_left(), scripted(script) as place:
        yield place.url, attempts


async def test_a_busy_server_is_tried_again() -> None:
    async with busy(2) as (url, attempts), call(url, retry=RetryOptions(2, 0.2)):
        assert len(attempts) == 3
        assert all(later - earlier >= 0.2 for earlier, later in itertools.pairwise(attempts))


async def test_a_busy_server_is_tried_so_often_and_no_more() -> None:
    async with busy(9) as (url, attempts):
        with pytest.raises(NoSceneError):
            await call(url, retry=RetryOptions(2, 0.05)).connect()
        assert len(attempts) == 3


@pytest.mark.parametrize("code", ["unknown_avatar", "invalid_license", "shutting_down"])
async def test_what_would_be_refused_again_is_not_tried_again(code: str) -> None:
    async with busy(9, code) as (url, attempts):
        with pytest.raises(CallError):
            await call(url, retry=RetryOptions(3, 0.05)).connect()
        assert len(attempts) == 1


async def test_hanging_up_between_two_tries() -> None:
    async with busy(9) as (url, attempts):
        one = call(url, retry=RetryOptions(3, 60))
        connecting = asyncio.create_task(one.connect())
        await until(lambda: len(attempts) == 1)
        await one.disconnect()
        with pytest.raises(CallEndedError):
            await connecting


@pytest.mark.parametrize(
    ("limit", "state", "error", "code"),
    [
        (Timeouts(queue=0.3), "queued", NoSceneError, "queue_timeout"),
        (Timeouts(prepare=0.3), "preparing", ServerConnectionFailedError, "no_answer"),
        (Timeouts(media=0.3), "connecting", MediaStreamFailedError, "media_timeout"),
        (Timeouts(connect=0.3), "queued", SessionTimeoutError, "connect_timeout"),
    ],
)
async def test_every_wait_has_a_limit_of_its_own(
    limit: Timeouts, state: str, error: type[CallError], code: str
) -> None:
    async def dawdles(line: Line) -> None:
        await line.accept()
        # Words of the same step do not begin it anew.
        for place in range(40, 1, -1):
            await line.state(state, queuePosition=place)
            await asyncio.sleep(0.1)

    async with nothing_left(), scripted(dawdles) as place:
        async with asyncio.timeout(3):
            with pytest.raises(error) as raised:
                await call(place.url, timeouts=limit).connect()
        assert raised.value.code == code
        await until(lambda: place.open == 0)


async def test_a_step_that_is_done_is_not_waited_for_any_more() -> None:
    async def queues(line: Line) -> None:
        await line.accept()
        await line.state("queued", queuePosition=1)
        await line.state("preparing")
        await asyncio.sleep(0.5)
        async with media(line, Tone(), Grey()):
            await line.begin()
            await asyncio.sleep(0.5)
            await line.say("realtime.session.updated")
            await line.until_left()

    limits = Timeouts(answer=0.4, queue=0.4, prepare=5.0, media=5.0)
    async with scripted(queues) as place, call(place.url, timeouts=limits) as one:
        await asyncio.sleep(0.6)
        assert one.connected


async def test_each_attempt_has_a_token_of_its_own() -> None:
    asked: list[str] = []

    async def script(line: Line) -> None:
        asked.append(line.query["license"])
        await line.end("conversation.connected.gpu_full", "no_slot")

    numbers = iter(range(9))

    async def provide() -> str:
        return f"token-{next(numbers)}"

    async with scripted(script) as place:
        with pytest.raises(NoSceneError):
            await Call(place.url, token_provider=provide, name="n", retry=RetryOptions(1, 0.0)).connect()
        with pytest.raises(NoSceneError):
            await Call(place.url, token="mine", name="n").connect()
    assert asked == ["token-0", "token-1", "mine"]


async def test_a_token_that_cannot_be_had() -> None:
    async def provide() -> str:
        raise OSError("https://example.test/?secret=1")

    with pytest.raises(ServerConnectionFailedError) as raised:
        await Call("http://127.0.0.1:1", token_provider=provide, name="n").connect()
    assert raised.value.code == "token_failed"
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("rename", [("VP8|H264|rtx", "video"), ("opus|PCMU|PCMA|G722", "audio")])
async def test_media_that_cannot_be_received_here(rename: tuple[str, str]) -> None:
    codecs, _ = rename

    async def is_modern(line: Line) -> None:
        say = line.say

        async def changed(kind: str, data: Any = None, **fields: Any) -> None:
            if kind == "webrtc.signaling.offer":
                data = json.loads(re.sub(rf"({codecs})/", "unknown/", json.dumps(data)))
            await say(kind, data, **fields)

        line.say = changed  # type: ignore[method-assign]
        await line.accept()
        async with media(line, Tone(), Grey()):
            await line.until_left()

    async with nothing_left(), scripted(is_modern) as place:
        with pytest.raises(NotSupportedError) as raised:
            await call(place.url).connect()
        assert raised.value.name == "notSupported"
        await until(lambda: place.open == 0)


async def test_an_offer_that_is_none() -> None:
    async def offers_nonsense(line: Line) -> None:
        await line.accept()
        await line.say("webrtc.signaling.offer", {"sdp": {"type": "offer", "sdp": "v=1\r\nm=?"}})
        await line.until_left()

    async with nothing_left(), scripted(offers_nonsense) as place:
        with pytest.raises(MediaStreamFailedError):
            await call(place.url).connect()


async def test_a_source_of_sound_that_cannot_be_opened_is_found_before_the_server_is_called() -> None:
    class Broken:
        async def __aenter__(self) -> AsyncIterator[Pcm]:
            raise OSError("no such device")

        async def __aexit__(self, *_: object) -> None:
            """Nothing was opened."""

    async with nothing_left(), scripted(Line.until_left) as place:
        with pytest.raises(NoUserMediaError, match="no such device") as raised:
            await call(place.url, audio=Broken()).connect()
        assert raised.value.name == "noUserMedia"
        assert place.calls == 0


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def accepts(line: Line) -> None:
        await line.accept(resumeToken="secret-token")
        async with media(line, Tone(), Grey()):
            await line.begin()
            await line.until_left()

    logging.getLogger("websockets.server").setLevel(logging.INFO)
    try:
        async with scripted(accepts) as place, call(place.url, resume="secret-resume") as one:
            await one.send_audio(np.zeros(480, np.int16))
        with pytest.raises(ServerConnectionFailedError) as raised:
            await call("http://127.0.0.1:1", resume="secret-resume").connect()
    finally:
        logging.getLogger("websockets.server").setLevel(logging.NOTSET)
    assert caplog.records
    assert "secret" not in caplog.text
    assert "secret" not in str(raised.value)
