"""Mattes, eye pictures, interiors and gains of the bake tool, on made-up pictures."""

import numpy as np
import pytest
from bake import eye_table, gains, interior, matte


def test_colour_is_carried_beyond_the_edge_without_a_dark_fringe():
    render = np.zeros((64, 64, 4), np.uint16)
    render[16:48, 16:48] = (10_000, 20_000, 50_000, 65_535)
    render[15, 16:48] = (0, 0, 0, 6_000)
    picture, alpha = matte.straight(render)
    assert alpha[30, 30] == 255
    assert alpha[0, 0] == 0
    assert 0 < alpha[15, 30] < 255
    inside = picture[30, 30].astype(int)
    for row, column in ((15, 30), (14, 30), (2, 2), (60, 40)):
        assert np.abs(picture[row, column].astype(int) - inside).max() < 12


def test_the_plate_is_light_behind_the_head_and_smooth():
    plate = matte.plate_of((140, 150, 160), (40, 50, 60), 128)
    assert plate.shape == (128, 128, 3)
    assert plate[50, 56].mean() > plate[120, 4].mean() + 50
    assert np.abs(np.diff(plate.astype(int), axis=0)).max() <= 5


def test_gaze_moves_each_lid_to_its_own_side():
    assert eye_table.gaze_weights(0.5, 0) == {"eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    assert eye_table.gaze_weights(0, -0.3) == {"eyeLookDownLeft": 0.3, "eyeLookDownRight": 0.3}
    assert eye_table.blink_weights(0.0) == {}


def test_an_eye_picture_is_the_face_where_nothing_moves():
    rng = np.random.default_rng(1)
    base = rng.integers(60, 90, (60, 120, 3)).astype(np.uint8)
    movement = np.zeros((60, 120), np.float32)
    movement[25:35, 30:50] = 4.0
    share = eye_table.changed(movement, np.zeros((60, 120), bool), 768)
    assert share[30, 40] == 1
    assert share[30, 90] == 0
    assert share[0].max() == share[-1].max() == share[:, 0].max() == share[:, -1].max() == 0
    # The render is a little darker all over, as another render's denoised light may be.
    render = base - 4
    render[25:35, 30:50] = 200
    picture = eye_table.eye_picture(base, render, share)
    np.testing.assert_array_equal(picture[share == 0], base[share == 0])
    ring = (share > 0.3) & (movement == 0)
    assert np.abs(picture[ring].astype(int) - base[ring]).mean() < 2.0
    assert picture[30, 40].mean() > 150


def test_a_layer_is_premultiplied_and_its_shadows_lifted():
    render = np.full((10, 100, 4), 255, np.uint8)
    render[:5, :, 3] = 128
    render[:, 60:, :3] = 40
    out = interior.layer(render, interior.Look(1.0, 0.7))
    assert out[7, 50, :3].min() > 250
    assert out[2, 50, :3].max() <= 128
    assert 50 < out[7, 80, 0] < 120
    assert (out[..., :3].max(-1) <= out[..., 3]).all()


def test_a_gain_follows_the_light_and_not_the_movement():
    rest = np.full((60, 60), 0.5, np.float32)
    rest[:, 20:24] = 0.3
    shift = np.zeros((60, 60, 2), np.float32)
    shift[..., 0] = 6.0
    moved = np.full((60, 60), 0.5, np.float32)
    moved[:, 26:30] = 0.3
    moved[40:50, 40:54] = 0.4
    skin = np.ones((60, 60), np.float32)
    out = gains.gain_map(rest, moved, shift, shift, np.full(60, 10, np.float32), skin)
    assert np.abs(out[20:32, 10:40]).max() < 0.03
    assert out[45, 40] == pytest.approx(-0.2, abs=0.04)


def test_a_pair_is_taken_apart_in_the_middle():
    one = gains.GainPass(("browDownLeft", "browDownRight"), weight=0.5)
    left, right = gains.halves(one, np.full((4, 40), 0.1, np.float32), 20.0)
    assert (left.shapes, right.shapes) == (("browDownLeft",), ("browDownRight",))
    assert left.values[0, 38] == pytest.approx(0.2)
    assert left.values[0, 1] == 0
    np.testing.assert_allclose(left.values + right.values, 0.2, atol=0.01)
