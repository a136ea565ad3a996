"""One call's life: prepared, connected, timed out, left; and nothing remains of it."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import structlog
import structlog.testing

from tests.session.house import Guest, House, nothing_left
from visavis.avatar.catalogue import Catalogue
from visavis.avatar.package import AvatarPackage
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.conversation.conversation import Conversation
from visavis.conversation.events import AnswerAudioDone
from visavis.conversation.parts import Parts
from visavis.language.ports import ToolCall
from visavis.media.peer import Peer
from visavis.session.commands import AcceptAnswer, AddCandidate, AppendAudio, Respond, SendText
from visavis.session.events import Created, Ended, Ending, Offered, Ready, Refusal, RefusalKind
from visavis.session.session import Session
from visavis.session.timers import Timers


async def test_a_call_that_is_left(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(), greeting="Welcome to this house.")
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(10):
            await guest.connected.wait()
            await asyncio.sleep(1.0)
        assert house.slots.taken == house.desk.sessions == 1
        await guest.session.leave()
        await following
        assert guest.kinds[:3] == [Offered, Created, Ready]
        assert guest.events[-1] == Ended(Ending.NORMAL, "The conversation is over.")
        assert house.slots.taken == house.desk.sessions == 0
        assert house.ended(Ending.NORMAL) == 1
        await guest.session.leave()
        await guest.session.handle(SendText("Is anybody there?"))
        assert not house.model.requests


async def test_a_calls_memory_is_free_without_a_collection(pool: ThreadPoolExecutor) -> None:
    faces: list[weakref.ref[PuppetRenderer]] = []

    def renderer(package: AvatarPackage, view: View) -> PuppetRenderer:
        face = PuppetRenderer(package, View(128, 128))
        faces.append(weakref.ref(face))
        return face

    house = House(pool, Timers(), greeting="Welcome to this house.", renderer=renderer)
    gc.collect()
    gc.disable()
    try:
        for mode in (None, "transparency"):
            guest = Guest(await house.admit(model=mode))
            following = asyncio.create_task(guest.follow())
            async with asyncio.timeout(10):
                await guest.connected.wait()
                await asyncio.sleep(0.7)
            await guest.session.handle(SendText("Hello."))
            await asyncio.sleep(0.3)
            await guest.session.leave()
            await following
            del guest, following
            await asyncio.sleep(0.1)
        assert len(faces) == 2
        assert [face() for face in faces] == [None, None]
    finally:
        gc.enable()


async def test_events_asked_for_after_leaving_are_the_end_alone(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        session = await house.admit()
        await session.leave()
        async with asyncio.timeout(5):
            assert [event async for event in session.events()] == [Ended(Ending.NORMAL, "The conversation is over.")]
            await session.handle(SendText("Is anybody there?"))
        assert house.ended(Ending.NORMAL) == 1
        assert house.slots.taken == 0
        with pytest.raises(RuntimeError):
            await anext(session.events())


async def test_long_sound_lets_the_others_have_their_turn(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[np.ndarray] = []
    turns: list[int] = []
    monkeypatch.setattr(Conversation, "push_audio", lambda self, pcm: pushed.append(pcm))

    async def other() -> None:
        while True:
            turns.append(len(pushed))
            await asyncio.sleep(0)

    house = House(pool, Timers())
    guest = Guest(await house.admit(), answers=False)
    following = asyncio.create_task(guest.follow())
    await guest.until(Ready)
    sound = np.random.default_rng(0).integers(-9000, 9000, 100_000).astype("<i2")
    neighbour = asyncio.create_task(other())
    await guest.session.handle(AppendAudio(sound.tobytes()))
    neighbour.cancel()
    assert np.array_equal(np.concatenate(pushed), sound)
    assert max(len(piece) for piece in pushed) <= 4800
    assert set(turns) >= set(range(1, len(pushed)))
    await guest.session.leave()
    await following


async def test_a_call_that_is_left_takes_no_more_of_a_long_sound(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushed: list[int] = []
    house = House(pool, Timers())
    guest = Guest(await house.admit(), answers=False)
    following = asyncio.create_task(guest.follow())
    await guest.until(Ready)
    leaving: list[asyncio.Task[None]] = []

    def push(self: Conversation, pcm: np.ndarray) -> None:
        pushed.append(len(pcm))
        if len(pushed) == 3:
            leaving.append(asyncio.create_task(guest.session.leave()))

    monkeypatch.setattr(Conversation, "push_audio", push)
    await guest.session.handle(AppendAudio(bytes(10 * 48_000)))
    assert len(pushed) <= 4
    await asyncio.gather(*leaving)
    await following


async def test_entries_of_a_session_carry_its_id(pool: ThreadPoolExecutor) -> None:
    house = House(pool, Timers())
    # Nobody has named the session to the log before, as a wire would.
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as entries:
        followed, left = Guest(await house.admit(), answers=False), await house.admit()
        following = asyncio.create_task(followed.follow())
        await followed.until(Ready)
        await followed.session.leave()
        await following
        await left.leave()
    ends = [entry["session"] for entry in entries if entry["event"] == "session ended"]
    assert ends == [followed.session.id, left.id]


async def test_media_that_never_comes_ends_the_call(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(media=0.5))
        guest = Guest(await house.admit(), answers=False)
        await guest.follow()
        assert guest.kinds == [Offered, Created, Ready, Ended]
        assert guest.events[-1].ending is Ending.MEDIA_FAILED
        assert house.slots.taken == 0


async def test_an_idle_call_ends(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(idle=1.0))
        guest = Guest(await house.admit())
        async with asyncio.timeout(15):
            await guest.follow()
        assert guest.events[-1].ending is Ending.SESSION_TIMEOUT


async def test_a_goodbye_is_heard_to_its_end_at_the_visitors_side(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool)
        guest = Guest(await house.admit()).arrive()
        await guest.until(Ready)
        house.model.script.append(["Goodbye.", ToolCall("call_1", "end_conversation", "{}")])
        await guest.session.handle(SendText("Bye."))
        await guest.until(AnswerAudioDone)
        sounded = asyncio.get_running_loop().time()
        assert (await guest.gone()).ending is Ending.CONVERSATION_ENDED
        # What has left the server is still on its way, and in the player's buffer.
        assert asyncio.get_running_loop().time() - sounded > 0.3


async def test_the_longest_call_ends(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(max_duration=0.7))
        guest = Guest(await house.admit())
        async with asyncio.timeout(15):
            await guest.follow()
        assert guest.events[-1].ending is Ending.SESSION_TIMEOUT


async def test_a_visitor_whose_media_vanishes_is_not_waited_for_for_ever(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers(media_lost=0.5))
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(30):
            await guest.connected.wait()
            await guest.lose_media()
            await following
        assert guest.events[-1].ending is Ending.MEDIA_FAILED
        assert house.slots.taken == 0


async def test_a_call_left_before_it_began_gives_its_slot_back(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        session = await house.admit()
        assert house.slots.taken == 1
        await session.leave()
        assert house.slots.taken == house.desk.sessions == 0


async def test_bad_signalling_is_survived(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        await guest.session.handle(AcceptAnswer("nonsense"))
        await guest.session.handle(AddCandidate("candidate:nonsense", "0", 0))
        await guest.session.handle(AppendAudio(b""))
        async with asyncio.timeout(10):
            await guest.connected.wait()
        await guest.session.handle(Respond())
        await guest.session.leave()
        await following


async def test_a_package_that_cannot_be_loaded_ends_the_call_with_a_word(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nothing_left():
        house = House(pool, Timers())

        async def broken(self: Catalogue, avatar: object) -> object:
            raise OSError("disk gone")

        monkeypatch.setattr(Catalogue, "load", broken)
        guest = Guest(await house.admit())
        await guest.follow()
        assert guest.kinds == [Ended]
        assert guest.events[-1].ending is Ending.BACKEND_ERROR
        assert "disk" not in guest.events[-1].message


async def test_a_brain_that_cannot_be_made_ends_the_call_and_frees_all(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with nothing_left():
        house = House(pool, Timers())

        def broken() -> Parts:
            raise ValueError("no such model: secret-model")

        monkeypatch.setattr(house, "make_parts", broken)
        guest = Guest(await house.admit())
        async with asyncio.timeout(10):
            await guest.follow()
        assert guest.events[-1] == Ended(Ending.BACKEND_ERROR, "Something went wrong on the server.")
        assert house.slots.taken == house.desk.sessions == 0
        assert house.ended(Ending.BACKEND_ERROR) == 1


@pytest.mark.parametrize("method", ["open", "begin"])
async def test_a_conversation_that_cannot_begin_ends_the_call(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def broken(self: Conversation) -> None:
        raise RuntimeError("a fault")

    async with nothing_left():
        house = House(pool, Timers())
        monkeypatch.setattr(Conversation, method, broken)
        guest = Guest(await house.admit())
        async with asyncio.timeout(10):
            await guest.follow()
        assert guest.events[-1].ending is Ending.BACKEND_ERROR
        assert house.slots.taken == house.desk.sessions == 0


@pytest.mark.parametrize("broken", [Conversation, Peer])
async def test_what_cannot_be_closed_keeps_nothing_else_open(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch, broken: type
) -> None:
    closed: list[str] = []

    def closes(part: type, close: Callable[[object], Awaitable[None]]) -> Callable[[object], Awaitable[None]]:
        async def closing(self: object) -> None:
            await close(self)
            closed.append(part.__name__)
            if part is broken:
                raise RuntimeError("the door sticks")

        return closing

    for part in (Conversation, Peer):
        monkeypatch.setattr(part, "close", closes(part, part.close))
    async with nothing_left():
        house = House(pool, Timers(), greeting="Welcome to this house.")
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(10):
            await guest.connected.wait()
        with structlog.testing.capture_logs() as entries:
            await guest.session.leave()
        await following
        assert closed == ["Conversation", "Peer"]
        assert house.slots.taken == house.desk.sessions == 0
        assert house.ended(Ending.NORMAL) == 1
        assert [entry["part"] for entry in entries if entry["event"] == "closing failed"] == [broken.__name__.lower()]


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"license": "wrong"}, RefusalKind.INVALID_LICENSE),
        ({"avatar_id": "nobody"}, RefusalKind.UNKNOWN_AVATAR),
        ({"avatar_id": None}, RefusalKind.BAD_REQUEST),
        ({"avatar_id": None, "name": "Nobody"}, RefusalKind.UNKNOWN_AVATAR),
    ],
)
async def test_refusals(pool: ThreadPoolExecutor, options: dict[str, str | None], kind: RefusalKind) -> None:
    house = House(pool, Timers())
    with pytest.raises(Refusal) as refused:
        await house.admit(**options)
    assert refused.value.kind is kind
    assert house.registry.get_sample_value("visavis_calls_refused_total", {"kind": kind.value}) == 1
    assert house.slots.taken == 0


async def test_a_closed_house_takes_nobody_and_sends_everybody_home(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, Timers())
        guest = Guest(await house.admit())
        following = asyncio.create_task(guest.follow())
        async with asyncio.timeout(10):
            await guest.connected.wait()
        await house.desk.close()
        await following
        assert guest.events[-1].ending is Ending.NORMAL
        with pytest.raises(Refusal) as refused:
            await house.admit()
        assert refused.value.kind is RefusalKind.SHUTTING_DOWN


async def test_a_session_that_cannot_be_left_does_not_keep_the_others(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(pool, Timers())
    stuck, other = await house.admit(), await house.admit()
    leave = Session.leave

    async def leaves(self: Session, ending: Ending = Ending.NORMAL, **how: Any) -> None:
        if self is stuck:
            raise RuntimeError("a fault")
        await asyncio.sleep(0.05)
        await leave(self, ending, **how)

    monkeypatch.setattr(Session, "leave", leaves)
    with structlog.testing.capture_logs() as entries:
        await house.desk.close()
    assert house.slots.taken == 1
    assert house.ended(Ending.NORMAL) == 1
    assert [entry["session"] for entry in entries if entry["log_level"] == "error"] == [stuck.id]
    monkeypatch.undo()
    await house.desk.close()
    assert house.slots.taken == 0
    assert not other._tasks


async def test_closing_waits_for_what_hangs_but_not_for_ever(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visavis.session.reception._LONGEST_END", 0.5)
    async with nothing_left():
        house = House(pool)
        guest = Guest(await house.admit()).arrive()
        await guest.until(Ready)
        stuck = asyncio.Event()

        async def close(self: Conversation) -> None:
            await stuck.wait()
            await real(self)

        real = Conversation.close
        monkeypatch.setattr(Conversation, "close", close)
        with structlog.testing.capture_logs() as logs:
            async with asyncio.timeout(10):
                await house.desk.close()
        assert [entry["sessions"] for entry in logs if entry["log_level"] == "error"] == [[guest.session.id]]
        assert house.slots.taken == 0
        stuck.set()
        assert (await guest.gone()).ending is Ending.NORMAL
