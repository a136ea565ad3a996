"""The mouth: interior, lower skin, upper skin, painted over the warped picture in a small rectangle."""

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.face import Tongue
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.opencv import Floats, blend, read_at, warp
from visavis.avatar.puppet.rig import Rig
from visavis.avatar.puppet.warp import SETTLE_ROUNDS, BackwardMap, add_weighted, hat_matrix, numbered, read_at_pixels

_TONGUES = {Tongue.REST: 0, Tongue.UP: 1, Tongue.OUT: 2}
_TONGUE_STEP = 0.5
"""Share of a tongue layer that comes or goes per frame: a change takes two frames instead of popping."""
_FEATHER = 6.0
"""Output pixels over which the rectangle's border is mixed into the picture."""
_SHADOW = 0.57
"""How much of the light the upper lip takes from what lies right behind its edge …"""
_SHADOW_REACH = 11.0
"""… and how far down it does, canonical pixels at a picture of 768."""

_CONTACT = 0.6
"""How dark the lower lip is where the upper one touches it …"""
_CONTACT_REACH = 5.0
"""… and how far down, canonical pixels at a picture of 768."""


class Mouth:
    """One session's mouth."""

    def __init__(self, rig: Rig, side: int) -> None:
        self._rig = rig
        self._side = side
        self._scale = rig.size / side
        mouth, box = rig.mouth, rig.manifest.mouth.box
        self._upper = BackwardMap(mouth.nodes, mouth.step)
        self._lower = BackwardMap(mouth.nodes, mouth.step)
        self._pose = np.zeros_like(mouth.nodes)
        self._field = np.zeros_like(mouth.nodes)
        self._width = min(side, round(box.width / self._scale))
        self._height = min(side, round(box.height / self._scale))
        self._edge = _feather(self._height, self._width)
        self._tongue = np.array([1.0, 0.0, 0.0], np.float32)
        self._settled = False

    def forget(self) -> None:
        """The mouth was not painted for a frame: do not trust the last one's maps."""
        self._settled = False

    def paint(
        self,
        target: Pixels,
        active: list[tuple[int, float]],
        terms: Floats,
        rounds: int,
        jaw: float,
        tongue: Tongue,
        share: float,
    ) -> None:
        """Paint over ``target`` (side, side, 4), opaque to the degree of ``share``.

        ``active``: (shape, weight) pairs; ``terms``: the pose's terms; ``rounds``: of finding the backward maps.
        """
        rig, mouth, scale = self._rig, self._rig.mouth, self._scale
        shift = terms @ mouth.pose_centre
        box = rig.manifest.mouth.box
        left = int(np.clip((box.left + shift[0]) / scale, 0, self._side - self._width))
        top = int(np.clip((box.top + shift[1]) / scale, 0, self._side - self._height))
        x = (left + np.arange(self._width, dtype=np.float32) + 0.5) * scale
        y = (top + np.arange(self._height, dtype=np.float32) + 0.5) * scale
        columns = hat_matrix((x - mouth.nodes[0, 0, 0] - shift[0]) / mouth.step, mouth.nodes.shape[1])
        rows = hat_matrix((y - mouth.nodes[0, 0, 1] - shift[1]) / mouth.step, mouth.nodes.shape[0])

        self._pose.fill(0)
        add_weighted(self._pose, mouth.pose, numbered(terms))
        rounds = rounds if self._settled else SETTLE_ROUNDS
        upper = self._skin(self._upper, mouth.shapes_upper, mouth.skin_upper, active, rounds, shift, columns, rows)
        lower = self._skin(self._lower, mouth.shapes_lower, mouth.skin_lower, active, rounds, shift, columns, rows)
        self._settled = True

        over_lower = lower[..., 3] * np.float32(1 / 255)
        over_upper = upper[..., 3] * np.float32(1 / 255)
        inside = self._interior(x, y, shift, terms, jaw, tongue)
        reach = max(3, int(_SHADOW_REACH * rig.size / 768 / scale) | 1)
        near = max(3, int(_CONTACT_REACH * rig.size / 768 / scale) | 1)
        shade = np.asarray(cv2.blur(over_upper, (1, reach), anchor=(0, reach - 1)), np.float32)
        # Light that is left behind the lip's edge, then the lower skin over it: one blend, black for what is missing.
        light = np.asarray((1 - _SHADOW * shade) * (1 - over_lower), np.float32)
        nothing = np.zeros_like(inside)
        painted = blend(inside, nothing, light)
        lips = _CONTACT * self._between_corners(x)
        contact = np.asarray(cv2.blur(over_upper, (1, near), anchor=(0, near - 1)), np.float32)
        seen = over_lower * (1 - lips * contact * contact)
        cv2.add(painted, blend(lower, nothing, np.asarray(seen, np.float32)), dst=painted)
        painted = blend(upper, painted, over_upper)
        part = target[top : top + self._height, left : left + self._width]
        edge = self._edge if share == 1 else self._edge * np.float32(share)
        part[...] = blend(painted, part, edge)

    def _skin(
        self,
        backward: BackwardMap,
        shapes: Floats,
        skin: Pixels,
        active: list[tuple[int, float]],
        rounds: int,
        shift: Floats,
        columns: Floats,
        rows: Floats,
    ) -> Pixels:
        np.copyto(self._field, self._pose)
        add_weighted(self._field, shapes, active)
        backward.solve(self._field, rounds, shift)
        origin = np.array([self._rig.mouth.skin_left + 0.5, self._rig.mouth.skin_top + 0.5], np.float32)
        source = read_at_pixels(backward.values - origin, columns, rows)
        return read_at(skin, source)

    def _between_corners(self, x: Floats) -> Floats:
        """(len(x),): 1 between the corners of the lips, 0 beside them. The field must be one of this frame."""
        mouth = self._rig.mouth
        left, right = (float(mouth.nodes[node][0] + self._field[node][0]) for node in mouth.corners)
        ramp = 4.0 * self._rig.size / 768
        return np.asarray(np.clip((x - left) / ramp, 0, 1) * np.clip((right - x) / ramp, 0, 1), np.float32)

    def _interior(self, x: Floats, y: Floats, shift: Floats, terms: Floats, jaw: float, tongue: Tongue) -> Pixels:
        """What is behind the lips, at the rectangle's pixels: cavity, palate, lower teeth and tongue, upper teeth."""
        rig = self._rig
        place, pictures = rig.manifest.mouth.interior, rig.interior
        out = np.empty((self._height, self._width, 4), np.uint8)
        if place is None or pictures is None:
            out[:] = (20, 10, 26, 255)
            return out
        out[:] = (*reversed(place.cavity), 255)
        # The head carries the teeth: p = centre + A⁻¹ (p' − centre − shift), A = 1 + the pose's gradient there.
        centre = rig.mouth.centre.astype(np.float64)
        turned = np.linalg.inv(np.eye(2) + np.tensordot(terms, rig.mouth.pose_gradient, 1))
        to_layer = np.empty((2, 3))
        to_layer[:, :2] = turned * self._scale / place.scale
        first = np.array([x[0], y[0]], np.float64) - centre - shift
        to_layer[:, 2] = (turned @ first + centre - (place.left, place.top)) / place.scale - 0.5
        fixed = to_layer.copy()
        to_layer[1, 2] -= (jaw * place.jaw_travel - place.jaw_offset) / place.scale
        self._move_tongue(tongue)
        _over(out, self._layer(pictures.back, fixed))
        shown = [(index, float(share)) for index, share in enumerate(self._tongue) if share > 0]
        layers = [(self._layer(pictures.lower[index], to_layer), share) for index, share in shown]
        if len(layers) == 1:
            lower = layers[0][0]
        else:
            total = sum(layer.astype(np.float32) * share for layer, share in layers)
            lower = np.asarray(total, np.float32).astype(np.uint8)
        _over(out, lower)
        _over(out, self._layer(pictures.teeth, fixed))
        return out

    def _layer(self, layer: Pixels, to_layer: NDArray[np.float64]) -> Pixels:
        return warp(layer, to_layer, self._width, self._height, cv2.BORDER_CONSTANT)

    def _move_tongue(self, tongue: Tongue) -> None:
        goal = _TONGUES[tongue]
        self._tongue -= _TONGUE_STEP
        self._tongue[goal] += 2 * _TONGUE_STEP
        np.clip(self._tongue, 0, 1, out=self._tongue)
        self._tongue /= self._tongue.sum()


def _over(below: Pixels, layer: Pixels) -> None:
    """``layer`` (premultiplied BGRA) over ``below`` (opaque), in place; the result stays opaque."""
    clear = cv2.bitwise_not(layer[..., 3])
    through = cv2.merge((clear, clear, clear, clear))
    cv2.multiply(below, through, dst=below, scale=1 / 255)
    cv2.add(below, layer, dst=below)


def _feather(height: int, width: int) -> Floats:
    rows = np.minimum(np.arange(height), np.arange(height)[::-1])[:, None]
    columns = np.minimum(np.arange(width), np.arange(width)[::-1])[None]
    return np.clip(np.minimum(rows, columns) / _FEATHER, 0, 1).astype(np.float32)
