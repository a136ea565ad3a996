import struct
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.avatar.photo.conftest import encoded
from visavis.avatar.photo.errors import NotAnImage, PhotoError, TooLarge
from visavis.avatar.photo.image import MAX_BYTES, decode

_RNG = np.random.default_rng(5)
PICTURE = cv2.resize(_RNG.integers(0, 255, (6, 8, 3), dtype=np.uint8), (120, 90), interpolation=cv2.INTER_CUBIC)
JPEG, PNG, WEBP = (encoded(PICTURE, suffix) for suffix in (".jpg", ".png", ".webp"))


@pytest.mark.parametrize("data", [JPEG, PNG, WEBP])
def test_the_three_formats_are_read(data: bytes) -> None:
    assert decode(data).shape == (90, 120, 3)
    assert np.abs(decode(data).astype(int) - PICTURE).mean() < 12


@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"GIF89a" + bytes(60), b"%PDF-1.7" + bytes(60), JPEG[:40], PNG[:60], WEBP[:40], b"\xff\xd8\xff"],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAnImage) as caught:
        decode(data)
    assert caught.value.code == "not_an_image"


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(TooLarge, match="20 MB"):
        decode(PNG + bytes(MAX_BYTES))


def test_a_picture_that_announces_huge_sizes_is_refused_before_it_is_unpacked() -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", 100_000, 100_000) + bytes(20)
    with pytest.raises(TooLarge, match="100000 × 100000"):
        decode(bomb)
    at = JPEG.index(b"\xff\xc0") + 5
    with pytest.raises(TooLarge):
        decode(JPEG[:at] + struct.pack(">HH", 60_000, 60_000) + JPEG[at + 4 :])


def test_a_tiny_picture_is_refused() -> None:
    with pytest.raises(NotAnImage, match="30 × 20"):
        decode(encoded(PICTURE[:20, :30]))


def test_a_photo_that_lies_on_its_side_is_turned_upright() -> None:
    # TIFF header and one entry: Orientation (0x0112) = 6, "the right side is the top".
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    segment = b"Exif\x00\x00" + tiff
    turned = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + JPEG[2:]
    upright = decode(turned)
    assert upright.shape == (120, 90, 3)
    assert np.abs(upright.astype(int) - cv2.rotate(decode(JPEG), cv2.ROTATE_90_CLOCKWISE)).max() < 4


def test_before_what_is_transparent_there_is_grey_and_that_takes_little_memory() -> None:
    layer = np.zeros((1500, 2000, 4), np.uint8)
    layer[:, 1000:] = (20, 60, 220, 255)
    layer[:, :1000, 1] = 255
    layer[700:, :, 3] //= 2
    data = encoded(layer, ".png")
    tracemalloc.start()
    try:
        picture = decode(data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.abs(picture[:, :1000].astype(int) - 200).max() == 0
    assert np.abs(picture[:700, 1000:].astype(int) - (20, 60, 220)).max() <= 1
    assert np.abs(picture[700:, 1000:].astype(int) - (110, 130, 210)).max() <= 1
    # The picture, once with its alpha and once without, and little else.
    assert most < 10 * layer.shape[0] * layer.shape[1]


def test_large_photos_are_made_smaller() -> None:
    assert decode(encoded(cv2.resize(PICTURE, (4800, 3600)), ".jpg")).shape == (1800, 2400, 3)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([JPEG, PNG, WEBP]), st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=8))
def test_damaged_files_are_read_or_refused(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        picture = decode(bytes(damaged))
    except PhotoError:
        return
    assert picture.ndim == 3
    assert picture.shape[2] == 3
