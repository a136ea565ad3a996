"""A package that the bake tool writes is one that the server reads."""

from pathlib import Path

import numpy as np
from bake.eye_table import BLINKS, GAZE_X, GAZE_Y
from bake.fields import GRID, Window
from bake.gains import GainMap
from bake.pack import Baked, Mouth, Turn, as_stored, write_package

from visavis.avatar.package import load_package

SIZE = 96


def baked() -> tuple[Baked, bytes]:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 255, (SIZE, SIZE, 3)).astype(np.uint8)
    file, shown = as_stored(picture)
    eye_box = (20, 20, 76, 40)
    eyes = np.stack([shown[20:40, 20:76]] * (len(BLINKS) + len(GAZE_X) * len(GAZE_Y)))
    window = Window(30.5, 50.5, 2.0, 20, 12)
    shapes = ("jawOpen", "mouthSmileLeft")
    line = np.array([[40, 60], [48, 61], [56, 60]], np.float32)
    window_fields = np.zeros((2, 12, 20, 2), np.float32)
    window_fields[0, :, :, 1] = 7.5
    whole = Baked(
        name="Test",
        size=SIZE,
        shapes=shapes,
        turn=Turn((48.0, 70.0), 0.3, 25.0, 17.0),
        mouth=Mouth((34, 54, 62, 72), window, line, (36, 54, 60, 74), 9.0, 3.5),
        eye_box=eye_box,
        eye_split=48,
        gain_box=(16, 16, 80, 80),
        gains=[GainMap(("jawOpen",), np.full((16, 16), 0.25, np.float32))],
        picture=picture,
        matte=rng.integers(0, 255, (SIZE, SIZE)).astype(np.uint8),
        plate=np.full((SIZE, SIZE, 3), 90, np.uint8),
        eyes=eyes,
        layers=np.full((5, 20, 24, 4), 40, np.uint8),
        main=np.ones((2, GRID, GRID, 2), np.float32),
        upper=window_fields,
        lower=window_fields * 2,
        depth=np.ones((GRID, GRID), np.float32),
        head=np.ones((GRID, GRID), np.float32),
        breath=np.zeros((GRID, GRID), np.float32),
    )
    return whole, file


def test_the_server_reads_what_was_written(tmp_path: Path):
    whole, file = baked()
    write_package(whole, file, tmp_path / "face")
    package = load_package(tmp_path / "face")
    manifest = package.manifest
    assert manifest.name == "Test"
    assert manifest.shapes == whole.shapes
    assert manifest.mouth.slit[1] == (48.0, 61.0)
    assert package.matte is not None
    np.testing.assert_array_equal(package.matte, whole.matte)
    assert package.plate is not None
    assert np.abs(package.plate.astype(int) - 90).max() <= 2
    assert package.fields.lower[0, 0, 0, 1] == 15.0
    assert package.fields.gain is not None
    assert package.fields.gain[0, 3, 3] == 0.25
    assert package.interior is not None
    assert package.interior.lower.shape == (3, 20, 24, 4)


def test_eyes_at_rest_are_exactly_the_stored_picture(tmp_path: Path):
    whole, file = baked()
    write_package(whole, file, tmp_path)
    package = load_package(tmp_path)
    assert package.eyes is not None
    left, top, right, bottom = whole.eye_box
    np.testing.assert_array_equal(package.eyes.blink[0], package.picture[top:bottom, left:right])
