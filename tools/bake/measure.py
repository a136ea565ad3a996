"""What the bake needs to know of a character besides renders: its skin as the camera sees it, its hair, its teeth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bake.character import Character
from bake.projection import Projection, triangles_of
from bake.raster import Floats, Grid, see
from bake.subdivision import Subdivided

SHAPES: Final = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight",
    "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight",
    "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The ARKit blendshapes that move the skin; blinks and gazes are in the eye pictures."""
LETS_GO: Final = {"mouthPucker": 0.95, "mouthFunnel": 0.75, "mouthFrownLeft": 0.8, "mouthFrownRight": 0.8}
"""How much of the resting smile a shape undoes: lips cannot be rounded and smile."""
_LOWEST: Final = 3.6
"""Where the body is cut off, dm: below every picture."""
_HAIR_POINTS: Final = 400_000


@dataclass(frozen=True, slots=True)
class Hair:
    """Points of the strands: ``points`` (n, 2) canonical pixels, ``depth`` (n,) towards the camera, dm."""

    points: Floats
    depth: Floats


def with_smile_let_go(weights: dict[str, float], rest: dict[str, float]) -> dict[str, float]:
    """``weights`` with what they undo of the smile in the resting face's weights ``rest``."""
    out = dict(weights)
    for side in ("Left", "Right"):
        share = sum(
            LETS_GO.get(name, 0.0) * weight
            for name, weight in weights.items()
            if name.endswith(side) or not name.endswith(("Left", "Right"))
        )
        smile = rest.get(f"mouthSmile{side}", 0.0)
        if share and smile:
            out[f"mouthSmile{side}"] = out.get(f"mouthSmile{side}", 0.0) - min(1.0, share) * smile
    return out


class Measured:
    """One character at rest, and what its shapes do."""

    def __init__(self, character: Character) -> None:
        self._character = character
        self._camera = character.camera
        rest = character.rest
        faces = [face for face in character.mesh.faces_of("body") if min(rest[i][1] for i in face) > _LOWEST]
        self._skin = Subdivided(rest, faces)
        self._points = self._project(self._skin.at(rest))
        moves = [self._project(self._skin.at(self._deformed({name: 1.0}))) - self._points for name in SHAPES]
        inner = np.repeat(character.masks["inner"][:, None], 3, 1)
        self.skin = Projection(
            self._camera.size,
            self._points,
            self._skin.at(rest)[:, 2].astype(np.float32),
            triangles_of(self._skin.quads),
            SHAPES,
            np.stack(moves),
            self._skin.at(inner)[:, 0].astype(np.float32),
        )

    def _deformed(self, weights: dict[str, float]) -> NDArray[np.float64]:
        return self._character.deformed(with_smile_let_go(weights, self._character.identity.rest))

    def hair(self) -> Hair:
        """The hair of the head, thinned out."""
        points = self._character.hair_strands.reshape(-1, 3)
        points = points[:: max(1, len(points) // _HAIR_POINTS)]
        return Hair(self._project(points), points[:, 2].astype(np.float32))

    def eyeballs(self) -> Floats:
        """(n, 2): the vertices of both, canonical pixels."""
        ranges = self._character.mesh.ranges
        both = np.concatenate([ranges["helper-l-eye"], ranges["helper-r-eye"]])
        return self._project(self._character.rest[both])

    def teeth_sink(self, jaw: float) -> float:
        """Pixels that the lower teeth go down at this weight of jawOpen."""
        teeth = self._character.mesh.ranges["helper-lower-teeth"]
        before = self._project(self._character.rest[teeth])
        after = self._project(self._character.deformed({"jawOpen": jaw})[teeth])
        return float((after - before)[:, 1].mean())

    def movement(self, weights: dict[str, float], grid: Grid) -> Floats:
        """(rows, columns): pixels that the skin seen there, before or after, is moved by ``weights``."""
        surface = self._skin.at(self._character.deformed(weights))
        moved = self._project(surface)
        length = np.linalg.norm(moved - self._points, axis=1)
        triangles = self.skin.triangles
        before = see(self._points, self.skin.depth, triangles, grid).read(length)
        after = see(moved, surface[:, 2], triangles, grid).read(length)
        return np.maximum(before, after)

    def open_eyes(self, weights: dict[str, float], grid: Grid) -> NDArray[np.bool_]:
        """(rows, columns): where an eyeball is seen between the lids."""
        surface = self._skin.at(self._character.deformed(weights))
        mesh = self._character.mesh
        quads = np.array([f for side in "lr" for f in mesh.faces_of(f"helper-{side}-eye") if len(f) == 4])
        ball = self._character.rest
        points = np.concatenate([self._project(surface), self._project(ball)])
        depth = np.concatenate([surface[:, 2], ball[:, 2]])
        triangles = np.concatenate([self.skin.triangles, triangles_of(quads) + len(surface)])
        return see(points, depth, triangles, grid).corners[..., 0] >= len(surface)

    def _project(self, points: NDArray[np.floating]) -> Floats:
        return self._camera.project(points)[0].astype(np.float32)
