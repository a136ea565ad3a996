"""Bakes an avatar's face package: run from ``tools`` as ``python -m bake PERSON OUT_FOLDER``."""

import argparse
from dataclasses import replace
from pathlib import Path

from bake.passes import FULL, QUICK
from bake.people import PEOPLE
from bake.pipeline import bake


def main() -> None:
    """Read the command line and bake."""
    parser = argparse.ArgumentParser(prog="python -m bake", description=__doc__)
    parser.add_argument("person", choices=sorted(PEOPLE))
    parser.add_argument("out", type=Path, help="the package's folder")
    parser.add_argument("--size", type=int, help="side of the picture in pixels")
    parser.add_argument("--quick", action="store_true", help="small and noisy, to see whether all works")
    parser.add_argument("--effort", type=float, default=1.0, help="samples are multiplied by this")
    parser.add_argument("--work", type=Path, help="where renders are kept, to go on after a stop; else OUT.renders")
    parser.add_argument("--again", nargs="*", default=(), help="passes to render anew, by how their names begin")
    options = parser.parse_args()
    quality = QUICK if options.quick else FULL
    if options.size:
        quality = replace(quality, size=options.size)
    quality = quality.with_effort(options.effort)
    work = options.work or options.out.with_name(f"{options.out.name}.renders")
    bake(options.person, options.out, work, quality, options.again)


main()
