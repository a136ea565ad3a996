"""The catalogue: which avatars there are. The embedded ones, and those in a folder that may change while serving."""

import asyncio
import re
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from visavis.avatar.files import PackageError
from visavis.avatar.package import AvatarPackage, load_package
from visavis.avatar.persona import AVATAR_FILE, Persona, PersonaError, read_avatar_file
from visavis.avatar.puppet.rig import rig_of

EMBEDDED: Final = Path(__file__).parent / "embedded"
"""The folder of the avatars that come with the project."""
AVATAR_ID: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_HOST: Final = "vera"
"""The embedded avatar that goes before the others."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
"""What a poster or a thumbnail may end with."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Avatar:
    """One avatar. ``id`` is its folder's name; ``package`` the folder or zip of its face."""

    id: str
    name: str
    persona: Persona
    folder: Path
    """Where its ``avatar.toml`` is."""
    package: Path
    updated: datetime
    """When its files were last changed; UTC."""
    poster: Path | None = None
    thumbnail: Path | None = None
    """Pictures beside ``avatar.toml`` (or the borrowed face's); a missing thumbnail is the poster."""


@dataclass(frozen=True, slots=True)
class _Found:
    avatars: Mapping[str, Avatar]
    stamp: tuple[tuple[str, int, int], ...]


