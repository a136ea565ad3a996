"""Where drafts lie: nothing is left of them, however a server ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from visavis.portraits.shelf import SHELF, Shelf

HOLD = """
import sys, time
from pathlib import Path
from visavis.portraits.shelf import Shelf
shelf = Shelf(Path(sys.argv[1]))
(shelf.place() / "photo").write_bytes(b"a photo")
print("ready", flush=True)
time.sleep(60)
"""


def test_nothing_is_made_before_the_first_draft(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "avatars")
    shelf.sweep()
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_places_are_this_users_alone(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    place = shelf.place()
    assert place.stat().st_mode & 0o777 == 0o700
    assert place.parent.stat().st_mode & 0o777 == 0o700
    shelf.clear(place)
    assert not place.exists()
    shelf.place()
    shelf.close()
    shelf.close()
    assert list(tmp_path.iterdir()) == []
    # Whoever begins while the server ends leaves nothing behind.
    with pytest.raises(OSError, match="closed"):
        shelf.place()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_server_left_is_swept_away_and_a_living_ones_stays(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        ours = Shelf(tmp_path)
        place = ours.place()
        ours.sweep()
        assert len(list(tmp_path.glob(f"{SHELF}/*/draft-*"))) == 2
        other.send_signal(signal.SIGKILL)
        other.wait()
        ours.sweep()
        assert list(tmp_path.glob(f"{SHELF}/*/draft-*")) == [place]
    ours.close()
    assert list(tmp_path.iterdir()) == []


def test_a_shelf_that_is_just_being_made_is_left_alone(tmp_path: Path) -> None:
    new = tmp_path / SHELF / "shelf-new"
    new.mkdir(parents=True)
    shelf = Shelf(tmp_path)
    shelf.sweep()
    assert new.exists()
    long_ago = time.time() - 3600
    os.utime(new, (long_ago, long_ago))
    shelf.sweep()
    assert not new.exists()
