"""Render one person once: `python -m bake.still PERSON OUT.png --size 384 --samples 8 --pose aa --box face`."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from bake.character import Character
from bake.people import PEOPLE


def both(name: str, weight: float) -> dict[str, float]:
    """An ARKit shape on both sides."""
    return {f"{name}Left": weight, f"{name}Right": weight}


POSES: dict[str, dict[str, float]] = {
    "neutral": {},
    "aa": {"jawOpen": 0.5, **both("mouthLowerDown", 0.3), **both("mouthUpperUp", 0.15)},
    "ee": {
        "jawOpen": 0.12,
        **both("mouthStretch", 0.4),
        **both("mouthSmile", 0.3),
        **both("mouthLowerDown", 0.45),
        **both("mouthUpperUp", 0.3),
    },
    "oo": {"jawOpen": 0.15, "mouthPucker": 0.7, "mouthFunnel": 0.35},
    "mm": {**both("mouthPress", 0.5), "mouthRollLower": 0.3, "mouthRollUpper": 0.25},
    "th": {"jawOpen": 0.18, **both("mouthLowerDown", 0.25), "tongueOut": 0.35},
    "blink50": both("eyeBlink", 0.5),
    "blink100": both("eyeBlink", 1.0),
    "smile": {
        **both("mouthSmile", 0.7),
        **both("cheekSquint", 0.5),
        **both("mouthUpperUp", 0.2),
        **both("eyeSquint", 0.3),
    },
    "sad": {"browInnerUp": 1.0, **both("mouthFrown", 0.6), "mouthShrugLower": 0.3, **both("eyeBlink", 0.12)},
    "stern": {**both("browDown", 1.0), **both("mouthPress", 0.4), **both("eyeSquint", 0.4), **both("noseSneer", 0.2)},
    "surprised": {"browInnerUp": 0.9, **both("browOuterUp", 1.0), **both("eyeWide", 0.8), "jawOpen": 0.25},
}
# Parts of the picture as shares: left, top, right, bottom.
BOXES = {
    "face": (0.26, 0.16, 0.74, 0.76),
    "eyes": (0.34, 0.38, 0.66, 0.54),
    "mouth": (0.38, 0.56, 0.62, 0.72),
    "hair": (0.22, 0.08, 0.78, 0.42),
    "clothes": (0.0, 0.70, 1.0, 1.0),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Render one person once.")
    parser.add_argument("person", choices=sorted(PEOPLE))
    parser.add_argument("out", type=Path, help="PNG; with several poses, their names are added")
    parser.add_argument("--size", type=int, default=384, help="pixels of the square picture")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--pose", nargs="+", choices=sorted(POSES), default=["neutral"])
    parser.add_argument("--box", choices=sorted(BOXES), help="render only this part")
    parser.add_argument("--gaze", type=float, nargs=2, default=(0.0, 0.0), help="degrees to the right and up")
    options = parser.parse_args()
    start = time.monotonic()
    character = Character(PEOPLE[options.person], size=options.size, samples=options.samples)
    print(f"built in {time.monotonic() - start:.1f} s, {len(character.hair_strands)} strands", flush=True)
    border = None
    if options.box:
        left, top, right, bottom = (round(side * options.size) for side in BOXES[options.box])
        border = (left, top, right, bottom)
    for pose in options.pose:
        start = time.monotonic()
        character.pose(POSES[pose], tuple(options.gaze))
        path = options.out if len(options.pose) == 1 else options.out.with_stem(f"{options.out.stem}_{pose}")
        character.render(path.absolute(), border)
        print(f"{path}: {time.monotonic() - start:.1f} s", flush=True)


if __name__ == "__main__":
    main()
