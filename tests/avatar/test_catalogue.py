import asyncio
import gc
import os
import shutil
import weakref
from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from visavis.avatar.catalogue import EMBEDDED, Catalogue
from visavis.avatar.files import PackageError
from visavis.avatar.package import AvatarPackage

Maker = Callable[..., Path]


@pytest.fixture
def avatars(tmp_path: Path) -> Path:
    folder = tmp_path / "avatars"
    folder.mkdir()
    return folder


@pytest.fixture
def make(avatars: Path, small_folder: Path) -> Maker:
    def make_avatar(id: str, name: str, *, face: bool = True, more: str = "", time: float | None = None) -> Path:
        folder = avatars / id
        folder.mkdir()
        (folder / "avatar.toml").write_text(f'name = "{name}"\n{more}\n')
        (folder / "poster.jpg").write_bytes(b"p")
        if face:
            shutil.copytree(small_folder, folder / "face")
        if time is not None:
            for path in (folder / "avatar.toml", folder / "face"):
                os.utime(path, (time, time))
        return folder

    return make_avatar


def test_the_embedded_avatars_are_there() -> None:
    catalogue = Catalogue()
    vera = catalogue.get("vera")
    assert vera is not None
    assert catalogue.find("visavis.Vera") == (vera,)
    assert {"vera", "marcus", "henrik", "asha"} <= {avatar.id for avatar in catalogue.all()}
    assert vera.updated.tzinfo is UTC
    assert vera.poster is not None
    assert vera.thumbnail is not None
    assert vera.poster.read_bytes()[:2] == vera.thumbnail.read_bytes()[:2] == b"\xff\xd8"


def test_ones_own_go_before_the_house_and_there_the_host_before_the_others(
    make: Maker, avatars: Path, tmp_path: Path
) -> None:
    """Whenever their files were written."""
    house = shutil.copytree(EMBEDDED, tmp_path / "house")
    for time, id in enumerate(("vera", "marcus", "asha", "henrik"), 5_000_000_000):
        os.utime(house / id / "avatar.toml", (time, time))
    make("own", "Own", time=1000)
    ids = [avatar.id for avatar in Catalogue(avatars, house).all()]
    assert ids[:2] == ["own", "vera"]
    assert [avatar.id for avatar in Catalogue(avatars, house, default="asha").all()][:3] == ["asha", "own", "vera"]


@pytest.mark.parametrize("default", ["a", "Ana"])
def test_the_default_avatar_goes_before_newer_ones(make: Maker, avatars: Path, default: str) -> None:
    make("a", "Ana", time=1000)
    make("b", "Ben", time=9_000_000_000)
    assert Catalogue(avatars).all()[0].id == "b"
    assert [avatar.id for avatar in Catalogue(avatars, default=default).all()][:2] == ["a", "b"]


def test_names_are_found_exactly_newest_first_else_in_any_case(make: Maker, avatars: Path) -> None:
    make("a", "Ana", time=1000)
    make("b", "Ana", time=3000)
    make("c", "Ana", time=2000)
    make("d", "ana", time=9000)
    catalogue = Catalogue(avatars)
    assert [a.id for a in catalogue.find("Ana")] == ["b", "c", "a"]
    assert [a.id for a in catalogue.find("ANA")] == ["d", "b", "c", "a"]
    assert catalogue.find("Bea") == ()
    assert catalogue.get("nobody") is None


def test_a_name_may_go_without_its_owner(make: Maker, avatars: Path) -> None:
    make("a", "house.Ana", time=1000)
    make("b", "other.ana", time=2000)
    catalogue = Catalogue(avatars)
    assert [a.id for a in catalogue.find("Ana")] == ["b", "a"]
    assert [a.id for a in catalogue.find("house.Ana")] == ["a"]
    assert [a.id for a in catalogue.find("vera")] == ["vera"]
    assert catalogue.find("house") == catalogue.find("") == catalogue.find("na") == ()


def test_the_folders_avatar_goes_before_the_embedded_one(make: Maker, avatars: Path) -> None:
    make("vera", "Our Vera")
    catalogue = Catalogue(avatars)
    vera = catalogue.get("vera")
    assert vera is not None
    assert vera.name == "Our Vera"
    assert len(catalogue.all()) == len(Catalogue().all())


async def test_a_persona_can_borrow_a_face(make: Maker, avatars: Path) -> None:
    make("guide", "Guide", face=False, more='package = "vera"')
    (avatars / "guide" / "poster.jpg").unlink()
    catalogue = Catalogue(avatars)
    guide, vera = catalogue.get("guide"), catalogue.get("vera")
    assert guide is not None
    assert vera is not None
    assert guide.package == vera.package
    assert guide.poster == vera.poster
    assert guide.thumbnail == vera.thumbnail
    assert await catalogue.load(guide) is await catalogue.load(vera)


