"""CPU milliseconds per frame and memory per session of the face.

    python benchmarks/face.py [--frames 300] [--avatar FOLDER]

Prints, for each size, the median and 90th percentile of the calling thread's CPU time of a talking and an idle frame
(animation apart from painting), and the memory that each further session takes.
"""

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import numpy as np

from visavis.avatar.animation.animator import Animator
from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.face import FaceFrame, FaceState
from visavis.avatar.package import AvatarPackage, load_package
from visavis.avatar.preview import SENTENCE, timed
from visavis.avatar.puppet.renderer import PuppetRenderer
from visavis.avatar.puppet.rig import rig_of
from visavis.avatar.view import View

SIZES = ((512, 512), (720, 720), (1280, 720))
RATE = 25
SESSIONS = 8


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


def session_bytes(package: AvatarPackage, width: int, height: int) -> float:
    frame = np.empty((height * 3 // 2, width), np.uint8)
    face = faces(1, talking=True)[0][0]
    kept = [PuppetRenderer(package, View(width, height))]
    kept[0].paint(face, frame)
    before = resident()
    for _ in range(SESSIONS):
        kept.append(PuppetRenderer(package, View(width, height)))
        kept[-1].paint(face, frame)
    return (resident() - before) / SESSIONS


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):5.2f} {statistics.quantiles(values, n=10)[8]:5.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--avatar", type=Path, default=EMBEDDED / "vera" / "face", help="an avatar package")
    options = parser.parse_args()

    start = time.perf_counter()
    package = load_package(options.avatar)
    loaded = time.perf_counter()
    rig_of(package)
    print(f"python {sys.version.split()[0]}, numpy {np.__version__}, OpenCV {cv2.__version__}")
    print(f"package {(loaded - start) * 1000:.0f} ms, rig {(time.perf_counter() - loaded) * 1000:.0f} ms to load")
    print("CPU ms per frame: median and 90th percentile")
    kinds = {"talking": faces(options.frames, talking=True), "idle": faces(options.frames, talking=False)}
    for kind, (_, spent) in kinds.items():
        print(f"  animation {kind:8s} {spread(spent)}")
    for width, height in SIZES:
        frame = np.empty((height * 3 // 2, width), np.uint8)
        for kind, (shown, _) in kinds.items():
            renderer = PuppetRenderer(package, View(width, height))
            spent = [milliseconds(lambda f=face, r=renderer, o=frame: r.paint(f, o)) for face in shown]
            print(f"  {width:4d}×{height} {kind:8s} {spread(spent[5:])}")
        print(f"  {width:4d}×{height} memory   {session_bytes(package, width, height) / 1e6:5.1f} MB a session")


if __name__ == "__main__":
    main()
