"""From a person to a face package: renders, fields, eye pictures, interior, gains, all put together."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from bake import eye_table, gains, interior, matte
from bake.character import Character
from bake.fields import (
    Skins,
    breath_field,
    depth_field,
    head_field,
    main_field,
    mouth_box,
    skins_of,
    window_around,
)
from bake.lips import lip_line
from bake.measure import Measured, with_smile_let_go
from bake.pack import Baked, Mouth, Turn, as_stored, write_package
from bake.passes import CAVITY, Box, Passes, Quality, eight_bits, scaled
from bake.people import PEOPLE
from bake.raster import Floats, Grid
from bake.tongue import Position

Pixels = NDArray[np.uint8]

GAIN_SIZE: Final = 288
"""Side of the picture that gains are rendered in, of which only the face is."""
GAIN_STEP: Final = 192
"""Values of a gain map along a picture's side."""
SKIN_ONLY: Final = ("body", "eyes")
_STEEP: Final = 0.10
"""Change of depth between neighbouring pixels of the gains' renders, dm, that tells an outline."""
_SHUT: Final = 0.06
"""How much further than just closed the lids go."""
BACKDROPS: Final[dict[str, tuple[matte.Colour, matte.Colour]]] = {
    "vera": ((128, 142, 152), (44, 54, 66)),
    "marcus": ((158, 146, 128), (62, 54, 48)),
    "henrik": ((136, 146, 134), (46, 54, 50)),
    "asha": ((150, 136, 148), (56, 46, 58)),
}
"""Behind each person: R, G, B of the light and the dark."""
PLAIN_BACKDROP: Final = ((132, 138, 146), (48, 54, 64))


def bake(person: str, out: Path, work: Path, quality: Quality, again: Collection[str] = ()) -> None:
    """Bake one of ``PEOPLE`` into the package folder ``out``; renders are kept in ``work``. Prints what took long."""
    begun = time.monotonic()
    identity = PEOPLE[person]
    character = Character(identity, size=quality.size, samples=quality.picture)
    print(f"character: {time.monotonic() - begun:.1f} s", flush=True)
    measured = Measured(character)
    passes = Passes(character, work, again)
    size = quality.size
    camera = character.camera
    dm = camera.pixels_per_dm

    picture, alpha = matte.straight(passes.render("neutral", quality.picture))
    file, shown = as_stored(picture)
    line = lip_line(measured.skin)
    skins = skins_of(measured.skin, line)
    hair = measured.hair()
    drop = measured.teeth_sink(1.0)
    layers, inside = _interior(passes, quality, line, drop)
    box, eyes = _eyes(passes, measured, quality, shown)
    gain_box, maps = _gains(passes, measured, skins, quality, identity.rest)

    mouth = mouth_box(skins, measured.skin.names, size)
    window, rows, columns = window_around(mouth, size)
    person_share = alpha.astype(np.float32) / 255
    head = head_field(skins, person_share, hair.points, hair.depth, size, dm)
    pivot = np.array([[0.0, float(character.marks.eye[1]) - 1.1, 0.3]])
    place = camera.project(pivot)[0][0]
    baked = Baked(
        name=person.capitalize(),
        size=size,
        shapes=measured.skin.names,
        turn=Turn((float(place[0]), float(place[1])), 0.3, dm, camera.distance),
        mouth=Mouth(mouth, window, line[::3], inside, drop, measured.teeth_sink(interior.JAW)),
        eye_box=box,
        eye_split=int(line[:, 0].mean()),
        gain_box=gain_box,
        gains=maps,
        picture=picture,
        matte=alpha,
        plate=matte.plate_of(*BACKDROPS.get(person, PLAIN_BACKDROP), size),
        eyes=eyes,
        layers=layers,
        main=main_field(skins, size),
        upper=skins.upper[:, rows, columns],
        lower=skins.lower[:, rows, columns],
        depth=depth_field(skins, hair.points, hair.depth, size),
        head=head,
        breath=breath_field(skins, person_share, head, size, dm),
    )
    write_package(baked, file, out)
    rendered = sum(passes.seconds.values())
    print(f"{out}: {rendered:.0f} s of renders, {time.monotonic() - begun:.0f} s in all", flush=True)


def _interior(passes: Passes, quality: Quality, line: Floats, drop: float) -> tuple[Pixels, Box]:
    """(5, height, width, 4) layers: back, upper teeth, lower with the tongue at rest, up, out; and their box."""
    box = interior.interior_box(line, drop, quality.size)

    def part(name: str, parts: Collection[str], look: interior.Look, tongue: Position = "rest") -> Pixels:
        render = passes.render(
            f"interior_{name}",
            quality.interior,
            weights=interior.RETRACTED,
            tongue=tongue,
            parts=parts,
            unseen=("body",),
            border=box,
        )
        return interior.layer(eight_bits(render), look)

    back = part("back", (CAVITY,), interior.BACK)
    upper = part("upper", ("upper_teeth",), interior.TEETH)
    looks: dict[Position, interior.Look] = {
        "rest": interior.LOWER,
        "up": interior.LOWER,
        "out": interior.TONGUE_OUT,
    }
    lower = [part(f"lower_{tongue}", ("lower_teeth", "tongue"), look, tongue) for tongue, look in looks.items()]
    return np.stack([interior.softened(back, 1.2), upper, *lower]), box


