"""Make what photo avatars are lent (``src/visavis/avatar/photo/data/*.npz``) from an avatar with fields of its own.

    python tools/landmark_table.py [FACE_PACKAGE]

The landmarks are found in its picture (``visavis models pull face-landmarks``); how they move is read from its
displacement fields, the lips' on their own side of the lips' line. Teeth, tongue and shading gains are kept as they
are. Without an argument it is the embedded avatar Vera.
"""

import sys
from pathlib import Path

import numpy as np

from visavis.avatar.catalogue import EMBEDDED
from visavis.avatar.package import load_package
from visavis.avatar.photo.geometry import sample
from visavis.avatar.photo.landmarks import find_face
from visavis.avatar.photo.lender import LENDER_FILE
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.table import TABLE_FILE, Table
from visavis.avatar.photo.topology import CHEEKS, LANDMARKS, LOWER_LIP, UPPER_LIP
from visavis.speech.models import ModelStore


def read(field: np.ndarray, left: float, top: float, step: float, at: np.ndarray) -> np.ndarray:
    """(K, 2): a field (K, rows, columns, 2) at a point, between its nodes by bilinear interpolation."""
    rows, columns = field.shape[1:3]
    u = np.clip((at[0] - left) / step, 0, columns - 1.001)
    v = np.clip((at[1] - top) / step, 0, rows - 1.001)
    i, j = int(v), int(u)
    a, b = v - i, u - j
    upper = field[:, i, j] * (1 - b) + field[:, i, j + 1] * b
    lower = field[:, i + 1, j] * (1 - b) + field[:, i + 1, j + 1] * b
    return upper * (1 - a) + lower * a


def main() -> None:
    package = load_package(Path(sys.argv[1]) if len(sys.argv) > 1 else EMBEDDED / "vera" / "face")
    manifest, fields = package.manifest, package.fields
    folder = ModelStore().find("face-landmarks")
    if folder is None:
        raise SystemExit("first: visavis models pull face-landmarks")
    nothing = Table(np.zeros((LANDMARKS, 3)), (), np.zeros((0, LANDMARKS, 2)), np.zeros(0, np.intp))
    face = find_face(package.picture, FaceNetworks(folder), nothing)
    main_field, upper, lower = (np.asarray(f, np.float64) for f in (fields.main, fields.upper, fields.lower))
    step, window = manifest.size / manifest.grid, manifest.mouth.window
    slit = np.array(manifest.mouth.slit)
    upper_points = {i for row in UPPER_LIP for i in row[1:-1]}
    lower_points = {i for row in LOWER_LIP for i in row[1:-1]}
    moves = np.zeros((len(manifest.shapes), LANDMARKS, 2))
    for index, point in enumerate(face.points[:, :2]):
        at = point.copy()
        line = float(np.interp(at[0], slit[:, 0], slit[:, 1]))
        u, v = (at[0] - window.left) / window.step, (at[1] - window.top) / window.step
        above = index in upper_points or (index not in lower_points and at[1] < line)
        # Off the line, where the two skins are one node's interpolation apart.
        at[1] = min(at[1], line - 2) if index in upper_points else at[1]
        at[1] = max(at[1], line + 2) if index in lower_points else at[1]
        if 0 <= u <= window.columns - 1 and 0 <= v <= window.rows - 1:
            moves[:, index] = read(upper if above else lower, window.left, window.top, window.step, at)
        else:
            moves[:, index] = read(main_field, step / 2, step / 2, step, at)
    unit = manifest.head.unit
    points = face.points / unit
    points -= points.mean(0)
    np.savez_compressed(
        TABLE_FILE,
        points=points.astype(np.float32),
        shapes=np.array(manifest.shapes),
        moves=(moves / unit).astype(np.float16),
    )
    interior, shading = package.interior, manifest.shading
    if interior is None or manifest.mouth.interior is None or shading is None or fields.gain is None:
        raise SystemExit("the package has no interior of the mouth, or no shading")
    cheeks = face.points[None, list(CHEEKS)]
    box = shading.box
    np.savez_compressed(
        LENDER_FILE,
        notice=np.array(manifest.notice),
        unit=np.array(unit),
        points=face.points[:, :2],
        line=slit,
        cheeks=sample(package.picture, cheeks[..., 0], cheeks[..., 1])[0].astype(np.float64).mean(0),
        place=np.array(manifest.mouth.interior.model_dump_json()),
        layers=np.concatenate([interior.back[None], interior.teeth[None], interior.lower]),
        gain_box=np.array([box.left, box.top, box.right, box.bottom]),
        gain_shapes=np.array([" ".join(names) for names in shading.shapes]),
        gain=fields.gain,
    )
    for file in (TABLE_FILE, LENDER_FILE):
        print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
