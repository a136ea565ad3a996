"""What is rendered of a person, pass by pass. A pass that lies in the work folder already is not rendered again."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import bpy
import cv2
import numpy as np
from numpy.typing import NDArray

from bake.blender import MeshObject, plain_material
from bake.character import PARTS, Character
from bake.tongue import Position, moved_tongue

CAVITY: Final = "cavity"
_BEHIND: Final = 0.30
"""The cavity begins this far behind the front teeth, dm."""

Box = tuple[int, int, int, int]
Render = NDArray[np.uint16]


@dataclass(frozen=True, slots=True)
class Quality:
    """``size``: side of the picture; samples a pixel of each kind of pass."""

    size: int
    picture: int
    eyes: int
    interior: int
    gains: int

    def with_effort(self, effort: float) -> Quality:
        """The same with samples multiplied by ``effort``."""
        picture, eyes, interior, gains = (
            max(1, round(effort * samples)) for samples in (self.picture, self.eyes, self.interior, self.gains)
        )
        return Quality(self.size, picture, eyes, interior, gains)


FULL = Quality(768, 20, 14, 32, 10)
QUICK = Quality(512, 10, 6, 10, 6)


class Passes:
    """Renders of one character, kept as 16-bit PNG files with straight alpha in ``folder``."""

    def __init__(self, character: Character, folder: Path, again: Collection[str] = ()) -> None:
        """``again``: beginnings of the names of passes to be rendered anew."""
        folder.mkdir(parents=True, exist_ok=True)
        self._character = character
        self._folder = folder
        self._again = tuple(again)
        self._cavity = _cavity(character)
        self.seconds: dict[str, float] = {}
        """How long each pass that was rendered now took."""
        settings = bpy.context.scene.render.image_settings
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "16"

    def render(
        self,
        name: str,
        samples: int,
        *,
        weights: dict[str, float] | None = None,
        gaze: tuple[float, float] = (0.0, 0.0),
        tongue: Position = "rest",
        parts: Collection[str] = PARTS,
        unseen: Collection[str] = (),
        border: Box | None = None,
        percentage: int = 100,
    ) -> Render:
        """(height, width, 4), BGRA: the ``border`` (canonical pixels) of the picture, scaled by ``percentage``.

        ``parts``: those of the character, or ``CAVITY``; ``unseen`` ones only cast shadows; ``gaze``: degrees to the
        image's right and up.
        """
        path = self._folder / f"{name}.png"
        if not path.exists() or (self._again and name.startswith(self._again)):
            begun, spent = time.monotonic(), time.process_time()
            self._pose(weights or {}, gaze, tongue)
            self._character.show({*parts, *unseen} - {CAVITY})
            self._seen_by_camera(unseen, False)
            self._cavity.object.hide_render = CAVITY not in parts
            bpy.context.scene.render.resolution_percentage = percentage
            unfinished = path.with_suffix(".part.png")
            self._character.render(unfinished, border=border, samples=samples)
            self._seen_by_camera(unseen, True)
            unfinished.rename(path)
            self.seconds[name] = time.monotonic() - begun
            used = time.process_time() - spent
            print(f"{name}: {self.seconds[name]:.1f} s, {used:.1f} s of processor", flush=True)
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if picture is None or picture.ndim != 3 or picture.shape[2] != 4:
            raise OSError(f"{path} is not a render: remove it")
        render = picture if picture.dtype == np.uint16 else picture.astype(np.uint16) * 257
        if border is None:
            return render
        left, top, right, bottom = scaled(border, render.shape[0] / self._character.camera.size)
        return render[top:bottom, left:right]

    def _seen_by_camera(self, parts: Collection[str], seen: bool) -> None:
        for name in parts:
            for part in self._character.parts[name]:
                part.visible_camera = seen

    def _pose(self, weights: dict[str, float], gaze: tuple[float, float], tongue: Position) -> None:
        character = self._character
        character.pose(weights, gaze)
        vertices = character.deformed(weights)
        self._cavity.move(vertices)
        index = character.mesh.ranges["helper-tongue"]
        vertices[index] = moved_tongue(vertices[index], tongue, weights.get("jawOpen", 0.0))
        character.tongue.move(vertices)


def _cavity(character: Character) -> MeshObject:
    """The mouth's inside behind the teeth, which can be shown without the lips before it."""
    inner, rest = character.masks["inner"], character.rest
    behind = float(rest[character.mesh.ranges["helper-upper-teeth"]][:, 2].max()) - _BEHIND
    faces = [
        face
        for face in character.mesh.faces_of("body")
        if all(inner[i] > 0.5 for i in face) and max(rest[i][2] for i in face) < behind
    ]
    material = plain_material("cavity", (0.16, 0.035, 0.035), 0.4, scatter=0.05)
    return MeshObject("cavity", rest, faces, material, subdivisions=1)


def scaled(border: Box, scale: float) -> Box:
    """A box in pixels of another size, whole pixels inside it."""
    left, top, right, bottom = border
    return int(np.ceil(left * scale)), int(np.ceil(top * scale)), int(right * scale), int(bottom * scale)


def eight_bits(render: Render) -> NDArray[np.uint8]:
    """A render as 8 bits a channel."""
    return ((render.astype(np.uint32) * 255 + 32_767) // 65_535).astype(np.uint8)
