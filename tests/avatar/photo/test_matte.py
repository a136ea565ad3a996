"""The matte, whatever a network says of the person."""

from typing import cast

import numpy as np
import pytest

from tests.avatar.photo.conftest import POINTS
from visavis.avatar.package import Pixels
from visavis.avatar.photo.landmarks import Face, find_face
from visavis.avatar.photo.matte import matte_of
from visavis.avatar.photo.networks import FaceNetworks
from visavis.avatar.photo.table import load_table


class Saying:
    """A network that sees the same share of a person everywhere."""

    def __init__(self, share: float) -> None:
        self.share = share

    def matte(self, crop: Pixels) -> np.ndarray:
        return np.full(crop.shape[:2], self.share, np.float32)


@pytest.fixture
def face(portrait: Pixels) -> Face:
    return find_face(portrait, None, load_table(), POINTS)


def test_of_a_person_who_fills_the_picture_all_is_kept(portrait: Pixels, face: Face) -> None:
    assert matte_of(portrait, face, cast("FaceNetworks", Saying(1.0))).min() == 255


def test_where_the_network_sees_nobody_colours_tell(portrait: Pixels, face: Face) -> None:
    matte = matte_of(portrait, face, cast("FaceNetworks", Saying(0.0)))
    assert np.array_equal(matte, matte_of(portrait, face, None))
    assert matte[400, 384] == 255
    assert matte[:20, :20].max() == 0
