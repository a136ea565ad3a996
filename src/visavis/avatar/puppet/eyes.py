"""The eyes: a table of pictures, chosen for each eye's blink and gaze and pasted into a picture."""

from typing import Final

import cv2

from visavis.avatar.face import FaceFrame
from visavis.avatar.package import Pixels
from visavis.avatar.puppet.rig import Rig
from visavis.blendshape import ARKIT_INDEX

# Per image side: weights that close the eye, turn it to the image's right, left, up, down. The avatar's right eye is
# on the image's left.
_SIDES: Final = tuple(
    tuple(ARKIT_INDEX[name] for name in names)
    for names in (
        ("eyeBlinkRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight", "eyeLookDownRight"),
        ("eyeBlinkLeft", "eyeLookOutLeft", "eyeLookInLeft", "eyeLookUpLeft", "eyeLookDownLeft"),
    )
)


class Eyes:
    """The eyes of ``picture``, a canonical picture (BGRA) of one's own."""

    def __init__(self, rig: Rig, picture: Pixels) -> None:
        self._table = rig.eyes
        self._picture = picture
        self._shown: list[tuple[int, int, int] | None] = [None, None]

    def paint(self, face: FaceFrame) -> None:
        """Bring the picture up to date."""
        table = self._table
        if table is None:
            return
        box, middle = table.manifest.box, table.manifest.split - table.manifest.box.left
        for side, part in enumerate((slice(0, middle), slice(middle, box.width))):
            blink, right, left, up, down = (float(face.arkit[index]) for index in _SIDES[side])
            closed = table.blink_place(max(face.blink, blink))
            row, column = table.gaze_place(face.gaze_x + right - left, face.gaze_y + up - down)
            if (closed, row, column) == self._shown[side]:
                continue
            self._shown[side] = (closed, row, column)
            # The three colours; the alpha stays.
            target = self._picture[box.top : box.bottom, box.left + part.start : box.left + part.stop]
            cv2.mixChannels([table.at(closed, row, column, part)], [target], [0, 0, 1, 1, 2, 2])
