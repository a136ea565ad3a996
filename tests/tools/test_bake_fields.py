"""Fields from a face made of two planes: skin that an opening jaw tears along a line, and a neck behind it."""

import numpy as np
import pytest
from bake.fields import (
    GRID,
    head_field,
    main_field,
    mouth_box,
    skins_of,
    stored,
    window_around,
)
from bake.lips import lip_line
from bake.projection import Projection, triangles_of
from bake.raster import Grid, see
from bake.smooth import extended, nearest

SIZE = 384
LINE = 250.0
LEFT, RIGHT = 160.0, 224.0
CHIN = 310.0
DROP = 40.0


def sheet(left: float, top: float, right: float, bottom: float, step: float, depth: float):
    """Vertices (n, 3) and triangles of a flat sheet."""
    x, y = np.meshgrid(np.arange(left, right + 1, step), np.arange(top, bottom + 1, step))
    rows, columns = x.shape
    index = np.arange(rows * columns).reshape(rows, columns)
    quads = np.stack([index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]], -1).reshape(-1, 4)
    return np.stack([x.ravel(), y.ravel(), np.full(x.size, depth)], 1), triangles_of(quads)


@pytest.fixture(scope="module")
def face() -> Projection:
    """Upper and lower skin that meet at the line; only the lower one goes with the jaw, less towards the corners."""
    parts = [
        sheet(100, 60, 284, LINE, 2, 1.0),
        sheet(100, LINE, 284, CHIN, 2, 1.0),
        sheet(130, 280, 254, 380, 2, 0.5),
    ]
    points, triangles, offset = [], [], 0
    for vertices, faces in parts:
        points.append(vertices)
        triangles.append(faces + offset)
        offset += len(vertices)
    at = np.concatenate(points)
    moves = np.zeros((2, len(at), 2), np.float32)
    lower = slice(len(points[0]), len(points[0]) + len(points[1]))
    inward = np.clip(np.minimum(at[lower, 0] - LEFT, RIGHT - at[lower, 0]) / 20, 0, 1)
    moves[0, lower, 1] = DROP * inward
    moves[1, :, 0] = 5.0
    return Projection(
        SIZE,
        at[:, :2].astype(np.float32),
        at[:, 2].astype(np.float32),
        np.concatenate(triangles),
        ("jawOpen", "mouthLeft"),
        moves,
        np.zeros(len(at), np.float32),
    )


def test_the_nearest_triangle_is_seen_and_read_between_its_corners():
    points = np.array([[0, 0], [10, 0], [0, 10], [0, 0], [10, 0], [0, 10]], np.float32)
    depth = np.array([0, 0, 0, 1, 1, 1], np.float32)
    seen = see(points, depth, np.array([[0, 1, 2], [3, 4, 5]]), Grid(1, 1, 2, 8, 8))
    assert seen.hit[0, 0]
    assert not seen.hit[7, 7]
    assert set(seen.corners[0, 0]) == {3, 4, 5}
    read = seen.read(points)
    np.testing.assert_allclose(read[0, 1], (3, 1), atol=1e-4)
    np.testing.assert_allclose(read[7, 7], (0, 0))


def test_a_triangle_outside_the_grid_is_not_seen():
    points = np.array([[-30, -30], [-20, -30], [-30, -20]], np.float32)
    assert not see(points, np.zeros(3), np.array([[0, 1, 2]]), Grid(0, 0, 1, 5, 5)).hit.any()


def test_unknown_values_are_carried_on_and_known_ones_kept():
    values = np.zeros((20, 20, 1), np.float32)
    known = np.zeros((20, 20), bool)
    known[:, :5] = True
    values[:, :5] = 3.0
    assert (nearest(values, known) == 3.0).all()
    values[:5, :5] = 9.0
    out = extended(values, known)
    np.testing.assert_array_equal(out[known], values[known])
    assert 3.0 <= out.min() <= out.max() <= 9.0
    assert np.abs(np.diff(out[:, 12, 0])).max() < 3.0


