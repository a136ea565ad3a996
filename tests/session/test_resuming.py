"""Coming back to a session: the same id and conversation, whatever became of the connection or the server."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tests.session.house import PERSISTENT, Guest, House, MemoryArchive, MemorySaved, nothing_left
from visavis.conversation.events import AnswerDone
from visavis.session.commands import AddMessage, SendText, SetVariables
from visavis.session.events import Created, Ending, Ready, Refusal, RefusalKind, Restored, SessionState
from visavis.session.keeping import Windows, hash_of
from visavis.session.license import License
from visavis.session.records import StoreError
from visavis.session.saved import SavedSession
from visavis.session.timers import Timers
from visavis.session.tokens import TokenRequest

CONNECTED = SessionState.CONNECTED


class DeafArchive(MemoryArchive):
    """One that can be written, and not read."""

    def __init__(self) -> None:
        super().__init__()
        self.saved = UnreadableSaved()


class UnreadableSaved(MemorySaved):
    async def find(self, key_hash: str) -> SavedSession | None:
        raise StoreError("the disk is gone")


async def talk(house: House, **options: object) -> Guest:
    """A guest who said something that was answered."""
    guest = Guest(await house.admit(resumable=True, **options)).arrive()
    await guest.until_state(CONNECTED)
    house.model.script.append(["You have a cat."])
    await guest.session.handle(SetVariables({"visitor": "Ana"}))
    await guest.session.handle(SendText("I have a cat."))
    await guest.until(AnswerDone)
    return guest


def words(guest: Guest) -> list[str]:
    return [item.text for item in guest.session.snapshot.items]


async def test_a_visitor_comes_back_to_the_same_conversation(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, greeting="Welcome.", **PERSISTENT)
        first = await talk(house)
        key, said = first.session.resume_key, words(first)
        assert key
        assert not first.session.resumed
        await first.leave()

        second = Guest(await house.admit(resumable=True, resume=key)).arrive()
        assert second.session.id == first.session.id
        assert second.session.resumed
        assert second.session.resume_key == key
        await second.until_state(CONNECTED)
        await asyncio.sleep(1.0)
        restored = await second.until(Restored)
        assert second.kinds.index(Restored) < second.kinds.index(Created) < second.kinds.index(Ready)
        assert [item.text for item in restored.snapshot.items] == said == words(second)
        assert restored.snapshot.variables == {"visitor": "Ana"}
        assert AnswerDone not in second.kinds
        await second.leave()
        record = house.archive.records.all[first.session.id]
        assert record.resumptions == 1
        assert record.ending is Ending.NORMAL
        assert [entry.state for entry in record.states].count(CONNECTED) == 2


async def test_a_server_that_dies_loses_nothing(pool: ThreadPoolExecutor) -> None:
    archive = MemoryArchive()
    house = House(pool, archive=archive, **PERSISTENT)
    first = await talk(house)
    said = words(first)
    # What another server finds in the store while this one has not ended the session.
    kept = MemoryArchive()
    kept.saved.all = dict(archive.saved.all)
    kept.records.all = dict(archive.records.all)
    other = House(pool, archive=kept, **PERSISTENT)
    second = Guest(await other.admit(resumable=True, resume=first.session.resume_key)).arrive()
    await second.until_state(CONNECTED)
    assert second.session.id == first.session.id
    assert words(second) == said
    await second.leave()
    await first.leave()


async def test_the_newer_of_two_windows_wins(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, **PERSISTENT)
        first = await talk(house)
        second = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        ended = await first.gone()
        assert ended.ending is Ending.REPLACED
        assert house.slots.taken == 1
        await second.until_state(CONNECTED)
        assert words(second) == ["I have a cat.", "You have a cat."]
        third = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        assert (await second.gone()).ending is Ending.REPLACED
        await third.until_state(CONNECTED)
        await third.leave()
        assert house.slots.taken == house.desk.sessions == 0
        assert house.archive.records.all[first.session.id].resumptions == 2
        assert first.session.id in house.archive.saved.all


async def test_two_windows_at_once(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, **PERSISTENT)
        first = await talk(house)
        key = first.session.resume_key
        await first.leave()
        sessions = await asyncio.gather(*(house.admit(resumable=True, resume=key) for _ in range(4)))
        guests = [Guest(session).arrive() for session in sessions]
        for guest in guests[:-1]:
            assert (await guest.gone()).ending is Ending.REPLACED
        await guests[-1].until_state(CONNECTED)
        assert words(guests[-1]) == ["I have a cat.", "You have a cat."]
        await guests[-1].leave()
        assert house.slots.taken == house.desk.sessions == 0


async def test_what_runs_is_come_back_to_without_the_store(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        archive = DeafArchive()
        house = House(pool, slots=1, archive=archive, licenses=[License("key"), License("other")], **PERSISTENT)
        first = await talk(house)
        key = first.session.resume_key
        with pytest.raises(Refusal) as refused:
            await house.admit(license="other", resumable=True, resume=key)
        assert refused.value.kind is RefusalKind.NO_SESSION_TO_RESUME
        second = Guest(await house.admit(resumable=True, resume=key)).arrive()
        assert (await first.gone()).ending is Ending.REPLACED
        await second.until_state(CONNECTED)
        assert words(second) == ["I have a cat.", "You have a cat."]
        await second.leave()
        with pytest.raises(Refusal) as refused:
            await house.admit(resumable=True, resume=key)
        assert refused.value.kind is RefusalKind.BACKEND_ERROR
        assert house.slots.taken == house.desk.sessions == 0


async def test_who_comes_back_while_the_session_is_just_ending_finds_its_slot(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, licenses=[License("key", max_sessions=1)], **PERSISTENT)
        first = await talk(house)
        leaving = asyncio.create_task(first.session.leave(lost=True))
        await asyncio.sleep(0)
        # It is ending, and has not come to give its slot back.
        assert first.session.over
        assert house.slots.taken == 1
        second = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        await second.until_state(CONNECTED)
        await leaving
        assert house.slots.taken == 1
        assert words(second) == ["I have a cat.", "You have a cat."]
        await second.leave()
        assert house.slots.taken == house.desk.sessions == 0


async def test_coming_back_gives_no_more_time_with_the_slot(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        limit = 4.0
        house = House(pool, Timers(max_duration=limit), slots=1, **PERSISTENT)
        first = Guest(await house.admit(resumable=True)).arrive()
        await first.until_state(CONNECTED)
        await asyncio.sleep(1.0)
        second = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        assert 1.0 <= second.session.connected_for < limit
        assert (await second.gone()).ending is Ending.SESSION_TIMEOUT
        # Who takes a slot of its own has all of it.
        third = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        await third.until_state(CONNECTED)
        assert third.session.connected_for < limit
        await third.leave()


async def test_a_place_in_the_queue_is_taken_over_too(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=5, **PERSISTENT)
        talking = await house.admit()
        first = Guest(await house.admit(resumable=True)).arrive()
        behind = Guest(await house.admit()).arrive()
        await first.until_state(SessionState.QUEUED)
        again = Guest(await house.admit(resumable=True, resume=first.session.resume_key)).arrive()
        await again.until_state(SessionState.QUEUED)
        assert again.states == [(SessionState.QUEUED, 1)]
        assert (await first.gone()).ending is Ending.REPLACED
        await behind.leave()
        await again.leave()
        await talking.leave()


async def test_without_persistence_only_a_lost_connection_is_waited_for(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool)
        guest = await talk(house)
        await guest.leave(lost=True)
        back = Guest(await house.admit(resumable=True, resume=guest.session.resume_key)).arrive()
        await back.until_state(CONNECTED)
        assert words(back) == ["I have a cat.", "You have a cat."]
        await back.leave()
        assert not house.archive.saved.all
        with pytest.raises(Refusal) as refused:
            await house.admit(resumable=True, resume=guest.session.resume_key)
        assert refused.value.kind is RefusalKind.NO_SESSION_TO_RESUME


async def test_media_that_is_closed_before_the_wire_is_no_hanging_up(pool: ThreadPoolExecutor) -> None:
    """As a client does whose line is dead, and who hears of it before the server."""
    async with nothing_left():
        house = House(pool)
        guest = await talk(house)
        await guest.lose_media()
        await asyncio.sleep(0.5)
        assert not guest.session.over
        back = Guest(await house.admit(resumable=True, resume=guest.session.resume_key)).arrive()
        assert (await guest.gone()).ending is Ending.REPLACED
        await back.until_state(CONNECTED)
        assert words(back) == ["I have a cat.", "You have a cat."]
        await back.lose_media()
        # And who does hang up, has.
        assert (await back.leave()).ending is Ending.NORMAL
        assert not house.archive.saved.all


async def test_who_lost_the_connection_waits_before_those_who_came_later(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, queue=5)
        guest = await talk(house)
        waiting = [Guest(await house.admit()).arrive() for _ in range(2)]
        await guest.leave(lost=True)
        await waiting[0].until_state(CONNECTED)
        back = Guest(await house.admit(resumable=True, resume=guest.session.resume_key)).arrive()
        await back.until_state(SessionState.QUEUED)
        assert back.states == [(SessionState.QUEUED, 1)]
        await waiting[0].leave()
        await back.until_state(CONNECTED)
        assert words(back) == ["I have a cat.", "You have a cat."]
        assert waiting[1].states[-1] == (SessionState.QUEUED, 1)
        await back.leave()
        await waiting[1].leave()


async def test_nothing_is_kept_where_nobody_asks_or_nothing_is_to_be_kept(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, **PERSISTENT)
        guest = Guest(await house.admit()).arrive()
        await guest.until(Ready)
        await guest.session.handle(AddMessage("Hello."))
        assert guest.session.resume_key is None
        await guest.leave(lost=True)
        assert not house.archive.saved.all

        house = House(pool, windows=Windows(reconnect=0))
        guest = Guest(await house.admit(resumable=True)).arrive()
        assert guest.session.resume_key is None
        await guest.leave(lost=True)
        assert not house.archive.saved.all


@pytest.mark.parametrize("persistent", [True, False])
async def test_the_license_decides_before_the_server(pool: ThreadPoolExecutor, persistent: bool) -> None:
    async with nothing_left():
        licenses = [License("key", persistence=persistent)]
        house = House(pool, licenses=licenses, persistence=not persistent)
        guest = await talk(house)
        await guest.leave()
        assert bool(house.archive.saved.all) is persistent


async def test_what_is_kept_has_no_key_and_a_term(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, **PERSISTENT)
        guest = await talk(house)
        key = guest.session.resume_key
        assert key
        running = house.archive.saved.all[guest.session.id]
        assert running.key_hash == hash_of(key) != key
        await guest.leave()
        saved = house.archive.saved.all[guest.session.id]
        assert timedelta(hours=23) < saved.expires_at - datetime.now(UTC) <= timedelta(hours=24)
        assert running.expires_at > saved.expires_at
        assert "key" not in repr(saved).lower().replace("session", "")


@pytest.mark.parametrize("key", ["", "resume_nonsense", "\ud800", "'; drop table saved; --"])
async def test_keys_that_belong_to_nothing(pool: ThreadPoolExecutor, key: str) -> None:
    async with nothing_left():
        house = House(pool, **PERSISTENT)
        if not key:
            session = await house.admit(resumable=True, resume=key)
            assert not session.resumed
            await session.leave()
            return
        with pytest.raises(Refusal) as refused:
            await house.admit(resumable=True, resume=key)
        assert refused.value.kind is RefusalKind.NO_SESSION_TO_RESUME
        assert house.slots.taken == 0


async def test_a_session_belongs_to_its_license_and_its_avatar(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        first, second = License("key"), License("other")
        house = House(pool, licenses=[first, second], **PERSISTENT)
        guest = await talk(house)
        await guest.leave()
        key = guest.session.resume_key
        elsewhere = house.licenses.issue(first, TokenRequest(avatar_id="somebody-else")).token
        for license in ("other", elsewhere):
            with pytest.raises(Refusal) as refused:
                await house.admit(license=license, resumable=True, resume=key)
            assert refused.value.kind is RefusalKind.NO_SESSION_TO_RESUME
        here = house.licenses.issue(first, TokenRequest(avatar_id="vera")).token
        back = Guest(await house.admit(license=here, resumable=True, resume=key)).arrive()
        await back.until_state(CONNECTED)
        await back.leave()


async def test_a_return_that_finds_no_slot_loses_nothing(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool, slots=1, **PERSISTENT)
        guest = await talk(house)
        await guest.leave()
        talking = await house.admit()
        with pytest.raises(Refusal) as refused:
            await house.admit(resumable=True, resume=guest.session.resume_key)
        assert refused.value.kind is RefusalKind.NO_SLOT
        await talking.leave()
        back = Guest(await house.admit(resumable=True, resume=guest.session.resume_key)).arrive()
        await back.until_state(CONNECTED)
        assert words(back) == ["I have a cat.", "You have a cat."]
        await back.leave()


async def test_what_a_client_says_of_itself_is_recorded_within_bounds(pool: ThreadPoolExecutor) -> None:
    async with nothing_left():
        house = House(pool)
        session = await house.admit(model="m" * 60_000, origin="https://" + "o" * 60_000)
        await session.leave()
        record = house.archive.records.all[session.id]
        assert record.model == "m" * 256
        assert len(record.origin) == 256
