"""The rig: a package made ready for painting, once, for all sessions that show it."""

import threading
import weakref
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from visavis.avatar.face import FaceFrame
from visavis.avatar.manifest import Manifest, Window
from visavis.avatar.package import AvatarPackage, InteriorPictures, Pixels
from visavis.avatar.puppet.cutout import cut_out
from visavis.avatar.puppet.eye_table import EyeTable, build_eye_table
from visavis.avatar.puppet.opencv import Floats, read_at
from visavis.avatar.puppet.warp import grid_nodes, hat_matrix
from visavis.blendshape import ARKIT_INDEX

POSE_ROWS: Final = 9
"""Pose terms: yaw, yaw², pitch, pitch², roll, roll², tx, ty, breath."""
_BREATH: Final = 0.011
"""How far a full breath lifts the chest, in units of depth."""
_WET: Final = np.array([0.5, 0.52, 0.28], np.float32)
"""How much darker (B, G, R) the inner side of the lower lip is than its outer side."""
_MARGIN: Final = 3
"""Nodes kept around the part of the face that shapes move."""


@dataclass(frozen=True, slots=True, eq=False)
class MouthRig:
    """The mouth's window: the skin above and below the lips' line as two layers."""

    nodes: Floats
    step: float
    shapes: Floats
    """(K, 2, rows, columns, 2): the fields above the lips' line and below it."""
    pose: Floats
    skin_upper: Pixels
    """BGRA of the window, premultiplied; alpha 255 above the lips' line."""
    skin_lower: Pixels
    """The same; alpha 255 from just above the lips' line (it slides behind the upper lip) down."""
    skin_left: int
    skin_top: int
    centre: Floats
    """Middle of the lips' line, canonical pixels."""
    corners: tuple[tuple[int, int], tuple[int, int]]
    """(row, column) of the nodes nearest to the lips' left and right corner."""
    pose_centre: Floats
    """(POSE_ROWS, 2): displacement of the centre."""
    pose_gradient: Floats
    """(POSE_ROWS, 4): its change per pixel: of x along x and y, of y along x and y."""
    parting: Floats
    """(K, 2 * points): how far each shape at weight 1 moves the lower lip from the upper one along their line, as
    across at all points, then down, in pixels of a picture of 768."""


@dataclass(frozen=True, slots=True, eq=False)
class Rig:
    """A package's arrays as float32 with all that is the same for every frame worked out."""

    manifest: Manifest
    eyes: EyeTable | None
    interior: InteriorPictures | None
    """``back`` is opaque."""
    size: int
    step: float
    columns: NDArray[np.intp]
    """Where each of the package's K shapes lies in ``FaceFrame.arkit``."""
    picture: Pixels
    """BGRA, premultiplied."""
    cut_out: bool
    """The package has a matte."""
    nodes: Floats
    shapes: Floats
    """(K, face rows, face columns, 2): the main fields where they are not zero."""
    face: tuple[slice, slice]
    """The rows and columns of the main grid that the shapes move."""
    pose: Floats
    mouth: MouthRig
    gain: Floats | None
    """(maps, face rows, face columns)."""
    gain_weights: Floats | None
    """(maps, K): mean of the shapes that each map belongs to."""

    def weights(self, face: FaceFrame) -> Floats:
        """(K,): the frame's weights of this package's shapes."""
        return face.arkit[self.columns]


def pose_terms(face: FaceFrame) -> Floats:
    """(POSE_ROWS,): the frame's pose as weights of the pose fields."""
    yaw, pitch, roll = face.yaw, face.pitch, face.roll
    terms = (yaw, yaw * yaw, pitch, pitch * pitch, roll, roll * roll, face.tx, face.ty, face.breath)
    return np.array(terms, np.float32)


# A rig holds parts of its package, never the package, so that it goes when the package does.
_rigs: "weakref.WeakKeyDictionary[AvatarPackage, Rig]" = weakref.WeakKeyDictionary()
_rigs_lock = threading.Lock()


def rig_of(package: AvatarPackage) -> Rig:
    """The rig of a package, built at the first call (some tens of milliseconds). Thread-safe."""
    with _rigs_lock:
        rig = _rigs.get(package)
        if rig is None:
            rig = _rigs[package] = _build(package)
        return rig