class Catalogue:
    """The avatars. Thread-safe; ``get``, ``find`` and ``all`` answer from memory.

    ``folder``: each folder inside it that holds an ``avatar.toml`` is an avatar; it goes before an embedded one of the
    same id. One that cannot be read is left out and logged; if it could be read before, it stays as it was.
    ``default``: the id or name of the avatar that goes before all others.
    """

    def __init__(self, folder: Path | None = None, embedded: Path = EMBEDDED, *, default: str = "") -> None:
        """Reads the avatars (not their pictures). Blocks."""
        self._roots = tuple(root for root in (embedded, folder) if root is not None)
        self._default = default
        self._lock = threading.Lock()
        self._packages: weakref.WeakValueDictionary[tuple[Path, int], AvatarPackage] = weakref.WeakValueDictionary()
        self._latest: AvatarPackage | None = None
        self._loading: dict[tuple[Path, int], asyncio.Task[AvatarPackage]] = {}
        self._found = _Found({}, ())
        self.reload()

    def get(self, id: str) -> Avatar | None:
        """The avatar of this id."""
        return self._found.avatars.get(id)

    def find(self, name: str) -> tuple[Avatar, ...]:
        """Those of exactly this name, the last changed first; if there are none, those of it in another case.

        If there are none of those either: those whose name ends so after a dot, as "visavis.Vera" does in "Vera".
        """
        avatars, wanted = self.all(), name.casefold()
        return (
            tuple(avatar for avatar in avatars if avatar.name == name)
            or tuple(avatar for avatar in avatars if avatar.name.casefold() == wanted)
            or tuple(avatar for avatar in avatars if avatar.name.casefold().rpartition(".")[2] == wanted)
        )

    def all(self) -> tuple[Avatar, ...]:
        """All of them: the default one, then one's own, the last changed first, then the house's, its host first."""
        return tuple(sorted(self._found.avatars.values(), key=self._rank, reverse=True))

    def reload(self) -> bool:
        """Look whether files changed and read again what there is. Blocks. Returns whether anything changed."""
        with self._lock:
            stamp = self._stamp()
            if stamp == self._found.stamp:
                return False
            self._found = _Found(self._read(), stamp)
            return True

    async def watch(self, every: float = 2.0) -> None:
        """Reload when files change, looking every ``every`` seconds, until cancelled."""
        while True:
            await asyncio.sleep(every)
            if await asyncio.to_thread(self.reload):
                _log.info("avatars reloaded", avatars=len(self._found.avatars))

    async def load(self, avatar: Avatar) -> AvatarPackage:
        """The avatar's face, read in a thread once and shared while anyone holds it. Raises ``PackageError``.

        The latest one is kept: with one avatar in use, a call after a quiet time need not read it again.
        """
        package = self._latest = await self._load(avatar)
        return package

    async def _load(self, avatar: Avatar) -> AvatarPackage:
        key = (avatar.package, await asyncio.to_thread(_changed, avatar.package))
        if (package := self._packages.get(key)) is not None:
            return package
        task = self._loading.get(key)
        if task is None:
            task = asyncio.create_task(asyncio.to_thread(_prepare, avatar.package))
            self._loading[key] = task
            task.add_done_callback(lambda _: self._loading.pop(key, None))
        # Shielded: one caller that gives up does not take it from the others.
        package = await asyncio.shield(task)
        return self._packages.setdefault(key, package)

    def _rank(self, avatar: Avatar) -> tuple[bool, bool, datetime, bool, str]:
        own = avatar.folder.parent != self._roots[0]
        # When the house's files were written says nothing.
        updated = avatar.updated if own else _NEVER
        return self._default in (avatar.id, avatar.name), own, updated, avatar.id == _HOST, avatar.id

    def _stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Names, times and sizes of the files that say what avatars there are."""
        stamp: list[tuple[str, int, int]] = []
        for folder in self._folders():
            for path in sorted(folder.iterdir()):
                try:
                    stat = path.stat()
                except OSError:
                    # It went away between the listing and the look; the next look will tell.
                    continue
                stamp.append((str(path), stat.st_mtime_ns, stat.st_size))
        return tuple(stamp)

    def _folders(self) -> list[Path]:
        return [
            folder
            for root in self._roots
            if root.is_dir()
            for folder in sorted(root.iterdir())
            # One that begins with a dot is being written, or on its way out.
            if not folder.name.startswith(".") and (folder / AVATAR_FILE).is_file()
        ]

    def _read(self) -> dict[str, Avatar]:
        avatars: dict[str, Avatar] = {}
        borrowing: list[tuple[Path, Avatar, str]] = []
        for folder in self._folders():
            try:
                avatar, borrowed = _avatar(folder)
            except (PersonaError, PackageError) as error:
                _log.warning("avatar left out", avatar=folder.name, error=str(error))
                if (before := self._found.avatars.get(folder.name)) is not None:
                    avatars[folder.name] = before
                continue
            avatars[avatar.id] = avatar
            if borrowed:
                borrowing.append((folder, avatar, borrowed))
        for folder, avatar, borrowed in borrowing:
            if avatars.get(avatar.id) is not avatar:
                continue
            lender = self._lender(avatars, borrowed)
            if lender is None:
                problem = f"there is no package and no avatar {borrowed!r}"
                _log.warning("avatar left out", avatar=avatar.id, error=f"{folder / AVATAR_FILE}: package: {problem}")
                del avatars[avatar.id]
                continue
            avatars[avatar.id] = replace(
                avatar,
                package=lender.package,
                poster=avatar.poster or lender.poster,
                thumbnail=avatar.thumbnail or avatar.poster or lender.thumbnail,
            )
        return avatars

    def _lender(self, avatars: Mapping[str, Avatar], id: str) -> Avatar | None:
        """The avatar ``id`` if it has a face of its own."""
        lender = avatars.get(id)
        return lender if lender is not None and lender.package.exists() else None


def _avatar(folder: Path) -> tuple[Avatar, str]:
    """The avatar in ``folder``, and the id of the avatar whose face it borrows (empty: it has its own)."""
    if not AVATAR_ID.match(folder.name):
        raise PersonaError(folder, "", "the folder's name is not an id: letters, digits, '.', '_' and '-', 64 at most")
    file = folder / AVATAR_FILE
    read = read_avatar_file(file)
    package = (folder / read.package).resolve()
    zipped = package.with_name(package.name + ".zip")
    borrowed = ""
    if not package.exists():
        if zipped.is_file():
            package = zipped
        else:
            borrowed = read.package
    if not borrowed and not package.is_relative_to(folder.parent.resolve()):
        raise PersonaError(file, "package", f"{read.package!r} lies outside the avatars' folder")
    changed = max(path.stat().st_mtime for path in (file, package) if path.exists())
    poster = _picture(folder, "poster")
    avatar = Avatar(
        id=folder.name,
        name=read.persona.name,
        persona=read.persona,
        folder=folder,
        package=package,
        updated=datetime.fromtimestamp(changed, UTC),
        poster=poster,
        thumbnail=_picture(folder, "thumbnail") or poster,
    )
    return avatar, borrowed


def _prepare(path: Path) -> AvatarPackage:
    package = load_package(path)
    rig_of(package)
    return package


def _picture(folder: Path, stem: str) -> Path | None:
    return next((path for suffix in PICTURES if (path := folder / (stem + suffix)).is_file()), None)


def _changed(package: Path) -> int:
    """When the package's files last changed, in nanoseconds; 0 when there is none."""
    try:
        paths = [package, *package.iterdir()] if package.is_dir() else [package]
        return max(path.stat().st_mtime_ns for path in paths)
    except OSError:
        return 0