async def test_a_zipped_face_is_found(make: Maker, avatars: Path, small_folder: Path) -> None:
    folder = make("zipped", "Zipped", face=False)
    shutil.make_archive(str(folder / "face"), "zip", small_folder)
    catalogue = Catalogue(avatars)
    avatar = catalogue.get("zipped")
    assert avatar is not None
    assert (await catalogue.load(avatar)).manifest.name == "Small"


@pytest.mark.parametrize(
    ("id", "more", "face"),
    [
        ("bad", "surprise = 1", True),
        ("bad", 'package = "nobody"', True),
        ("bad", 'package = "../../outside"', True),
        ("bad", "", False),
        ("not an id", "", True),
    ],
)
def test_a_broken_avatar_is_left_out_and_the_others_stay(
    make: Maker, avatars: Path, id: str, more: str, face: bool
) -> None:
    (avatars.parent / "outside").mkdir()
    make("good", "Good")
    make(id, "Bad", more=more, face=face)
    catalogue = Catalogue(avatars)
    assert {a.id for a in catalogue.all()} - {a.id for a in Catalogue().all()} == {"good"}


def test_changes_in_the_folder_are_seen(make: Maker, avatars: Path) -> None:
    catalogue = Catalogue(avatars)
    assert not catalogue.reload()
    folder = make("new", "New")
    assert catalogue.reload()
    assert catalogue.get("new") is not None
    (folder / "avatar.toml").write_text('name = "Renamed"\n')
    assert catalogue.reload()
    assert [a.id for a in catalogue.find("Renamed")] == ["new"]
    (folder / "avatar.toml").write_text("broken =")
    assert catalogue.reload()
    assert [a.id for a in catalogue.find("Renamed")] == ["new"]
    shutil.rmtree(folder)
    assert catalogue.reload()
    assert catalogue.get("new") is None
    assert not catalogue.reload()


async def test_watching_reloads_until_cancelled(make: Maker, avatars: Path) -> None:
    catalogue = Catalogue(avatars)
    watching = asyncio.create_task(catalogue.watch(every=0.01))
    make("new", "New")
    for _ in range(500):
        if catalogue.get("new") is not None:
            break
        await asyncio.sleep(0.01)
    assert catalogue.get("new") is not None
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching


async def test_a_package_is_loaded_once_shared_and_released_after_the_next(make: Maker, avatars: Path) -> None:
    make("a", "Ana")
    make("b", "Bea")
    catalogue = Catalogue(avatars)
    avatar, other = catalogue.get("a"), catalogue.get("b")
    assert avatar is not None
    assert other is not None
    first, second = await asyncio.gather(catalogue.load(avatar), catalogue.load(avatar))
    assert first is second
    assert await catalogue.load(avatar) is first
    gone: weakref.ref[AvatarPackage] = weakref.ref(first)
    del first, second
    await asyncio.sleep(0)
    gc.collect()
    assert await catalogue.load(avatar) is gone()
    await catalogue.load(other)
    await asyncio.sleep(0)
    gc.collect()
    assert gone() is None


async def test_a_changed_package_is_loaded_anew(make: Maker, avatars: Path) -> None:
    folder = make("a", "Ana")
    catalogue = Catalogue(avatars)
    avatar = catalogue.get("a")
    assert avatar is not None
    first = await catalogue.load(avatar)
    manifest = folder / "face" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"Small"', '"Other"'))
    os.utime(manifest, ns=(manifest.stat().st_atime_ns, manifest.stat().st_mtime_ns + 10_000_000))
    assert (await catalogue.load(avatar)).manifest.name == "Other"
    assert first.manifest.name == "Small"


async def test_a_broken_package_fails_every_caller_and_can_be_mended(
    make: Maker, avatars: Path, small_folder: Path
) -> None:
    folder = make("a", "Ana")
    (folder / "face" / "fields.npz").write_bytes(b"x")
    catalogue = Catalogue(avatars)
    avatar = catalogue.get("a")
    assert avatar is not None
    results = await asyncio.gather(catalogue.load(avatar), catalogue.load(avatar), return_exceptions=True)
    assert all(isinstance(result, PackageError) for result in results)
    shutil.copy(small_folder / "fields.npz", folder / "face" / "fields.npz")
    assert (await catalogue.load(avatar)).manifest.name == "Small"


async def test_a_caller_that_gives_up_does_not_take_the_package_from_another(make: Maker, avatars: Path) -> None:
    make("a", "Ana")
    catalogue = Catalogue(avatars)
    avatar = catalogue.get("a")
    assert avatar is not None
    impatient, patient = (asyncio.create_task(catalogue.load(avatar)) for _ in range(2))
    await asyncio.sleep(0.001)
    impatient.cancel()
    assert (await patient).manifest.name == "Small"
    assert impatient.cancelled() or impatient.done()
