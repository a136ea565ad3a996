"""What a neural face costs on this machine.

    python benchmarks/neural.py --renderer wav2lip --models FOLDER [--device cuda] [--sessions 4] [--seconds 10]

Lets SESSIONS avatars speak noise at once, in real time, and prints: mouths a second, the share that was ready in time,
mouths per batch, and the milliseconds of CPU that painting a picture takes.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.neural.face import AudioFace
from visavis.avatar.neural.house import open_faces
from visavis.avatar.neural.ports import MOUTH_RATE, NeuralError
from visavis.avatar.package import load_package
from visavis.speech.ports import SPEECH_RATE

PIECE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--renderer", choices=("wav2lip", "musetalk"), required=True)
    parser.add_argument("--models", type=Path, required=True, help="folder of the network's files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--avatar", type=Path, default=EMBEDDED / "vera" / "face")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--drawing", type=float, default=0.12)
    options = parser.parse_args()
    try:
        faces: Any = open_faces(
            options.renderer,
            options.models,
            options.side,
            options.side,
            device=options.device,
            batch=options.batch,
            drawing=options.drawing,
        )
    except NeuralError as error:
        sys.exit(str(error))
    try:
        measure(faces, options)
    finally:
        faces.close()


def measure(faces: Any, options: argparse.Namespace) -> None:
    package = load_package(options.avatar)
    begun = time.monotonic()
    origin = [0.0]

    def now() -> float:
        return time.monotonic() - origin[0]

    sessions: list[AudioFace] = [faces.open(package, now) for _ in range(options.sessions)]
    print(f"pictures ready in     {time.monotonic() - begun:8.2f} s")
    latency = sessions[0].latency
    print(f"sound waits for       {latency:8.3f} s")
    noise = (np.random.default_rng(1).standard_normal(round(PIECE * SPEECH_RATE)) * 4000).astype(np.int16)
    frame = np.empty((options.side * 3 // 2, options.side), np.uint8)
    painting: list[float] = []
    shown = expected = pieces = 0
    origin[0] = time.monotonic()
    number = 0
    while (at := number / MOUTH_RATE) < options.seconds:
        time.sleep(max(0.0, at - 0.04 - now()))
        while pieces * PIECE <= now():
            for session in sessions:
                session.say(noise, latency + pieces * PIECE)
            pieces += 1
        for session in sessions:
            pose = session.pose(at)
            begun = time.thread_time()
            session.paint(pose, frame)
            painting.append((time.thread_time() - begun) * 1000)
            if at > latency + 0.2:
                expected += 1
                shown += pose.drawn is not None and abs(pose.drawn.at - at) < 0.5 / MOUTH_RATE
        number += 1
    worker = faces.worker
    print(
        f"mouths drawn          {worker.drawn / options.seconds:8.1f} a second, {MOUTH_RATE * options.sessions} wanted"
    )
    print(f"mouths in time        {100 * shown / max(1, expected):8.1f} %")
    print(f"mouths a batch        {worker.drawn / max(1, worker.batches):8.1f}")
    print(f"left out              {worker.late:8d} late, {worker.refused} refused, {worker.failed} failed")
    print(f"painting, CPU         {statistics.median(painting):8.2f} ms")


if __name__ == "__main__":
    main()
