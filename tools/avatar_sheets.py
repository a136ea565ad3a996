"""Draw the pictures of docs/avatars.md: a contact sheet of each embedded avatar, and all of them in a row.

    python tools/avatar_sheets.py [AVATAR …] [--package FOLDER] [--out FOLDER] [--posters]

All pictures are the run-time's own, as visitors see them. ``--package`` draws a package that is no avatar yet;
``--posters`` also writes poster.jpg and thumbnail.jpg beside the face.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from visavis.avatar.animation.tables import HOUSE, Tables
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.contact_sheet import poster, still
from visavis.avatar.face import FaceFrame
from visavis.avatar.package import AvatarPackage, Pixels, load_package
from visavis.viseme import Viseme

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIDE = 720
CELL = 180
COLUMNS = 8


def frames(tables: Tables) -> list[tuple[str, FaceFrame, str]]:
    """(label, frame, part of the picture that is shown)."""
    cells = [
        (emotion.value, FaceFrame(e.weights, yaw=e.yaw, pitch=e.pitch, roll=e.roll), "head")
        for emotion, e in tables.emotions.items()
    ]
    cells += [
        ("turned left", FaceFrame(yaw=0.105), "head"),
        ("turned right", FaceFrame(yaw=-0.105), "head"),
        ("up", FaceFrame(pitch=-0.105), "head"),
        ("down", FaceFrame(pitch=0.105), "head"),
    ]
    mouths = tables.visemes
    cells += [(v.value, FaceFrame(mouths[v].weights, tongue=mouths[v].tongue), "mouth") for v in Viseme]
    cells += [(f"blink {value}", FaceFrame(blink=value), "eyes") for value in (0.0, 0.25, 0.5, 0.75, 1.0)]
    cells += [(f"gaze {x:+} {y:+}", FaceFrame(gaze_x=x, gaze_y=y), "eyes") for y in (0.45, -0.45) for x in (-0.6, 0.6)]
    return cells


def sheet(package: AvatarPackage) -> Pixels:
    """The poster, emotions, turns of the head, every viseme, blinks and gazes. BGR."""
    big = cv2.resize(poster(package), (2 * CELL, 2 * CELL), interpolation=cv2.INTER_AREA)
    tables = HOUSE.with_overrides(package.manifest.overrides)
    cells = [_cell(package, *one) for one in frames(tables)]
    # Beside the poster, two rows that are shorter by its width.
    beside = COLUMNS - 2
    top = [np.hstack(_padded(cells[first : first + beside], beside)) for first in (0, beside)]
    rows = [np.hstack([big, np.vstack(top)])]
    rest = cells[2 * beside :]
    rows += [np.hstack(_padded(rest[first : first + COLUMNS], COLUMNS)) for first in range(0, len(rest), COLUMNS)]
    return np.vstack(rows)


def _cell(package: AvatarPackage, label: str, frame: FaceFrame, part: str) -> Pixels:
    whole = still(package, frame, SIDE, SIDE)
    slit = np.array(package.manifest.mouth.slit) * SIDE / package.manifest.size
    x, y = slit.mean(0)
    width = float(slit[-1, 0] - slit[0, 0])
    if part == "mouth":
        half, y = 1.25 * width, y + 0.05 * width
    elif part == "eyes" and package.manifest.eyes is not None:
        box = package.manifest.eyes.box
        half = 0.56 * (box.right - box.left) * SIDE / package.manifest.size
        y = (box.top + box.bottom) / 2 * SIDE / package.manifest.size
    else:
        half, y = 2.6 * width, y - 1.0 * width
    left, top = (int(np.clip(v - half, 0, SIDE - 2 * half)) for v in (x, y))
    cut = whole[top : top + int(2 * half), left : left + int(2 * half)]
    picture = cv2.resize(cut, (CELL, CELL), interpolation=cv2.INTER_AREA)
    for colour, thickness in (((20, 20, 20), 3), ((240, 240, 240), 1)):
        cv2.putText(picture, label, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, colour, thickness, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def _padded(cells: list[Pixels], count: int) -> list[Pixels]:
    return cells + [np.full((CELL, CELL, 3), 24, np.uint8)] * (count - len(cells))


def write(path: Path, picture: Pixels, quality: int = 86) -> None:
    """As JPEG or WebP by the file's name. Raises ``OSError``."""
    kind = cv2.IMWRITE_JPEG_QUALITY if path.suffix == ".jpg" else cv2.IMWRITE_WEBP_QUALITY
    if not cv2.imwrite(str(path), picture, [kind, quality] if path.suffix != ".png" else []):
        raise OSError(f"{path} cannot be written")


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description="Contact sheets of the embedded avatars.")
    parser.add_argument("avatars", nargs="*", help="their ids; else all that have a face of their own")
    parser.add_argument("--package", type=Path, help="draw only this package, as sheet.png in --out")
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--posters", action="store_true", help="also write posters and thumbnails")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.package:
        write(options.out / "sheet.png", sheet(load_package(options.package)))
        return
    faces = {path.parents[1].name: path.parent for path in sorted(EMBEDDED.glob("*/face/manifest.json"))}
    row: list[Pixels] = []
    for name, folder in faces.items():
        package = load_package(folder)
        portrait = poster(package)
        row.append(np.asarray(cv2.resize(portrait, (360, 360), interpolation=cv2.INTER_AREA), np.uint8))
        if options.avatars and name not in options.avatars:
            continue
        write(options.out / f"avatar-{name}.webp", sheet(package))
        if options.posters:
            write(folder.parent / "poster.jpg", portrait, 88)
            thumbnail = cv2.resize(portrait, (256, 256), interpolation=cv2.INTER_AREA)
            write(folder.parent / "thumbnail.jpg", np.asarray(thumbnail, np.uint8), 88)
    write(options.out / "avatars.webp", np.hstack(row))


if __name__ == "__main__":
    main()
