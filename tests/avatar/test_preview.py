from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from visavis.avatar import preview
from visavis.avatar.contact_sheet import contact_sheet
from visavis.avatar.package import AvatarPackage


def test_the_sheet_shows_everything_and_the_film_every_frame(small: AvatarPackage) -> None:
    sheet = contact_sheet(small, side=40, columns=5)
    assert sheet.shape == (40 * 8, 40 * 5, 3)
    matte = np.full((small.manifest.size, small.manifest.size), 255, np.uint8)
    matte[:20] = 0
    whole = contact_sheet(replace(small, matte=matte), side=40, columns=5)
    assert whole.shape == (40 * 9, 40 * 5, 3)
    colour, transparent = whole[-40:-30, :40].reshape(-1, 3), whole[-40:-30, 40:80].reshape(-1, 3)
    # What lies above the person: the colour that was asked for, and chequers.
    assert np.abs(np.median(colour[200:], 0) - (90, 160, 60)).max() < 12
    assert np.ptp(transparent[200:].mean(1)) > 30
    film = preview.film_strip(small, side=32, columns=10)
    assert film.shape[1] == 320
    # The mouth moves: not all frames are alike.
    frames = film.reshape(-1, 32, 10, 32, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 32, 32, 3)
    assert len({frame[18:].tobytes() for frame in frames}) > 10


def test_the_command_writes_pictures(small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", ["preview", str(out), "--package", str(small_folder)])
    assert preview.main() == 0
    assert {path.name for path in out.iterdir()} == {
        "poster.jpg",
        "thumbnail.jpg",
        "sheet.png",
        "film.png",
        "film.webm",
    }
    poster = cv2.imread(str(out / "poster.jpg"))
    assert poster is not None
    assert poster.shape == (720, 720, 3)
    assert np.std(poster) > 5
    with av.open(str(out / "film.webm")) as film:
        pictures = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    assert len(pictures) == int(sum(seconds for _, seconds in preview.SENTENCE) * 25)
    assert pictures[0].shape == (512, 512)
    # The mouth moves.
    assert float(np.std(np.stack(pictures)[:, 320:400, 180:330], axis=0).max()) > 5


def test_the_command_names_what_is_wrong(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_folder / "fields.npz").unlink()
    monkeypatch.setattr("sys.argv", ["preview", str(tmp_path / "out"), "--package", str(small_folder)])
    assert preview.main() == 1
    assert "fields.npz" in capsys.readouterr().err
