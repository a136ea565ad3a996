"""A photo as it comes in: written piece by piece, no more than may be taken, and in its place only when it is whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Final

import structlog

from visavis.avatar.photo.image import MAX_BYTES
from visavis.portraits.draft import Declined, gone, no_room

log = structlog.get_logger(__name__)

_PIECE: Final = 1 << 20


async def take_in(body: AsyncIterable[bytes], photo: Path) -> None:
    """Write ``body`` to the file ``photo``; one that was there stays until then, and if anything fails.

    Raises ``Declined``: too much, nothing at all, no room, or the folder is gone.
    """
    part = photo.with_name("photo.part")
    size, held = 0, bytearray()
    try:
        async for chunk in body:
            size += len(chunk)
            if size > MAX_BYTES:
                raise Declined("too_large", f"The photo is larger than {MAX_BYTES >> 20} MB. Save it smaller.")
            held += chunk
            if len(held) >= _PIECE:
                await asyncio.to_thread(_append, part, bytes(held))
                held.clear()
        if not size:
            raise Declined("not_an_image", "There is no photo in the request.")
        await asyncio.to_thread(_append, part, bytes(held), whole=photo)
    finally:
        await asyncio.to_thread(_remove, part)


def _append(part: Path, data: bytes, whole: Path | None = None) -> None:
    try:
        with part.open("ab") as file:
            file.write(data)
        if whole is not None:
            part.replace(whole)
    except FileNotFoundError:
        raise gone() from None
    except OSError as error:
        log.error("a photo could not be kept", error=str(error))
        raise no_room() from None


def _remove(part: Path) -> None:
    # What cannot be removed goes with the draft's folder.
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)