def _build(package: AvatarPackage) -> Rig:
    manifest, fields = package.manifest, package.fields
    size, grid = manifest.size, manifest.grid
    step = size / grid
    nodes = grid_nodes(step / 2, step / 2, step, grid, grid)
    depth, head, breath = (np.asarray(f, np.float32) for f in (fields.depth, fields.head, fields.breath))
    pose = _pose_fields(package, nodes, depth, head, breath)
    main = np.asarray(fields.main, np.float32)
    face = _moved_part(main)
    eyes = None
    if manifest.eyes is not None and package.eyes is not None:
        eyes = build_eye_table(manifest.eyes, package.eyes)
    gain = gain_weights = None
    if manifest.shading is not None and fields.gain is not None:
        gain = np.ascontiguousarray(_gain_on_grid(package)[:, face[0], face[1]])
        gain_weights = np.zeros((len(gain), len(manifest.shapes)), np.float32)
        for row, names in enumerate(manifest.shading.shapes):
            for name in names:
                gain_weights[row, manifest.shapes.index(name)] = 1 / len(names)
    return Rig(
        manifest=manifest,
        eyes=eyes,
        interior=_on_cavity(package),
        size=size,
        step=step,
        columns=np.array([ARKIT_INDEX[name] for name in manifest.shapes], np.intp),
        picture=cut_out(package),
        cut_out=package.matte is not None,
        nodes=nodes,
        shapes=np.ascontiguousarray(main[:, face[0], face[1]]),
        face=face,
        pose=pose,
        mouth=_mouth(package, depth, head, breath),
        gain=gain,
        gain_weights=gain_weights,
    )


def _pose_fields(package: AvatarPackage, nodes: Floats, depth: Floats, head: Floats, breath: Floats) -> Floats:
    """(POSE_ROWS, rows, columns, 2): small rotations about the pivot, to second order, with perspective."""
    turn = package.manifest.head
    x, y = nodes[..., 0] - turn.pivot[0], nodes[..., 1] - turn.pivot[1]
    z = (depth - turn.pivot_depth) * turn.unit
    per_distance = 1 / (turn.camera * turn.unit)
    zero = np.zeros_like(x)
    rows = (
        (z - x * x * per_distance, -x * y * per_distance),
        (-x / 2, zero),
        (-x * y * per_distance, z - y * y * per_distance),
        (zero, -y / 2),
        (-y, x),
        (-x / 2, -y / 2),
        (np.ones_like(x), zero),
        (zero, np.ones_like(x)),
    )
    out = np.empty((POSE_ROWS, *x.shape, 2), np.float32)
    for index, (right, down) in enumerate(rows):
        out[index, ..., 0] = right * head
        out[index, ..., 1] = down * head
    out[POSE_ROWS - 1, ..., 0] = 0
    out[POSE_ROWS - 1, ..., 1] = -_BREATH * turn.unit * breath
    return out


def _on_cavity(package: AvatarPackage) -> InteriorPictures | None:
    """The layers, the hindmost laid over the colour of the dark behind it."""
    place, layers = package.manifest.mouth.interior, package.interior
    if place is None or layers is None:
        return None
    dark = np.array([*reversed(place.cavity), 255], np.float32)
    back = layers.back + dark * (1 - layers.back[..., 3:] / np.float32(255))
    return replace(layers, back=np.asarray(np.clip(back + 0.5, 0, 255), np.uint8))


def _moved_part(main: Floats) -> tuple[slice, slice]:
    moved = np.abs(main).max((0, 3)) > 0.5
    spans: list[slice] = []
    for axis in (1, 0):
        hit = np.nonzero(moved.any(axis))[0]
        count = moved.shape[1 - axis]
        first, last = (int(hit[0]), int(hit[-1])) if len(hit) else (0, count - 1)
        spans.append(slice(max(0, first - _MARGIN), min(count, last + 1 + _MARGIN)))
    return spans[0], spans[1]


def _gain_on_grid(package: AvatarPackage) -> Floats:
    manifest = package.manifest
    assert manifest.shading is not None
    assert package.fields.gain is not None
    box, grid = manifest.shading.box, manifest.grid
    out = np.zeros((len(package.fields.gain), grid, grid), np.float32)
    whole = np.zeros((manifest.size, manifest.size), np.float32)
    for index, small in enumerate(package.fields.gain):
        size = (box.width, box.height)
        part = np.asarray(cv2.resize(small.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), np.float32)
        whole[box.top : box.bottom, box.left : box.right] = part
        cv2.resize(whole, (grid, grid), dst=out[index], interpolation=cv2.INTER_AREA)
    return out


