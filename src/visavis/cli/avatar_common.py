"""What the commands of ``visavis avatar`` share: finding an avatar, and printing what strangers wrote."""

from pathlib import Path
from typing import TYPE_CHECKING

from visavis.cli.common import fail

if TYPE_CHECKING:
    from visavis.avatar.catalogue import Avatar, Catalogue


def open_catalogue(folder: Path | None) -> "Catalogue":
    """The embedded avatars and those in ``folder``; one that had to be left out is told as a warning."""
    from visavis.avatar.catalogue import Catalogue
    from visavis.log import configure_logging

    configure_logging("warning", "console")
    return Catalogue(folder)


def find_avatar(catalogue: "Catalogue", wanted: str) -> "Avatar":
    """The avatar of this id or name. Ends the command when there is none."""
    avatar = catalogue.get(wanted) or next(iter(catalogue.find(wanted)), None)
    if avatar is None:
        fail(f"there is no avatar {wanted!r}; 'visavis avatar list' shows those there are")
    return avatar


def plain(text: str) -> str:
    """``text`` without characters that a terminal may obey: it was written by whoever made the avatar."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def knowledge_faults(path: Path) -> tuple[tuple[str, str], ...]:
    """All that is wrong with a file of knowledge: keys and problems."""
    from visavis.language.knowledge import Knowledge, KnowledgeError

    try:
        Knowledge.load(path)
    except KnowledgeError as error:
        return error.faults
    return ()
