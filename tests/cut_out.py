"""A small avatar that was cut out of its picture: a skin-coloured oval before a green plate."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from tests.avatar.conftest import SIZE, build_small_package
from visavis.avatar.package import save_package

PLATE = (40, 160, 60)
"""Of the picture's own background; BGR."""


def cut_out(folder: Path) -> Path:
    """Write the avatar ``oval`` into a folder of avatars, which is returned."""
    matte = np.zeros((SIZE, SIZE), np.uint8)
    cv2.ellipse(matte, (SIZE // 2, SIZE // 2 + 4), (22, 30), 0, 0, 360, 255, -1)
    plate = np.full((SIZE, SIZE, 3), PLATE, np.uint8)
    avatar = folder / "oval"
    avatar.mkdir(parents=True)
    (avatar / "avatar.toml").write_text('name = "Oval"\npackage = "face"\n')
    save_package(replace(build_small_package(), matte=matte, plate=plate), avatar / "face")
    return folder
