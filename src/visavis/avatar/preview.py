"""Pictures of an avatar for people: its poster, a contact sheet, a film of a spoken sentence and its frames in one.

    python -m visavis.avatar.preview OUT_FOLDER [--package FOLDER_OR_ZIP]

writes them as ``visavis avatar preview`` does, for a package that is no avatar yet.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.animation.tables import HOUSE
from visavis.avatar.contact_sheet import contact_sheet, grid, labelled, poster, small
from visavis.avatar.face import FaceState
from visavis.avatar.files import PackageError
from visavis.avatar.package import AvatarPackage, Pixels, load_package
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.view import View
from visavis.viseme import TimedViseme, Viseme

_RATE: Final = 25
_FILM_SIDE: Final = 512
_VERA: Final = Path(__file__).parent / "embedded" / "vera" / "face"

SENTENCE: Final[tuple[tuple[Viseme, float], ...]] = (
    (Viseme.SIL, 0.30),
    (Viseme.KK, 0.06), (Viseme.E, 0.08), (Viseme.NN, 0.07), (Viseme.OH, 0.19),
    (Viseme.SIL, 0.12),
    (Viseme.NN, 0.07), (Viseme.AA, 0.14), (Viseme.IH, 0.07), (Viseme.SS, 0.11), (Viseme.DD, 0.05), (Viseme.OU, 0.07),
    (Viseme.PP, 0.08), (Viseme.IH, 0.12), (Viseme.DD, 0.05), (Viseme.IH, 0.05), (Viseme.OU, 0.17),
    (Viseme.SIL, 0.18),
    (Viseme.OU, 0.07), (Viseme.AA, 0.10), (Viseme.DD, 0.05), (Viseme.KK, 0.06), (Viseme.E, 0.08), (Viseme.NN, 0.06),
    (Viseme.AA, 0.11), (Viseme.IH, 0.06), (Viseme.DD, 0.06), (Viseme.OU, 0.10), (Viseme.FF, 0.09), (Viseme.OH, 0.10),
    (Viseme.RR, 0.06), (Viseme.IH, 0.05), (Viseme.OU, 0.18),
    (Viseme.SIL, 0.35),
)  # fmt: skip
"""'Hello, nice to meet you. What can I do for you?', which any avatar may say: mouth shapes and seconds."""


def timed(sentence: Sequence[tuple[Viseme, float]], start: float) -> list[TimedViseme]:
    """Shapes one after the other, the first at ``start``."""
    out: list[TimedViseme] = []
    for viseme, seconds in sentence:
        out.append(TimedViseme(viseme, start, start + seconds))
        start += seconds
    return out


SPOKEN: Final = tuple(timed(SENTENCE, 0.0))
"""``SENTENCE`` from second 0 on."""


def film_strip(
    package: AvatarPackage,
    side: int = 160,
    columns: int = 12,
    crop: float = 0.5,
    *,
    visemes: Sequence[TimedViseme] = SPOKEN,
) -> Pixels:
    """Every frame at 25 a second of a spoken sentence, cropped to the middle ``crop`` of the picture. BGR."""
    pictures: list[Pixels] = []
    for now, frame in _frames(package, visemes):
        whole = np.asarray(cv2.cvtColor(frame, cv2.COLOR_YUV2BGR_I420), np.uint8)
        edge = int(whole.shape[1] * (1 - crop) / 2)
        low = int(whole.shape[0] * 0.1)
        part = whole[edge + low : whole.shape[0] - edge + low, edge : whole.shape[1] - edge]
        pictures.append(labelled(small(part, side), now))
    return grid(pictures, columns)


def write_film(package: AvatarPackage, path: Path) -> None:
    """The spoken sentence, without sound, as VP8 in WebM: 512 × 512 at 25 frames a second. Raises ``OSError``."""
    writing: Any = av.open(str(path), "w", format="webm")  # av.container.OutputContainer
    with writing as container:
        stream = container.add_stream("libvpx", rate=_RATE)
        stream.width = stream.height = _FILM_SIDE
        stream.pix_fmt = "yuv420p"
        stream.bit_rate = 1_500_000
        for index, (_, frame) in enumerate(_frames(package, SPOKEN)):
            picture = av.VideoFrame.from_ndarray(frame, format="yuv420p")
            picture.pts = index
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def write_preview(
    package: AvatarPackage,
    folder: Path,
    *,
    visemes: Sequence[TimedViseme] = SPOKEN,
    film: Callable[[Path], None] | None = None,
) -> tuple[Path, ...]:
    """Write ``poster.jpg``, ``thumbnail.jpg``, ``sheet.png``, ``film.png`` (a strip of frames) and ``film.webm``.

    ``visemes``: what is spoken in ``film.png``; ``film`` writes ``film.webm`` of the same, else it is the silent one
    of ``SENTENCE``. ``folder`` is made when missing. Returns the files. Blocks for seconds. Raises ``OSError``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    portrait = poster(package)
    pictures = {
        "poster.jpg": portrait,
        "thumbnail.jpg": small(portrait, 256),
        "sheet.png": contact_sheet(package),
        "film.png": film_strip(package, visemes=visemes),
    }
    for name, picture in pictures.items():
        _write(folder / name, picture)
    target = folder / "film.webm"
    film(target) if film is not None else write_film(package, target)
    return tuple(folder / name for name in (*pictures, "film.webm"))


def _frames(package: AvatarPackage, visemes: Sequence[TimedViseme]) -> Iterator[tuple[str, Pixels]]:
    """The frames of a spoken sentence: the viseme's name, and I420, the same array each time."""
    animator = Animator(7, HOUSE.with_overrides(package.manifest.overrides))
    animator.state(FaceState.SPEAKING, 0.0)
    animator.speak(visemes)
    renderer = PuppetRenderer(package, View(_FILM_SIDE, _FILM_SIDE))
    frame = np.empty((renderer.height * 3 // 2, renderer.width), np.uint8)
    for index in range(int(visemes[-1].end * _RATE) if visemes else 0):
        at = index / _RATE
        renderer.paint(animator.frame(at), frame)
        yield next((v.viseme.value for v in visemes if v.start <= at < v.end), ""), frame


def _write(path: Path, picture: Pixels) -> None:
    options = [cv2.IMWRITE_JPEG_QUALITY, 88] if path.suffix == ".jpg" else []
    if not cv2.imwrite(str(path), picture, options):
        raise OSError(f"{path} cannot be written")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m visavis.avatar.preview", description="Draw an avatar's pictures.")
    parser.add_argument("folder", type=Path, help="where the pictures go")
    parser.add_argument("--package", type=Path, default=_VERA, help="an avatar package; else the embedded one")
    options = parser.parse_args()
    try:
        package = load_package(options.package)
    except PackageError as error:
        print(error, file=sys.stderr)
        return 1
    write_preview(package, options.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
