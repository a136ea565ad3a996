"""The process that makes one avatar of a photo: ``python -m visavis.portraits.building`` (see speech/worker.py).

``make`` reads ``photo`` in the draft's folder, writes ``upright.jpg`` and ``avatar/``, and replies as it goes on;
``voice`` writes down how that avatar sounds; ``film`` writes ``film.webm`` of it and the sound that it is given.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np

from visavis.avatar.manifest import Consent
from visavis.avatar.package import load_package
from visavis.avatar.persona import AVATAR_FILE, read_avatar_file, write_avatar_file
from visavis.avatar.photo.errors import PhotoError
from visavis.avatar.photo.folder import save_photo_avatar
from visavis.avatar.photo.importer import PhotoAnalysis, Stage, analyse_photo, build_avatar
from visavis.avatar.photo.networks import FaceNetworks, ModelFilesError
from visavis.portraits.film import write_speaking_film
from visavis.portraits.maker import parse_visemes
from visavis.speech.workers.serving import Handler, Request, serve

KEEPING: Final = "keeping"
"""The stage after the importer's: its files are written."""
_SHOWN: Final = 0.85
"""What share of the whole the importer's work is; keeping and the film are the rest."""
_QUALITY: Final = [cv2.IMWRITE_JPEG_QUALITY, 90]


def load(_options: Mapping[str, Any]) -> Mapping[str, Handler]:
    # Calls come first.
    with contextlib.suppress(OSError):
        os.nice(10)
    cv2.setNumThreads(1)
    return {"make": make, "voice": voice, "film": film}


def make(request: Request) -> None:
    """Make the avatar that ``request`` orders."""
    data = request.data
    folder = Path(data["folder"])
    points = {name: (float(x), float(y)) for name, (x, y) in data["points"].items()} if data["points"] else None

    def progress(share: float, stage: Stage) -> None:
        if stage is not Stage.DONE:
            request.reply({"stage": stage.name.lower(), "share": _SHOWN * share})

    try:
        networks = _networks(data["networks"])
        analysis = analyse_photo((folder / "photo").read_bytes(), models=networks, points=points, progress=progress)
        _write_upright(folder / "upright.jpg", analysis)
        request.reply({"found": _found(analysis)})
        if not analysis.sure:
            return
        consent = Consent.model_validate_json(json.dumps(data["consent"]))
        avatar = build_avatar(
            analysis, name=data["name"], consent=consent, glasses=data["glasses"], models=networks, progress=progress
        )
    except PhotoError as error:
        request.reply({"refused": {"code": error.code, "message": str(error)}})
        return
    request.reply({"stage": KEEPING, "share": _SHOWN})
    made = folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    save_photo_avatar(avatar, made)
    (folder / "film.webm").unlink(missing_ok=True)
    put_in_place(made, folder / "avatar")
    request.reply({"built": {"points": avatar.points, "warnings": avatar.warnings}})


def put_in_place(made: Path, target: Path) -> None:
    """Let the folder ``made`` be ``target``. Whenever this process is killed, ``target`` is whole, or not there."""
    old = target.with_name("old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    made.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def voice(request: Request) -> None:
    """Write down the voice of the avatar in the folder, in one step."""
    folder = Path(request.data["folder"])
    file = folder / "avatar" / AVATAR_FILE
    unfinished = folder / "avatar.part"
    write_avatar_file(unfinished, replace(read_avatar_file(file).persona, voice=request.data["voice"]))
    unfinished.rename(file)
    request.reply({})


def film(request: Request) -> None:
    """Write the film of the avatar in the folder; the payload is the sound."""
    folder = Path(request.data["folder"])
    package = load_package(folder / "avatar" / "face")
    pcm = np.frombuffer(request.payload, "<i2").astype(np.int16)
    unfinished = folder / "film.part"
    write_speaking_film(package, pcm, parse_visemes(request.data["visemes"]), unfinished)
    unfinished.rename(folder / "film.webm")
    request.reply({})


def _networks(folder: str | None) -> FaceNetworks | None:
    if folder is None:
        return None
    try:
        return FaceNetworks(Path(folder))
    except ModelFilesError as error:
        raise RuntimeError(str(error)) from error


def _found(analysis: PhotoAnalysis) -> dict[str, Any]:
    return {
        "width": analysis.width,
        "height": analysis.height,
        "points": analysis.points,
        "confidence": analysis.confidence,
        "sure": analysis.sure,
        "glasses": analysis.glasses,
    }


def _write_upright(path: Path, analysis: PhotoAnalysis) -> None:
    if not cv2.imwrite(str(path), analysis.photo, _QUALITY):
        raise OSError(f"{path} cannot be written")


if __name__ == "__main__":
    serve(load)
