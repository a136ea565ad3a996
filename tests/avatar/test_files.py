"""What pictures say of themselves before they are unpacked."""

import re

import cv2
import numpy as np
import pytest

from visavis.avatar.background import picture_background
from visavis.avatar.files import jpeg_size

SCAN = b"\xff\xda"
PLAIN: list[int] = []
PROGRESSIVE = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]


def jpeg(options: list[int]) -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (40, 70, 3), np.uint8)
    done, data = cv2.imencode(".jpg", noise, options)
    assert done
    return data.tobytes()


def laborious(scans: int) -> bytes:
    """The last scan of a progressive one again and again."""
    whole = jpeg(PROGRESSIVE)
    last = whole.rindex(SCAN)
    return whole[:-2] + whole[last:-2] * (scans - whole.count(SCAN)) + whole[-2:]


@pytest.mark.parametrize("options", [PLAIN, PROGRESSIVE, [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]])
@pytest.mark.parametrize("trailer", [b"", SCAN * 200])
def test_ordinary_jpegs_are_measured(options: list[int], trailer: bytes) -> None:
    # Some phones append a film, in which anything may stand.
    assert jpeg_size(jpeg(options) + trailer) == (70, 40)


def test_a_comment_may_say_anything() -> None:
    whole = jpeg(PROGRESSIVE)
    remark = SCAN * 200
    comment = b"\xff\xfe" + (2 + len(remark)).to_bytes(2) + remark
    assert jpeg_size(whole[:2] + comment + whole[2:]) == (70, 40)


def test_a_jpeg_of_very_many_scans_is_refused() -> None:
    assert jpeg_size(laborious(64)) == (70, 40)
    assert jpeg_size(laborious(65)) is None
    with pytest.raises(ValueError, match="no JPEG"):
        picture_background(laborious(65))


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\xff\xff", b"\xff\x00"])
def test_scans_cannot_be_hidden_behind_markers_that_stand_alone(marker: bytes) -> None:
    whole = laborious(200)
    places = [found.start() for found in re.finditer(SCAN, whole)]
    hidden = whole
    for place in reversed(places):
        hidden = hidden[:place] + marker + hidden[place:]
    assert jpeg_size(hidden) is None


def test_nor_are_endless_segments_walked_through() -> None:
    whole = jpeg(PROGRESSIVE)
    first = whole.index(SCAN)
    assert jpeg_size(whole[:first] + b"\xff\xfe\x00\x02" * 5000 + whole[first:]) is None