def test_the_lips_line_is_where_the_jaw_tears_the_skin(face: Projection):
    line = lip_line(face)
    assert np.abs(line[:, 1] - LINE).max() < 1.0
    assert abs(line[0, 0] - LEFT) < 6
    assert abs(line[-1, 0] - RIGHT) < 6
    assert (np.diff(line[:, 0]) > 0).all()


def test_no_line_without_a_jaw_that_opens(face: Projection):
    still = Projection(face.size, face.points, face.depth, face.triangles, face.names, face.moves * 0, face.inner)
    with pytest.raises(ValueError, match="lips' line was not found"):
        lip_line(still)


def test_the_skins_part_at_the_line_and_agree_beside_it(face: Projection):
    skins = skins_of(face, lip_line(face))
    step = SIZE / skins.upper.shape[1]
    row, column = int(LINE / step), int(192 / step)
    assert np.abs(skins.upper[0, row - 2, column, 1]) < 1.0
    assert skins.lower[0, row + 3, column, 1] == pytest.approx(DROP, abs=1.0)
    beside = int((RIGHT + 20) / step)
    np.testing.assert_allclose(skins.upper[:, row, beside], skins.lower[:, row, beside], atol=0.3)
    assert abs(skins.chin - CHIN) < 2 * step


def test_the_neck_makes_way_for_the_chin_without_a_fold(face: Projection):
    jaw = skins_of(face, lip_line(face)).lower[0, ..., 1]
    step = SIZE / len(jaw)
    below = jaw[int(CHIN / step) - 2 :, int(192 / step)]
    assert below[0] > 0.9 * DROP
    assert below[-1] < 0.2 * DROP
    assert (np.diff(below) / step).min() > -0.95


def test_nothing_moves_far_from_the_face(face: Projection):
    skins = skins_of(face, lip_line(face))
    assert np.abs(skins.lower[:, :4, :]).max() < 0.05
    assert np.abs(main_field(skins, SIZE)[:, :, :3]).max() < 0.05


def test_the_main_field_shows_both_skins(face: Projection):
    skins = skins_of(face, lip_line(face))
    main = main_field(skins, SIZE)
    assert main.shape == (2, GRID, GRID, 2)
    step = SIZE / GRID
    column = int(192 / step)
    assert main[0, int((LINE - 16) / step), column, 1] < 2
    assert main[0, int((LINE + 16) / step), column, 1] > DROP - 2
    assert main[1, int(200 / step), column, 0] == pytest.approx(5.0, abs=0.2)


def test_the_window_holds_the_mouth(face: Projection):
    skins = skins_of(face, lip_line(face))
    box = mouth_box(skins, face.names, SIZE)
    assert box[0] < LEFT
    assert box[2] > RIGHT
    assert box[1] < LINE < LINE + 0.7 * DROP < box[3]
    window, rows, columns = window_around(box, SIZE)
    assert window.left < box[0]
    assert window.left + window.step * (window.columns - 1) > box[2]
    assert (rows.stop - rows.start, columns.stop - columns.start) == (window.rows, window.columns)


def test_hair_goes_with_the_head_and_lies_on_the_shoulders(face: Projection):
    skins = skins_of(face, lip_line(face))
    matte = np.zeros((SIZE, SIZE), np.float32)
    matte[40:, 80:324] = 1
    y = np.arange(60, 380, 0.5)
    strands = np.concatenate([np.stack([np.full_like(y, x), y], 1) for x in np.arange(66, 96, 0.5)]).astype(np.float32)
    head = head_field(skins, matte, strands, np.full(len(strands), 1.2, np.float32), SIZE, 100.0)
    step = SIZE / GRID
    top, shoulder = int(150 / step), int(378 / step)
    hair, chest = int(80 / step), int(192 / step)
    assert head[top, hair] > 0.98
    assert head[top, chest] > 0.98
    assert 0.2 < head[shoulder, hair] < 0.8
    assert head[shoulder, chest] < head[shoulder, hair]
    assert head[top, 0] < 0.1


def test_tiny_displacements_are_stored_as_nothing():
    out = stored(np.array([0.01, -0.01, 0.5], np.float32))
    assert out.dtype == np.float16
    assert out.tolist() == [0.0, 0.0, 0.5]
