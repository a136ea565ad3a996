"""Writing a photo avatar as a folder that the catalogue reads: persona, face, pictures."""

import re
import shutil
import tempfile
import unicodedata
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from visavis.avatar.contact_sheet import poster
from visavis.avatar.package import Pixels, save_package
from visavis.avatar.persona import AVATAR_FILE, plain_persona, read_avatar_file, write_avatar_file
from visavis.avatar.photo.importer import PhotoAvatar

_THUMBNAIL: Final = 256


def avatar_id(name: str) -> str:
    """The folder's name for an avatar's name: "Ána María" → "ana-maria". Never empty."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:64].strip("-") or "avatar"


def save_photo_avatar(avatar: PhotoAvatar, folder: Path, *, language: str = "en") -> None:
    """Write the avatar as ``folder``, which must not exist, in one step. Blocks.

    ``avatar.toml`` (a default persona), ``face/`` (the package), ``poster.jpg``, ``thumbnail.jpg``. Raises
    ``FileExistsError``, ``OSError``, and ``PersonaError`` when ``language`` is no BCP 47 tag.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    # The name begins with a dot: who watches the avatars' folder does not take it for one.
    staging = Path(tempfile.mkdtemp(prefix=".photo-", dir=folder.parent))
    try:
        save_package(avatar.package, staging / "face")
        portrait = poster(avatar.package)
        _write(staging / "poster.jpg", portrait, [cv2.IMWRITE_JPEG_QUALITY, 88])
        size = (_THUMBNAIL, _THUMBNAIL)
        small = np.asarray(cv2.resize(portrait, size, interpolation=cv2.INTER_AREA), np.uint8)
        _write(staging / "thumbnail.jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 88])
        name = avatar.package.manifest.name
        write_avatar_file(staging / AVATAR_FILE, plain_persona(name, language=language, origin="from a photo"))
        # What cannot be read again must not be kept.
        read_avatar_file(staging / AVATAR_FILE)
        staging.chmod(0o755)
        staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _write(path: Path, picture: Pixels, options: list[int]) -> None:
    if not cv2.imwrite(str(path), picture, options):
        raise OSError(f"{path} cannot be written")
