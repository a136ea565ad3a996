"""The tongue's positions, in the bake tool's axes: y up, z towards the camera."""

import numpy as np
from bake.tongue import moved_tongue

TONGUE = np.stack([np.zeros(20), np.linspace(5.9, 6.2, 20), np.linspace(0.5, 1.2, 20)], 1)


def test_at_rest_nothing_moves():
    assert moved_tongue(TONGUE, "rest", 0.4) is TONGUE


def test_the_tip_rises_the_more_the_jaw_is_open_and_the_root_stays():
    little, much = (moved_tongue(TONGUE, "up", jaw) for jaw in (0.1, 0.4))
    assert little[-1, 1] > TONGUE[-1, 1]
    assert much[-1, 1] > little[-1, 1]
    np.testing.assert_array_equal(much[0], TONGUE[0])


def test_out_the_tip_comes_forward_and_lies_flat():
    out = moved_tongue(TONGUE, "out", 0.2)
    assert out[-1, 2] - TONGUE[-1, 2] > 0.2
    assert np.ptp(out[10:, 1]) < np.ptp(TONGUE[10:, 1])
    np.testing.assert_array_equal(out[0], TONGUE[0])