def _mouth(package: AvatarPackage, depth: Floats, head: Floats, breath: Floats) -> MouthRig:
    manifest, fields = package.manifest, package.fields
    window, grid_step = manifest.mouth.window, manifest.size / manifest.grid
    nodes = grid_nodes(window.left, window.top, window.step, window.columns, window.rows)
    across = hat_matrix(nodes[0, :, 0] / grid_step - 0.5, manifest.grid)
    down = hat_matrix(nodes[:, 0, 1] / grid_step - 0.5, manifest.grid)
    near = [np.asarray(down @ field @ across.T, np.float32) for field in (depth, head, breath)]
    pose = _pose_fields(package, nodes, near[0], near[1], near[2])
    upper, lower = np.asarray(fields.upper, np.float32), np.asarray(fields.lower, np.float32)
    slit = np.array(manifest.mouth.slit, np.float32)
    centre = slit.mean(0)
    row, column = _nearest(window, centre)
    along_x = (pose[:, row, column + 1] - pose[:, row, column - 1]) / (2 * window.step)
    along_y = (pose[:, row + 1, column] - pose[:, row - 1, column]) / (2 * window.step)
    skin_upper, skin_lower, left, top = _lip_layers(package)
    along = [column for column, x in enumerate(nodes[0, :, 0]) if slit[0, 0] < x < slit[-1, 0]]
    heights = (_lip_line(slit, nodes[0, along, 0]) - window.top) / window.step
    points = np.clip(np.rint(heights).astype(np.intp), 0, window.rows - 1)
    parting = (lower - upper)[:, points, along] * np.float32(768 / manifest.size)
    return MouthRig(
        nodes=nodes,
        step=window.step,
        shapes=np.stack([upper, lower], 1),
        pose=pose,
        skin_upper=skin_upper,
        skin_lower=skin_lower,
        skin_left=left,
        skin_top=top,
        centre=centre,
        corners=(_nearest(window, slit[0]), _nearest(window, slit[-1])),
        pose_centre=np.ascontiguousarray(pose[:, row, column]),
        pose_gradient=np.stack([along_x, along_y], -1).reshape(POSE_ROWS, 4),
        parting=np.ascontiguousarray(parting.transpose(0, 2, 1)).reshape(len(parting), -1),
    )


def _nearest(window: Window, point: Floats) -> tuple[int, int]:
    """(row, column) of the window's inner node nearest to a point."""
    column = int(np.clip(round((float(point[0]) - window.left) / window.step), 1, window.columns - 2))
    row = int(np.clip(round((float(point[1]) - window.top) / window.step), 1, window.rows - 2))
    return row, column


def _lip_layers(package: AvatarPackage) -> tuple[Pixels, Pixels, int, int]:
    """The window's skin as two layers cut along the lips' line, and the window's left and top pixel.

    Below the line both show the same skin. Above it, the lower layer continues the lower lip by its mirror image,
    darkening, so that nothing shines through between closed lips.
    """
    manifest = package.manifest
    window, unit = manifest.mouth.window, manifest.size / 768
    left, top = max(0, int(window.left)), max(0, int(window.top))
    right = min(manifest.size, int(window.left + window.step * window.columns) + 1)
    bottom = min(manifest.size, int(window.top + window.step * window.rows) + 1)
    skin = package.picture[top:bottom, left:right]
    x, y = np.meshgrid(np.arange(left, right, dtype=np.float32) + 0.5, np.arange(top, bottom, dtype=np.float32) + 0.5)
    slit = np.array(manifest.mouth.slit, np.float32)
    line = _lip_line(slit, x[0])[None]
    inside = _smooth((x - slit[0, 0]) / (14 * unit)) * _smooth((slit[-1, 0] - x) / (14 * unit))
    # Between the corners a thin edge does, more would be seen as a red band in an opening mouth; beside them, where
    # there is one skin, the two must overlap.
    between = np.minimum(_smooth((x - slit[0, 0]) / (5 * unit)), _smooth((slit[-1, 0] - x) / (5 * unit)))
    # In a small picture, too, the layers overlap by more than a pixel beside the corners: else a dark line shows.
    reach = np.maximum((3 - 1.9 * between) * unit, 1.5 - 0.6 * between)
    overlap = 1.5 * unit
    above = y < line + overlap
    mirrored = np.where(above, line + overlap + 0.9 * (line + overlap - y), y)
    map_x, map_y = x - left - 0.5, (mirrored - top - 0.5).astype(np.float32)
    mirror = read_at(skin, np.dstack([map_x, map_y])).astype(np.float32)
    depth = np.clip((line + overlap - y) / reach, 0, 1)[..., None]
    share = (above * inside)[..., None]
    below = mirror * (1 - depth * _WET) * share + skin * (1 - share)
    # The dark of the closed lips' line goes with the upper lip.
    alpha_upper = np.clip((line + 2 * unit - y) / (1.5 * unit), 0, 1)
    alpha_lower = np.clip(y - (line - reach) + 0.5, 0, 1)
    return _layer(skin.astype(np.float32), alpha_upper), _layer(below, alpha_lower), left, top


def _lip_line(slit: Floats, x: Floats) -> Floats:
    """Height of the closed lips' line at ``x``; level outside the corners."""
    return np.asarray(np.interp(x, slit[:, 0], slit[:, 1]), np.float32)


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _layer(colour: NDArray[np.floating], alpha: NDArray[np.floating]) -> Pixels:
    premultiplied = np.dstack([colour * alpha[..., None], alpha * 255])
    return np.ascontiguousarray(premultiplied + 0.5).clip(0, 255).astype(np.uint8)
