"""How visitors may see an avatar: the sizes that a server paints, and its operator's backgrounds."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from visavis.avatar.background import MAX_BYTES, picture_background
from visavis.avatar.view import Background, PictureBackground, View
from visavis.session.commands import NamedBackground
from visavis.session.events import Refusal, RefusalKind
from visavis.session.ports import ViewRequest

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
_KEPT: Final = 4


class UnknownBackgroundError(Exception):
    """There is no such background. The message is for the visitor's eyes."""


class Views:
    """What a visitor may ask for.

    ``default``: what who asks for nothing gets. ``sizes``: (width, height) in pixels that may be asked for besides its
    own. ``backgrounds``: a folder with pictures; a file's name without its suffix is the picture's.
    """

    def __init__(
        self, default: View | None = None, sizes: Sequence[tuple[int, int]] = (), backgrounds: Path | None = None
    ) -> None:
        self.default = default or View()
        self._sizes = tuple(dict.fromkeys(((self.default.width, self.default.height), *sizes)))
        self._folder = backgrounds
        self._pictures: OrderedDict[str, tuple[int, PictureBackground]] = OrderedDict()
        """The latest four by name, each with its file's time."""

    def choose(self, asked: ViewRequest, before: View | None = None) -> View:
        """What is asked for; where nothing is, as ``before``. Raises ``Refusal`` for a size that is not painted here.

        A background that is only named stays as before: ``background`` looks it up.
        """
        before = before or self.default
        size = asked.size or (before.width, before.height)
        if asked.size is not None and asked.size not in self._sizes:
            sizes = ", ".join(f"{width}x{height}" for width, height in self._sizes)
            raise Refusal(RefusalKind.BAD_REQUEST, f"size: this server's pictures have {sizes} pixels.")
        background = asked.background
        if background is None or isinstance(background, NamedBackground):
            background = before.background
        # Who does not ask for transparency may not know what to make of it.
        return View(*size, background=background, transparent=asked.transparent)

    async def background(self, asked: Background | NamedBackground) -> Background:
        """What is asked for, with its picture. Raises ``UnknownBackgroundError``."""
        if not isinstance(asked, NamedBackground):
            return asked
        known = self._pictures.get(asked.name)
        found = await asyncio.to_thread(self._find, asked.name, known)
        self._pictures[asked.name] = found
        self._pictures.move_to_end(asked.name)
        while len(self._pictures) > _KEPT:
            self._pictures.popitem(last=False)
        return found[1]

    def _find(self, name: str, known: tuple[int, PictureBackground] | None) -> tuple[int, PictureBackground]:
        path = self._path(name)
        if path is None:
            raise UnknownBackgroundError("there is no picture of this name.")
        try:
            changed = path.stat().st_mtime_ns
            if known is not None and known[0] == changed:
                return known
            with path.open("rb") as file:
                return changed, picture_background(file.read(MAX_BYTES + 1))
        except (OSError, ValueError) as error:
            # An OSError's own text has the path in it.
            told = error if isinstance(error, ValueError) else "its file cannot be read"
            raise UnknownBackgroundError(f"the picture of this name cannot be used: {told}.") from error

    def _path(self, name: str) -> Path | None:
        """The file of a name; None where there is none. Names with separators are none."""
        if self._folder is None or not _NAME.fullmatch(name):
            return None
        return next((path for suffix in _SUFFIXES if (path := self._folder / (name + suffix)).is_file()), None)
