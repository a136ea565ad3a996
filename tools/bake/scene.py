"""The studio: render settings, portrait camera and soft boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import mathutils
import numpy as np
from numpy.typing import NDArray

from bake.basemesh import Points
from bake.blender import to_blender

FRAME_HEIGHT = 3.60  # dm seen at the depth of the eyes
DISTANCE = 17.0  # dm from the camera to the eyes
EYES_FROM_TOP = 0.42  # where the eyes are, as a share of the picture's height
THREADS = 2


@dataclass(frozen=True)
class Camera:
    """A level perspective camera in front of the face. Everything in dm and MakeHuman axes; pictures are square."""

    size: int
    height: float
    depth: float
    distance: float = DISTANCE
    frame: float = FRAME_HEIGHT

    def project(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixels (n,2) from the picture's left upper corner, and depth (n,) as distance along the view axis, dm."""
        away = self.depth - points[..., 2]
        scale = self.distance / self.frame * self.size / away
        x = self.size / 2 + points[..., 0] * scale
        y = self.size / 2 - (points[..., 1] - self.height) * scale
        return np.stack([x, y], -1), away

    @property
    def pixels_per_dm(self) -> float:
        """At the depth of the eyes."""
        return self.size / self.frame


def portrait_camera(eyes: NDArray[np.float64], size: int) -> Camera:
    """The camera that puts the middle of the eyes at `EYES_FROM_TOP` of a square picture."""
    height = float(eyes[1]) - (0.5 - EYES_FROM_TOP) * FRAME_HEIGHT
    return Camera(size, height, float(eyes[2]) + DISTANCE)


class Studio:
    """An empty Blender scene with camera and light. Blender's state is global: one studio per process."""

    def __init__(self, camera: Camera, samples: int, warmth: float = 0.0, rim: float = 1.0) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.camera = camera
        self._scene = bpy.context.scene
        self._render_settings(samples)
        self._place_camera()
        self._light(warmth, rim)

    def _render_settings(self, samples: int) -> None:
        scene = self._scene
        scene.render.engine = "CYCLES"
        cycles = scene.cycles
        cycles.samples = samples
        cycles.use_denoising = True
        cycles.denoiser = "OPENIMAGEDENOISE"
        cycles.use_adaptive_sampling = True
        cycles.adaptive_threshold = 0.02
        cycles.max_bounces = 6
        cycles.transparent_max_bounces = 12
        cycles.caustics_reflective = False
        cycles.caustics_refractive = False
        cycles.seed = 1
        render = scene.render
        render.resolution_x = render.resolution_y = self.camera.size
        render.threads_mode = "FIXED"
        render.threads = THREADS
        render.use_persistent_data = True
        render.film_transparent = True
        render.image_settings.file_format = "PNG"
        render.image_settings.color_mode = "RGBA"
        scene.view_settings.view_transform = "AgX"
        scene.view_settings.look = "AgX - Medium High Contrast"
        scene.view_settings.exposure = 0.6

    def _place_camera(self) -> None:
        lens = bpy.data.cameras.new("camera")
        lens.sensor_width = 36
        lens.lens = 36 * self.camera.distance / self.camera.frame
        place = bpy.data.objects.new("camera", lens)
        place.location = (0, -self.camera.depth, self.camera.height)
        place.rotation_euler = (math.radians(90), 0, 0)
        self._scene.collection.objects.link(place)
        self._scene.camera = place

    def soft_box(
        self,
        at: tuple[float, float, float],
        size: float,
        watts: float,
        colour: tuple[float, float, float],
        height: float = 0.0,
    ) -> Any:
        """A rectangular area light at MakeHuman coordinates, turned to the face."""
        light = bpy.data.lights.new("soft box", "AREA")
        light.size = size
        light.energy = watts
        light.color = colour
        if height:
            light.shape = "RECTANGLE"
            light.size_y = height
        lamp = bpy.data.objects.new("soft box", light)
        place = mathutils.Vector(to_blender(np.array(at)).tolist())
        lamp.location = place
        target = mathutils.Vector((0, -0.8, self.camera.height))
        lamp.rotation_euler = (target - place).to_track_quat("-Z", "Y").to_euler()
        self._scene.collection.objects.link(lamp)
        return lamp

    def _light(self, warmth: float, rim: float) -> None:
        warm = (1.0, 0.94 - 0.04 * warmth, 0.87 - 0.08 * warmth)
        cool = (0.84, 0.92, 1.0)
        eye = self.camera.height
        self.soft_box((-5.4, eye + 2.8, 5.8), 3.6, 600, warm, 4.4)  # key
        self.soft_box((5.6, eye + 0.2, 5.4), 4.5, 80, cool)  # fill
        self.soft_box((0.0, eye - 3.6, 6.5), 3.0, 36, warm)  # reflector under the chin
        self.soft_box((3.2, eye + 3.4, -5.0), 2.0, 260 * rim, (0.95, 0.97, 1.0))  # rims
        self.soft_box((-3.8, eye + 2.2, -5.2), 1.8, 260 * rim, (0.78, 0.88, 1.0))
        self._glint = self.soft_box((-3.4, eye + 2.6, 7.6), 3.0, 5500, (1, 1, 1), 3.6)
        world = bpy.data.worlds.new("world")
        self._scene.world = world
        world.use_nodes = True
        background = world.node_tree.nodes["Background"]
        background.inputs[0].default_value = (0.22, 0.235, 0.26, 1)
        background.inputs[1].default_value = 0.8

    def glint_only_on(self, objects: list[Any]) -> None:
        """Let the box that makes the catch-lights shine on these objects alone (the corneas)."""
        seen = bpy.data.collections.new("seen by the glint")
        for item in objects:
            seen.objects.link(item)
        self._glint.light_linking.receiver_collection = seen

    def render(self, path: Path, border: tuple[int, int, int, int] | None = None, samples: int | None = None) -> None:
        """Render the square picture, or with `border` (left, top, right, bottom in pixels) only that part of it.

        The file always has the whole size; what lies outside the border is transparent.
        """
        render = self._scene.render
        render.use_border = border is not None
        render.use_crop_to_border = False
        if border is not None:
            left, top, right, bottom = (side / self.camera.size for side in border)
            render.border_min_x, render.border_max_x = left, right
            render.border_min_y, render.border_max_y = 1 - bottom, 1 - top
        usual = self._scene.cycles.samples
        self._scene.cycles.samples = samples or usual
        render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        self._scene.cycles.samples = usual
