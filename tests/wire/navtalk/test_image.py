"""Pictures from clients."""

import base64

import cv2
import numpy as np
import pytest

from visavis.wire.navtalk.bad_message import BadKind, BadMessage
from visavis.wire.navtalk.image import prepare_image

RED, BLUE = (0, 0, 255), (255, 0, 0)


def packed(width: int, height: int, suffix: str = ".jpg", *options: int) -> bytes:
    """The left half blue, the right half red."""
    pixels = np.full((height, width, 3), BLUE, np.uint8)
    pixels[:, width // 2 :] = RED
    done, data = cv2.imencode(suffix, pixels, list(options))
    assert done
    return data.tobytes()


def url(data: bytes, media_type: str = "image/jpeg") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.mark.parametrize(
    ("suffix", "media_type"), [(".jpg", "image/jpeg"), (".png", "image/png"), (".webp", "image/webp")]
)
def test_a_small_picture_stays_as_it_is(suffix: str, media_type: str) -> None:
    data = packed(64, 48, suffix)
    for source in (url(data), url(data, "text/plain"), base64.b64encode(data).decode(), url(data).rstrip("=")):
        image = prepare_image(source)
        assert (image.media_type, image.data) == (media_type, data)


def test_lossless_webp_is_known_too() -> None:
    data = packed(64, 48, ".webp", cv2.IMWRITE_WEBP_QUALITY, 101)
    assert data[12:16] == b"VP8L"
    assert prepare_image(url(data)).data == data


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1025, 10), (1024, 10)),
        ((1600, 1200), (1024, 768)),
        ((1200, 1600), (768, 1024)),
        ((5000, 2500), (1024, 512)),
        ((9000, 16), (1024, 2)),
    ],
)
def test_a_large_picture_is_scaled_down(suffix: str, size: tuple[int, int], expected: tuple[int, int]) -> None:
    image = prepare_image(url(packed(*size, suffix)))
    assert image.media_type == "image/jpeg"
    pixels = cv2.imdecode(np.frombuffer(image.data, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    width, height = expected
    assert abs(pixels.shape[1] - width) <= 1
    assert abs(pixels.shape[0] - height) <= 1
    assert np.allclose(pixels[0, 1], BLUE, atol=12)
    assert np.allclose(pixels[-1, -2], RED, atol=12)


@pytest.mark.parametrize(
    "source",
    [
        "",
        "data:image/jpeg;base64,",
        "data:image/jpeg,%FF%D8%FF",
        "https://example.org/secret.jpg",
        "file:///etc/passwd",
        url(b"GIF89a" + bytes(100)),
        url(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        url(b"\xff\xd8\xff"),
        url(packed(64, 48)[:100]),
        url(packed(64, 48, ".png")[:60]),
        url(packed(64, 48, ".webp")[:40]),
        url(b"\xff\xd8\xff" + b"\xff" * 10_000),
        url(b"\xff\xd8" + b"\xff\xe0\x00\x00" * 1000),
    ],
)
def test_what_is_no_picture_is_refused(source: str) -> None:
    with pytest.raises(BadMessage) as bad:
        prepare_image(source)
    assert bad.value.kind in (BadKind.BAD_IMAGE, BadKind.BAD_BASE64)


def test_a_picture_that_would_fill_the_memory_is_not_unpacked() -> None:
    # A PNG of 60000 × 60000 pixels in 57 bytes, as its header says.
    small = bytearray(packed(64, 48, ".png"))
    small[16:24] = (60_000).to_bytes(4) * 2
    jpeg = bytearray(packed(64, 48))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = (60_000).to_bytes(2) * 2
    webp = bytearray(packed(64, 48, ".webp", cv2.IMWRITE_WEBP_QUALITY, 80))
    assert webp[12:16] == b"VP8 "
    webp[26:30] = (16_000).to_bytes(2, "little") * 2
    for data in (small, jpeg, webp):
        with pytest.raises(BadMessage) as bad:
            prepare_image(url(bytes(data)))
        assert bad.value.kind is BadKind.BAD_IMAGE
        assert "size" in str(bad.value)


def test_a_picture_that_would_take_minutes_is_not_unpacked() -> None:
    whole = packed(64, 48, ".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    last = whole.rindex(b"\xff\xda")
    assert prepare_image(url(whole)).data == whole
    with pytest.raises(BadMessage) as bad:
        prepare_image(url(whole[:-2] + whole[last:-2] * 100 + whole[-2:]))
    assert bad.value.kind is BadKind.BAD_IMAGE
