"""The workshop: drafts from their beginning to their end, with a scripted maker."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.portraits.house import FOUND, PLACES, UNSURE, House, until
from visavis.avatar.photo.consent import STATEMENT
from visavis.avatar.photo.image import MAX_BYTES
from visavis.portraits.draft import Declined, DraftState, Fault
from visavis.portraits.maker import Built, Spoken
from visavis.portraits.shelf import Shelf
from visavis.portraits.workshop import IDLE, LEFT, LIFETIME


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "avatars")
    before = asyncio.all_tasks()
    await house.workshop.open()
    yield house
    await house.workshop.close()
    assert asyncio.all_tasks() - before <= {asyncio.current_task()}
    # Nothing but what was saved is left.
    assert not list((tmp_path / "avatars").glob(".*"))


def declined(code: str) -> Any:
    return pytest.raises(Declined, check=lambda error: error.fault.code == code)


async def test_from_photo_to_avatar(house: House) -> None:
    draft = await house.begin("  Ana   María ")
    assert (draft.name, draft.state) == ("Ana María", DraftState.EMPTY)
    await house.upload(draft, b"one ", b"photo")
    await until(draft, DraftState.BUILDING)
    await asyncio.sleep(0)
    assert (draft.stage, draft.share) == ("face", 0.3)
    house.maker.gate.set()
    await until(draft, DraftState.READY)
    (order,) = house.maker.orders
    assert draft.photo.read_bytes() == b"one photo"
    assert (order.name, order.consent.statement, order.wish.points) == ("Ana María", STATEMENT, None)
    assert draft.findings == FOUND
    assert (draft.built, draft.film, draft.warnings, draft.fault) == (True, True, ("it is a script",), None)
    assert house.catalogue.find("Ana María") == ()
    id = await house.workshop.save(draft)
    assert id == "ana-maria"
    (avatar,) = house.catalogue.find("Ana María")
    assert avatar.folder == house.folder / "ana-maria"
    with declined("unknown_draft"):
        house.workshop.find(draft.id, "")
    assert not draft.folder.exists()


async def test_the_sentence_is_spoken_in_the_chosen_voice(house: House) -> None:
    house.maker.gate.set()
    draft = await house.workshop.begin("", "Ana", STATEMENT, "adam")
    await house.upload(draft)
    await until(draft, DraftState.READY)
    ((text, voice),) = house.speaker.said
    assert "Ana" in text
    assert "AI avatar" in text
    assert voice.name == "adam"
    (spoken,) = house.maker.spoken
    assert isinstance(spoken, Spoken)
    assert len(spoken.pcm) == 12_000
    # The second chunk's shapes come after the first one's sound.
    assert [shape.start for shape in spoken.visemes] == [0.0, 0.25]


async def test_another_voice_makes_another_film_and_no_other_face(house: House) -> None:
    draft = await house.made()
    house.workshop.change(draft, voice="adam")
    assert draft.state is DraftState.WAITING
    await until(draft, DraftState.READY)
    assert [(order.face, order.voice) for order in house.maker.orders] == [(True, ""), (False, "adam")]
    assert draft.film_file.read_bytes() == b"film of adam"


async def test_without_a_voice_there_is_an_avatar_all_the_same(house: House) -> None:
    house.speaker.mute = True
    draft = await house.made()
    assert (draft.built, draft.film) == (True, False)
    assert await house.workshop.save(draft) == "ana"


async def test_points_are_asked_for_where_it_is_not_sure(house: House) -> None:
    house.maker.gate.set()
    house.maker.events = [UNSURE]
    draft = await house.begin()
    await house.upload(draft)
    await until(draft, DraftState.POINTS)
    with declined("not_ready"):
        await house.workshop.save(draft)
    house.maker.events = [FOUND, Built(PLACES, ())]
    moved = PLACES | {"chin": (100.0, 390.0)}
    house.workshop.change(draft, points=moved, glasses=True)
    await until(draft, DraftState.READY)
    wish = house.maker.orders[-1].wish
    assert (wish.points, wish.glasses) == (moved, True)


async def test_what_was_moved_stays_when_only_the_glasses_change(house: House) -> None:
    draft = await house.made()
    house.workshop.change(draft, points=PLACES)
    await until(draft, DraftState.READY)
    house.workshop.change(draft, glasses=False)
    await until(draft, DraftState.READY)
    assert house.maker.orders[-1].wish.points == PLACES


@pytest.mark.parametrize(
    "points",
    [{"third_eye": (1.0, 1.0)}, {"chin": (321.0, 1.0)}, {"chin": (1.0, -1.0)}, {"chin": (float("nan"), 1.0)}],
)
async def test_points_that_cannot_be(house: House, points: dict[str, tuple[float, float]]) -> None:
    draft = await house.made()
    with declined("points_invalid"):
        house.workshop.change(draft, points=points)
    assert draft.state is DraftState.READY


async def test_points_need_a_photo(house: House) -> None:
    with declined("no_photo"):
        house.workshop.change(await house.begin(), points=PLACES)


async def test_a_photo_that_is_refused_leaves_the_draft_for_another(house: House) -> None:
    house.maker.gate.set()
    house.maker.events = [Fault("no_face", "no face was found")]
    draft = await house.begin()
    await house.upload(draft)
    await until(draft, DraftState.WAITING)
    await until(draft, DraftState.EMPTY)
    assert draft.fault == Fault("no_face", "no face was found")
    house.maker.events = [FOUND, Built(PLACES, ())]
    await house.upload(draft, b"another photo")
    assert draft.fault is None
    await until(draft, DraftState.READY)
    assert draft.photo.read_bytes() == b"another photo"


async def test_points_that_are_refused_leave_what_was_made(house: House) -> None:
    draft = await house.made()
    house.maker.events = [FOUND, Fault("turned_away", "the face is turned")]
    house.workshop.change(draft, points=PLACES)
    await until(draft, DraftState.READY)
    assert draft.fault is not None
    assert draft.built
    assert await house.workshop.save(draft) == "ana"


async def test_a_maker_that_breaks_is_told_and_may_be_tried_again(house: House) -> None:
    house.maker.broken = True
    house.maker.gate.set()
    draft = await house.begin()
    await house.upload(draft)
    await until(draft, DraftState.EMPTY)
    assert draft.fault is not None
    assert draft.fault.code == "failed"
    assert "script" not in draft.fault.message
    house.maker.broken = False
    await house.upload(draft)
    await until(draft, DraftState.READY)


async def test_one_at_a_time_in_the_order_of_their_photos(house: House) -> None:
    drafts = [await house.begin(name) for name in ("Ana", "Ben", "Cleo")]
    for draft in reversed(drafts):
        await house.upload(draft)
    await until(drafts[2], DraftState.BUILDING)
    assert [house.workshop.ahead(draft) for draft in drafts] == [2, 1, 0]
    with declined("busy_draft"):
        await house.upload(drafts[0])
    await house.workshop.discard(drafts[1])
    assert house.workshop.ahead(drafts[0]) == 1
    house.maker.gate.set()
    await until(drafts[0], DraftState.READY)
    assert [order.name for order in house.maker.orders] == ["Cleo", "Ana"]
    assert house.maker.most == 1


async def test_discarding_stops_the_work_and_the_next_begins(house: House) -> None:
    first, second = await house.begin("Ana"), await house.begin("Ben")
    await house.upload(first)
    await house.upload(second)
    await until(first, DraftState.BUILDING)
    await house.workshop.discard(first)
    assert not first.folder.exists()
    await until(second, DraftState.BUILDING)
    await house.workshop.discard(first)
    assert house.maker.most == 1


async def test_drafts_are_bounded_and_who_left_gives_way(house: House) -> None:
    drafts = [await house.begin(name) for name in ("Ana", "Ben", "Cleo")]
    with declined("busy"):
        await house.begin("Dan")
    house.clock.now += LEFT + 1
    house.workshop.find(drafts[0].id, "")
    house.workshop.find(drafts[2].id, "")
    await house.begin("Dan")
    with declined("unknown_draft"):
        house.workshop.find(drafts[1].id, "")
    assert not drafts[1].folder.exists()
    assert drafts[0].folder.exists()


async def test_many_at_once_are_not_one_too_many(house: House) -> None:
    begun = await asyncio.gather(*(house.begin(f"Ana {n}") for n in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Declined) for one in begun) == 5


async def test_many_who_come_at_once_when_one_has_left(house: House) -> None:
    drafts = [await house.begin(name) for name in ("Ana", "Ben", "Cleo")]
    house.clock.now += LEFT + 1
    for draft in drafts[:2]:
        house.workshop.find(draft.id, "")
    # One of them discards that draft, which takes a while; another one comes meanwhile.
    begun = await asyncio.gather(*(house.begin(name) for name in ("Dan", "Eve", "dan")), return_exceptions=True)
    assert sum(not isinstance(one, Declined) for one in begun) == 1
    with declined("unknown_draft"):
        house.workshop.find(drafts[2].id, "")


async def test_a_name_is_one_drafts_also_when_two_begin_at_once(house: House) -> None:
    for name in ("Ben", "Cleo", "Dan"):
        await house.begin(name)
    house.clock.now += LEFT + 1
    begun = await asyncio.gather(house.begin("Ana"), house.begin("ana"), return_exceptions=True)
    assert [one.fault.code for one in begun if isinstance(one, Declined)] == ["name_taken"]


async def test_drafts_expire(house: House) -> None:
    idle, watched = await house.begin("Ana"), await house.begin("Ben")
    for _ in range(int(LIFETIME / 600)):
        house.clock.now += 600
        house.workshop.find(watched.id, "")
        await house.workshop.tidy()
    assert not idle.folder.exists()
    assert watched.folder.exists()
    house.clock.now += 1
    await house.workshop.tidy()
    assert not watched.folder.exists()


async def test_a_draft_that_is_worked_on_does_not_expire(house: House) -> None:
    draft = await house.begin()
    await house.upload(draft)
    await until(draft, DraftState.BUILDING)
    house.clock.now += IDLE + LIFETIME
    await house.workshop.tidy()
    assert house.workshop.find(draft.id, "") is draft


async def test_a_draft_is_its_owners(house: House) -> None:
    draft = await house.begin(owner="lic_1")
    assert house.workshop.find(draft.id, "lic_1") is draft
    for owner in ("", "lic_2"):
        with declined("unknown_draft"):
            house.workshop.find(draft.id, owner)


@pytest.mark.parametrize("name", ["", "  ", "x" * 61, "a\x00b", "a‮b"])
async def test_names_that_are_none(house: House, name: str) -> None:
    with declined("name_invalid"):
        await house.begin(name)


async def test_names_that_are_taken(house: House) -> None:
    await house.begin("Ana")
    for name in ("Ana", "ana", "Vera", "vera"):
        with declined("name_taken"):
            await house.begin(name)


async def test_a_name_that_was_taken_meanwhile(house: House) -> None:
    draft = await house.made("Ana")
    other = house.folder / "somebody"
    other.mkdir()
    (other / "avatar.toml").write_text('name = "Ana"\npackage = "vera"\n')
    house.catalogue.reload()
    with declined("name_taken"):
        await house.workshop.save(draft)
    assert house.workshop.find(draft.id, "") is draft


async def test_ids_that_are_taken_get_a_number(house: House) -> None:
    for name, id in (("李", "avatar"), ("王", "avatar-2"), ("Véra", "vera-2")):
        assert await house.workshop.save(await house.made(name)) == id
    assert [avatar.id for avatar in house.catalogue.find("王")] == ["avatar-2"]


@pytest.mark.parametrize("statement", ["", "   ", "x" * 3000])
async def test_without_consent_nothing_begins(house: House, statement: str) -> None:
    with declined("no_consent"):
        await house.workshop.begin("", "Ana", statement)


async def test_a_voice_that_is_not_offered(house: House) -> None:
    with declined("voice_invalid"):
        await house.workshop.begin("", "Ana", STATEMENT, "Darth")


async def test_a_photo_that_is_too_large_is_not_read_to_its_end(house: House) -> None:
    draft = await house.begin()
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1 << 20)

    with declined("too_large"):
        await house.workshop.receive(draft, body())
    assert sent == (MAX_BYTES >> 20) + 1
    assert draft.state is DraftState.EMPTY
    with declined("not_an_image"):
        await house.upload(draft, b"")
    await house.upload(draft, bytes(MAX_BYTES))
    assert draft.photo.stat().st_size == MAX_BYTES


async def test_a_photo_that_breaks_off_leaves_the_draft_free(house: House) -> None:
    draft = await house.begin()

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await house.workshop.receive(draft, body())
    house.maker.gate.set()
    await house.upload(draft, b"whole")
    await until(draft, DraftState.READY)
    assert draft.photo.read_bytes() == b"whole"


async def test_a_second_photo_that_breaks_off_leaves_the_first(house: House) -> None:
    draft = await house.made()

    async def body() -> AsyncIterator[bytes]:
        yield bytes(2 << 20)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await house.workshop.receive(draft, body())
    assert draft.photo.read_bytes() == b"a photo"
    assert not list(draft.folder.glob("*.part"))


async def test_a_photo_that_trickles_in_has_an_end(tmp_path: Path) -> None:
    house = House(tmp_path / "avatars", upload_within=0.1)
    await house.workshop.open()
    draft = await house.begin()

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(0.01)

    with declined("too_slow"):
        await house.workshop.receive(draft, body())
    assert (draft.state, draft.busy) == (DraftState.EMPTY, False)
    assert list(draft.folder.iterdir()) == []
    await house.workshop.close()


async def test_nothing_of_a_photo_stays_that_is_written_while_its_draft_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await house.begin()
    clear = Shelf.clear

    def slow(shelf: Shelf, place: Path) -> None:
        clear(shelf, place)
        # As if this file had been made between the folder's listing and its removal.
        if not after:
            place.mkdir()

    after: list[bool] = []
    monkeypatch.setattr(Shelf, "clear", slow)

    async def body() -> AsyncIterator[bytes]:
        await house.workshop.discard(draft)
        after.append(True)
        yield b"a photo"

    with declined("unknown_draft"):
        await house.workshop.receive(draft, body())
    assert not draft.folder.exists()


async def test_a_full_disk(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = await house.begin()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(Path, "open", full)
    with declined("no_room"):
        await house.upload(draft)
    monkeypatch.undo()
    assert (draft.state, draft.busy) == (DraftState.EMPTY, False)


async def test_files_names_tell_nobody_a_drafts_id(house: House) -> None:
    draft = await house.begin()
    assert draft.id not in str(draft.folder)


async def test_a_draft_that_is_discarded_while_it_is_saved_is_saved_whole(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = await house.made()
    moving, discarded = threading.Event(), threading.Event()
    found = house.catalogue.get

    def late(id: str) -> object:
        moving.set()
        assert not discarded.wait(0.3)
        return found(id)

    monkeypatch.setattr(house.catalogue, "get", late)
    saving = asyncio.create_task(house.workshop.save(draft))
    await asyncio.to_thread(moving.wait)
    await house.workshop.discard(draft)
    discarded.set()
    assert await saving == "ana"
    monkeypatch.undo()
    assert sorted(path.name for path in (house.folder / "ana").iterdir()) == ["avatar.toml", "poster.jpg"]
    assert not draft.folder.exists()


async def test_names_with_one_id_that_are_saved_at_once(house: House) -> None:
    drafts = [await house.made(name) for name in ("Ána", "Ana", "Àna")]
    ids = await asyncio.gather(*(house.workshop.save(draft) for draft in drafts))
    assert sorted(ids) == ["ana", "ana-2", "ana-3"]


async def test_a_draft_that_goes_while_its_photo_comes(house: House) -> None:
    draft = await house.begin()

    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        await house.workshop.discard(draft)

    with declined("unknown_draft"):
        await house.workshop.receive(draft, body())
    assert house.maker.orders == []
    assert not draft.folder.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
async def test_a_folder_that_cannot_be_written(house: House) -> None:
    house.folder.mkdir()
    house.folder.chmod(0o500)
    with declined("no_room"):
        await house.begin()
    house.folder.chmod(0o700)


async def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "avatars").write_text("")
    house = House(tmp_path / "avatars")
    await house.workshop.open()
    with declined("no_room"):
        await house.begin()
    await house.workshop.close()


async def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    house = House(tmp_path / "avatars")
    await house.workshop.open()
    draft = await house.begin()
    await house.upload(draft)
    await until(draft, DraftState.BUILDING)
    await house.workshop.close()
    await house.workshop.close()
    assert house.maker.working == 0
    assert not draft.folder.exists()
    with declined("busy"):
        await house.begin()
