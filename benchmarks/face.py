"""CPU milliseconds per frame and memory per session of the face.

    python benchmarks/face.py [--frames 150] [--repeats 3] [--avatar FOLDER]

Prints, for each size and background, the 10th, 50th and 90th percentile of the calling thread's CPU time of a talking
and an idle frame, one thread, and the memory that each further session takes. Animation is apart from painting.

Every row has the time of a loop beside it that does nothing but warp a picture of 768 pixels to 512 (OpenCV's remap,
BGRA, linear), run in turns with the frames. On the machine of docs/performance.md it takes 0.7 ms when nothing else
runs, and more when its neighbours are busy: so do frames then.

An avatar without a matte is measured as it is, and once more with a stand-in for one (head and shoulders).
"""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.package import AvatarPackage, Pixels, load_package
from visavis.avatar.preview import SENTENCE, timed
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.puppet.rig import rig_of
from visavis.avatar.view import BlurredBackground, ColourBackground, PictureBackground, View

VIEWS = (
    ("own background", View(512, 512)),
    ("blurred", View(512, 512, BlurredBackground())),
    ("colour", View(512, 512, ColourBackground(20, 110, 200))),
    ("picture", View(512, 512, PictureBackground(np.full((1080, 1920, 3), 90, np.uint8)))),
    ("transparent", View(512, 512, transparent=True)),
    ("own background", View(720, 720)),
    ("transparent", View(720, 720, transparent=True)),
    ("own background", View(1280, 720)),
    ("picture", View(1280, 720, PictureBackground(np.full((1080, 1920, 3), 90, np.uint8)))),
    ("transparent", View(1280, 720, transparent=True)),
    ("own background", View(720, 1280)),
)
RATE = 25
SESSIONS = 40
TURN = 15
"""Frames between two turns of the reference."""


def milliseconds(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1000


def faces(frames: int, talking: bool) -> tuple[list[FaceFrame], list[float]]:
    """What an animator shows, and its CPU time per frame."""
    animator = Animator(seed=1)
    if talking:
        animator.state(FaceState.SPEAKING, 0.0)
        start = 0.0
        while start < frames / RATE:
            visemes = timed(SENTENCE[1:-1], start)
            animator.speak(visemes)
            start = visemes[-1].end
    shown: list[FaceFrame] = []
    spent = [milliseconds(lambda at=i / RATE: shown.append(animator.frame(at))) for i in range(frames)]
    return shown, spent


def resident() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def frame_for(view: View) -> Pixels:
    return np.empty((view.height * 3 // 2, view.frame_width), np.uint8)


def session_bytes(package: AvatarPackage, view: View, face: FaceFrame, *, own_colours: bool) -> float:
    """Resident bytes that each of many sessions adds; ``own_colours``: no two before the same background."""
    frame = frame_for(view)
    kept = [PuppetRenderer(package, view)]
    kept[0].paint(face, frame)
    before = resident()
    for number in range(SESSIONS):
        background = ColourBackground(number, 0, 0) if own_colours else view.background
        kept.append(PuppetRenderer(package, View(view.width, view.height, background, view.transparent)))
        kept[-1].paint(face, frame)
    return (resident() - before) / SESSIONS


def reference() -> Callable[[], object]:
    """The bare warp that frames are compared with."""
    picture = np.random.default_rng(1).integers(0, 256, (768, 768, 4), dtype=np.uint8)
    at = np.arange(512, dtype=np.float32) * 1.5
    places = np.ascontiguousarray(np.dstack(np.meshgrid(at, at)) + np.float32(0.3))
    out = np.empty((512, 512, 4), np.uint8)
    return lambda: cv2.remap(picture, places, None, cv2.INTER_LINEAR, out, cv2.BORDER_REPLICATE)


def measured(
    package: AvatarPackage, view: View, shown: list[FaceFrame], repeats: int, warp: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """Milliseconds of each frame and of each turn of the reference."""
    renderer, frame = PuppetRenderer(package, view), frame_for(view)
    for face in shown[:TURN]:
        renderer.paint(face, frame)
    frames: list[float] = []
    bare: list[float] = []
    for _ in range(repeats):
        for first in range(0, len(shown), TURN):
            frames += [milliseconds(lambda f=face: renderer.paint(f, frame)) for face in shown[first : first + TURN]]
            bare += [milliseconds(warp) for _ in range(TURN)]
    return frames, bare


def with_matte(package: AvatarPackage) -> AvatarPackage:
    """The package with a stand-in for a matte: it costs what a real one does."""
    size = package.manifest.size
    matte = np.zeros((size, size), np.uint8)
    for middle, across, down in ((0.42, 0.3, 0.38), (1.06, 0.52, 0.3)):
        centre = (size // 2, round(middle * size))
        cv2.ellipse(matte, centre, (round(across * size), round(down * size)), 0, 0, 360, 255, -1)
    plate = np.full_like(package.picture, 90)
    return replace(package, matte=cv2.GaussianBlur(matte, (0, 0), 2), plate=plate)


def spread(values: list[float]) -> str:
    tenths = statistics.quantiles(values, n=10)
    return f"{tenths[0]:5.2f} {statistics.median(values):5.2f} {tenths[8]:5.2f}"


def table(package: AvatarPackage, kinds: dict[str, list[FaceFrame]], repeats: int) -> None:
    warp = reference()
    for name, view in VIEWS:
        row = f"  {view.width:4d} × {view.height:<4d} {name:14s}"
        for kind, shown in kinds.items():
            frames, bare = measured(package, view, shown, repeats, warp)
            row += f"  {kind} {spread(frames)} (warp {statistics.median(bare):.2f})"
        print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--avatar", type=Path, default=EMBEDDED / "vera" / "face", help="an avatar package")
    options = parser.parse_args()

    start = time.perf_counter()
    package = load_package(options.avatar)
    loaded = time.perf_counter()
    before = resident()
    rig_of(package)
    print(f"python {sys.version.split()[0]}, numpy {np.__version__}, OpenCV {cv2.__version__}")
    print(f"package {(loaded - start) * 1000:.0f} ms, rig {(time.perf_counter() - loaded) * 1000:.0f} ms to load")
    print(f"the rig, shared by all sessions of the avatar: {(resident() - before) / 1e6:.0f} MB")
    print("CPU ms per frame: 10th, 50th and 90th percentile (and the reference's median)")
    talking, idle = faces(options.frames, talking=True), faces(options.frames, talking=False)
    print(f"  animation: talking {spread(talking[1])}  idle {spread(idle[1])}")
    kinds = {"talking": talking[0], "idle": idle[0]}
    if package.matte is None:
        print("without a matte")
        table(package, kinds, options.repeats)
        package = with_matte(package)
        print("with a stand-in for a matte")
    table(package, kinds, options.repeats)
    print(f"MB that each of {SESSIONS} further sessions takes: same background, and one of its own")
    for view in (View(512, 512), View(720, 720), View(1280, 720), View(512, 512, transparent=True)):
        sizes = [session_bytes(package, view, talking[0][20], own_colours=own) / 1e6 for own in (False, True)]
        kind = "transparent" if view.transparent else ""
        print(f"  {view.width:4d} × {view.height:<4d} {sizes[0]:5.2f} {sizes[1]:5.2f} {kind}")


if __name__ == "__main__":
    main()