def _eyes(passes: Passes, measured: Measured, quality: Quality, shown: Pixels) -> tuple[Box, Pixels]:
    """The eyes' box and (pictures, height, width, 3)."""
    box = eye_table.eye_box(measured.eyeballs(), quality.size)
    left, top, right, bottom = box
    base = shown[top:bottom, left:right]
    grid = Grid(left + 1.0, top + 1.0, 2.0, (right - left + 1) // 2, (bottom - top + 1) // 2)
    open_at_rest = measured.open_eyes({}, grid)

    closing = _closing(measured, grid)

    def one(name: str, weights: dict[str, float], gaze: tuple[float, float]) -> Pixels:
        render = passes.render(name, quality.eyes, weights=weights, gaze=gaze, border=box)
        eyeballs = open_at_rest | measured.open_eyes(weights, grid)
        share = eye_table.changed(measured.movement(weights, grid), eyeballs, quality.size // 2)
        share = cv2.resize(share, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        picture, _ = matte.straight(render)
        return eye_table.eye_picture(base, picture, share)

    pictures = [base]
    for closed in eye_table.BLINKS[1:]:
        pictures.append(one(f"blink_{round(closed * 100):03d}", eye_table.blink_weights(closed * closing), (0.0, 0.0)))
    for row, y in enumerate(eye_table.GAZE_Y):
        for column, x in enumerate(eye_table.GAZE_X):
            if x == 0 and y == 0:
                pictures.append(base)
                continue
            gaze = (x * eye_table.RANGE_X, y * eye_table.RANGE_Y)
            pictures.append(one(f"gaze_{row}{column}", eye_table.gaze_weights(x, y), gaze))
    return box, np.stack(pictures)


def _closing(measured: Measured, grid: Grid) -> float:
    """The least weight of eyeBlink that hides the eyeballs: beyond it the lids would only be pushed further."""
    for weight in np.arange(0.5, 1.0, 0.05):
        if measured.open_eyes(eye_table.blink_weights(float(weight)), grid).sum() == 0:
            return min(1.0, float(weight) + _SHUT)
    return 1.0


def _gains(
    passes: Passes, measured: Measured, skins: Skins, quality: Quality, rest_weights: dict[str, float]
) -> tuple[Box, list[gains.GainMap]]:
    """The box of the gain maps and the maps."""
    size = quality.size
    box = _moved_box(skins, size)
    percentage = round(100 * GAIN_SIZE / size)
    scale = int(size * percentage / 100) / size
    left, top, right, bottom = scaled(box, scale)
    grid = Grid((left + 0.5) / scale, (top + 0.5) / scale, 1 / scale, right - left, bottom - top)
    upper, lower = (_sampled(field, grid, size) for field in (skins.upper, skins.lower))
    x = grid.points()[0, :, 0]
    line = (np.interp(x, skins.line[:, 0], skins.line[:, 1]) * scale - 0.5 - top).astype(np.float32)
    allowed = _comparable(measured, grid)
    rows, columns = (int(side * GAIN_STEP / size) for side in (box[3] - box[1], box[2] - box[0]))

    def light(name: str, weights: dict[str, float]) -> Floats:
        weights = with_smile_let_go(weights, rest_weights)
        render = passes.render(name, quality.gains, weights=weights, parts=SKIN_ONLY, border=box, percentage=percentage)
        return gains.luminance(eight_bits(render))

    rest = light("gain_rest", {})
    maps: list[gains.GainMap] = []
    for one in gains.PASSES:
        weights = dict.fromkeys(one.shapes, one.weight)
        moved = light(f"gain_{one.shapes[0]}", weights)
        index = [measured.skin.names.index(name) for name in one.shapes]
        fields = (scale * one.weight * field[index].sum(0) for field in (upper, lower))
        whole = gains.gain_map(rest, moved, *fields, line, allowed)
        small = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
        middle = (float(skins.line[:, 0].mean()) - box[0]) / (box[2] - box[0]) * columns
        maps += gains.halves(one, small, middle)
    return box, maps


def _moved_box(skins: Skins, size: int) -> Box:
    """Around all skin that any shape moves visibly."""
    most = np.maximum(np.abs(skins.upper).max((0, 3)), np.abs(skins.lower).max((0, 3))) > 1.5 * size / 768
    rows, columns = np.flatnonzero(most.any(1)), np.flatnonzero(most.any(0))
    step = size / len(most)
    return (
        max(0, int((columns[0] - 1) * step)),
        max(0, int((rows[0] - 2) * step)),
        min(size, int((columns[-1] + 2) * step)),
        min(size, int((rows[-1] + 2) * step)),
    )


def _comparable(measured: Measured, grid: Grid) -> Floats:
    """(rows, columns): 1 on skin, away from its outline and from the eyes' opening."""
    seen = measured.skin.see(grid)
    skin = seen.hit & (seen.read(measured.skin.inner) < 0.3) & ~measured.open_eyes({}, grid)
    # Where one part stands before another, as the jaw before the neck, a small error of place is a large one of light.
    depth = np.where(seen.hit, seen.read(measured.skin.depth), -1).astype(np.float32)
    square = np.ones((3, 3), np.uint8)
    skin &= cv2.dilate(depth, square) - cv2.erode(depth, square) < _STEEP
    return np.asarray(cv2.erode(skin.astype(np.uint8), np.ones((5, 5), np.uint8)), np.float32)


def _sampled(field: Floats, grid: Grid, size: int) -> Floats:
    """(K, rows, columns, 2): a field of the working grid at another grid's points."""
    at = grid.points() / size * field.shape[1] - 0.5
    return np.stack([cv2.remap(one, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) for one in field])
